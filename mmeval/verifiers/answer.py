"""Where in a response the answer stands: after the reasoning, in answer tags, in a box, behind a phrase.

Every function keeps offsets: masks replace characters by as many spaces, so that a span found in masked text
is a span of the response.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from mmeval.core.types import Extraction
from mmeval.verifiers.base import looks_like_refusal
from mmeval.verifiers.json_answer import json_answer, unescaped

REASONING_TAGS = ("think", "thinking", "thought", "reasoning", "analysis")
ANSWER_TAGS = ("answer", "final_answer", "conclusion")


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a response that can hold the answer."""

    text: str
    start: int
    """Offset of `text` in the response."""
    marked: bool
    """Whether the model marked it as its answer (tags, a box, a field of JSON)."""
    around: tuple[int, int] | None = None
    """Start and end in the response of what the box or the JSON object stands in; None without one."""
    boxed: bool = False
    """Whether `text` is the content of a box."""

    @property
    def whole(self) -> tuple[int, int]:
        """Start and end, in the response, of the section with what stands around it (the object whose field it is)."""
        return self.around or (self.start, self.start + len(self.text))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return offsets inside `text` as offsets in the response."""
        return self.start + start, self.start + end


def merged_options(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card's options with a row's own laid over them."""
    return {**defaults, **options}


def section_of(text: str, options: Mapping[str, Any]) -> Section | None:
    """Return the answer section with the tag names of `options` (`reasoning_tags`, `answer_tags`)."""
    return final_answer(text, _names(options.get("reasoning_tags"), REASONING_TAGS), options)


def answer_section(text: str, options: Mapping[str, Any]) -> Section | Extraction:
    """Return the answer section, or the empty extraction that says why there is nothing to read."""
    section = section_of(text, options)
    if section is None:
        return Extraction(reason="unfinished reasoning")
    return section if section.text.strip() else Extraction(reason="empty")


def final_answer(
    text: str, tags: Iterable[str] = REASONING_TAGS, options: Mapping[str, Any] | None = None
) -> Section | None:
    r"""Return the part of `text` that counts as answer, or None when the reasoning never ends.

    What follows the last closed reasoning tag; of that, the last `<answer>…</answer>` (an opening tag without
    its end reaches to the end: the end tag is a common stop string); of that, the answer field of a JSON object at
    its end, else the last non-empty `\boxed{…}`.

    Args:
        text: the response.
        tags: names of reasoning tags.
        options: `answer_tags` names other answer tags than `ANSWER_TAGS`.
    """
    begin = _after_reasoning(text, tuple(tags))
    if begin is None:
        return None
    start, end, tagged = _inside_answer_tags(
        text, begin, len(text), _names((options or {}).get("answer_tags"), ANSWER_TAGS)
    )
    field = json_answer(text, start, end)
    inner = field or _boxed(text, start, end)
    if inner is not None:
        content = text[inner[0] : inner[1]]
        return Section(content if field is None else unescaped(content), inner[0], True, (start, end), field is None)
    return Section(text[start:end], start, tagged)


def after_reasoning(text: str, options: Mapping[str, Any]) -> str | None:
    """Return what follows the last closed reasoning tag, or None when the reasoning never ends."""
    begin = _after_reasoning(text, _names(options.get("reasoning_tags"), REASONING_TAGS))
    return None if begin is None else text[begin:]


def _after_reasoning(text: str, tags: tuple[str, ...]) -> int | None:
    start, opened = 0, False
    for tag in _tag_pattern(tags).finditer(text):
        opened = tag.group(1) == ""
        start = tag.end()
    return None if opened else start


def _names(value: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and value:
        return tuple(str(name) for name in value)
    return default


@lru_cache(maxsize=64)
def _tag_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(name) for name in names)
    return re.compile(rf"[<◁]\s*+(/?)\s*+(?:{alternatives})\s*+[>▷]", re.IGNORECASE)


def _inside_answer_tags(text: str, start: int, end: int, names: tuple[str, ...]) -> tuple[int, int, bool]:
    opening: int | None = None
    found: tuple[int, int] | None = None
    for tag in _tag_pattern(names).finditer(text, start, end):
        if tag.group(1) == "":
            opening = tag.end()
        elif opening is not None:
            found = (opening, tag.start())
            opening = None
    if opening is not None:
        return opening, end, True
    return (*found, True) if found else (start, end, False)


_BOX = re.compile(r"\\f?boxed\s*\{")


def _boxed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the content of the last non-empty box; several boxes on its line are returned together."""
    boxes: list[tuple[int, int, int]] = []
    # Only the last ones can matter; the limit bounds the work on text that opens boxes without closing them.
    for opening in list(_BOX.finditer(text, start, end))[-40:]:
        close = _closing_brace(text, opening.end(), end)
        if close is None:
            line_end = text.find("\n", opening.end(), end)
            close = line_end if line_end >= 0 else end
        if text[opening.end() : close].strip():
            boxes.append((opening.start(), opening.end(), close))
    inner = [box for box, following in pairwise(boxes) if box[2] <= following[0]] + boxes[-1:]
    if not inner:
        return None
    line = [box for box in inner if "\n" not in text[box[0] : inner[-1][0]]]
    if len(line) == 1:
        return line[0][1], line[0][2]
    return line[0][0], min(line[-1][2] + 1, end)


def _closing_brace(text: str, position: int, end: int) -> int | None:
    depth = 1
    while position < end:
        character = text[position]
        if character == "\\":
            position += 2
            continue
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return position
        position += 1
    return None


_DIGITS = {zero + digit: 0x30 + digit for zero in (0x0660, 0x06F0, 0x0966) for digit in range(10)}
"""Arabic, Persian and Devanagari digits."""
_FULL_WIDTH = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {0x3000: 0x20, 0x2019: 0x27, 0x2018: 0x27, 0x2044: 0x2F, 0x066A: 0x25, 0x066B: 0x2E}
    | _DIGITS
)
_TEXT_COMMAND = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mathit|mathsf|mbox|boxed|fbox|bf|rm|emph|underline)\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(
    r"\*\*|__|`|\\[()\[\]]|\\(?:left|right|displaystyle)\b|</?[bi]>|</?s>|<\|[^|<>\s]{1,40}\|>|<(?:eos|bos|pad|end_of_turn|end_of_utterance)>"
)
"""Markup, and the special tokens that a decoder left in the text."""


def mask(text: str) -> str:
    r"""Return `text`, equally long, with emphasis and LaTeX text commands blanked and full-width ASCII narrowed."""
    text = text.translate(_FULL_WIDTH)
    for _ in range(6):
        replaced = _TEXT_COMMAND.sub(_keep_argument, text)
        if replaced == text:
            break
        text = replaced
    return _MARKUP.sub(_blank, text)


def _keep_argument(found: re.Match[str]) -> str:
    before = found.start(1) - found.start()
    return " " * before + found.group(1) + " "


def _blank(found: re.Match[str]) -> str:
    return " " * (found.end() - found.start())


def lower(text: str) -> str:
    """Return `text` in lower case without changing its length."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


_BE = r"(?:is|was|are|equals|(?:would|will|should|must|could|might|may|can)\s+be|comes\s+(?:out\s+)?to|seems\s+to\s+be)"
_ROMANCE_BE = r"(?:est|es|é|è|ist|lautet|is|jest|är|er)"
_PHRASE = re.compile(
    r"(?:(?<![A-Za-z])answers?\b[\"']?(?:\s+(?:to|for|of|in)\s++[^.:\n]{0,80}?|\s+(?:here|choice|option|letter|value))?"
    rf"\s*(?:(?:{_BE}\b|[:=]|→|->)\s*)+"
    r"|\b(?:final|correct)\s+(?:value|result|number|count|response)\b\s*(?:(?:is|=|:)\s*)+"
    r"|[\"'](?:final|correct|selected)?[ _-]?(?:option|choice)[\"']\s*:\s*"
    r"|(?:答案|结果)\s*+(?:选项)?\s*+(?:(?:应该|应)?(?:是|为|选|[:=])\s*)+"
    r"|(?:答え|正解|解答)\s*(?:は|[:=])\s*|(?:정답|답)\s*(?:은|는|[:=])\s*|(?:الإجابة|الجواب)[^.:\n]{0,30}?(?:هي|هو|[:=])\s*"
    rf"|\b(?:antwort|lösung|réponse|respuesta|resposta|risposta|antwoord|svar(?:et)?|odpowiedź)\b[^.:\n]{{0,30}}?"
    rf"(?:\s*[:=]|\s{_ROMANCE_BE}\b)\s*(?:(?:la|le|el|die|der|a|o|il|lo)\s+)?"
    r"|\bответ(?:ом)?\b[^.:\n]{0,30}?(?:\s*[:=—–-]|\sявляется)\s*)",
    re.IGNORECASE,
)
NEGATION = re.compile(
    r"(?:\b(?:not|never|neither|nor|cannot\s+be|isn't|wasn't|can't\s+be|rather\s+than|instead\s+of|except|excluding|without)"
    r"|不是|不选)\s*(?:(?:an?|the|be|option|choice|answer|letter|simply|just|set|point|box|image|picture|figure|graph|choose|select|pick|say)\s+){0,3}[(\"']?\s*$",
    re.IGNORECASE,
)
_NEGATION_PARTS = ("not", "n't", "never", "neither", "nor", "rather", "instead", "except", "exclud", "without", "不")
_OFFERED = r"(?:the\s+)?(?:[a-z]+\s+){0,2}(?:options?|choices?|answers?|alternatives?)\b"
_DENIAL = re.compile(
    rf"\bnone\s+of\s+(?:(?:the|these|those)\s+)?(?:above|{_OFFERED}|these\b(?!\s+[a-z]))"
    rf"|(?P<value>\bnot\s+an?\s+(?:[a-z]+\s+){{0,2}}(?:options?|choices?)\b)|\bno\s+(?:correct\s+)?answer\s+can\s+be\s+given"
    rf"|\bnot\s+(?:[a-z]+\s+){{0,2}}(?:in|among|one\s+of|part\s+of|within)\s+{_OFFERED}|\bnot\s+(?:[a-z]+\s+)?listed\b"
    rf"|\b(?:options?|choices?)\s+(?:[a-z]+\s+)?(?:do|does)\s+not\s+(?:include|contain|match)\b"
    r"|\b(?:answer|option|choice)s?\s*(?:is|are|:)\s*none\b|都不(?:对|正确|是)|不在(?:[^。\n]{0,8})?(?:选项|选择)",
    re.IGNORECASE,
)
_TURNS = re.compile(r"\b(?:but|however|so|therefore|although)\b|;", re.IGNORECASE)
_NEGATED_START = re.compile(r"(?:not|never|neither|none\s+of)\b", re.IGNORECASE)


def answer_phrases(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the last "the answer is …" of masked text: `end` is where the named answer starts."""
    # Only the last ones can decide; the limit bounds the work on text that repeats the phrase for ever.
    for found in deque(_PHRASE.finditer(text), maxlen=32):
        if not _NEGATED_START.match(text, found.end()) and not conditional(text, found.start()):
            yield found.start(), found.end()


def denials(text: str, values: bool = True) -> Iterator[tuple[int, int]]:
    """Yield where masked text says that none of the options is the answer; the end is that of its clause.

    With `values` also where it says that something is no option ("15, which is not an option").
    """
    for found in deque(_DENIAL.finditer(text), maxlen=32):
        if found.group("value") and not values:
            continue
        end = sentence_end(text, found.end())
        turn = _TURNS.search(text, found.end(), end)
        yield found.start(), turn.start() if turn else end


def conditional(text: str, position: int) -> bool:
    """Whether the sentence around `position` opens with a condition ("If it is red, the answer is A")."""
    begin = max(0, position - 240)
    for stop in _SENTENCE_END.finditer(text, begin, position):
        begin = stop.end()
    return _CONDITION.match(text, begin, position) is not None


def declines(text: str) -> bool:
    """Whether the text says that the question cannot be answered. Asked only where no answer is named."""
    return looks_like_refusal(text) or _DECLINES.search(text) is not None


def body_end(text: str) -> int:
    """Return where masked text ends without closing courtesies ("I hope this helps!")."""
    end = len(text)
    for _ in range(4):
        found = _COURTESY.search(text, max(0, end - 300), end)
        if found is None or not text[: found.start()].strip():
            break
        end = found.start()
    return end


def own_turn(text: str) -> int:
    """Return where masked text ends without the further questions that a base model asks itself.

    A line that opens a new turn ("Question:", "Human:") ends the answer where what stands before it names one, or
    is short; at the start of the text it only repeats the question.
    """
    for found in _TURN.finditer(text):
        head = text[: found.start()]
        if head.strip():
            named = any(True for _ in answer_phrases(head)) or len(head.split()) <= 12
            return found.start() if named else len(text)
    return len(text)


def negated(text: str, position: int) -> bool:
    """Whether what stands at `position` of masked text is directly negated ("not B")."""
    before = text[max(0, position - 48) : position].lower()
    # Mostly there is nothing of the kind, and this is asked of every number and letter.
    if not any(part in before for part in _NEGATION_PARTS):
        return False
    return NEGATION.search(text, max(0, position - 48), position) is not None


_TURN = re.compile(
    r"^[ \t>#]*(?:question|q|hint|human|user|instruction|problem|assistant)\s*+[0-9]{0,2}+\s*+:", re.I | re.M
)
_CONDITION = re.compile(
    r"[\s\W]*(?:for\s+(?:example|instance)|if(?!\s+(?:forced|pressed|(?:we|i)\s+(?:must|ha(?:d|ve)\s+to))\b)|when|suppose|assuming|provided"
    r"|unless)\b",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\bno\s+(?:idea|clue)\b|\b(?:impossible\s+to|cannot\s+be\s+(?:determined|answered|provided|found|calculated)|not\s+possible\s+to"
    r"|(?:not|n't)\s+(?:have|provide|give|contain)\s+(?:enough|sufficient|specific|any)|insufficient\s+(?:information|data)"
    r"|(?:not|n't)\s+(?:provide|give|contain|include)\s+(?:the\s+)?(?:information|details|data)"
    r"|need(?:s|ed)?\s+(?:more|additional|further)\s+(?:information|details|data|context)"
    r"|there\s+is\s+no\s+(?:specific\s+|additional\s+)?information"
    r"|(?:is|are|was|were)\s+not\s+(?:provided|given|available|visible)|please\s+provide)\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?<![^\n.!?])\s*(?:i\s+hope\s+(?:this|that)|let\s+me\s+know|do\s+you\s+have\s+(?:any\s+)?(?:other\s+)?(?:more\s+)?questions"
    r"|is\s+there\s+anything|feel\s+free|(?:please\s+)?don't\s+hesitate|if\s+you\s+have\s+any)\b[^\n.!?]*[.!?]*\s*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[!?。！？]|\.(?![0-9A-Za-z])|\n")


def sentence_end(text: str, position: int, end: int | None = None) -> int:
    """Return where the sentence that starts at `position` ends (leading white space is skipped), at most `end`."""
    stop = len(text) if end is None else min(end, len(text))
    while position < stop and text[position].isspace():
        position += 1
    found = _SENTENCE_END.search(text, position, stop)
    return found.start() if found else stop


def lines(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of every non-blank line, white space at both ends left out."""
    found = []
    for line in re.finditer(r"[^\n]+", text):
        stripped = line.group().strip()
        if stripped:
            start = line.start() + line.group().index(stripped)
            found.append((start, start + len(stripped)))
    return found


def stripped(text: str, start: int, end: int, characters: str) -> tuple[int, int]:
    """Return [start, end) without white space and `characters` at both ends; a number keeps its sign and dot."""
    first = start
    while start < end and (text[start].isspace() or text[start] in characters):
        start += 1
    if start < end and text[start].isdigit():
        if start > first and text[start - 1] == "." and (start - 1 == first or text[start - 2] != "."):
            start -= 1
        if start > first and text[start - 1] in "-−":
            start -= 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in characters):
        end -= 1
    return start, end
