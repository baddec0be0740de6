"""Everything that is measured of one model on one task, once, for the page and for the exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmeval.reports.format import count, percent
from mmeval.reports.sheets import NOTHING, Entry, Sheet, p_value, words
from mmeval.reports.tables import STANDARD, Against, Cell, Column, Group, TaskRow
from mmeval.runs.leaderboard import UNREAD

OPTIONAL = frozenset({"Adjusted p", "Clusters", "Chance", "Blind", "Judge", "Tokens", "Seconds"})
"""Columns that the page leaves out where no row of the report has a number."""


@dataclass(frozen=True, slots=True)
class Note:
    """A detail of a measure: a column of its own in exports, and words below the number on the page."""

    head: str
    entry: Entry
    shown: str
    """Empty where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number."""

    head: str
    entry: Entry
    notes: tuple[Note, ...] = ()
    key: float | None = None
    """What the page sorts by, where it is not the entry's own number."""
    warn: bool = False

    @property
    def order(self) -> float | None:
        """What the page sorts by; None comes last."""
        return self.entry.value if self.key is None else self.key


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table."""

    task: TaskRow
    cell: Cell
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Measures:
    """The table of all measures."""

    heads: tuple[str, ...]
    """Of the columns that the page shows: those that say something of a row of this report."""
    tasks: tuple[tuple[TaskRow, tuple[Measured, ...]], ...]

    def sheets(self) -> Iterator[Sheet]:
        """Every measure, and a second table with the details."""
        lines = [line for _, lines in self.tasks for line in lines]
        if not lines:
            return
        labels = [
            (words(line.task.label), words(column_name(line.cell.column)), words(line.task.metric)) for line in lines
        ]
        head = ("Task", "Model", "Metric")
        first = lines[0].measures
        yield Sheet(
            "measures",
            "All measures by task and model",
            (*head, *(one.head for one in first)),
            tuple((*own, *(one.entry for one in line.measures)) for own, line in zip(labels, lines, strict=True)),
            3,
        )
        yield Sheet(
            "measures-details",
            "Details of the measures: rows without a verdict or an answer, by reason, and what else decided",
            (*head, *(note.head for one in first for note in one.notes)),
            tuple(
                (*own, *(note.entry for one in line.measures for note in one.notes))
                for own, line in zip(labels, lines, strict=True)
            ),
            3,
        )


def column_name(column: Column) -> str:
    """The words for a model under a condition."""
    return f"{column.model} · {column.condition}" if column.condition else column.model


def build_measures(families: Sequence[Group]) -> Measures:
    """Lay out all measures of the leaderboard."""
    tasks = tuple(
        (row, tuple(Measured(row, cell, measures_of(row, cell)) for cell in row.present))
        for family in families
        for row in family.rows
    )
    lines = [line.measures for _, found in tasks for line in found]
    heads = tuple(
        column[0].head
        for column in zip(*lines, strict=True)
        if column[0].head not in OPTIONAL or any(one.entry.value is not None for one in column)
    )
    return Measures(heads, tasks)


def measures_of(task: TaskRow, cell: Cell) -> tuple[Measure, ...]:
    """The measures of one cell, always the same ones in the same order."""
    row, estimate = cell.row, cell.row.estimate
    interval = estimate.interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    decided = Note("Decided otherwise", words(cell.guessed or "–"), cell.guessed)
    repeats = estimate.clusters < estimate.n
    return (
        Measure("Value", Entry(cell.value, estimate.value, *ends), (decided,)),
        Measure("Interval", words(cell.interval), key=ends[0]),
        _paired(cell.against),
        Measure("n", Entry(cell.n, estimate.n)),
        Measure("Clusters", Entry(cell.clusters, estimate.clusters) if repeats else NOTHING),
        _coverage(cell),
        Measure("Chance", Entry(cell.chance, row.chance)),
        _blind(task, cell),
        Measure("Truncated", Entry(cell.truncated, row.truncated)),
        Measure("No answer", Entry(cell.no_answer, row.no_answer), tuple(map(_unread, UNREAD, map(row.unread.get, UNREAD)))),
        Measure("Judge", NOTHING if row.judged is None else Entry(percent(row.judged), row.judged)),
        Measure("Tokens", Entry(cell.tokens, row.completion_tokens)),
        Measure("Seconds", Entry(cell.seconds, row.latency_s)),
    )  # fmt: skip


def _paired(against: Against | None) -> Measure:
    text = Note("Paired test", words(against.text if against else "–"), "")
    if against is None:
        return Measure("Adjusted p", NOTHING, (text,))
    shown = p_value(against.p).text
    return Measure("Adjusted p", Entry(f"{against.sign} {shown}".strip(), against.p), (text,))


def _coverage(cell: Cell) -> Measure:
    notes = [
        Note(name.capitalize(), Entry(count(number), number), f"{count(number)} {name}" if number else "")
        for name in ("unsupported", "unscored", "error")
        for number in (cell.row.outcomes[name],)
    ]
    possible = Note(
        "Possible values", words(cell.possible or "–"), f"{cell.possible} possible" if cell.possible else ""
    )
    return Measure(
        "Coverage", Entry(cell.coverage, cell.row.estimate.coverage), (*notes, possible), warn=not cell.complete
    )


def _unread(name: str, number: int | None) -> Note:
    known = number or 0
    return Note(f"No answer: {name}", Entry(count(known), known), f"{count(known)} {name}" if known else "")


def blind_floor(task: TaskRow, cell: Cell) -> Cell | None:
    """The cell of the same model without the picture, where it was asked so; only beside the standard condition."""
    if cell.row.condition != STANDARD:
        return None
    return next(
        (
            other
            for other in task.present
            if other.column.model == cell.column.model
            and other.row.condition == "blind"
            and other.row.estimate.metric == cell.row.estimate.metric
        ),
        None,
    )


def _blind(task: TaskRow, cell: Cell) -> Measure:
    floor = blind_floor(task, cell)
    interval = None if floor is None else floor.row.estimate.interval
    if floor is None:
        return Measure("Blind", NOTHING, (Note("Blind: interval", NOTHING, ""),))
    ends = (None, None) if interval is None else (interval.low, interval.high)
    note = Note("Blind: interval", words(floor.interval), "" if interval is None else floor.interval)
    return Measure("Blind", Entry(floor.value, floor.row.estimate.value, *ends), (note,))
