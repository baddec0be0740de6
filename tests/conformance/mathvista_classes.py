"""Which rows of MathVista's published outputs a rule on the response can be held against the official verdict.

The definition was fixed before the rules were improved on these files:

- An extraction *names an option* when it is a letter of one of the row's options ("B", "(b)", "B.", "Option B"), or the
  text of an option (case, brackets, LaTeX signs, white space, thousands separators and punctuation around it aside), or
  opens with a letter in parentheses ("(B) 12"). It is a *number* when the cast that belongs to the file reads it
  (integer rows: `int(float(x))` or `int(x)`; float rows: `float(x)`).
- It *stands in the response* when the response holds, as a token of its own: the option's letter in upper case, or in
  either case in brackets or before a full stop or a bracket; or the option's text, unless that is a single letter; or
  the number, or another spelling of the same value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STANDS = "stands in the response"
ELSEWHERE = "not in the response"
NEAREST = "nearest option"
NO_VALUE = "no number"
NO_RESPONSE = "no response"
NO_EXTRACTION = "no extraction"
LIST = "list"
CLASSES = (STANDS, ELSEWHERE, NEAREST, NO_VALUE, NO_RESPONSE, NO_EXTRACTION, LIST)

_LETTER = re.compile(r"[\s\"'`*\[({]*(?:option|choice|answer)?\s*[\"'(\[{]*([A-Za-z])[\])}.,:;\"'`*\s]*", re.IGNORECASE)
_OPENING_LETTER = re.compile(r"\W*\(([A-Za-z])\)")
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w]|\.\d)")


def classify(row: Mapping[str, Any], response: str, cast: str) -> str:
    """Return the class of a row.

    Args:
        row: of the published output.
        response: what the extraction was made from.
        cast: `current` or `2023`.
    """
    extraction = row.get("extraction")
    if not response.strip():
        return NO_RESPONSE
    if not isinstance(extraction, str) or not extraction.strip():
        return NO_EXTRACTION
    if row["question_type"] == "multi_choice":
        index = named_option(extraction, row["choices"])
        if index is None:
            return NEAREST
        return STANDS if _letter_stands(index, response) or _text_stands(row["choices"][index], response) else ELSEWHERE
    if row["answer_type"] == "list":
        return LIST
    value = _number(extraction, row["answer_type"], cast)
    if value is None:
        return NO_VALUE
    return STANDS if _number_stands(extraction, value, response) else ELSEWHERE


def named_option(extraction: str, choices: Sequence[str]) -> int | None:
    """Return the option that an extraction names, None when it names none."""
    letters = LETTERS[: len(choices)]
    letter = _LETTER.fullmatch(extraction.strip())
    if letter and letter.group(1).upper() in letters:
        return letters.index(letter.group(1).upper())
    texts = [_text(choice) for choice in choices]
    if _text(extraction) in texts:
        return texts.index(_text(extraction))
    opening = _OPENING_LETTER.match(extraction)
    if opening and opening.group(1).upper() in letters:
        return letters.index(opening.group(1).upper())
    return None


def _number(extraction: str, kind: str, cast: str) -> float | None:
    try:
        if kind == "float":
            return float(extraction)
        return int(extraction) if cast == "2023" else int(float(extraction))
    except (ValueError, OverflowError):
        return None


def _letter_stands(index: int, response: str) -> bool:
    upper, low = LETTERS[index], LETTERS[index].lower()
    return any(
        re.search(pattern, response)
        for pattern in (
            rf"(?<![\w'’]){upper}(?![\w'’])",
            rf"[(\[]\s*{low}\s*[)\]]",
            rf"(?<![\w'’]){low}\s*[).]",
        )
    )


def _text_stands(choice: str, response: str) -> bool:
    text = _text(choice)
    return not (len(text) == 1 and text.isalpha()) and _bounded(text, _normal(response))


def _number_stands(extraction: str, value: float, response: str) -> bool:
    normal = _normal(response)
    return _bounded(_normal(extraction), normal) or any(float(item) == value for item in _NUMBER.findall(normal))


def _normal(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    return " ".join(re.sub(r"[\[\](){}$*\"`\\]", " ", plain).split())


def _text(text: str) -> str:
    return _normal(text).strip(" .,:;")


def _bounded(needle: str, haystack: str) -> bool:
    if not needle:
        return False
    before = r"(?<![\w.])(?<!\d[.,])" if needle[0].isdigit() else r"(?<!\w)" if needle[0].isalnum() else ""
    after = r"(?!\w|[.,]\d)" if needle[-1].isdigit() else r"(?!\w)" if needle[-1].isalnum() else ""
    return re.search(before + re.escape(needle) + after, haystack) is not None
