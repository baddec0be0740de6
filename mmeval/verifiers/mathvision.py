r"""MATH-Vision's own rule: which part of a response is the answer, and when two answers are equal.

Source: mathllm/MATH-V @a1f5cc3, evaluation/evaluate.py and evaluation/utils.py. The official script evaluates both sides as
LaTeX with sympy and compares at two decimals; the value comes from `latex_value` here, and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.gold_letter import accepted_texts
from mmeval.verifiers.latex_value import Number, latex_value

_LETTERS = "ABCDE"
_PHRASES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOX = "oxed{"
_REMOVED = (
    (" ", ""), ("\\,", ""), ("∞", "\\infty"), ("+\\infty", "\\infty"), ("\\\\", "\\"), ("\n", ""), ("\\text", ""),
    ("\\mbox", ""), ("bmatrix", "pmatrix"), ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""),
    ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", ""), ("{km}", ""), ("km", ""),
    ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", ""),
)  # fmt: skip
"""What is replaced, in this order, before an answer is compared."""
_DECIMALS = 2
_KEPT = ("a", "-a")
"""Parts of a pair that are compared as they are written."""


class MathVisionVerifier:
    """The official rule: value is the answer in lower case without spaces and units, the target the gold string.

    For a row with choices the gold is a letter, and the text of its option is right too. Right is what is the same string,
    or the same number at two decimals.
    """

    name = "mathvision"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer as the official script stores it; an empty one is none."""
        answer = official_answer(text)
        return Extraction(answer) if answer else Extraction(reason="empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the gold answer and, where there are choices, with its option.

        Raises:
            DataError: when the target is no string, or not the letter of one of the choices.
        """
        if not isinstance(target, str):
            raise DataError(f"target {target!r} is no string", remedy="MATH-Vision's answers are strings")
        right = any(answers_equal(gold, str(value)) for gold in accepted_texts(target, target, context.choices))
        return Match(float(right), right)


def official_answer(response: str) -> str:
    """Return the answer in a response: a letter alone, what "the answer is", the last box, or else everything."""
    answer = response.strip()
    for letter in _LETTERS:
        ends, starts = (f" {letter}.", f" ({letter})."), (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if answer.endswith(ends) or answer.startswith(starts):
            answer = letter
    tail = answer.rpartition("is ")[2].rstrip(".")
    if _is_number(tail):
        answer = tail
    if _BOX not in answer:
        for phrase in _PHRASES:
            for written in (phrase, phrase.replace("the", "The")):
                # The tail keeps its first sentence only where the phrase stands.
                found = written in answer
                answer = answer.rpartition(written)[2].strip()
                if found:
                    answer = answer.partition("\n")[0].partition(". ")[0]
    elif answer.count(_BOX) > 1:
        answer = f"\\b{_BOX}{answer.rpartition(_BOX)[2]}"
    plain = _plain(_boxed(answer.lower()))
    for letter in _LETTERS.lower():
        plain = plain.replace(f"({letter})", letter)
    for letter in _LETTERS.lower():
        plain = plain.replace(f"{{{letter}}}", letter)
    return plain.rstrip(".").lstrip(":").strip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _boxed(lowered: str) -> str:
    lowered = lowered.replace("{}", "")
    start, end = lowered.find(_BOX) + len(_BOX), lowered.rfind("}")
    inner = lowered[start:end] if len(_BOX) <= start <= end else lowered
    closing, opening = inner.find("}"), inner.find("{")
    if closing >= 0 and not 0 <= opening < closing:
        inner = inner[:closing]
    return inner.rpartition("=")[2].rpartition("\\approx")[2]


def _plain(text: str) -> str:
    """Take off spaces, units and commands, and write roots and fractions with braces."""
    for old, new in _REMOVED:
        text = text.replace(old, new)
    text = text.partition("\\text{ ")[0].replace("\\%", "").replace("{.", "{0.")
    if text.startswith("."):
        text = f"0{text}"
    if text.count("=") == 1:
        text = text.rpartition("=")[2]
    if text.count("\\approx") == 1:
        text = text.rpartition("\\approx")[2]
    if "sqrt" in text:
        text = _braced_fractions(_braced_roots(text))
    if text == "0.5":
        return "\\frac{1}{2}"
    return _as_fraction(text)


def _braced_roots(text: str) -> str:
    head, *parts = text.split("\\sqrt")
    return head + "".join(
        f"\\sqrt{part}" if not part or part[0] == "{" else f"\\sqrt{{{part[0]}}}{part[1:]}" for part in parts
    )


def _braced_fractions(text: str) -> str:
    head, *parts = text.split("\\frac")
    written = head
    for part in parts:
        if part.startswith("{"):
            written += f"\\frac{part}"
        elif len(part) < 2:
            return text
        elif part[1] == "{":
            written += f"\\frac{{{part[0]}}}{part[1:]}"
        else:
            written += f"\\frac{{{part[0]}}}{{{part[1]}}}{part[2:]}"
    return written


def _as_fraction(text: str) -> str:
    found = re.fullmatch(r"(-?(?:0|[1-9][0-9]*))/(-?(?:0|[1-9][0-9]*))", text)
    if found is None or "-0" in found.groups():
        return text
    return f"\\frac{{{found[1]}}}{{{found[2]}}}"


def answers_equal(gold: str, answer: str) -> bool:
    """Whether two answers are officially equal: as strings, as pairs or lists of numbers, or as numbers at two decimals."""
    gold, answer = gold.lower(), answer.lower()
    if not gold.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if gold.strip() == answer.strip():
        return True
    gold, answer = _evaluated_parts(gold), _evaluated_parts(answer)
    if gold == answer:
        return True
    first, second = _rounded(gold), _rounded(answer)
    return first is not None and first == second


def _rounded(text: str) -> Number | None:
    value = latex_value(text)
    # Rounding an infinite value to decimals leaves it as it is; a whole number stays whole.
    return None if value is None else round(value, _DECIMALS)


def _evaluated_parts(text: str) -> str:
    """Return "(2*3, 5+2)" as "(6,7)", other text as it is."""
    if (text[0], text[-1]) not in {("(", ")"), ("[", "]")} or "," not in text[1:-1]:
        return text
    parts = []
    for part in text[1:-1].split(","):
        if "infty" in part or part in _KEPT:
            parts.append(part)
            continue
        value = _rounded(part)
        if value is None:
            return text
        parts.append(str(value))
    return text[0] + ",".join(parts) + text[-1]
