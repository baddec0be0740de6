"""DynaMath's own rule: a short answer out of a JSON object, compared by the kind of question.

Source: DynaMath/DynaMath @598c3c3, evaluation/opensource_json_eval.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options

FLOAT = "float"
MULTIPLE_CHOICE = "multiple choice"
_KEY = "short answer"
_TOLERANCE = 0.001
_LETTERS_READ = 3
"""A longer answer to a multiple-choice question is right when the gold letter is among its first characters."""
_PI = "π"


class DynaMathVerifier:
    r"""The official rule. Value is the short answer: a number for `float` questions, text for all others.

    The JSON object reaches from the first "{" to the last "}"; backslashes are taken out of it. Where there is none, the
    short answer is the last line without its last character. The target is the benchmark's string: a float within 0.001; for a
    choice the same letter, or one of the first three characters; for other questions any part of the answer.
    """

    name = "dynamath"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the short answer; of a `float` question the number with which it opens.

        Raises:
            DataError: when the row does not say what kind of question it is.
        """
        kind = self._kind(context)
        answer = short_answer(text)
        if not answer:
            return Extraction(reason="not found" if text.strip() else "empty")
        if kind != FLOAT:
            return Extraction(answer)
        number = _number(answer)
        return Extraction(reason="not found") if number is None else Extraction(number)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the kind of question.

        Raises:
            DataError: when the target is no string, or no number where one is needed.
        """
        if not isinstance(target, str) or not target:
            raise DataError(f"target {target!r} is no text", remedy="DynaMath's answers are strings")
        kind = self._kind(context)
        if kind == FLOAT:
            right = abs(value - _gold_number(target)) <= _TOLERANCE
        elif kind == MULTIPLE_CHOICE:
            right = value == target if len(value) == 1 else target in value[:_LETTERS_READ]
        else:
            right = target in value
        return Match(float(right), right)

    def _kind(self, context: AnswerContext) -> str:
        kind = merged_options(self._options, context.options).get("answer_type")
        if not isinstance(kind, str) or not kind:
            raise DataError(
                f"answer_type {kind!r} of the row is unknown", remedy="DynaMath has float, multiple choice, text, int"
            )
        return kind


def short_answer(response: str) -> str:
    """Return the short answer of a response, "" where the script finds none."""
    start, end = response.find("{"), response.rfind("}")
    described = response[start : end + 1].replace("\\", "") if 0 <= start < end else response
    try:
        found = json.loads(described, strict=False)
    except (ValueError, RecursionError):
        return described.rpartition("\n")[2][:-1]
    # What is no object, or has no such key, is an answer to nothing.
    answer = found.get(_KEY) if isinstance(found, dict) else None
    return "" if answer is None else str(answer)


def _number(answer: str) -> float | None:
    first = answer if answer.isdigit() else answer.split(" ")[0]
    head, pi, _ = first.partition(_PI)
    try:
        number = float(head) * math.pi if pi else float(head)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _gold_number(target: str) -> float:
    try:
        return float(target)
    except ValueError as error:
        raise DataError(
            f"target {target!r} of a float question is no number", remedy="check the row's answer_type"
        ) from error
