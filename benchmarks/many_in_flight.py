"""5,000 requests in flight beside 50, at the same rate: what a request costs the client.

python benchmarks/many_in_flight.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from children import load, mmeval, server
from text_only import make_text

RATE = 1000
"""Requests per second that the server lets through, whatever the number of its slots."""


def many_in_flight(folders: dict[int, Path], port: int) -> list[tuple[str, str, str]]:
    """Rows of the table, from text files of two sizes."""
    few, many = sorted(folders)
    cost = {}
    for slots in (50, 5000):
        cpu = {}
        with server(port, slots, slots / RATE) as base:
            for count in (few, many):
                folder = folders[count]
                child, _ = mmeval(
                    "run", "-m", "openai:sim", "--base-url", f"{base}/v1", "-t", "benchmark", "--task-path", str(folder / "cards"),
                    "--data-dir", str(folder / "data"), "--concurrency", str(slots), "-o", str(folder / f"run{slots}"),
                    "--cache", str(folder / f"cache{slots}.sqlite"), "--no-report", "--json",
                )  # fmt: skip
                cpu[count] = child.cpu_s
        cost[slots] = (cpu[many] - cpu[few]) / (many - few) * 1000
    more = cost[5000] / cost[50] - 1
    return [
        (
            "CPU a request with 5,000 in flight beside 50",
            "< +5 %",
            f"{cost[5000]:.3f} / {cost[50]:.3f} ms ({more:+.1%})",
        )
    ]


if __name__ == "__main__":
    print(load())
    with tempfile.TemporaryDirectory() as name:
        for row in many_in_flight(
            make_text(Path(name), (10_000, 30_000)), int(sys.argv[1]) if len(sys.argv) > 1 else 8932
        ):
            print(row[0], row[1], row[2])
