"""Rows that show one picture are asked close together, within a bounded view ahead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.pipeline.nearby import nearby
from mmeval.tasks.pictures import Picture

Row = tuple[int, int | None, int]
"""Number, picture, bytes."""


def _picture(row: Row) -> Picture | None:
    return None if row[1] is None else Picture(row[1], row[2])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.integers(0, 40))), st.integers(1, 8), st.integers(1, 90))
def test_every_row_comes_once_and_none_waits_longer_than_the_view(
    given_rows: list[tuple[int | None, int]], most: int, most_bytes: int
) -> None:
    rows: list[Row] = [(number, picture, size) for number, (picture, size) in enumerate(given_rows)]
    taken = 0
    found: list[Row] = []

    def reading() -> Iterator[Row]:
        nonlocal taken
        for row in rows:
            taken += 1
            held = rows[:taken]
            waiting = [one for one in held if one not in found]
            assert len(waiting) <= most
            assert sum(one[2] for one in waiting[:-1] if one[1] is not None) < most_bytes
            yield row

    for row in nearby(reading(), _picture, most, most_bytes):
        found.append(row)
        # Whoever is oldest goes next, so that a row is passed by those of the view alone.
        assert sum(other[0] > row[0] for other in found[:-1]) < most
    assert sorted(found) == rows
    for picture in range(6):
        own = [row[0] for row in found if row[1] == picture]
        assert own == sorted(own)


def test_scattered_rows_come_together_and_ordered_ones_stay() -> None:
    scattered: list[Row] = [(number, number % 60, 0) for number in range(240)]
    order = [row[1] for row in nearby(iter(scattered), _picture)]
    assert order == [picture for picture in range(60) for _ in range(4)]
    ordered: list[Row] = [(number, number // 4, 0) for number in range(240)]
    assert list(nearby(iter(ordered), _picture)) == ordered
    plain: list[Row] = [(number, None, 0) for number in range(50)]
    assert list(nearby(iter(plain), _picture)) == plain


def test_what_was_read_before_a_data_set_breaks_off_is_still_asked() -> None:
    def breaking() -> Iterator[Row]:
        yield from ((number, number % 2, 0) for number in range(6))
        raise DataError("the file ends in the middle of a row")

    found: list[int] = []
    with pytest.raises(DataError, match="in the middle"):
        found.extend(row[0] for row in nearby(breaking(), _picture))
    found = []
    ahead = nearby(breaking(), _picture)
    for _ in range(6):
        found.append(next(ahead)[0])
    assert found == [0, 2, 4, 1, 3, 5]
