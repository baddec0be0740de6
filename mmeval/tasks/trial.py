"""Finding out before anything is asked when a card does not fit its data; what single rows lack is their own fault."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mmeval.core.errors import DataError, nearest
from mmeval.tasks.card import Card
from mmeval.tasks.data import MissingColumn, Row, Source, missing_column
from mmeval.tasks.opened import no_rows
from mmeval.tasks.options import AskStyle

if TYPE_CHECKING:
    from mmeval.tasks.task import Task

TRIED_ROWS = 16
"""How many rows must fail before the card, and not the rows, is at fault."""
TRIED_GOLDS = 64
"""How many rows must lack a gold answer before the column, and not the rows, is at fault."""


def try_rows(task: Task, source: Source) -> None:
    """Build the first sample that has a gold answer.

    Raises:
        DataError: when the first row lacks a column, none of the first rows can be read, or none has a gold answer.
    """
    if task.card.dataset.synthetic is not None:
        _try_items(task, source)
    problem: DataError | None = None
    first, read = None, 0
    for number, row in enumerate(islice(source.rows(), TRIED_GOLDS)):
        if number == TRIED_ROWS and not read:
            break
        try:
            if task.sample(row, AskStyle()).target is not None or task.card.answer.withheld:
                return
            first, read = first or row, read + 1
        except DataError as error:
            if number == 0 and isinstance(error, MissingColumn):
                raise
            problem = problem or error
    if first is not None:
        raise _no_golds(task.card, first, read)
    raise problem or no_rows(task)


def _try_items(task: Task, source: Source) -> None:
    """Find a subset that no item has; some are only of some items, like the direction of what moves."""
    missing = {**task.card.subsets, **task.card.groups}
    known: set[str] = set()
    for row in islice(source.rows(), TRIED_ROWS):
        known |= row.values["item"].subsets.keys()
        missing = {name: column for name, column in missing.items() if column not in known}
        if not missing:
            return
    if missing:
        name, column = next(iter(missing.items()))
        raise missing_column(
            column,
            Row(0, dict.fromkeys(known), f"{task.name}, item 0"),
            f"{'subsets' if name in task.card.subsets else 'groups'}.{name}",
        )


def _no_golds(card: Card, row: Row, count: int) -> DataError:
    """The error for a data set whose first `count` rows have no gold answer; `row` is the first of them."""
    column = card.fields.answer or ""
    others = [str(name) for name in row.values if str(name) != column]
    close = nearest(column, others)
    hint = f"fields.answer may have to name {' or '.join(close)}; " if close else ""
    where = f"none of the first {count} rows has" if count > 1 else "there is no other row with"
    return DataError(
        f"{row.place}: no gold answer in {column!r} (fields.answer), and {where} one",
        remedy=f"{hint}the row has {', '.join(sorted(map(str, row.values)))}; where the answers are not published, set"
        " answer.withheld: true to ask for export",
    )
