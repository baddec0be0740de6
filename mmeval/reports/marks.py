"""Which values differ from the baseline's, as the paired tests of the section on comparison say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from mmeval.analysis.comparison import Comparison, ComparisonReport
from mmeval.metrics import get_metric
from mmeval.reports.names import task_label
from mmeval.reports.sheets import p_value
from mmeval.reports.tables import STANDARD, Against, Tables, TaskRow

Key = tuple[str, tuple[str, str] | None, str]
"""Label of the task, subset, model."""


def mark_differences(tables: Tables, found: ComparisonReport | None) -> None:
    """Put into every cell under the standard condition what the comparison with the baseline found."""
    if found is None:
        return
    known: dict[Key, Comparison] = {
        (task_label(one.task, one.protocol), one.subset, one.candidate_name): one for one in found.comparisons
    }
    for family in tables.families:
        for row in family.rows:
            _mark(row, row.label, None, known)
    for table in tables.subsets:
        for group in table.groups:
            for row in group.rows:
                _mark(row, table.label, (group.name, row.label), known)


def against_text(one: Comparison) -> str:
    """The outcome of one paired test in words."""
    better = (one.delta > 0) == (get_metric(one.metric).better == "higher")
    verdict = ("better than" if better else "worse than") if one.significant else "not told apart from"
    return f"{verdict} {one.base_name}, adjusted p {p_value(one.p_adjusted).text}"


def _mark(row: TaskRow, label: str, subset: tuple[str, str] | None, known: Mapping[Key, Comparison]) -> None:
    for place, cell in enumerate(row.cells):
        if cell is None or cell.row.condition != STANDARD:
            continue
        one = known.get((label, subset, cell.column.model))
        if one is not None and one.metric == cell.row.estimate.metric:
            sign: Literal["", "↑", "↓"] = "" if not one.significant else "↑" if one.delta > 0 else "↓"
            row.cells[place] = replace(cell, against=Against(sign, one.p_adjusted, against_text(one)))
