"""A leaderboard of a large results table under several metrics.

    python benchmarks/leaderboard.py [--rows N] [--metrics NAME,NAME…]

Writes a run of one model and task (five samples per image, two images per problem, 30 subjects) and prints for each metric the
seconds of the whole task and of the task with its subsets, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mmeval.runs.folder import Run
from mmeval.runs.leaderboard import leaderboard
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord
from mmeval.runs.schema import results_schema

METRICS = "accuracy,macro:subject,all:problem,robustness:problem,f1,macro:subject:f1"


def columns(rows: int) -> dict[str, Any]:
    """Cells that differ; the other columns are null."""
    generator = np.random.default_rng(0)
    ease, luck = generator.random(-(-rows // 10)), generator.random(rows)
    right = 0.7 * ease[np.arange(rows) // 10] + 0.3 * luck < 0.5
    silent = generator.random(rows) < 0.02
    names = [str(i) for i in range(rows)]
    return {
        "model": ["m"] * rows, "task": ["t"] * rows, "protocol": ["default"] * rows, "condition": ["standard"] * rows,
        "sample_id": names, "repeat": np.zeros(rows, np.int32), "cluster": [f"image-{i // 5}" for i in range(rows)],
        "outcome": np.where(silent, "no_answer", "scored"), "correct": right & ~silent,
        "score": (right & ~silent).astype(float), "scores": [[("strict", float(one))] for one in right],
        "extracted": ['"yes"' if one else '"no"' for one in right], "target": ['"yes"'] * rows,
        "finish_reason": ["stop"] * rows, "completion_tokens": [2] * rows, "latency_s": [0.1] * rows,
        "subsets": [[("subject", f"s{i // 10 % 30}"), ("problem", f"p{i // 10}")] for i in range(rows)],
    }  # fmt: skip


def write(folder: Path, rows: int, metrics: list[str]) -> Run:
    """Write results.parquet; the manifest stays in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells, schema = columns(rows), results_schema()
    arrays = [
        pa.array(cells[field.name], type=field.type) if field.name in cells else pa.nulls(rows, field.type)
        for field in schema
    ]
    pq.write_table(pa.table(arrays, schema=schema), folder / "results.parquet")
    task = TaskRecord(
        name="t", protocol="default", family="f", title="T", items_digest=None, ask_digest="", score_digest="",
        metrics=metrics, subset_columns=["subject"], group_columns=["problem"], samples=rows, available=rows,
    )  # fmt: skip
    model = ModelRecord(
        name="m", spec="m", engine="e", engine_version="1", identity={}, identity_digest="", shared_identity=True
    )
    manifest = Manifest(
        run_id="r", name="n", status="complete", created="2026-01-01T00:00:00+00:00", command=[], config={}, config_digest="",
        versions={}, hardware={}, seeds={}, models=[model], tasks=[task], conditions=["standard"],
    )  # fmt: skip
    return Run(folder, manifest)


def main() -> None:
    """Print one line per metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--metrics", default=METRICS)
    options = parser.parse_args()
    names = options.metrics.split(",")
    with tempfile.TemporaryDirectory() as folder:
        run = write(Path(folder), options.rows, names)
        for name in names:
            record = run.manifest.tasks[0].model_copy(update={"metrics": [name]})
            one = Run(run.path, run.manifest.model_copy(update={"tasks": [record]}))
            seconds = []
            for by_subset in (False, True):
                began = time.perf_counter()
                rows = leaderboard(one, by_subset=by_subset)
                seconds.append(time.perf_counter() - began)
            found = rows[0].estimate
            interval = found.interval
            shown = "no interval" if interval is None else f"{interval.low:.4f} - {interval.high:.4f} {interval.method}"
            print(f"{name:<20} {seconds[0]:6.1f} s {seconds[1]:6.1f} s  {found.value} ({shown})", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
