"""No fault loses, invents or duplicates an answer. `python benchmarks/faults.py` runs everything and prints the table of docs/faults.md."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import local, machine, network
from tests.faults.zygote import Zygote

FAST: dict[str, tuple[Any, dict[str, int]]] = {
    "passing faults of an endpoint": (network.passing, {}),
    "lasting faults of an endpoint": (network.lasting, {"faults_used": 1}),
    "an endpoint that starts again": (network.restarted, {}),
    "several processes on one cache": (network.two_processes, {}),
    "several processes on one run folder": (network.one_folder, {}),
    "signals": (local.signals, {"times": 8}),
    "kills at commits": (local.commit_points, {"points": 4}),
    "full disk": (local.full_disk, {"points": 6}),
    "file size limit": (local.full_file, {"points": 2}),
    "read-only folders": (local.read_only, {}),
    "damaged pages": (local.damaged_pages, {"times": 2}),
    "torn log": (local.torn_log, {"times": 2}),
    "clock": (local.wrong_clock, {"times": 1}),
    "no locks": (local.no_locks, {}),
    "killed worker": (local.killed_worker, {"times": 2}),
    "data set changes": (local.changing_data, {}),
    "standard streams": (machine.lost_streams, {"times": 4}),
    "damaged run folder": (machine.damaged_run, {}),
    "shortages": (machine.shortages, {}),
    "meddling": (machine.meddling, {}),
    "signals to other commands": (machine.ended_commands, {}),
}
SLOW: dict[str, tuple[Any, dict[str, int]]] = {
    "lasting faults of an endpoint": (network.lasting, {"seed": 1}),
    "an endpoint that is long away": (network.restarted, {"seed": 1, "seconds": 12.0}),
    "100 signals": (local.signals, {"times": 100, "seed": 1}),
    "kills at commits": (local.commit_points, {"points": 12}),
    "full disk at every write": (local.full_disk, {}),
    "read-only from every write on": (local.full_disk, {"points": 20, "number": errno.EROFS}),
    "small file systems": (machine.small_disks, {}),
    "file size limits": (local.full_file, {"points": 16}),
    "damaged pages": (local.damaged_pages, {"times": 24, "seed": 1}),
    "torn logs": (local.torn_log, {"times": 16, "seed": 1}),
    "no shared memory": (local.network_file_system, {"times": 3}),
    "clocks": (local.wrong_clock, {"times": 5, "seed": 1}),
    "standard streams": (machine.lost_streams, {}),
    "damaged run folder": (machine.damaged_run, {"readers": len(machine.READERS)}),
}


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as running:
        yield running


def hold(zygote: Zygote, folder: Path, scenario: Any, options: dict[str, int]) -> None:
    tallies = scenario(zygote, folder, **options)
    if not tallies:
        pytest.skip("this user may not mount file systems")
    assert sum(tally.times for tally in tallies) > 0, "no fault was injected"
    for tally in tallies:
        assert (tally.lost, tally.invented, tally.duplicated) == (0, 0, 0), tally


@pytest.mark.parametrize("name", FAST)
def test_nothing_is_lost_invented_or_duplicated(zygote: Zygote, tmp_path: Path, name: str) -> None:
    hold(zygote, tmp_path / "lab", *FAST[name])


@pytest.mark.slow
@pytest.mark.skipif(
    "MMEVAL_LONG_TESTS" not in os.environ, reason="minutes long: set MMEVAL_LONG_TESTS=1, as make test-long does"
)
@pytest.mark.parametrize("name", SLOW)
def test_nothing_is_lost_invented_or_duplicated_at_length(zygote: Zygote, tmp_path: Path, name: str) -> None:
    hold(zygote, tmp_path / "lab", *SLOW[name])
