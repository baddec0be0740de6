"""Numbers for numbers: the same as dictionaries give, for dense and for sparse values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmeval.stats.numbering import by_appearance, by_size, repeated

VALUES = st.lists(st.one_of(st.integers(0, 40), st.integers(-(10**12), 10**12)), max_size=60)


@given(VALUES)
def test_by_appearance_is_a_dictionary(values: list[int]) -> None:
    known: dict[int, int] = {}
    numbers, first = by_appearance(np.array(values, dtype=np.int64))
    assert numbers.tolist() == [known.setdefault(value, len(known)) for value in values]
    assert first.tolist() == [values.index(value) for value in known]


@given(VALUES)
def test_by_size_is_the_place_among_the_sorted(values: list[int]) -> None:
    ordered = sorted(set(values))
    assert by_size(np.array(values, dtype=np.int64)).tolist() == [ordered.index(value) for value in values]


@given(VALUES)
def test_repeated_is_the_first_that_was_there_before(values: list[int]) -> None:
    expected = next((place for place, value in enumerate(values) if value in values[:place]), None)
    assert repeated(np.array(values, dtype=np.int64)) == expected
