"""The random stream must never change: items are identified by their seed."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.tasks.synthetic.rng import Rng, balanced, noise_bytes, permuted

PINNED_BELOW = [314, 972, 824, 173, 88, 153, 854, 932]
PINNED_SHUFFLE = "fgebahcd"
PINNED_SAMPLE = [66, 8, 35, 58, 59]
PINNED_NOISE = "eb4adcd88a972a76e2598d57ab8365c083f7e2a8e5a3a383b0cd9b33f2d82e12"
PINNED_LARGE = [3925, 349, 7269, 6683, 6812]
PINNED_SMALL = [5, 2, 6, 3, 0, 7, 1, 4]


def test_stream_is_pinned() -> None:
    rng = Rng("pin", 7)
    assert [rng.below(1000) for _ in range(8)] == PINNED_BELOW
    letters = list("abcdefgh")
    rng.shuffle(letters)
    assert "".join(letters) == PINNED_SHUFFLE
    assert rng.sample(range(100), 5) == PINNED_SAMPLE


def test_noise_is_pinned() -> None:
    assert hashlib.sha256(noise_bytes(12345, 10_001).tobytes()).hexdigest() == PINNED_NOISE


def test_permutation_is_pinned() -> None:
    assert [permuted(at, 9000, "pin") for at in range(5)] == PINNED_LARGE
    assert [permuted(at, 8, "pin") for at in range(8)] == PINNED_SMALL


@given(st.integers(1, 10**12), st.integers())
def test_below_stays_in_range(n: int, seed: int) -> None:
    assert 0 <= Rng(seed).below(n) < n


def test_below_is_unbiased() -> None:
    rng = Rng("bias")
    counts = Counter(rng.below(3) for _ in range(30_000))
    assert sorted(counts) == [0, 1, 2]
    assert all(abs(count - 10_000) < 400 for count in counts.values())  # five standard deviations


def test_below_refuses_an_empty_range() -> None:
    with pytest.raises(ValueError, match="positive bound"):
        Rng("x").below(0)


def test_sample_refuses_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="cannot draw 4 of 3"):
        Rng("x").sample("abc", 4)


@settings(max_examples=25)
@given(st.integers(1, 700), st.integers())
def test_permuted_is_a_permutation(size: int, key: int) -> None:
    assert sorted(permuted(at, size, key) for at in range(size)) == list(range(size))


@given(st.integers(1, 60), st.integers(0, 10**9), st.integers())
def test_every_block_holds_every_value_once(size: int, block: int, key: int) -> None:
    values = [balanced(block * size + at, size, key) for at in range(size)]
    assert sorted(values) == list(range(size))


def test_blocks_are_ordered_differently() -> None:
    orders = {tuple(balanced(block * 6 + at, 6, "k") for at in range(6)) for block in range(30)}
    assert len(orders) > 20


def test_parts_are_kept_apart() -> None:
    assert Rng("a", "bc").below(2**60) != Rng("ab", "c").below(2**60)
