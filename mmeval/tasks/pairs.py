"""Pairs of rows: which of two pictures is better, out of a list in which every picture has a score of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.card import Pairs
from mmeval.tasks.data import Row, Source
from mmeval.tasks.gold import absent, field_value

COLUMNS = ("first", "second", "pair")
"""What a pair has in place of its rows' columns."""


def in_pairs(source: Source, pairs: Pairs) -> Source:
    """Return a source of pairs, drawn by the seed: every row is in one pair, the last of an odd number in a second one.

    A pair has the columns `first` and `second` (all columns of its rows) and `pair`: the value of `within`, else the pair's
    number, the same for both pairs that share a row. Which of two rows is first is drawn too.

    Raises:
        DataError: while reading, as the source, or when a row lacks the column of `within`.
    """

    def rows() -> Iterator[Row]:
        groups: dict[str, list[Row]] = {}
        for row in source.rows():
            if row.problem is not None:
                yield row
                continue
            value = field_value(pairs.within, row, "dataset.pairs.within")
            if pairs.within is not None and absent(value):
                yield _alone(row, f"{row.place}: {pairs.within!r} (dataset.pairs.within) is null", "correct the row")
                continue
            groups.setdefault("" if pairs.within is None else str(value), []).append(row)
        number = 0
        for group, members in groups.items():
            if len(members) < 2:
                message = f"{members[0].place}: no other row to compare with has {pairs.within} = {group!r}"
                yield _alone(members[0], message, "name another column in dataset.pairs.within")
                continue
            Random(f"{pairs.seed}/{group}").shuffle(members)
            # The one left over shares a cluster with the pair whose row it takes.
            begin = number
            for place in range(0, len(members), 2):
                whole = place + 1 < len(members)
                first, second = (members[place], members[place + 1]) if whole else (members[place], members[0])
                label = group if pairs.within is not None else str(number if whole else begin)
                yield replace(
                    first,
                    position=number,
                    values={"first": dict(first.values), "second": dict(second.values), "pair": label},
                    place=f"{first.place} and {second.place.rsplit(', ', 1)[-1]}",
                )
                number += 1

    total = None if pairs.within is not None or source.total is None else (source.total + 1) // 2
    return Source(source.describe, rows, total)


def _alone(row: Row, message: str, remedy: str) -> Row:
    values: dict[str, Any] = {"first": dict(row.values), "second": {}, "pair": ""}
    return replace(row, values=values, problem=DataError(message, remedy=remedy))
