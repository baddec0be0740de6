"""`mmeval judge` in the terminal: agreement of two judges, and a judge's calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmeval.analysis.judge_agreement import GroupAgreement, JudgeAgreement, Verdict
from mmeval.analysis.judge_record import Correction, Figure, JudgeCalibration, Quality
from mmeval.reports.comparison_tables import p_text
from mmeval.reports.format import items_text, visible_text

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_GRADES = 12
"""More different verdicts than this are not laid out as a table."""
_TITLES = {
    "raw": "agreement",
    "cohen-kappa": "Cohen's kappa",
    "cohen-kappa-quadratic": "quadratic kappa",
    "gwet-ac1": "Gwet's AC1",
    "gwet-ac2-quadratic": "Gwet's AC2",
    "krippendorff-alpha-nominal": "Krippendorff's alpha",
    "krippendorff-alpha-interval": "Krippendorff's alpha",
    "ppv": "PPV",
    "npv": "NPV",
    "human-rate": "right by the human",
    "judge-rate": "right by the judge",
    "bias": "bias (judge - human)",
    "mean-absolute-difference": "mean absolute difference",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
_SHARES = {"raw", "sensitivity", "specificity", "ppv", "npv", "human-rate", "judge-rate"}


def agreement_tables(found: JudgeAgreement) -> list[Table]:
    """One table of coefficients, then a confusion table of each whole task."""
    names = [one.name for one in found.groups[0].report.coefficients]
    table = _table(f"{found.second} against {found.first}, {found.column}", [_TITLES.get(name, name) for name in names])
    for group in found.groups:
        values = {one.name: one for one in group.report.coefficients}
        cells = [_place(group), items_text(group.n, group.clusters)]
        for name in names:
            one = values[name]
            limits = None if one.interval is None else (one.interval.low, one.interval.high)
            cells.append(number(one.estimate, limits, name in _SHARES))
        bias = group.bias
        if bias is None:
            cells += ["–", "–"]
        else:
            limits = None if bias.interval is None else (bias.interval.low, bias.interval.high)
            cells += [number(bias.estimate, limits, found.scale == "nominal", signed=True)]
            cells += ["–" if bias.p_value is None else p_text(bias.p_value)]
        _add(table, cells)
    confusions = [_confusion(found, group) for group in found.groups if group.subset is None]
    return [table, *(one for one in confusions if one is not None)]


def _place(group: GroupAgreement) -> str:
    if group.task is None:
        return "all tasks"
    name = group.task if group.condition == "standard" else f"{group.task}, {group.condition}"
    return f"{name}, {'='.join(group.subset)}" if group.subset else name


def _table(title: str, coefficients: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(visible_text(title)))
    for name in ("answers to", "n", *coefficients, "bias", "p"):
        table.add_column(name, justify="left" if name == "answers to" else "right")
    return table


def _add(table: Table, cells: Sequence[str]) -> None:
    from rich.text import Text

    table.add_row(*(Text(visible_text(cell)) for cell in cells))


def number(value: float | None, limits: tuple[float, float] | None, share: bool, *, signed: bool = False) -> str:
    """A value with its interval; shares in percent."""
    if value is None:
        return "–"
    scale, form = (100.0, ".1f") if share else (1.0, ".3f")
    form = f"+{form}" if signed else form
    shown = f"{scale * value:{form}}"
    return shown if limits is None else f"{shown} [{scale * limits[0]:{form}}, {scale * limits[1]:{form}}]"


def _confusion(found: JudgeAgreement, group: GroupAgreement) -> Table | None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    counts = {(a, b): count for a, b, count in group.confusion}
    kinds: list[Verdict] = list(dict.fromkeys([*(a for a, _ in counts), *(b for _, b in counts)]))
    kinds.sort(key=lambda value: (isinstance(value, str), value))
    if len(kinds) > SHOWN_GRADES:
        return None
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(visible_text(f"{_place(group)}: verdicts")))
    table.add_column(Text(visible_text(f"{found.first} \\ {found.second}")))
    for kind in kinds:
        table.add_column(Text(visible_text(_verdict(kind, found))), justify="right")
    for row in kinds:
        cells = [_verdict(row, found), *(str(counts.get((row, column), 0)) for column in kinds)]
        _add(table, cells)
    return table


def _verdict(value: Verdict, found: JudgeAgreement) -> str:
    if isinstance(value, str):
        return value
    return ("wrong", "right")[int(value)] if found.scale == "nominal" else f"{value:g}"


def agreement_notes(found: JudgeAgreement) -> list[str]:
    """What a reader must know beside the numbers."""
    unit = "; agreement and bias in percent" if found.scale == "nominal" else ""
    lines = [f"{found.level:.0%} intervals by (cluster) bootstrap; bias: {found.second} - {found.first}{unit}"]
    notes = dict.fromkeys(f"{_place(group)}: {group.report.note}" for group in found.groups if group.report.note)
    return [visible_text(line) for line in (*lines, *notes, *found.notes)]


def calibration_tables(found: JudgeCalibration) -> list[Table]:
    """The judge's quality by group, and corrected scores."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    groups = [found.overall, *found.groups]
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, title=Text(visible_text(f"judge {found.judge} against human labels"))
    )
    table.add_column("")
    for group in groups:
        table.add_column(Text(visible_text(_group(group))), justify="right")
    _add(table, ["n", *(items_text(group.n, group.clusters) for group in groups)])
    if found.scale == "binary":
        for name, title in (
            ("both_right", "both right"),
            ("judge_only", "right by the judge alone"),
            ("human_only", "right by the human alone"),
            ("both_wrong", "both wrong"),
        ):
            _add(table, [title, *(str(getattr(group.counts, name)) for group in groups)])
    for name in [figure.name for figure in found.overall.figures]:
        cells = [_figure(group.find(name), found.scale == "binary") for group in groups]
        _add(table, [_TITLES.get(name, name), *cells])
    return [table, *([_corrections(found.corrections)] if found.corrections else [])]


def _group(group: Quality) -> str:
    return ", ".join(f"{column} {label}" for column, label in group.group.items()) or "all"


def _figure(one: Figure, binary: bool) -> str:
    limits = None if one.low is None or one.high is None else (one.low, one.high)
    return number(one.value, limits, one.name in _SHARES or (binary and one.name == "bias"), signed=one.name == "bias")


def _corrections(found: Sequence[Correction]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="scores, in percent")
    for name in ("model", "task", "labelled", "not labelled", "as judged", "corrected", "method", "judge's weight"):
        table.add_column(name, justify="left" if name in ("model", "task", "method") else "right")
    for one in found:
        task = one.task if one.condition == "standard" else f"{one.task}, {one.condition}"
        shown = [
            number(each.value, None if each.low is None or each.high is None else (each.low, each.high), True)
            for each in (one.raw, one.corrected)
        ]
        weight = "–" if one.weight is None else f"{one.weight:.2f}"
        cells = [one.model or "–", task or "–", str(one.labelled), str(one.unlabelled), *shown]
        _add(table, [*cells, one.corrected.name, weight])
    return table


def calibration_notes(found: JudgeCalibration) -> list[str]:
    """What a reader must know beside the numbers."""
    unit = "shares in percent; " if found.scale == "binary" else ""
    lines = [f"{unit}{found.level:.0%} intervals"]
    lines += [f"{count} rows left out: {reason}" for reason, count in found.labels.left_out.items()]
    lines += [f"{_group(group)}: {group.note}" for group in (found.overall, *found.groups) if group.note]
    lines += [
        f"{' '.join(part for part in (one.model, one.task) if part) or 'scores'}: {one.corrected.note}"
        for one in found.corrections
        if one.corrected.note
    ]
    return [visible_text(line) for line in (*lines, *found.notes)]
