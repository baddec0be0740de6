"""How fast and in how much memory `mmeval merge` joins the result tables of shards.

    python benchmarks/merging.py --rows 400000 --shards 8

Makes shards of invented rows (answers of about 600 characters), joins their `results.parquet`, and prints rows per second
and the growth of the process's peak memory. The rows are dealt out at random, so that neighbours come from different shards.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path

from mmeval.runs.joining import JoinTally, Part, Places, join_table
from mmeval.runs.schema import results_schema, with_position
from mmeval.runs.writer import TableWriter


def make(folder: Path, rows: int, shards: int) -> list[Part]:
    """Write the tables of all shards."""
    chooser = random.Random(0)
    homes = [chooser.randrange(shards) for _ in range(rows)]
    words = [f"word{number}" for number in range(500)]
    parts = []
    for index in range(shards):
        place = folder / f"shard-{index}"
        place.mkdir()
        with TableWriter(place / "results.parquet", with_position(results_schema())) as table:
            table.add(
                {
                    "model": "m", "task": "t", "protocol": "default", "family": "f", "condition": "standard",
                    "sample_id": f"sample-{position}", "repeat": 0, "cluster": f"c{position // 2}",
                    "item_hash": f"{position:064x}", "request_hash": f"{position + 1:064x}", "outcome": "scored", "score": 1.0,
                    "correct": True, "scores": {"score": 1.0}, "response": " ".join(chooser.choices(words, k=90)),
                    "status": "ok", "subsets": {"kind": "a"}, "media": [], "position": position,
                }
                for position in range(rows)
                if homes[position] == index
            )  # fmt: skip
        parts.append(Part(place, ["m"], True))
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--shards", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = make(folder, options.rows, options.shards)
        out = folder / "merged"
        out.mkdir()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, worked = time.perf_counter(), time.process_time()
        tally = JoinTally(1)
        join_table("results", parts, Places(["m"], [("t", "default")], ["standard"]), out, tally)
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = (out / "results.parquet").stat().st_size / 1e6
    assert tally.samples[0, 0] == options.rows
    print(
        f"{options.rows} rows of {options.shards} shards ({size:.0f} MB): {seconds:.1f} s, {options.rows / seconds:,.0f} rows/s "
        f"({1e6 * busy / options.rows:.0f} µs of CPU per row); peak memory {after / 1024:.0f} MB, {(after - before) / 1024:.0f} MB above that of writing the shards"
    )


if __name__ == "__main__":
    main()
