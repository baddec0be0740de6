"""Drawing a part of the data: whole clusters, seeded, spread over the strata, nested."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.tasks.limit import Entry, draw, parse_limit

CLUSTERS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("xyz")), min_size=1, max_size=25)


def entries(clusters: list[tuple[int, str]]) -> list[Entry]:
    members = [(f"c{number}", stratum) for number, (size, stratum) in enumerate(clusters) for _ in range(size)]
    return [Entry(position, cluster, stratum) for position, (cluster, stratum) in enumerate(members)]


@settings(deadline=None)
@given(CLUSTERS, st.integers(1, 60), st.integers(0, 5))
def test_whole_clusters_and_no_more_than_asked(clusters: list[tuple[int, str]], limit: int, seed: int) -> None:
    every = entries(clusters)
    chosen = draw(every, limit, seed)
    taken = {entry.cluster for entry in every if entry.position in chosen}
    assert chosen == {entry.position for entry in every if entry.cluster in taken}
    sizes = Counter(entry.cluster for entry in every).values()
    assert 1 <= len(chosen) <= max(limit, *sizes)
    if limit >= len(every) or max(sizes) == 1:
        assert len(chosen) == min(limit, len(every))
    assert draw(reversed(every), limit, seed) == chosen


@settings(deadline=None)
@given(st.lists(st.sampled_from("xyz"), min_size=2, max_size=80), st.integers(0, 3), st.data())
def test_a_larger_limit_contains_a_smaller_one(strata: list[str], seed: int, data: st.DataObject) -> None:
    every = entries([(2, stratum) for stratum in strata])
    small = data.draw(st.integers(1, len(every)))
    large = data.draw(st.integers(small, len(every)))
    assert draw(every, small, seed) <= draw(every, large, seed)


@given(st.integers(0, 50))
def test_strata_keep_their_shares(seed: int) -> None:
    every = entries([(1, "x")] * 60 + [(1, "y")] * 30 + [(1, "z")] * 10)
    counts = Counter(every[position].stratum for position in draw(every, 20, seed))
    assert counts == {"x": 12, "y": 6, "z": 2}


def test_the_seed_decides_and_nothing_else() -> None:
    every = entries([(1, "x")] * 200)
    assert draw(every, 20, 0) == draw(every, 20, 0)
    assert draw(every, 20, 0) != draw(every, 20, 1)


def test_the_draw_is_pinned() -> None:
    assert sorted(draw(entries([(1, "x")] * 50), 5, 0)) == PINNED


PINNED = [15, 26, 32, 39, 44]


@pytest.mark.parametrize(("share", "count"), [(0.1, 10), (0.004, 1), (1.0, 100), (0.255, 26)])
def test_a_share_is_of_the_samples(share: float, count: int) -> None:
    assert len(draw(entries([(1, "x")] * 100), share, 0)) == count


@pytest.mark.parametrize(
    ("text", "value"), [("200", 200), ("1", 1), ("0.1", 0.1), ("10%", 0.1), ("1.0", 1.0), ("100%", 1.0), ("1e-2", 0.01)]
)
def test_a_limit_is_a_count_or_a_share(text: str, value: float) -> None:
    found = parse_limit(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["0", "-5", "0.0", "1.5", "200%", "nan", "inf", "ten", "", "%", "²", "1,000"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_limit(text)
