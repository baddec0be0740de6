"""Verdicts on the steps of a solution, where the model under test is the critic."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import after_reasoning, merged_options
from mmeval.verifiers.step_patterns import (
    ALL,
    ANSWER_TAG,
    ARROW,
    BAD,
    BOX,
    BOXED,
    CLOSING,
    DASH,
    DIRECT,
    DIRECT_WORD,
    FAULTLESS,
    FAULTY,
    GOING_WORD,
    GOOD,
    GROUP,
    KEYS,
    LABELLED,
    LAST_CELL,
    LAST_WORD,
    LISTS,
    NUMBER_HEAD,
    NUMERIC,
    PARTS,
    SEQUENCE,
    STEP_HEAD,
    TITLE,
)

STEPS = "steps"
"""Option with the number of steps of the row, or the steps themselves."""
CLASSES = ("correct", "incorrect")
COUNTS = tuple(f"{kind}_{name}" for name in CLASSES for kind in ("hit", "said", "are"))
"""Scores with the counts of a row: steps of a class found, said, and there; neutral steps are in none."""


class StepVerdictVerifier:
    """The answer says of every step of a solution whether it is right; the target is the list of labels 1, 0 (neutral) or -1.

    Read are JSON lists (of +/-, words, 1/0/-1, true/false, or objects with `correct` or `visual_ok` and `logic_ok`), JSON objects
    by step, "Step 1: correct" and numbered lines, and a bare sequence "+ + -". The value is a list of "+", "-" and null: a step
    without a verdict, or with two different ones, has none. A list of another length than the solution is no answer.

    Option `threshold`: the text is the JSON list of a reward model's scores, and a step is right from this score on.

    Score: share of the labelled steps that are right. `correct`: whether the first wrong step is found (or that there is
    none). `scores`: counts for the F1 of right and of wrong steps (metric `step-f1`), in which a step without a verdict is missed.
    """

    name = "step-verdicts"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return a verdict per step.

        Raises:
            DataError: when the row does not say how many steps there are.
        """
        options = merged_options(self._options, context.options)
        count = _count(options)
        if options.get("threshold") is not None:
            return _by_threshold(text, count, float(options["threshold"]))
        answer = after_reasoning(text, options)
        if answer is None:
            return Extraction(reason="unfinished reasoning")
        answer = ARROW.sub(" → ", ANSWER_TAG.sub("\n", answer))
        listed = _from_json(answer, count)
        found = listed if listed is not None and len(listed) == count else None
        boxes = BOX.findall(answer)
        alone = (answer, *boxes) if len(boxes) == 1 else (answer,)
        sequence = next((one for one in alone if SEQUENCE.fullmatch(one.strip())), None)
        if found is None and sequence is not None:
            found = ["+" if sign == "+" else "-" for sign in re.findall(r"[+−-]", sequence)]
        if found is None:
            found = _words_alone(answer, count)
        if found is None:
            # A list of another length may be anything (a citation, a point).
            found = _from_lines(answer, count) or _of_all(answer, count) or listed
        if found is None:
            return Extraction(reason="no verdict on any step" if answer.strip() else "empty")
        if len(found) != count:
            return Extraction(reason=f"{len(found)} verdicts on {count} steps")
        return Extraction(found) if any(found) else Extraction(reason="no verdict on any step")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare step by step.

        Raises:
            DataError: when the target is no list of 1, 0 and -1, or of another length than the verdicts.
        """
        labels = _labels(target)
        if len(labels) != len(value):
            raise DataError(
                f"{len(labels)} labels for {len(value)} steps",
                remedy="name the column of the steps' labels in fields.answer",
            )
        scores = _counted(value, labels)
        right = scores["hit_correct"] + scores["hit_incorrect"]
        labelled = scores["are_correct"] + scores["are_incorrect"]
        wrong = next((place for place, label in enumerate(labels) if label < 0), None)
        said = next((place for place, verdict in enumerate(value) if verdict == "-" and labels[place] != 0), None)
        silent = any(verdict is None and label != 0 for verdict, label in zip(value[:wrong], labels, strict=False))
        return Match(right / labelled if labelled else 0.0, said == wrong and not silent, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Return the counts of a row without an answer: every step is missed.

        Raises:
            DataError: as `match`.
        """
        labels = _labels(target)
        return _counted([None] * len(labels), labels)


def _by_threshold(text: str, count: int, threshold: float) -> Extraction:
    try:
        scores = json.loads(text)
    except (ValueError, RecursionError):
        return Extraction(reason="no list of scores")
    numbers = isinstance(scores, list) and all(isinstance(s, (int, float)) and not isinstance(s, bool) for s in scores)
    if not numbers or len(scores) != count or any(score != score for score in scores):
        return Extraction(reason="no list of a score per step")
    return Extraction(["+" if score >= threshold else "-" for score in scores])


def _count(options: Mapping[str, Any]) -> int:
    steps = options.get(STEPS)
    count = len(steps) if isinstance(steps, (list, tuple)) else steps
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise DataError(
            f"option {STEPS}: {steps!r} is no number of steps",
            remedy="name the column of the steps in answer.row_options",
        )
    return count


def _labels(target: Any) -> list[int]:
    if not isinstance(target, (list, tuple)) or not target or any(label not in (1, 0, -1) for label in target):
        raise DataError(
            f"target {target!r} is no list of 1, 0 and -1",
            remedy="name the column of the steps' labels in fields.answer",
        )
    return [int(label) for label in target]


def _counted(verdicts: Sequence[str | None], labels: Sequence[int]) -> dict[str, float]:
    found = dict.fromkeys(COUNTS, 0.0)
    for verdict, label in zip(verdicts, labels, strict=True):
        if label == 0:
            continue
        truth = CLASSES[label < 0]
        found[f"are_{truth}"] += 1
        if verdict is not None:
            said = CLASSES[verdict == "-"]
            found[f"said_{said}"] += 1
            found[f"hit_{said}"] += said == truth
    return found


def _read(value: Any, zero_is_bad: bool) -> str | None:
    """The verdict that a JSON value says, None where it says none."""
    if isinstance(value, bool):
        return "+" if value else "-"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = re.sub(r"\s+", " ", str(value).strip().strip(".\"'*").lower())
    if word == "0":
        return "-" if zero_is_bad else None
    return "+" if word in GOOD else "-" if word in BAD else None


def _from_json(text: str, count: int) -> list[str | None] | None:
    """The verdicts of the last JSON list or object in the text; None where there is none."""
    decoder = json.JSONDecoder(strict=False)
    found: list[str | None] | None = None
    place = 0
    objects: list[Any] = []
    for opening in [one.start() for one in re.finditer(r"[\[{]", text)][:400]:
        if opening < place:
            continue
        try:
            value, place = decoder.raw_decode(text, opening)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and _number(value) is not None:
            objects.append(value)
        read = _of_value(value, count)
        found = read if read is not None else found
    # JSON lines: an object per step.
    return found if found is not None or not objects else _of_value(objects, count)


def _of_value(value: Any, count: int) -> list[str | None] | None:
    if isinstance(value, dict):
        inner = next((value[key] for key in LISTS if isinstance(value.get(key), (list, dict))), None)
        if inner is not None:
            return _of_value(inner, count)
        numbered = {int(m.group(1)): v for k, v in value.items() if (m := re.fullmatch(r"\D{0,8}([0-9]{1,3})", str(k)))}
        return _of_numbered([(number, _entry(v, _zero(numbered.values()))) for number, v in numbered.items()], count)
    if not isinstance(value, list) or not value:
        return None
    zero = _zero(value)
    entries = [_entry(entry, zero) for entry in value]
    if not any(entries):
        return None
    numbers = [_number(entry) for entry in value]
    if all(number is not None for number in numbers):
        return _of_numbered([(n, e) for n, e in zip(numbers, entries, strict=True) if n is not None], count)
    return entries


def _zero(values: Any) -> bool:
    """Whether a 0 means wrong: where -1 is used too, it is the neutral label."""
    return not any(str(value).strip() == "-1" for value in values)


def _entry(value: Any, zero_is_bad: bool) -> str | None:
    if not isinstance(value, dict):
        return _read(value, zero_is_bad)
    named = {re.sub(r"[\s-]+", "_", str(key).strip().lower()): cell for key, cell in value.items()}
    direct = next((named[key] for key in KEYS if key in named), None)
    if direct is not None:
        return _read(direct, zero_is_bad)
    parts = [next((_read(named[key], zero_is_bad) for key in keys if key in named), None) for keys in PARTS]
    if "-" in parts:
        return "-"
    return "+" if parts == ["+", "+"] else None


def _number(value: Any) -> int | None:
    if not isinstance(value, dict):
        return None
    named = {str(key).strip().lower().replace(" ", "_"): cell for key, cell in value.items()}
    cell = next(
        (named[key] for key in ("step", "step_number", "step_id", "number", "index", "id") if key in named), None
    )
    digits = re.fullmatch(r"\D{0,8}([0-9]{1,3})", str(cell).strip()) if cell is not None else None
    return int(digits.group(1)) if digits else None


def _of_numbered(entries: Sequence[tuple[int, str | None]], count: int) -> list[str | None] | None:
    """Verdicts by the numbers that the answer gives, from 1; steps beyond the last are ignored, other numbering is none."""
    if not any(verdict for _, verdict in entries) or any(number == 0 for number, _ in entries):
        return None
    said: dict[int, set[str]] = {}
    for number, verdict in entries:
        if verdict is not None:
            said.setdefault(number, set()).add(verdict)
    found: list[str | None] = []
    for number in range(1, count + 1):
        verdicts = said.get(number, set())
        found.append(next(iter(verdicts)) if len(verdicts) == 1 else None)
    return found


def _words_alone(text: str, count: int) -> list[str | None] | None:
    """Return the verdicts of an answer that is nothing but a word or mark for every step."""
    if len(text) > 40 * (count + 1):
        return None
    parts = [part for part in re.split(r"[\s,;|*`\[\]\"'.]+|(?<=\s)[-•](?=\s)|\A\s*[-•](?=\s)", text) if part]
    found = [_read(part, False) for part in parts]
    alone = len(found) == count and None not in found and not any(NUMERIC.search(part) for part in parts)
    return found if alone else None


def _of_all(text: str, count: int) -> list[str | None] | None:
    """Return the verdict that the answer gives of all steps; None where it gives several."""
    found = {_read(one.group("verdict"), False) for one in ALL.finditer(text)}
    return [found.pop()] * count if len(found) == 1 else None


def _of_groups(text: str, count: int) -> Iterator[tuple[int, str | None]]:
    """Yield the verdicts of "steps 1 and 3 are correct", "steps 2-4 are wrong"."""
    for one in GROUP.finditer(text):
        verdict = _read(one.group("verdict"), False)
        for part in re.finditer(r"([0-9]+)(?:\s*(?:-|–|to|through)\s*([0-9]+))?", one.group(1)):
            first, last = int(part[1]), int(part[2] or part[1])
            yield from ((number, verdict) for number in range(max(first, 1), min(last, count) + 1))


def _from_lines(text: str, count: int) -> list[str | None] | None:
    for head in (STEP_HEAD, NUMBER_HEAD):
        heads = list(head.finditer(text))
        if heads:
            ends = [following.start() for following in heads[1:]] + [len(text)]
            blocks = [
                (int(next(filter(None, one.groups()))), _of_block(text[one.end() : end]))
                for one, end in zip(heads, ends, strict=True)
            ]
            zero = _zero(verdict for _, verdict in blocks)
            read = [(number, _read(word, zero) if word else None) for number, word in blocks]
            found = _of_numbered([*read, *_of_groups(text, count)], count)
            if found is not None:
                return found
    return _of_numbered(list(_of_groups(text, count)), count)


def _of_block(block: str) -> str | None:
    """The word of the verdict in what is said of one step."""
    line, _, below = block.partition("\n")
    title = TITLE.match(line)
    if title is not None and _read(title.group(1), False) is None:
        line = line[title.end() :]
    if not re.search(r"[^\s*#:：_.)\]]", line):
        under = below.strip().partition("\n")[0]
        word = DIRECT_WORD.match(under) if FAULTLESS.match(under) is None else None
        if word is not None:
            return str(word.group("verdict") or word.group("alone"))
        line = under if FAULTLESS.match(under) or FAULTY.match(under) else line
    if FAULTLESS.match(line) is not None:
        return "+"
    if FAULTY.match(line) is not None:
        return "-"
    # A word first: the dash of "Step 1 - correct" is no verdict.
    word = DIRECT_WORD.match(line)
    if word is not None:
        return str(word.group("verdict") or word.group("alone"))
    first = DIRECT.match(line)
    if first is not None and GOING_WORD.match(first.group("verdict")) is None and not _mere_dash(line, first):
        return str(first.group("verdict"))
    for pattern in (LABELLED, BOXED, CLOSING, LAST_WORD, LAST_CELL):
        words: set[str] = {
            next(filter(None, one.groupdict().values())).lower() for one in pattern.finditer(block.rstrip())
        }
        if len(words) > 1:
            return None
        if words:
            return str(words.pop())
    return None


def _mere_dash(line: str, first: re.Match[str]) -> bool:
    """Whether a dash only joins a step's number to its words ("Step 1 - The angle is 30.")."""
    place = first.start("verdict")
    if DASH.fullmatch(first.group("verdict")) is None or re.search(r"[:：=→|)\]\"'`]", line[:place]):
        return False
    return re.match(r"\s*\w", line[place + 1 :]) is not None
