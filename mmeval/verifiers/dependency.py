"""Token visual dependency: how much the scores of an answer's own tokens change when the picture does.

PAPO (arXiv:2507.06448) and VPPO (arXiv:2510.09285). It measures influence, not correctness.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.types import AnswerContext, Extraction, Match, TokenContrast

CLAMP = 20.0
"""Of the log-ratio inside k3, and `LARGEST` of k3 itself, as verl has them."""
LARGEST = 10.0
TOP = 0.2
"""Share of tokens whose part of the sum is `top_share`."""


def k3(first: float, second: float) -> float:
    """Return exp(d) - d - 1 for d = second - first (clamped to +-20), at most 10: the k3 estimate of KL(first || second).

    Args:
        first: log-probability of a token with the picture.
        second: the same with the other picture.
    """
    difference = min(max(second - first, -CLAMP), CLAMP)
    return min(math.exp(difference) - difference - 1.0, LARGEST)


def written(contrast: TokenContrast) -> str:
    """Return the JSON text of a contrast: token texts, scores with the picture and without, exact divergence where known."""
    assert contrast.first is not None
    assert contrast.second is not None
    record: dict[str, Any] = {
        "tokens": list(contrast.first.texts) or [str(token) for token in contrast.first.tokens],
        "with": [round(value, 5) for value in contrast.first.logprobs],
        "without": [round(value, 5) for value in contrast.second.logprobs],
    }
    if contrast.divergence:
        record["kl"] = [round(value, 6) for value in contrast.divergence]
    # Escaped, so that a token such as </think> is no tag of this text.
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


class DependencyVerifier:
    """The response is the JSON text of `written`; the target says nothing.

    Scores: `k3` (the primary one) and `log_ratio` as means over tokens, `log_ratio_sum` over the sequence, `kl` (mean exact divergence)
    where the engine has it, `k3_median`, `k3_p90`, `k3_max`, `gini` and `top_share` (part of the sum in the highest fifth of the
    tokens), and `tokens`.
    """

    name = "dependency"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        pass

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the scores of both prompts."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            return Extraction(reason="not found")
        if not isinstance(record, dict) or not _numbers(record.get("with")) or not _numbers(record.get("without")):
            return Extraction(reason="not found")
        if len(record["with"]) != len(record["without"]):
            return Extraction(reason="not found")
        kept = {name: record[name] for name in ("with", "without", "kl") if _numbers(record.get(name))}
        return Extraction(kept)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Summarise them."""
        pairs = list(zip(value["with"], value["without"], strict=True))
        each = sorted(k3(first, second) for first, second in pairs)
        ratios = [first - second for first, second in pairs]
        scores = {
            "k3": _mean(each), "log_ratio": _mean(ratios), "log_ratio_sum": math.fsum(ratios), "k3_median": _quantile(each, 0.5),
            "k3_p90": _quantile(each, 0.9), "k3_max": each[-1], "gini": _gini(each), "top_share": _top_share(each),
            "tokens": float(len(each)),
        }  # fmt: skip
        if value.get("kl"):
            scores["kl"] = _mean(value["kl"])
        return Match(scores["k3"], None, scores)


def _numbers(cell: Any) -> bool:
    return (
        isinstance(cell, list)
        and bool(cell)
        and all(isinstance(value, (int, float)) and math.isfinite(value) for value in cell)
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _gini(ordered: Sequence[float]) -> float:
    """0 where all tokens depend alike, near 1 where one holds everything; 0 where none depends."""
    total = math.fsum(ordered)
    if total <= 0:
        return 0.0
    size = len(ordered)
    return math.fsum((2 * place - size + 1) * value for place, value in enumerate(ordered)) / (size * total)


def _top_share(ordered: Sequence[float]) -> float:
    total = math.fsum(ordered)
    count = max(1, math.ceil(TOP * len(ordered)))
    return math.fsum(ordered[-count:]) / total if total > 0 else count / len(ordered)
