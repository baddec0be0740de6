"""compare, diagnose, report and merge of results tables with a million rows per model: seconds, CPU seconds, peak memory, each in a child process.

    python benchmarks/results_at_size.py [--rows 1000000] [--models 3]

Half of the rows are asked in the standard way, half blind; five samples share a picture; ten subjects. Each command runs once with a tenth of the rows
and once with all, so that memory that grows with the table shows as a ratio.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from throughput import peak_memory_kb

from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord
from mmeval.runs.schema import results_schema, samples_schema

CONDITIONS = ("standard", "blind")
GROUP = 8192
WORDS = "The bar on the left is taller than the one on the right, therefore "


def write_run(folder: Path, rows: int, models: int) -> None:
    """Write a run folder of `models` models with `rows` rows each, in row groups, from columns."""
    folder.mkdir(parents=True)
    samples = rows // len(CONDITIONS)
    ease = np.random.default_rng(0).random(samples)
    with pq.ParquetWriter(folder / "results.parquet", results_schema()) as writer:
        for model in range(models):
            luck = np.random.default_rng(model + 1).random((len(CONDITIONS), samples))
            for place, condition in enumerate(CONDITIONS):
                skill = (0.55 + 0.03 * model) if condition == "standard" else 0.3
                right = 0.6 * ease + 0.4 * luck[place] < skill
                for start in range(0, samples, GROUP):
                    writer.write_table(_results(f"model-{model}", condition, start, right[start : start + GROUP]))
    with pq.ParquetWriter(folder / "samples.parquet", samples_schema()) as writer:
        names = [f"model-{model}" for model in range(models)]
        for condition in CONDITIONS:
            for start in range(0, samples, GROUP):
                writer.write_table(_samples(names, condition, start, min(GROUP, samples - start)))
    (folder / "run.json").write_text(_manifest(samples, models).model_dump_json())


def _table(schema: pa.Schema, cells: dict[str, Any], rows: int) -> pa.Table:
    return pa.table(
        [pa.array(cells[field.name], type=field.type) if field.name in cells else pa.nulls(rows, field.type) for field in schema], schema=schema
    )  # fmt: skip


def _shared(condition: str, numbers: range) -> dict[str, Any]:
    rows = len(numbers)
    return {
        "task": ["t"] * rows, "protocol": ["default"] * rows, "condition": [condition] * rows, "sample_id": [str(i) for i in numbers],
        "item_hash": [f"{i:064x}" for i in numbers], "cluster": [f"image-{i // 5}" for i in numbers], "target": ['"A"'] * rows,
        "subsets": [[("subject", f"s{i // 5 % 10}")] for i in numbers],
    }  # fmt: skip


def _results(model: str, condition: str, start: int, right: np.ndarray) -> pa.Table:
    rows = len(right)
    numbers = range(start, start + rows)
    cells = _shared(condition, numbers) | {
        "model": [model] * rows, "family": ["f"] * rows, "repeat": np.zeros(rows, np.int32), "request_hash": [f"{i:064x}" for i in numbers],
        "outcome": ["scored"] * rows, "score": right.astype(float), "correct": right, "scores": [[]] * rows,
        "extracted": ['"A"' if one else '"B"' for one in right], "response": [f"{WORDS}{i}: the answer is {'A' if one else 'B'}." for i, one in zip(numbers, right, strict=True)],
        "status": ["ok"] * rows, "finish_reason": ["stop"] * rows, "verifier": ["choice/1"] * rows, "prompt_tokens": np.full(rows, 300),
        "completion_tokens": np.full(rows, 20), "latency_s": np.full(rows, 0.5),
    }  # fmt: skip
    return _table(results_schema(), cells, rows)


def _samples(models: list[str], condition: str, start: int, rows: int) -> pa.Table:
    numbers = range(start, start + rows)
    message = '[{"role":"user","parts":["Which of the two bars is taller?"]}]'
    cells = _shared(condition, numbers) | {
        "question": [f"Which of the two bars is taller in figure {i}?" for i in numbers], "choices": [["left", "right"]] * rows,
        "messages": [message] * rows, "context": ["{}"] * rows, "extras": ["{}"] * rows, "media": [[]] * rows, "source_media": [[]] * rows,
        "models": [models] * rows,
    }  # fmt: skip
    return _table(samples_schema(), cells, rows)


def _manifest(samples: int, models: int) -> Manifest:
    task = TaskRecord(
        name="t", protocol="default", family="f", title="T", items_digest="i", ask_digest="a", score_digest="s", metrics=["accuracy"],
        asked={name: name for name in CONDITIONS}, subset_columns=["subject"], samples=samples, available=samples,
    )  # fmt: skip
    records = [
        ModelRecord(name=f"model-{model}", spec=f"model-{model}", engine="e", engine_version="1", identity={}, identity_digest=str(model), shared_identity=True)
        for model in range(models)
    ]  # fmt: skip
    return Manifest(
        run_id="r", name="n", status="complete", created="2026-01-01T00:00:00+00:00", command=[], config={}, config_digest="", versions={},
        hardware={}, seeds={}, models=records, tasks=[task], conditions=list(CONDITIONS),
    )  # fmt: skip


def measure(command: Sequence[str]) -> tuple[float, float, float]:
    """Run `mmeval COMMAND…`; returns seconds, CPU seconds and peak memory in MB."""
    began = time.monotonic()
    before = os.times()
    process = subprocess.Popen(
        [sys.executable, "-m", "mmeval", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, peak_memory_kb(process.pid))
        time.sleep(0.05)
    after = os.times()
    if process.returncode:
        assert process.stderr is not None
        raise SystemExit(
            f"mmeval {command[0]} ended with exit code {process.returncode}\n{process.stderr.read()[-2000:]}"
        )
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu, peak / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="per model")
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["compare", "diagnose", "report"], help="commands")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        sizes = (options.rows // 10, options.rows)
        for rows in sizes:
            write_run(Path(work) / str(rows), rows, options.models)
        print(f"{options.models} models; rows per model {sizes[0]:,} and {sizes[1]:,}")
        print(f"{'':10}{'seconds':>18}{'CPU seconds':>18}{'peak MB':>18}{'peak ratio':>12}")
        for name in options.only:
            found = []
            for rows in sizes:
                run = Path(work) / str(rows)
                command = {
                    "compare": [
                        "compare",
                        f"{run}#model-0",
                        f"{run}#model-1",
                        f"{run}#model-2",
                        "--by",
                        "subject",
                        "--json",
                    ],
                    "diagnose": ["diagnose", f"{run}#model-1", "--against", f"{run}#model-0", "--json"],
                    "report": ["report", str(run), "-o", str(Path(work) / f"{rows}.html")],
                }[name]
                found.append(measure(command))
            few, many = found
            print(
                f"{name:10}"
                + "".join(f"{few[i]:9.1f}{many[i]:9.1f}" for i in range(2))
                + f"{few[2]:9.0f}{many[2]:9.0f}{many[2] / few[2]:12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
