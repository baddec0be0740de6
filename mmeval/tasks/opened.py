"""A task whose data set is open: which rows are asked, and the id under which each one stands in the results."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError
from mmeval.core.numbered import NumberedTexts
from mmeval.core.types import Sample
from mmeval.tasks.data import Row, Source
from mmeval.tasks.gold import field_value, required_text
from mmeval.tasks.options import AskStyle
from mmeval.tasks.pictures import Picture, picture_of
from mmeval.tasks.sharding import Part

if TYPE_CHECKING:
    from mmeval.tasks.task import Task


class RowError(DataError):
    """One row that cannot become a sample; the others can.

    Attributes:
        identifier: the id under which the row's error is reported, the same with and without `--limit`.
    """

    def __init__(self, identifier: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.identifier = identifier


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that becomes a sample when it is called; that may happen in any thread.

    Raises when called:
        RowError: the row is at fault: no id, an id that an earlier row has, a cell that cannot be read.
    """

    task: Task
    row: Row
    style: AskStyle
    identifier: str
    problem: DataError | None

    def __call__(self) -> Sample:
        if self.problem is not None:
            raise RowError(self.identifier, self.problem.message, remedy=self.problem.remedy)
        try:
            return self.task.sample(self.row, self.style)
        except DataError as error:
            raise RowError(self.identifier, error.message, remedy=error.remedy) from error

    @property
    def picture(self) -> Picture | None:
        """What tells whether another row shows the same first picture; None without one."""
        return picture_of(self.task.card, self.row)


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task whose data set is open."""

    task: Task
    source: Source
    selected: set[int] | range | None
    """Positions that `--limit` drew; None means all."""
    available: int | None
    """Rows of the data set, where known."""
    part: Part | None = None
    """What `--shard` takes of them; None means all."""

    @property
    def size(self) -> int | None:
        """Samples that will be asked, where known beforehand."""
        if self.part is not None:
            return len(self.part.positions)
        return len(self.selected) if self.selected is not None else self.available

    def samples(self, style: AskStyle, *, whole: bool = False) -> Iterator[tuple[int, Draft]]:
        """Yield (position, what builds the sample) in the data set's order.

        Args:
            style: how the model wants to be asked.
            whole: all samples that the limit drew, also those of other shards.

        Raises:
            DataError: when the data set has no rows, or breaks off.
        """
        chosen = self.selected if self.part is None or whole else self.part.positions
        if self.source.fetch is not None and chosen is not None:
            for position in chosen if isinstance(chosen, range) else sorted(chosen):
                yield position, Draft(self.task, self.source.fetch(position), style, f"item {position}", None)
            return
        number = -1
        seen = _Seen()
        computed = (self.task.card.fields.id or "").startswith("=")  # an expression may ask for any column
        rows = self.source.rows() if chosen is None or computed else self.source.passing(chosen)
        for number, row in enumerate(rows):
            if self.source.fetch is not None:
                identifier, problem = f"item {row.position}", None
            else:
                # Rows that are not asked count too: which of two rows keeps their id must not depend on the limit.
                identifier, problem = _identify(self.task.card.fields.id, row, seen)
            if chosen is None or number in chosen:
                yield number, Draft(self.task, row, style, identifier, problem)
        if number < 0:
            raise no_rows(self.task)

    def description(self) -> Mapping[str, Any]:
        """What the manifest says of the data."""
        return dict(self.source.describe)


def identifier_of(column: str | None, row: Row) -> str:
    """Return the row's id: its column, or its 0-based position where the card names none, or an expression gives none.

    Raises:
        DataError: when the cell is missing, null or empty.
    """
    if column is None or (column.startswith("=") and field_value(column, row, "fields.id") is None):
        return str(row.position)
    found = required_text(column, row, "fields.id")
    if not found.strip():
        raise DataError(f"{row.place}: column {column!r} (fields.id) is empty", remedy="give every row an id")
    return found


class _Seen:
    """Which row has an id already; a few dozen bytes per row."""

    def __init__(self) -> None:
        self._ids = NumberedTexts()
        self._positions = array("q")

    def first(self, identifier: str, position: int) -> int:
        """Return the position of the first row with an id, which is this one where there is no other."""
        number = self._ids.number(identifier)
        if number == len(self._positions):
            self._positions.append(position)
        return self._positions[number]


def _identify(column: str | None, row: Row, seen: _Seen) -> tuple[str, DataError | None]:
    """Return an id that no other row has, and what is wrong with the row's own. The first of two equal ones keeps it."""
    try:
        own = identifier_of(column, row)
    except DataError as error:
        return f"row {row.position + 1} (no id)", row.problem or error
    first = row.position if column is None else seen.first(own, row.position)
    if first == row.position:
        return own, None
    return f"{own} (again, row {row.position + 1})", DataError(
        f"{row.place}: id {own!r} is there twice, row {first + 1} has it already",
        remedy="correct the data set, or name another column in the card's fields.id",
    )


def no_rows(task: Task) -> DataError:
    """The error for a data set without rows."""
    return DataError(
        f"task {task.name}: the data set has no rows", remedy="check --data-dir and the card's dataset.where"
    )
