"""The hot path of `mmeval run` beside the least that a client can do, in one run against one server, as one table.

    python benchmarks/hot_path.py            the cost of a request (about 4 minutes)
    python benchmarks/hot_path.py --all      with efficiency, text only, many in flight, flat memory, no barriers (about 20 minutes)

The server is `simulated_server.py` in a process of its own, whose CPU counts apart. 800x600 JPEGs of about 150 KB come from a parquet file.
CPU is user and system time of the whole client process. A cost per request is the slope between two numbers of samples, which leaves the
fixed start-up out; the totals beside it have it in.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from children import HERE, Child, load, mmeval, run_child, server, stats
from many_in_flight import many_in_flight
from memory_flat import memory_flat
from no_barriers import no_barriers
from text_only import make_text, text_only
from throughput import CARD, make_samples

FEW, MANY, WAVES = 640, 5120, 2560
Row = tuple[str, str, str]
"""What is measured, what is wanted of it, what was found."""


@dataclass(frozen=True)
class Cost:
    """One client at two numbers of samples."""

    few: Child
    many: Child

    @property
    def slope_ms(self) -> float:
        """CPU of one request more."""
        return (self.many.cpu_s - self.few.cpu_s) / (MANY - FEW) * 1000

    @property
    def start_s(self) -> float:
        """CPU that does not depend on the number of requests."""
        return self.many.cpu_s - self.slope_ms / 1000 * MANY

    @property
    def per_second(self) -> float:
        """Requests per second between the two."""
        return (MANY - FEW) / max(self.many.wall_s - self.few.wall_s, 1e-9)


def arguments(base: str, folder: Path, slots: int, out: str, *more: str) -> list[str]:
    """The command line of one run over the samples of a folder."""
    return [
        "run", "-m", "openai:sim", "--base-url", f"{base}/v1", "-t", "benchmark", "--task-path", str(folder / "cards"),
        "--data-dir", str(folder / "data"), "--concurrency", str(slots), "-o", str(folder / out),
        "--cache", str(folder / "cache.sqlite"), "--no-report", "--json", *more,
    ]  # fmt: skip


def prepare(work: Path) -> dict[int, Path]:
    """Sample files of all sizes, with their cards."""
    folders = {}
    for count in (FEW, WAVES, MANY):
        folder = folders[count] = work / f"n{count}"
        make_samples(count, folder / "data")
        (folder / "cards").mkdir()
        (folder / "cards" / "benchmark.yaml").write_text(CARD)
    return folders


def per_request(folders: dict[int, Path], port: int, slots: int, script: Path) -> list[Row]:
    """Floor, first time and again, all against one server that answers at once."""
    found: dict[str, dict[int, Child]] = {"floor": {}, "first": {}, "again": {}}
    with server(port, slots, 0.0, script) as base:
        mmeval(*arguments(base, folders[FEW], slots, "warm-up", "--limit", "20"))  # compiled modules, page cache
        (folders[FEW] / "cache.sqlite").unlink()
        for count in (FEW, MANY):
            folder = folders[count]
            data = str(folder / "data" / "samples.parquet")
            raw = [
                sys.executable,
                str(HERE / "raw_client.py"),
                data,
                f"{base}/v1/chat/completions",
                str(count),
                str(slots),
            ]
            found["floor"][count] = run_child(raw)
            for kind in ("first", "again"):
                found[kind][count], summary = mmeval(*arguments(base, folder, slots, kind))
                if summary["counts"]["asked"] != count or summary["counts"]["scored"] != count:
                    raise SystemExit(f"{kind}, {count} samples: {summary['counts']}")
    costs = {kind: Cost(by_count[FEW], by_count[MANY]) for kind, by_count in found.items()}
    floor = costs["floor"]
    rows: list[Row] = []
    for kind, cost in costs.items():
        total = cost.many.cpu_s / MANY * 1000
        rows.append((f"{kind}: CPU a request, slope", "", f"{cost.slope_ms:.2f} ms"))
        rows.append(
            (
                f"{kind}: CPU a request at {MANY}, start-up included",
                "",
                f"{total:.2f} ms (start-up {cost.start_s:.2f} s)",
            )
        )
        rows.append((f"{kind}: requests/s", ">= 500" if kind == "again" else "", f"{cost.per_second:.0f}"))
        peaks = f"{cost.few.peak_mb:.0f} / {cost.many.peak_mb:.0f} MB"
        rows.append((f"{kind}: peak memory at {FEW} / {MANY}", "", peaks))
    for kind, wanted in (("again", 1.0), ("first", 2.2)):
        beyond = costs[kind].slope_ms - floor.slope_ms
        rows.append((f"{kind}: CPU beyond the floor", f"<= {wanted} ms", f"{beyond:.2f} ms"))
    return rows


def lateness(folders: dict[int, Path], port: int, script: Path) -> list[Row]:
    """How late the event loop was, at a usual number of slots with a server that answers at once and with one that takes time."""
    rows: list[Row] = []
    for slots, service in ((64, 0.0), (64, 0.2), (256, 0.2)):
        out = f"traced{slots}-{service}"
        trace = folders[MANY] / f"{out}.json"
        with server(port, slots, service, script) as base:
            mmeval(*arguments(base, folders[MANY], slots, out, "--trace", str(trace)))
        loop = json.loads((folders[MANY] / out / "run.json").read_bytes())["trace"]["loop"]
        share = f"{loop['blocked_by_itself_share']:.2%} ({loop['blocked_by_itself']} of {loop['ticks']} ticks; others' doing {loop['blocked'] - loop['blocked_by_itself']})"
        name = f"event loop blocked over 50 ms, {slots} slots x {service} s"
        rows.append((name, "< 0.1 %", share))
        rows.append(
            ("the same, ticks by ms late", "", ", ".join(f"{end}: {count}" for end, count in loop["late_ms"].items()))
        )
    return rows


def waves(folders: dict[int, Path], port: int, script: Path) -> list[Row]:
    """64 slots of half a second: how full the server was, seen by itself, and how soon the first request came."""
    rows: list[Row] = []
    for count, slots, service in ((WAVES, 64, 0.5), (FEW, 64, 0.02), (MANY, 64, 0.02)):
        with server(port, slots, service, script) as base:
            child, summary = mmeval(*arguments(base, folders[count], slots, f"waves-{service}"))
            seen = stats(base)
        if count == WAVES:
            share = seen["efficiency"]
            rows.append((f"efficiency at 64 slots x 0.5 s, {count} samples, first time", ">= 0.98", f"{share:.3f}"))
            ideal = count / slots * service
            rows.append(("the same, run / ideal", "", f"{summary['timings']['total'] / ideal:.3f}"))
        else:
            rows.append(
                (f"time to first request, parquet of {count} rows", "<= 1.5 s", f"{seen['first'] - child.began:.2f} s")
            )
    return rows


def show(rows: list[Row]) -> None:
    """Print the table."""
    width = [max(len(row[place]) for row in rows) for place in range(2)]
    for name, wanted, found in rows:
        print(f"| {name:{width[0]}} | {wanted:{width[1]}} | {found} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the other measurements too")
    parser.add_argument("--slots", type=int, default=256)
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--server", type=Path, default=HERE / "simulated_server.py", help="the server's script")
    options = parser.parse_args()
    print(f"before: {load()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folders = prepare(work)
        rows = per_request(folders, options.port, options.slots, options.server)
        rows += lateness(folders, options.port, options.server)
        rows += waves(folders, options.port, HERE / "simulated_server.py")
        if options.all:
            rows += text_only(work / "text")
            rows += many_in_flight(make_text(work / "many", (10_000, 30_000)), options.port)
            rows += no_barriers(work / "barriers", options.port)
            rows += memory_flat(work / "memory")
    show(rows)
    print(f"after: {load()}")


if __name__ == "__main__":
    main()
