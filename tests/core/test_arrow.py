"""Arrays made of buffers are those that pyarrow makes, without pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.arrow import code_cells, mask_array, null_cells, number_cells, place_array, text_array, text_scalar


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
    st.lists(st.integers(-3, 2000)),
    st.lists(st.booleans()),
)
def test_arrays_are_those_of_pyarrow(texts: list[str], places: list[int], flags: list[bool]) -> None:
    assert text_array(texts).equals(pa.array(texts, pa.string()))
    assert place_array(np.array(places, dtype=np.int64)).equals(
        pa.array([place if place >= 0 else None for place in places], pa.int32())
    )
    assert mask_array(np.array(flags, dtype=bool)).equals(pa.array(flags, pa.bool_()))
    assert [text_scalar(text) for text in texts] == [pa.scalar(text) for text in texts]


COLUMNS = st.one_of(
    st.tuples(st.just(pa.float64()), st.lists(st.one_of(st.none(), st.floats(allow_nan=False)))),
    st.tuples(st.just(pa.int32()), st.lists(st.one_of(st.none(), st.integers(-9, 9)))),
    st.tuples(st.just(pa.bool_()), st.lists(st.one_of(st.none(), st.booleans()))),
    st.tuples(st.just(pa.bool_()), st.lists(st.booleans(), min_size=1)),
    st.tuples(st.just(pa.uint64()), st.lists(st.integers(0, 9))),
)


@given(COLUMNS, st.integers(0, 20))
def test_cells_are_those_of_the_array(column: tuple[pa.DataType, list[Any]], start: int) -> None:
    kind, values = column
    array, rest = pa.array(values, kind)[start:], values[start:]
    expected = np.array([np.nan if one is None else float(one) for one in rest])
    assert np.array_equal(number_cells(array).astype(np.float64), expected, equal_nan=True)
    assert null_cells(array).tolist() == [one is None for one in rest]
    if pa.types.is_integer(kind):
        assert code_cells(array, -7).tolist() == [-7 if one is None else one for one in rest]
    if rest and None not in rest:
        assert number_cells(array).dtype == np.array(rest, dtype=kind.to_pandas_dtype()).dtype
