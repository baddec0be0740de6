"""Columns in few bytes hold exactly what they were given."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.metrics import get_metric
from mmeval.metrics.collect import collect
from mmeval.metrics.columns import Columns, Texts, joined, narrow, wide

FLOATS = st.lists(
    st.one_of(st.just(math.nan), st.integers(0, 3).map(float), st.floats(width=16), st.floats(width=32), st.floats())
)


@given(FLOATS)
def test_narrow_floats_come_back_bit_for_bit(values: list[float]) -> None:
    given_cells = np.array(values, dtype=np.float64)
    assert np.array_equal(wide(narrow(given_cells)), given_cells, equal_nan=True)
    assert np.array_equal(np.signbit(narrow(given_cells)), np.signbit(given_cells)) or np.isnan(given_cells).any()


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.integers(-200, 200)))
def test_narrow_whole_numbers_come_back(large: list[int], small: list[int]) -> None:
    for values in (large, small):
        assert wide(narrow(np.array(values, dtype=np.int64))).tolist() == values
    assert narrow(np.array(small, dtype=np.int64)).itemsize <= (2 if small else 8)


@given(st.lists(FLOATS, max_size=4))
def test_parts_join_to_the_whole(parts: list[list[float]]) -> None:
    whole = np.array([value for part in parts for value in part], dtype=np.float64)
    assert np.array_equal(wide(joined([narrow(np.array(part)) for part in parts])), whole, equal_nan=True)


def test_a_column_without_numbers_takes_no_memory() -> None:
    column = joined([narrow(np.full(1000, np.nan)), narrow(np.full(500, np.nan))])
    assert (column.shape, column.strides) == ((1500,), (0,))
    taken = Columns(1500, {"score": column}).take(np.arange(300))
    assert taken.numbers("score").strides == (0,)
    assert taken.size == taken["score"].size == 300


def test_texts_are_a_sequence() -> None:
    cells = Texts(np.array([1, -1, 0, 1], dtype=np.int8), pa.array(["a", "b"]), True)
    assert list(cells) == ["b", None, "a", "b"]
    assert (cells[0], cells[1], list(cells[1:3]), len(cells)) == ("b", None, [None, "a"], 4)
    assert cells.objects("")[1] == ""
    assert list(cells.take(np.array([3, 1]))) == ["b", None]
    assert (cells.code("b"), cells.code("c")) == (1, -2)


def test_messages_name_samples_that_are_numbers() -> None:
    def table(ids: list[int], scores: list[float]) -> Columns:
        size = len(ids)
        return Columns(
            size,
            {
                "outcome": Texts(np.zeros(size, np.int8), pa.array(["scored"]), True),
                "sample_id": Texts(np.array(ids, np.int32), pa.array(["first", "second"]), True),
                "cluster": Texts(np.full(size, -1, np.int8), pa.array([], pa.string()), True),
                "repeat": np.zeros(size, np.int8),
                "score": np.array(scores),
                "subsets.step": Texts(np.zeros(size, np.int8), pa.array(["odd"]), True),
                "subsets.problem": Texts(np.zeros(size, np.int8), pa.array(["p"]), True),
            },
        )

    with pytest.raises(DataError, match="'second', repeat 0, occurs twice"):
        collect(get_metric("mean"), table([1, 0, 1], [0.0, 0.0, 0.0]))
    with pytest.raises(DataError, match="'second' is scored but has no score"):
        collect(get_metric("mean"), table([0, 1], [0.0, math.nan]))
    scores = collect(get_metric("mean"), table([1, 0], [0.0, 1.0]))
    assert [scores.name(0), scores.name(1), scores.take(np.array([1])).name(0)] == ["second", "first", "first"]
