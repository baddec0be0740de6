from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.stats.sampling import avg_at_k, pass_at_k


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [(10, 3, 1, 0.3), (10, 3, 5, 0.9166667), (200, 10, 100, 0.999229), (4, 2, 2, 0.8333333)],
)
def test_pass_at_k_published(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-6)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
def test_pass_at_k_is_the_binomial_formula(n: int, c: int, k: int) -> None:
    c, k = min(c, n), min(k, n)
    assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k), abs=1e-12)


def test_avg_at_k() -> None:
    assert avg_at_k([1.0, 0.0, 1.0, 1.0], 2) == 0.5


@pytest.mark.parametrize("arguments", [(3, 1, 4), (3, 4, 2), (3, -1, 2), (3, 1, 0)])
def test_pass_at_k_refuses(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(*arguments)


def test_avg_at_k_refuses() -> None:
    with pytest.raises(ValueError, match="avg@3"):
        avg_at_k([1.0], 3)
