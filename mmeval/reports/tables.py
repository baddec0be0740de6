"""The leaderboard and the subset tables as the template prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

from mmeval.conditions.base import get_condition
from mmeval.core.errors import UsageError
from mmeval.metrics import get_metric
from mmeval.reports.charts import Dot
from mmeval.reports.format import count, decision_text, interval_text, is_share, mean_text, percent, value_text
from mmeval.reports.names import RunNames, task_label
from mmeval.runs.aggregates import SuiteMean, suite_means
from mmeval.runs.leaderboard import LeaderboardRow, leaderboard
from mmeval.runs.manifest import TaskRecord
from mmeval.tasks.families import in_order

STANDARD = "standard"
Mark = Literal["", "clear", "close"]
METHODS = {
    "wilson": "Wilson",
    "wilson on clusters": "Wilson on clusters",
    "t": "Student’s t",
    "cr1-t": "cluster-robust t",
    "clopper-pearson": "Clopper–Pearson",
    "bootstrap-bca-t": "bootstrap (BCa-t)",
    "cluster-bootstrap-bca-t": "cluster bootstrap (BCa-t)",
    "stratified-bootstrap-bca-t": "bootstrap within labels (BCa-t)",
    "stratified-cluster-bootstrap-bca-t": "cluster bootstrap within labels (BCa-t)",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One model under one condition."""

    model: str
    condition: str
    """Empty when the report has one condition only."""
    guesser: bool
    """The chance engine; never marked as best."""


@dataclass(frozen=True, slots=True)
class Against:
    """What the paired test of the section on comparison says of a value beside the baseline's."""

    sign: Literal["", "↑", "↓"]
    """Higher or lower than the baseline's value with an adjusted p below 0.05; empty where not told apart."""
    p: float
    """Adjusted."""
    text: str
    """The outcome in words."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One estimate, formatted."""

    column: Column
    value: str
    interval: str
    n: str
    clusters: str
    """Empty unless clusters repeat."""
    coverage: str
    complete: bool
    possible: str
    """The range that the missing answers allow, for shares; empty when complete."""
    chance: str
    """Of the best blind guess; none where the condition asks something else (a checklist, another form)."""
    truncated: str
    no_answer: str
    tokens: str
    seconds: str
    guessed: str
    """What random draws of the official rule allow; empty where it would draw for no row."""
    row: LeaderboardRow
    mark: Mark = ""
    """`clear`: highest, and no other interval reaches it; `close`: highest, but intervals overlap."""
    against: Against | None = None
    """None for the baseline and for what is not compared with it."""


@dataclass(slots=True)
class TaskRow:
    """One task (or one subset label) with a cell per column."""

    label: str
    title: str
    metric: str
    unit: str
    chance: str
    cells: list[Cell | None]
    chance_level: float | None = None

    @property
    def size(self) -> str:
        """n, and the clusters where they repeat, when all cells have the same; else empty."""
        sizes = {f"n {cell.n}" + (f", {cell.clusters} clusters" if cell.clusters else "") for cell in self.present}
        return sizes.pop() if len(sizes) == 1 else ""

    @property
    def present(self) -> list[Cell]:
        """The cells that exist."""
        return [cell for cell in self.cells if cell is not None]


@dataclass(slots=True)
class Group:
    """Rows under one heading: the tasks of a family, or the labels of a subset column."""

    name: str
    rows: list[TaskRow] = field(default_factory=list)


@dataclass(slots=True)
class SubsetTable:
    """All subsets of one task."""

    label: str
    title: str
    metric: str
    unit: str
    whole: TaskRow
    groups: list[Group] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One mean of a suite for every column."""

    label: str
    tasks: tuple[str, ...]
    cells: list[tuple[str, str, str] | None]
    """Value, interval and why there is no value; None where a task is missing."""
    means: dict[int, SuiteMean] = field(default_factory=dict)
    """The numbers behind, by the place of the column."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything numeric that the report prints."""

    columns: list[Column]
    families: list[Group]
    """In the order of `in_order`, tasks by name."""
    suites: list[SuiteRow]
    """Means over tasks that suites define."""
    subsets: list[SubsetTable]
    methods: list[str]
    """Interval methods and levels in use."""
    warnings: list[str]
    """Why numbers in this report do not compare."""
    dots: dict[str, list[list[Dot]]]
    """Per family, one list of dots per unit."""


def build_tables(names: Sequence[RunNames]) -> Tables:
    """Compute leaderboard and subsets of all runs and lay them out models by tasks."""
    columns = _columns(names)
    several = len({entry for run in names for entry in run.run.manifest.conditions}) > 1
    position = {(column.model, column.condition): index for index, column in enumerate(columns)}
    titles = {(task.name, task.protocol): task.title for entry in names for task in entry.run.manifest.tasks}
    families: dict[str, Group] = {}
    wholes: dict[str, TaskRow] = {}
    tables: dict[str, SubsetTable] = {}
    parts: dict[tuple[str, tuple[str, str]], TaskRow] = {}
    suites: dict[str, SuiteRow] = {}
    for entry in names:
        found = leaderboard(entry.run, by_subset=True)
        for mean in suite_means(entry.run):
            name = f"{mean.suite}: {mean.name}"
            suites.setdefault(name, SuiteRow(name, mean.tasks, [None] * len(columns)))
            place = position[entry.models[mean.model], mean.condition if several else ""]
            suites[name].cells[place] = (*mean_text(mean), mean.note)
            suites[name].means[place] = mean
        for row in found:
            label = task_label(row.task, row.protocol)
            column = position[entry.models[row.model], row.condition if several else ""]
            if label not in wholes:
                wholes[label] = _empty(label, titles[row.task, row.protocol], row, len(columns))
                families.setdefault(row.family, Group(row.family)).rows.append(wholes[label])
            target = wholes[label]
            if row.subset is not None:
                table = tables.setdefault(label, SubsetTable(label, target.title, target.metric, target.unit, target))
                target = parts.setdefault((label, row.subset), _empty(row.subset[1], "", row, len(columns)))
                _place(table.groups, row.subset[0], target)
            target.cells[column] = _cell(row, columns[column])
    for task in [*wholes.values(), *parts.values()]:
        _mark_best(task)
    intervals = [c.row.estimate.interval for task in wholes.values() for c in task.present]
    methods = sorted(
        {
            f"{METHODS.get(entry.method, entry.method)} {entry.level * 100:g} %"
            for entry in intervals
            if entry is not None
        }
    )
    for table in tables.values():
        for group in table.groups:
            group.rows.sort(key=lambda row: row.label)
    ordered = [families[name] for name in in_order(families)]
    for family in ordered:
        family.rows.sort(key=lambda row: row.label)
    places = {row.label: place for place, row in enumerate(row for family in ordered for row in family.rows)}
    return Tables(
        columns,
        ordered,
        list(suites.values()),
        sorted(tables.values(), key=lambda table: places[table.label]),
        methods,
        _warnings(names),
        _dots(ordered, several),
    )


def _columns(names: Sequence[RunNames]) -> list[Column]:
    several = len({entry for run in names for entry in run.run.manifest.conditions}) > 1
    engines = {
        entry.models[m.name]: m.engine for entry in names for m in entry.run.manifest.models if m.name in entry.models
    }
    columns = [
        Column(model, condition if several else "", engines[model] == "chance")
        for entry in names
        for model in entry.models.values()
        for condition in entry.run.manifest.conditions
    ]
    # Models side by side under the standard condition first; stable, so the rest keeps its order.
    return sorted(columns, key=lambda column: column.condition not in ("", STANDARD))


def _empty(label: str, title: str, row: LeaderboardRow, columns: int) -> TaskRow:
    metric = row.estimate.metric
    return TaskRow(
        label,
        title,
        metric,
        "%" if is_share(metric) else "",
        value_text(row.chance, metric),
        [None] * columns,
        row.chance,
    )


def _place(groups: list[Group], name: str, row: TaskRow) -> None:
    group = next((group for group in groups if group.name == name), None)
    if group is None:
        groups.append(Group(name, [row]))
    elif row not in group.rows:
        group.rows.append(row)


def _cell(row: LeaderboardRow, column: Column) -> Cell:
    estimate = row.estimate
    interval, coverage, metric = estimate.interval, estimate.coverage, estimate.metric
    possible = ""
    if coverage < 1 and estimate.value is not None and is_share(metric) and get_metric(metric).form is None:
        low = estimate.value * coverage
        possible = interval_text(low, low + 1 - coverage, metric)
    return Cell(
        column=column,
        value=value_text(estimate.value, metric),
        interval=interval_text(interval.low, interval.high, metric) if interval is not None else "–",
        n=count(estimate.n),
        clusters=count(estimate.clusters) if estimate.clusters < estimate.n else "",
        coverage=percent(coverage),
        complete=coverage >= 1,
        possible=possible,
        chance=value_text(row.chance, metric),
        truncated=percent(row.truncated),
        no_answer=percent(row.no_answer),
        tokens="–" if row.completion_tokens is None else f"{row.completion_tokens:.0f}",
        seconds="–" if row.latency_s is None else f"{row.latency_s:.2f}",
        guessed=decision_text(row),
        row=row,
    )


def _mark_best(task: TaskRow) -> None:
    """Mark the best value of each condition that is no ablation, and say whether its interval keeps clear of all others."""
    sign = 1.0 if get_metric(task.metric).better == "higher" else -1.0
    for condition in {cell.row.condition for cell in task.present}:
        if _ablates(condition):
            continue  # who guesses better without the picture does not see better
        rivals = [
            (index, cell, cell.row.estimate.value)
            for index, cell in enumerate(task.cells)
            if cell is not None
            and cell.row.condition == condition
            and not cell.column.guesser
            and cell.row.estimate.value is not None
        ]
        if len({value for _, _, value in rivals}) < 2:
            continue
        best = max(rivals, key=lambda rival: sign * rival[2])[2]
        for index, cell, value in rivals:
            if value == best:
                own = cell.row.estimate.interval
                others = [rival.row.estimate.interval for _, rival, _ in rivals if rival is not cell]
                clear = own is not None and all(
                    other is not None and (other.high < own.low if sign > 0 else other.low > own.high)
                    for other in others
                )
                task.cells[index] = replace(cell, mark="clear" if clear else "close")


def _ablates(name: str) -> bool:
    try:
        return get_condition(name).needs_picture
    except UsageError:  # a condition of another version
        return False


def _warnings(names: Sequence[RunNames]) -> list[str]:
    known: dict[str, list[tuple[str, TaskRecord]]] = {}
    for entry in names:
        for task in entry.run.manifest.tasks:
            known.setdefault(task_label(task.name, task.protocol), []).append((entry.label, task))
    found = []
    for label, runs in known.items():
        records = [record for _, record in runs]
        alike = {
            "samples": len({record.items_digest for record in records}) == 1,
            "prompt or decoding": all(one.asked_alike(other) for one, other in combinations(records, 2)),
            "scoring": len({record.score_digest for record in records}) == 1,
        }
        differing = [name for name, same in alike.items() if not same]
        if differing:
            found.append(
                f"{label}: {' and '.join(run for run, _ in runs)} differ in {', '.join(differing)}; these numbers do not compare."
            )
    return found


def _dots(families: Sequence[Group], several: bool) -> dict[str, list[list[Dot]]]:
    """What the charts show: the standard condition, where it was run; others are in the section on perception."""
    charts: dict[str, list[list[Dot]]] = {}
    standard = any(
        cell.row.condition == STANDARD for family in families for task in family.rows for cell in task.present
    )
    for family in families:
        by_unit: dict[str, list[Dot]] = {}
        for task in family.rows:
            for cell in task.present:
                row, estimate, interval = cell.row, cell.row.estimate, cell.row.estimate.interval
                if estimate.value is None or (standard and row.condition != STANDARD):
                    continue
                name = f"{cell.column.model} · {row.condition}" if several and not standard else cell.column.model
                dot = Dot(
                    task=task.label,
                    model=name,
                    metric=task.metric,
                    value=estimate.value,
                    low=interval.low if interval else None,
                    high=interval.high if interval else None,
                    chance=row.chance,
                    note="" if cell.complete else f"  ⚠ {cell.coverage}",
                )
                by_unit.setdefault("share" if is_share(task.metric) else task.metric, []).append(dot)
        charts[family.name] = list(by_unit.values())
    return charts
