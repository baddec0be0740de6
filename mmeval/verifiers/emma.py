r"""EMMA's own rule ("fast-eval"): which part of a response is the answer, and when two answers are equal.

Source: EMMA-Bench/EMMA @50609fd, evaluation/evaluate.py and evaluation/utils.py. The official script evaluates both sides as
LaTeX with sympy and compares at two decimals; the value comes from `latex_value` here, nothing is run, and expressions with
symbols are equal only where they are written alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.enclosed import enclosed
from mmeval.verifiers.gold_letter import accepted_texts
from mmeval.verifiers.latex_value import latex_value
from mmeval.verifiers.numerals import find_word_numbers

_OPTIONS = "ABCDEFGH"
_BOX = "\\boxed{"
_TEXT = re.compile(r"\\text{(.*?)}")
_PHRASES = ("final answer is", "correct answer is", "answer should be", "answer is", "answer:")
_DECIMALS = 2


class EMMAVerifier:
    r"""The official rule. Value is the answer's text; the target a letter for rows with choices, whose text is right too.

    An answer is an option's letter at the beginning, a number alone, the last `\boxed{}` (of it the last `\text{}`), else the
    rest of the line behind "final answer is" and its like. It is right when it equals the gold in lower case, as a number
    word, or in value at two decimals. Option `number_words: false` is the rule of the results that were published, which
    knew no number words.
    """

    name = "emma"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer as the official script extracts it; an empty one is none."""
        answer = fast_answer(text)
        return Extraction(answer) if answer else Extraction(reason="not found")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare with the gold answer and, where there are choices, with the text of its option.

        Raises:
            DataError: when the target is no string, or not the letter of one of the choices.
        """
        if not isinstance(target, str):
            raise DataError(f"target {target!r} is no string", remedy="EMMA's answers are strings")
        golds = accepted_texts(target.strip().upper(), target, context.choices)
        words = merged_options(self._options, context.options).get("number_words", True) is not False
        right = any(_equal(str(value).lower().strip(), gold.lower().strip(), words) for gold in golds)
        return Match(float(right), right)


def fast_answer(response: str) -> str:
    """Return the answer in a response, empty where the rule finds none."""
    response = response.strip()
    for letter in _OPTIONS:
        if response.upper() == letter or response.startswith((f"{letter}:", f"{letter}.")):
            return letter
    if _is_number(response):
        return response
    boxes = _boxes(response) if "boxed{" in response else []
    if boxes:
        texts = [found[1] for found in enclosed(_TEXT, boxes[-1], "}")]
        return str(texts[-1] if texts else boxes[-1]).strip()
    lowered = response.lower()
    for phrase in _PHRASES:
        if phrase in lowered:
            return lowered.rpartition(phrase)[2].strip().partition("\n")[0].partition(".")[0]
    return ""


def _boxes(text: str) -> list[str]:
    found: list[str] = []
    position = text.find(_BOX)
    while position >= 0:
        start, depth, end = position + len(_BOX), 1, position + len(_BOX)
        while end < len(text) and depth:
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
        if depth:
            break  # a box that never closes swallows what follows it
        found.append(text[start : end - 1])
        position = text.find(_BOX, end)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _equal(answer: str, gold: str, words: bool) -> bool:
    if answer == gold:
        return True
    named = find_word_numbers(answer) if words else []
    if len(named) == 1 and str(named[0].value) == gold:
        return True
    given, wanted = latex_value(answer), latex_value(gold)
    return (
        given is not None and wanted is not None and round(float(given), _DECIMALS) == round(float(wanted), _DECIMALS)
    )
