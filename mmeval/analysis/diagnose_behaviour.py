"""What a model does over several answers to one item, how long it thinks, and what comes of second thoughts.

Sources: pass@k (Chen et al. 2021, arXiv:2107.03374), semantic entropy over classes of equal answers (Farquhar et al. 2024), reflection words and
lengths per source (V-Triune, arXiv:2505.18129, appendix I), zero-variance share (groups without a learning signal, Syn-GRPO).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmeval.analysis.diagnose_findings import Finding, share_json
from mmeval.runs.folder import Run
from mmeval.runs.manifest import TaskRecord
from mmeval.stats.repeats import Share, majority_at_k, share
from mmeval.stats.sampling import pass_at_k

if TYPE_CHECKING:
    import pandas as pd

REFLECTION = (
    "re-check", "re-evaluate", "re-examine", "re-think", "recheck", "reevaluate", "reexamine", "rethink", "reevaluation", "check again",
    "think again", "try again", "verify", "wait", "yet",
)  # fmt: skip
"""The words that V-Triune counts."""
_REFLECTS = re.compile(r"\b(?:" + "|".join(re.escape(word) for word in REFLECTION) + r")\b", re.IGNORECASE)
_COLUMNS = [
    "task", "protocol", "condition", "sample_id", "repeat", "cluster", "outcome", "correct", "extracted", "response", "reasoning",
    "finish_reason", "completion_tokens",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """All answers to one item that count."""

    cluster: str
    answers: tuple[str | None, ...]
    """As extracted; None where nothing could be read."""
    correct: tuple[bool, ...]


def behaviour(run: Run) -> Iterator[Finding]:
    """Everything that repeats and the texts themselves say, for each task with right and wrong answers."""
    frame = run.results(_COLUMNS)
    for record in run.manifest.tasks:
        rows = frame[
            (frame["task"] == record.name) & (frame["protocol"] == record.protocol) & (frame["condition"] == "standard")
        ]
        rows = rows[rows["outcome"].isin(("scored", "no_answer")) & rows["correct"].notna()]
        if rows.empty:
            continue
        yield from _repeats(record, rows)
        yield _texts(record, rows)


def _items(rows: pd.DataFrame) -> list[Item]:
    found = []
    for name, group in rows.sort_values("repeat").groupby("sample_id", sort=False):
        answers = tuple(
            str(answer) if outcome == "scored" and answer is not None else None
            for answer, outcome in zip(group["extracted"], group["outcome"], strict=True)
        )
        found.append(
            Item(str(group["cluster"].iloc[0] or name), answers, tuple(bool(value) for value in group["correct"]))
        )
    return found


def _repeats(record: TaskRecord, rows: pd.DataFrame) -> Iterator[Finding]:
    items = _items(rows)
    least = min(len(item.correct) for item in items)
    if least < 2:
        return
    ladder = [1 << power for power in range(least.bit_length()) if 1 << power < least] + [least]
    clusters = [item.cluster for item in items]
    curves = {
        "pass": [_curve([pass_at_k(len(i.correct), sum(i.correct), k) for i in items], clusters, k) for k in ladder],
        "maj": [_curve([_majority(i, k) for i in items], clusters, k) for k in ladder],
    }
    average = share([float(np.mean(item.correct)) for item in items], clusters)
    constant = share([float(len(set(item.correct)) == 1) for item in items], clusters)
    entropies = np.array([_entropy(item.answers) for item in items])
    numbers = {
        "k": least, "avg": share_json(average), "curves": curves, "zero_variance": share_json(constant),
        "always_right": sum(all(item.correct) for item in items), "never_right": sum(not any(item.correct) for item in items),
        "semantic_entropy": {"mean": float(entropies.mean()), "quartiles": np.quantile(entropies, (0.25, 0.5, 0.75)).tolist(), "unit": "nat"},
        "n": len(items),
    }  # fmt: skip
    last = {name: curve[-1]["estimate"] for name, curve in curves.items()}
    says = (
        f"avg@{least} {_percent(average)}, pass@{least} {100 * last['pass']:.1f} %, maj@{least} {100 * last['maj']:.1f} %; on {_percent(constant)} of the items "
        f"all answers are right or all are wrong; semantic entropy {entropies.mean():.2f} nat"
    )
    yield Finding(
        "repeats", record.name, numbers, says,
        "what sampling at this temperature gives; pass@k counts lucky guesses, most where there are few options",
    )  # fmt: skip


def _curve(values: Sequence[float], clusters: Sequence[str], k: int) -> dict[str, Any]:
    return {"k": k, **share_json(share(values, clusters))}


def _majority(item: Item, k: int) -> float:
    """maj@k; an answer that was once called right and once wrong (a tolerance, a judge) is two answers."""
    labelled = [
        None if answer is None else (answer, right) for answer, right in zip(item.answers, item.correct, strict=True)
    ]
    return majority_at_k(labelled, item.correct, k)


def _entropy(answers: Sequence[str | None]) -> float:
    """Discrete semantic entropy in nats: over classes of equal extracted answers; what cannot be read is one class."""
    counts = np.array(list(Counter(answers).values()), dtype=np.float64)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum()) if counts.size > 1 else 0.0


def _texts(record: TaskRecord, rows: pd.DataFrame) -> Finding:
    right = rows["correct"].astype(bool).to_numpy()
    texts = [
        f"{thought or ''}\n{answer or ''}" for thought, answer in zip(rows["reasoning"], rows["response"], strict=True)
    ]
    reflects = np.array([_REFLECTS.search(text) is not None for text in texts])
    clusters = [str(value or name) for value, name in zip(rows["cluster"], rows["sample_id"], strict=True)]
    tokens = rows["completion_tokens"].to_numpy(dtype=np.float64, na_value=math.nan)
    unit = "token" if bool(np.isfinite(tokens).all()) else "word"
    lengths = tokens if unit == "token" else np.array([len(text.split()) for text in texts], dtype=np.float64)
    cut = share((rows["finish_reason"] == "length").to_numpy(dtype=np.float64), clusters)
    ratio = share(reflects.astype(np.float64), clusters)
    among = _among(right, reflects, clusters)
    without = _among(right, ~reflects, clusters)
    numbers = {
        "n": len(rows), "length": {"unit": unit, "all": _mean(lengths), "right": _mean(lengths[right]), "wrong": _mean(lengths[~right])},
        "truncated": share_json(cut), "reflection": share_json(ratio), "right_if_reflecting": share_json(among),
        "right_otherwise": share_json(without), "words": _word_counts(texts),
    }  # fmt: skip
    says = (
        f"mean length {_number(numbers['length'], 'all')} {unit}s (right {_number(numbers['length'], 'right')}, wrong {_number(numbers['length'], 'wrong')}); "
        f"{_percent(cut)} cut off; {_percent(ratio)} with words of reflection, right {_percent(among)} of them and {_percent(without)} of the others"
    )
    return Finding(
        "texts",
        record.name,
        numbers,
        says,
        "harder items draw longer answers and more second thoughts: length and words cause nothing by themselves",
    )


def _among(right: Any, mask: Any, clusters: Sequence[str]) -> Share:
    chosen = np.flatnonzero(mask)
    return share(right[chosen].astype(np.float64), [clusters[row] for row in chosen.tolist()])


def _word_counts(texts: Sequence[str]) -> dict[str, int]:
    counts = Counter(match.group().lower() for text in texts for match in _REFLECTS.finditer(text))
    return dict(counts.most_common())


def _mean(values: Any) -> float | None:
    return float(values.mean()) if values.size else None


def _number(lengths: Any, key: str) -> str:
    assert isinstance(lengths, Mapping)
    return "–" if lengths[key] is None else f"{lengths[key]:.0f}"


def _percent(value: Share) -> str:
    return "–" if value.estimate is None else f"{100 * value.estimate:.1f} %"
