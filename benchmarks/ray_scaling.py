"""Throughput of `mmeval run --workers ray` on 1, 2 and 4 nodes of a Ray cluster on this machine, and what the driver pays per request.

    python benchmarks/ray_scaling.py [--nodes 1 2 4] [--per-node 200] [--service 1.0] [--places 8]

Every node is one replica whose engine takes `--service` seconds per request on `--places` places (`tests/on_ray/service_time.py`: real
actors and child processes, no model). Requests carry 800x600 JPEGs of about 150 KB. Efficiency is the throughput while all replicas are
there, over that of one node times the number of nodes, in one run of this script.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from throughput import CARD, make_samples  # noqa: E402

from tests.on_ray.cluster import TestCluster  # noqa: E402

DOUBLE = ROOT / "tests" / "on_ray" / "service_time.py"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    nodes: int
    samples: int
    steady: float
    """Answers per second while all replicas answered and none had begun to run dry."""
    whole_s: float
    """Seconds of the run, start-up of Ray, of the replicas and of Python included."""
    cpu_s: float
    """CPU seconds of the driver's process."""
    peak_mb: float
    cache_bytes: int
    result_bytes: int


def steady_rate(log: Path, nodes: int, queue: int) -> float:
    """Answers per second between the first answer of the last replica to join and the last `queue` answers.

    The slope of the count over time, since answers come in bursts.
    """
    lines = [line.split() for line in log.read_text().splitlines()]
    first: dict[str, float] = {}
    for _, replica, at in lines:
        first.setdefault(replica, float(at))
    assert len(first) == nodes, f"{len(first)} of {nodes} replicas answered"
    times = sorted(float(at) for _, _, at in lines)[: len(lines) - queue]
    counted = [at for at in times if at >= max(first.values())]
    return float(np.polyfit(counted, np.arange(len(counted)), 1)[0])


def measure(cluster: TestCluster, nodes: int, options: argparse.Namespace, work: Path) -> Measured:
    """Run once on so many nodes."""
    folder, count = work / f"nodes{nodes}", nodes * options.per_node
    make_samples(count, folder / "data")
    (folder / "cards").mkdir()
    (folder / "cards" / "benchmark.yaml").write_text(CARD)
    log = folder / "answers.log"
    env: Mapping[str, str] = {
        "MMEVAL_WORKER_PRELOAD": str(DOUBLE), "SERVICE_S": str(options.service), "SERVICE_PLACES": str(options.places), "SERVICE_LOG": str(log),
    }  # fmt: skip
    for _ in range(nodes):
        cluster.add(env=env)
    command = [
        sys.executable, "-m", "mmeval", "run", "-m", "tiny", "-t", "benchmark", "--task-path", str(folder / "cards"), "--data-dir",
        str(folder / "data"), "--workers", "ray", "--ray-address", cluster.address, "--engine-arg", f"batch_size={options.places}",
        "-o", str(folder / "run"), "--cache", str(folder / "cache.sqlite"), "--no-report", "--no-media", "--json",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    whole = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"mmeval ended with exit code {done.returncode}: {done.stderr[-2000:]}")
    assert json.loads(done.stdout)["counts"]["asked"] == count
    cluster.clear()
    return Measured(
        nodes,
        count,
        steady_rate(log, nodes, 2 * options.places * nodes),
        whole,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        after.ru_maxrss / 1024,
        sum(path.stat().st_size for path in folder.glob("cache.sqlite*")),
        sum(path.stat().st_size for path in (folder / "run").glob("*.parquet")),
    )


def committed_per_second(work: Path, count: int = 20_000) -> tuple[float, float]:
    """Answers that the cache commits per second when nothing else is done, and CPU microseconds for each."""
    from mmeval.core.hashing import digest
    from mmeval.core.types import Response
    from mmeval.pipeline.cache import ResponseCache

    cpu, began = time.process_time(), time.monotonic()
    with ResponseCache(work / "only.sqlite") as cache:
        pending = [
            cache.put(
                digest([n]), Response("ok", text=f"The answer is {n}.", finish_reason="stop"), engine="hf", model="m"
            )
            for n in range(count)
        ]
        for future in pending:
            future.result()
    return count / (time.monotonic() - began), (time.process_time() - cpu) / count * 1e6


class Instant:
    """A replica that answers at once."""

    async def place(self) -> None:
        """There is room."""

    async def load(self) -> dict[str, Any]:
        """Nothing to load."""
        return {}

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
        """Answer in the next turn of the loop."""
        await asyncio.sleep(0)
        return {"status": "ok"}

    async def close(self) -> None:
        """Nothing to release."""


async def queue_cost(replicas: int, count: int = 20_000) -> float:
    """CPU microseconds for which the queue alone hands one request to one of so many replicas and takes its answer."""
    from mmeval.engines.replicas import ReplicaPool

    pool = ReplicaPool("instant", Instant, lambda: replicas, 8, 60.0)
    await pool.start()
    while pool.size < replicas:
        await asyncio.sleep(0.01)
    picture = bytes(150_000)

    async def some(number: int) -> None:
        for _ in range(number):
            await pool.ask({}, [picture], 60.0)

    cpu = time.process_time()
    await asyncio.gather(*(some(count // 500) for _ in range(500)))
    spent = time.process_time() - cpu
    await pool.close()
    return spent / count * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--per-node", type=int, default=240, help="samples per node")
    parser.add_argument("--service", type=float, default=1.0)
    parser.add_argument("--places", type=int, default=8)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        work = Path(folder)
        cluster = TestCluster(work / "cluster.log")
        try:
            found = [measure(cluster, nodes, options, work) for nodes in options.nodes]
        finally:
            cluster.close()
        rate, cpu_us = committed_per_second(work)
    one = found[0]
    ideal = options.places / options.service
    for entry in found:
        print(
            f"{entry.nodes} nodes: {entry.steady:.2f} answers/s, {entry.steady / (ideal * entry.nodes):.3f} of what the engines can do,"
            f" efficiency {entry.steady / one.steady * one.nodes / entry.nodes:.3f}; {entry.samples} samples in {entry.whole_s:.1f} s,"
            f" driver {entry.cpu_s:.1f} s CPU, {entry.peak_mb:.0f} MB"
        )
    last = found[-1]
    if last.samples > one.samples:
        more = last.samples - one.samples
        print(f"driver, each further request: {(last.cpu_s - one.cpu_s) / more * 1000:.2f} ms CPU")
        print(
            f"cache {(last.cache_bytes - one.cache_bytes) / more:.0f} bytes, tables {(last.result_bytes - one.result_bytes) / more:.0f} bytes"
        )
    costs = ", ".join(f"{asyncio.run(queue_cost(replicas)):.0f} us over {replicas}" for replicas in (1, 100, 1000))
    print(f"queue alone, CPU per request: {costs} replicas")
    print(f"cache alone: {rate:.0f} answers/s committed, {cpu_us:.0f} us CPU each")


if __name__ == "__main__":
    main()
