"""Rows of the results table as verdicts about answers, which judges are compared and calibrated on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mmeval.core.errors import UsageError, unknown
from mmeval.runs.folder import Run, subset_pairs

Column: TypeAlias = Literal["correct", "score", "judge_verdict"]

COLUMNS: tuple[Column, ...] = ("correct", "score", "judge_verdict")
"""Where a row's verdict may stand."""
MOST_GRADES = 1000
"""Agreement weighs every pair of grades; more different ones are a measurement, not a verdict."""
MINIMUM_SUBSET = 5
"""Verdicts below which a subset is not shown."""
_READ = (
    "model", "task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "score", "correct",
    "response", "verifier", "judge_model", "judge_verdict", "subsets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One answer with the verdict about it."""

    model: str
    """The model that answered, not the judge."""
    task: str
    protocol: str
    condition: str
    sample: str
    repeat: int
    item: str
    """Key of the source item: rows of two runs with the same key are about the same item."""
    cluster: str
    """Rows with the same value are dependent; all rows of a sample are."""
    response: str
    """Empty where none is stored."""
    correct: float | None
    """0 or 1; None where there is no verdict of that kind. An answer that cannot be read is wrong."""
    score: float | None
    """Finite."""
    judge_verdict: str | None
    decided_by: str
    """The verifier, and the judge's model where one decided."""
    subsets: tuple[tuple[str, str], ...]
    """(column, label) pairs, and the model as a column of its own."""

    def value(self, column: Column) -> float | str | None:
        """The verdict in one of the columns."""
        if column == "correct":
            return self.correct
        return self.score if column == "score" else self.judge_verdict


def judged_rows(run: Run, tasks: Sequence[str] = ()) -> list[JudgedRow]:
    """Read the verdicts of a run, of the named tasks or of all.

    Raises:
        DataError: when the results table is missing or damaged.
        UsageError: when a named task is not in the run.
    """
    for name in tasks:
        if all(record.name != name for record in run.manifest.tasks):
            raise unknown(f"task in {run.path}", name, [record.name for record in run.manifest.tasks])
    return [_judged(row) for row in run.rows("results", _READ) if not tasks or row["task"] in tasks]


def _judged(row: dict[str, Any]) -> JudgedRow:
    sample, task = str(row["sample_id"]), str(row["task"])
    scored = row["outcome"] == "scored"
    judged = scored or row["outcome"] == "no_answer"
    correct, score = row["correct"], row["score"]
    decided = str(row["verifier"] or "")
    if row["judge_model"]:
        decided = f"{decided} by {row['judge_model']}"
    return JudgedRow(
        model=str(row["model"]),
        task=task,
        protocol=str(row["protocol"]),
        condition=str(row["condition"]),
        sample=sample,
        repeat=int(row["repeat"] or 0),
        item=row["item_hash"] or f"sample:{sample}",
        # A prefix keeps a sample's own cluster apart from a declared one of the same name.
        cluster=f"{task} c:{row['cluster']}" if row["cluster"] else f"{task} s:{sample}",
        response=str(row["response"] or ""),
        correct=float(correct) if judged and correct is not None else None,
        score=float(score) if judged and score is not None and math.isfinite(score) else None,
        judge_verdict=row["judge_verdict"],
        decided_by=decided,
        subsets=(("model", str(row["model"])), *subset_pairs(row["subsets"])),
    )


def common_column(rows: Iterable[JudgedRow]) -> Column:
    """Return `correct` where every row with a verdict is right or wrong, else `score`."""
    return "score" if any(row.correct is None and row.score is not None for row in rows) else "correct"


def members(
    subsets: Sequence[tuple[tuple[str, str], ...]], columns: Sequence[str], smallest: int = MINIMUM_SUBSET
) -> dict[tuple[str, str], list[int]]:
    """Return the positions of the rows in each (column, label) of the named columns, or of all for the name `all`.

    Raises:
        UsageError: when no row has a named column.
    """
    known = {column for pairs in subsets for column, _ in pairs}
    for column in columns:
        if column != "all" and column not in known:
            raise unknown("subset column", column, sorted(known))
    found: dict[tuple[str, str], list[int]] = {}
    for position, pairs in enumerate(subsets):
        for pair in pairs:
            if pair[0] in columns or "all" in columns:
                found.setdefault(pair, []).append(position)
    return {subset: found[subset] for subset in sorted(found) if len(found[subset]) >= smallest}


def check_grades(values: Iterable[float | str]) -> None:
    """Refuse verdicts that take too many different values.

    Raises:
        UsageError: when there are more than `MOST_GRADES`.
    """
    different = len(set(values))
    if different > MOST_GRADES:
        raise UsageError(
            f"{different} different scores: agreement is about grades, not about measurements",
            remedy="use --column correct, or round the scores before",
        )
