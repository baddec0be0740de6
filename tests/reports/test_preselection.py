"""Items of large runs that are read in full are those that would be kept if all had been read."""

from __future__ import annotations

from collections import Counter

import pytest

from mmeval.reports.corpus import read_corpus
from mmeval.reports.names import name_runs
from mmeval.reports.packing import rank_of
from mmeval.reports.preselection import RANKS, preselect, priority
from mmeval.runs.folder import Run


@pytest.mark.parametrize("most", [0, 1, 7, 40, 10_000])
def test_the_first_by_rank_are_read_and_the_rest_is_counted(run: Run, most: int) -> None:
    names = name_runs([run])
    whole, part = read_corpus(names), read_corpus(names, most)
    order = sorted(whole.records, key=lambda record: priority(rank_of(record), record.key))
    kept, left = order[:most], order[most:]
    assert {record.key for record in part.records} == {record.key for record in kept}
    assert part.left == tuple(Counter(map(rank_of, left))[rank] for rank in range(RANKS))
    assert part.total == whole.total == len(whole.records)
    place = {record.key: index for index, record in enumerate(whole.records)}
    for index, record in enumerate(part.records):
        assert part.texts([index]) == whole.texts([place[record.key]])
        assert rank_of(record) == rank_of(whole.records[place[record.key]])


def test_small_runs_are_read_whole(run: Run) -> None:
    assert preselect(name_runs([run]), set(), None).kept is None
    assert preselect(name_runs([run]), set(), 1_000_000).kept is None
