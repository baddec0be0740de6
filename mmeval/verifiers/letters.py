"""Option letters in running text: "B", "(b)", "option B", "B.", "the second option" — and the article "A"."""

from __future__ import annotations

import re
from dataclasses import dataclass

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

BRACKETED = r"[(\[{]\s*(?P<bracketed>[A-Za-z])\s*[)\]}]"
_BARE = (
    r"(?P<bare>[A-Z])(?![A-Za-z0-9_^\\]|'[A-Za-z]|-[A-Za-z0-9]|\.[A-Za-z0-9]|\s*[=+<>×÷]\s*[A-Za-z0-9]"
    r"|\s*/\s*(?:[a-z0-9]|[A-Z][A-Za-z0-9]))"
)
LETTER = re.compile(
    rf"(?<![A-Za-z0-9_^\\])(?<![A-Za-z]')(?<![A-Za-z0-9_][(\[])(?<![Nn]/)(?<![A-Z]\s[<>]\s)(?<![A-Z][<>])(?:{BRACKETED}|{_BARE})"
)
"""Not the letters of "N/A" and "A > B"."""
LOWER = re.compile(r"(?P<bracketed>[a-z])(?=[^\S\n]*+(?:\n|$|[).\]:,;][^\S\n]*+(?:\n|$))|\))")
"""A lower-case letter counts only where an answer must stand."""
NOUN = r"(?<!each\s)(?<!every\s)(?:option|choice|answer|letter|candidate|selection)\b"
_LABELLED = re.compile(
    rf"\b{NOUN}\s*+[:=]?\s*+[\"'(\[{{]?\s*+(?P<bracketed>[A-Za-z])(?![A-Za-z0-9_^\\'-])\s*[\"')\]}}]?"
    r"|\b(?:point|box|picture|image|figure|graph|plot|curve|diagram|label|statement|panel|shape|set|sequence|section|situation"
    r"|scenario|case|group|item|object|specimen|part|position|label(?:l?ed)?|marked)\s++(?:as\s++|with\s++)?"
    r"[\"'(\[{]?\s*+(?P<shown>[A-Za-z])(?![A-Za-z0-9_^\\'-])[\"')\]}]?"
    r"|选项?\s*(?P<chinese>[A-Z])(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_CHINESE = "一二三四五六七八九十"
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
_POSITION = re.compile(
    rf"\b{NOUN}\s*+(?:number\s++|no\.?\s*+|#\s*+)?[(\[]?\s*+(?P<number>[1-9]|1[0-9]|2[0-6])(?![0-9A-Za-z]|[.,][0-9])\s*[)\]]?"
    rf"|\b{NOUN}\s+(?P<roman>[IVX]{{2,4}})(?![A-Za-z0-9])"
    rf"|\b(?P<ordinal>{'|'.join(_ORDINALS)})\s+(?:option|choice|answer|one)\b"
    rf"|第\s*(?P<chinese>[{_CHINESE}]|[1-9])\s*+[个項项]?\s*+(?:选项|選項|答案)",
    re.IGNORECASE,
)
_LINE = re.compile(
    r"[\s>•-]*(?:(?:option|choice)\s+)?(?:[(\[]\s*(?P<bracketed>[A-Za-z])\s*[)\]]|(?P<bare>[A-Z])\s*[.):](?=\s|$))",
    re.IGNORECASE,
)
_BARE_LINE = re.compile(r"[\s>•-]*(?:(?:option|choice)\s+)?[A-Z(\[]", re.IGNORECASE)

_DIGIT_BEFORE = re.compile(r"[0-9]\s?$")
_WORD_AFTER = re.compile(r"[^\S\n]+([A-Za-z]+)")
_NOUN_AFTER = re.compile(r"[ \t]+([a-z]{2,})")
_NO_NOUN = re.compile(
    r"because|since|as|and|or|which|with|due|for|given|but|not|in|from|based|is|was|has|does|can|will|would|should|must"
    r"|seems|appears|looks|fits|matches|corresponds|represents|shows|contains|follows|completes|makes|satisfies|best"
    r"|correctly|accurately|only|if|then|instead|rather|instead",
    re.IGNORECASE,
)
"""Words before which "A" is no article."""
_ARTICLE = re.compile(r"answer\s*+[:=]?\s*+A\s*", re.IGNORECASE)
_NO_VERB = re.compile(r"because|since|as|and|or|which|with|due|for|given|not|in|from|based|is|was|has", re.IGNORECASE)
"""Words before which "I" is no pronoun."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An option letter and where it stands, brackets included."""

    index: int
    """The option that it names, 0 for A; it may lie beyond the question's options."""
    start: int
    end: int
    bracketed: bool
    thing: bool = False
    """Whether it names a thing in the picture ("Point D") and not an option by its label."""


def read_letter(found: re.Match[str]) -> Letter:
    """Return the letter of a match of any pattern of this module."""
    groups = found.groupdict()
    bracketed = groups.get("bracketed")
    name = bracketed or groups.get("bare") or groups.get("shown") or groups.get("chinese") or ""
    thing = groups.get("shown") is not None
    return Letter(LETTERS.index(name.upper()), *found.span(), bracketed is not None, thing)


def letter_at(text: str, position: int, end: int | None = None) -> Letter | None:
    """Return the letter that stands at `position`: upper case, bracketed, or a lower-case one that ends the line."""
    stop = len(text) if end is None else end
    found = LETTER.match(text, position, stop) or LOWER.match(text, position, stop)
    return None if found is None or is_word(text, found) else read_letter(found)


def letters_in(text: str, start: int, end: int) -> list[Letter]:
    """Return the upper-case or bracketed letters of [start, end); articles and pronouns are none."""
    found = []
    for match in LETTER.finditer(text, start, end):
        if not (match.group("bracketed") or "A").islower() and not is_word(text, match):
            found.append(read_letter(match))
    return found


def labelled_in(text: str, start: int, end: int, *, shown: bool = True) -> list[Letter]:
    """Return the letters behind a noun: "option B", "choice (c)", and with `shown` things in the picture: "Point D"."""
    found = []
    for match in _LABELLED.finditer(text, start, end):
        thing = match.group("shown")
        if thing and (not shown or (thing.islower() and not _closes(text, match))):
            continue
        if (match.group("bracketed") or "").islower() and not _closes(text, match):
            continue  # "the answer a child would give"
        if _ARTICLE.fullmatch(match.group()) and _noun_follows(text, match.end("bracketed")):
            continue  # "Answer: A dog"
        found.append(read_letter(match))
    return found


def _closes(text: str, found: re.Match[str]) -> bool:
    return (
        found.group().rstrip()[-1:] in ")]}\"'" or re.match(r"\s*(?:[.,;:!?\n]|$)", text[found.end() :][:4]) is not None
    )


def positions_in(text: str, start: int, end: int) -> list[tuple[int, int, int]]:
    """Return (index, start, end) of options named by their place: "option 2", "the second option", "第二个选项"."""
    found = []
    for match in _POSITION.finditer(text, start, end):
        number, roman, ordinal, chinese = match.group("number", "roman", "ordinal", "chinese")
        if number:
            index = int(number) - 1
        elif ordinal:
            index = _ORDINALS.index(ordinal.lower())
        elif chinese:
            index = _CHINESE.index(chinese) if chinese in _CHINESE else int(chinese) - 1
        elif roman.isupper() and roman in _ROMAN:
            index = _ROMAN.index(roman)
        else:
            continue
        found.append((index, *match.span()))
    return found


def line_label(text: str, start: int, end: int) -> Letter | None:
    """Return the label ("B.", "(B)", "Option B:") that opens the line [start, end)."""
    found = _LINE.match(text, start, end)
    if found is None or (found.group("bare") or "A").islower():
        return None
    letter = read_letter(found)
    place = found.start("bracketed") if found.group("bracketed") else found.start("bare")
    return Letter(letter.index, place, found.end(), letter.bracketed)


def _noun_follows(text: str, position: int) -> bool:
    """Whether what stands behind an "A" makes it the article."""
    following = _NOUN_AFTER.match(text, position)
    return following is not None and _NO_NOUN.fullmatch(following[1]) is None


def is_word(text: str, found: re.Match[str]) -> bool:
    """Whether a bare A or I is the article or the pronoun, as its surroundings say."""
    if found.groupdict().get("bare") not in ("A", "I"):
        return False
    if _DIGIT_BEFORE.search(text, max(0, found.start() - 2), found.start()):
        return True
    following = _WORD_AFTER.match(text, found.end())
    if following is None or len(following.group(1)) == 1:
        return False
    if found.groupdict().get("bare") == "I":
        return _NO_VERB.fullmatch(following.group(1)) is None
    return _NO_NOUN.fullmatch(following.group(1)) is None
