"""Cutting samples into shards: whole clusters, balanced, independent of order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import Media
from mmeval.tasks import synthetic
from mmeval.tasks.sharding import CHUNK, Shard, cut, parse_shard, picture_key

CLUSTERS = st.lists(st.integers(0, 30), max_size=120)


def parts_of(clusters: list[int], count: int, task: str = "t") -> list[frozenset[int]]:
    entries = [(position, str(name)) for position, name in enumerate(clusters)]
    return [cut(entries, Shard(index, count), task).positions for index in range(1, count + 1)]


@given(CLUSTERS, st.integers(1, 9))
def test_every_sample_is_in_one_shard_and_no_cluster_in_two(clusters: list[int], count: int) -> None:
    parts = parts_of(clusters, count)
    assert sorted(position for part in parts for position in part) == list(range(len(clusters)))
    homes: dict[int, set[int]] = {}
    for index, part in enumerate(parts):
        for position in part:
            homes.setdefault(clusters[position], set()).add(index)
    assert all(len(places) == 1 for places in homes.values())


@given(CLUSTERS, st.integers(1, 9))
def test_shards_differ_by_no_more_than_the_largest_cluster(clusters: list[int], count: int) -> None:
    sizes = [len(part) for part in parts_of(clusters, count)]
    assert max(sizes) - min(sizes) <= max((clusters.count(name) for name in clusters), default=0)


@given(CLUSTERS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(clusters: list[int], count: int, chooser: random.Random) -> None:
    entries = [(position, str(name)) for position, name in enumerate(clusters)]
    mixed = list(entries)
    chooser.shuffle(mixed)
    for index in range(1, count + 1):
        assert cut(entries, Shard(index, count), "t") == cut(mixed, Shard(index, count), "t")


def test_remainders_of_many_small_tasks_spread_over_the_shards() -> None:
    loads = [0] * 4
    for task in range(200):
        for index, part in enumerate(parts_of([0], 4, f"task {task}")):
            loads[index] += len(part)
    assert sum(loads) == 200
    assert min(loads) > 25


def test_other_data_have_another_digest() -> None:
    entries = [(0, "a"), (1, "b")]
    known = cut(entries, Shard(1, 2), "t").digest
    assert cut(entries, Shard(2, 2), "t").digest == known
    assert cut([*entries, (2, "b")], Shard(1, 2), "t").digest != known


@pytest.mark.parametrize(("text", "shard"), [("1/1", Shard(1, 1)), (" 2 / 8 ", Shard(2, 8)), ("08/8", Shard(8, 8))])
def test_what_the_option_takes(text: str, shard: Shard) -> None:
    assert parse_shard(text) == shard


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1", "1/0", "-1/4", "1/4/2", "a/b", "1.5/4", "٣/٤"])
def test_what_it_does_not_take(text: str) -> None:
    with pytest.raises(ValueError, match=r"I/N|counts from 1"):
        parse_shard(text)


def test_equal_pictures_have_one_key_wherever_they_lie(tmp_path: Path) -> None:
    data = random.Random(0).randbytes(5 * CHUNK)
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(data)
    second.write_bytes(data)
    keys = {picture_key(Media("image", path=path)) for path in (first, second)} | {
        picture_key(Media("image", data=data))
    }
    assert len(keys) == 1
    assert picture_key(Media("image", data=data[:-1])) not in keys


@pytest.mark.parametrize("name", synthetic.TASKS)
def test_clusters_of_procedural_items_are_known_without_drawing_them(name: str) -> None:
    for index in (0, 1, 2, 5):
        assert (
            synthetic.cluster(name, 3, index, 2) == synthetic.generate(name, seed=3, index=index, difficulty=2).cluster
        )
