"""OCRBench v2's own rules, of the kinds of question whose rule is a few lines.

Source: Yuliang-Liu/MultimodalOCR @794c36d, OCRBench_v2/eval_scripts (eval.py, vqa_metric.py, IoUscore_metric.py).
Its other kinds (tables, documents, charts, key-value pairs, full pages, text spotting) are scored by tree edit distance,
BLEU, METEOR and a spotting protocol: their rows are left `unscored`, and the official results are imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError, UndecidedError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import after_reasoning, merged_options

SHORT_WORDS = 5
"""A gold of fewer words has to stand in the answer; a longer one is compared by edit distance."""
SHORT_ITEMS = 4
"""The same for Chinese, in items apart by commas."""
THRESHOLD = 0.5
_BOX = re.compile(r"[(\[]\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*[)\]]")
_NUMBER = re.compile(r"\d{1,18}")
_TEXT_COMMAND = re.compile(r"\\text\{([^{}]*)\}")
_BETWEEN = ("", ".", ". ", ",", ", ", "、", ";", "; ", " ", "和")
"""What may stand between the letters of a Chinese multiple-answer gold."""
_SHORT_ANSWER = "简答"
"""A question that asks for a short answer in handwriting is scored by BLEU, METEOR and edit distance."""

Golds = Sequence[str]


class OCRBenchV2Verifier:
    """The answer is all that follows the reasoning; the row's option `type` names its rule, `eval` refines it.

    The target is a list of accepted strings; for `text grounding en` the four coordinates of a box, from 0 to 1000. The
    score is in [0, 1]; rows are neither right nor wrong.
    """

    name = "ocrbench-v2"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the answer."""
        answer = after_reasoning(text, merged_options(self._options, context.options))
        if answer is None:
            return Extraction(reason="unfinished reasoning")
        start = len(text) - len(answer.lstrip())
        end = len(text.rstrip())
        return Extraction(text[start:end], (start, end)) if start < end else Extraction(reason="empty")

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Score by the rule of the row's type.

        Raises:
            DataError: when the row has no known type, or its target is no list.
            UndecidedError: when the type's rule is not reproduced here.
        """
        options = merged_options(self._options, context.options)
        kind, how = str(options.get("type")), options.get("eval")
        if not isinstance(target, (list, tuple)) or not target:
            raise DataError(f"target {target!r} is no list", remedy="give the row its answers as a list")
        golds = [str(gold) for gold in target]
        rule = _RULES.get(kind)
        written = kind == "handwritten answer extraction cn" and _SHORT_ANSWER in str(options.get("question"))
        if rule is None or written:
            raise UndecidedError(f"the rule of type {kind!r} is not reproduced: import the official results")
        score = rule(str(value), golds, str(how) if how else "")
        return Match(score, None)


def _flat(text: str) -> str:
    return text.strip().replace("\n", " ")


def _bare(text: str) -> str:
    return _flat(text).replace(" ", "")


def _similar(answer: str, gold: str) -> float:
    from rapidfuzz.distance import Levenshtein

    longest = max(len(answer), len(gold))
    similarity = 1 - Levenshtein.distance(answer, gold) / longest if longest else 1.0
    return similarity if similarity >= THRESHOLD else 0.0


def _best(answer: str, golds: Golds, is_short: Callable[[str], bool]) -> float:
    return max(float(gold in answer) if is_short(gold) else _similar(answer, gold) for gold in golds)


def _few_words(gold: str) -> bool:
    return len(gold.split()) < SHORT_WORDS


def _few_items(gold: str) -> bool:
    return len(gold.split(",")) < SHORT_ITEMS


def _choice(answer: str, golds: Golds) -> float:
    return float("".join(character for character in answer if character.isalpha()) == golds[0])


def _question(answer: str, golds: Golds, how: str) -> float:
    if how == "multiple choice":
        return _choice(answer, golds)
    if how == "case sensitive":
        return _best(_flat(answer), [_flat(gold) for gold in golds], _few_words)
    return _best(_flat(answer.lower()), [_flat(gold.lower()) for gold in golds], _few_words)


def _question_in_chinese(answer: str, golds: Golds, how: str) -> float:
    if how:
        return _question(answer, golds, how)
    return _best(_bare(answer.lower()), [_bare(gold.lower()) for gold in golds], _few_items)


def _counting(answer: str, golds: Golds, how: str) -> float:
    if how != "regression":
        # The script lower-cases the gold, and not the answer.
        return float(any(_flat(gold.lower()) in answer for gold in golds))
    found = _NUMBER.search(answer)
    given = int(found.group()) if found else 0
    return max(_near(given, _whole(gold)) for gold in golds)


def _whole(gold: str) -> int:
    if not gold.strip().isdecimal():
        raise DataError(f"target {gold!r} is no whole number", remedy="correct the row's answers")
    return int(gold)


def _near(given: int, wanted: int) -> float:
    if not 0 < given < 2 * wanted:
        return 0.0
    share = 1 - abs(given - wanted) / wanted
    return share if share > THRESHOLD else 0.0


def _formula(answer: str, golds: Golds, how: str) -> float:
    return float(any(_bare(gold) in _bare(answer) for gold in golds))


def _formula_in_chinese(answer: str, golds: Golds, how: str) -> float:
    return _formula(_TEXT_COMMAND.sub(r"\1", answer), [_TEXT_COMMAND.sub(r"\1", gold) for gold in golds], how)


def _handwritten(answer: str, golds: Golds, how: str) -> float:
    return float(any(between.join(golds[0]) in answer for between in _BETWEEN))


def _grounding(answer: str, golds: Golds, how: str) -> float:
    if len(golds) != 4:
        raise DataError(f"target {golds!r} is no box", remedy="give the row its box as four coordinates")
    boxes = [box for found in _BOX.finditer(answer) if max(box := [int(side) for side in found.groups()]) <= 1000]
    return _overlap(boxes[-1], [_whole(side) for side in golds]) if boxes else 0.0


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Intersection over union; areas of boxes with their corners swapped have a sign, as in the script."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    union = sum(areas) - width * height
    return width * height / union if union else 0.0


_RULES: Mapping[str, Callable[[str, Golds, str], float]] = {
    **dict.fromkeys(
        (
            "APP agent en", "ASCII art classification en", "math QA en", "reasoning VQA en", "science QA en",
            "text recognition en", "document classification en", "cognition VQA en", "diagram QA en",
        ),
        _question,
    ),
    "cognition VQA cn": _question_in_chinese,
    "reasoning VQA cn": _question_in_chinese,
    "handwritten answer extraction cn": _handwritten,
    "formula recognition en": _formula,
    "formula recognition cn": _formula_in_chinese,
    "text counting en": _counting,
    "text grounding en": _grounding,
}  # fmt: skip
TYPES = tuple(_RULES)
"""The types of question whose rule is reproduced."""
