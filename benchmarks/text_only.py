"""Text only, with an engine in the process that answers at once: what the pipeline itself can do per second.

python benchmarks/text_only.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from children import load, mmeval

FEW, MANY = 5_000, 45_000
CARD = """\
name: benchmark
family: custom
title: Text only
dataset: {local: {files: ["samples.parquet"]}}
fields: {id: id, question: question, choices: options, answer: answer}
answer: {kind: choice, target: letter}
"""


def make_text(folder: Path, counts: Sequence[int]) -> dict[int, Path]:
    """Parquet files of multiple-choice questions, each in a folder of its own with its card."""
    made = {}
    for count in counts:
        place = made[count] = folder / f"n{count}"
        (place / "data").mkdir(parents=True)
        (place / "cards").mkdir()
        (place / "cards" / "benchmark.yaml").write_text(CARD)
        table = pa.table(
            {
                "id": [str(index) for index in range(count)],
                "question": [f"Sample {index}: which option is right?" for index in range(count)],
                "options": [["red", "green", "blue", "grey"]] * count,
                "answer": ["ABCD"[index % 4] for index in range(count)],
            }
        )
        pq.write_table(table, place / "data" / "samples.parquet", row_group_size=1000)
    return made


def text_only(work: Path) -> list[tuple[str, str, str]]:
    """Rows of the table: rate and CPU of a row, between two numbers of samples."""
    folders = make_text(work, (FEW, MANY))
    seconds, cpu, peaks = {}, {}, {}
    for count, folder in folders.items():
        child, summary = mmeval(
            "run", "-m", "fake:noop", "--engine-arg", "answer=A", "-t", "benchmark", "--task-path", str(folder / "cards"),
            "--data-dir", str(folder / "data"), "--concurrency", "64", "-o", str(folder / "run"),
            "--cache", str(folder / "cache.sqlite"), "--no-report", "--json",
        )  # fmt: skip
        seconds[count], cpu[count], peaks[count] = summary["timings"]["total"], child.cpu_s, child.peak_mb
    rate = (MANY - FEW) / (seconds[MANY] - seconds[FEW])
    cost = (cpu[MANY] - cpu[FEW]) / (MANY - FEW) * 1000
    return [
        ("text only, no-op engine: requests/s", ">= 3000", f"{rate:.0f}"),
        ("text only, no-op engine: CPU a request, slope", "", f"{cost:.3f} ms"),
        (f"text only, no-op engine: peak memory at {FEW} / {MANY}", "", f"{peaks[FEW]:.0f} / {peaks[MANY]:.0f} MB"),
    ]


if __name__ == "__main__":
    print(load())
    with tempfile.TemporaryDirectory() as name:
        for row in text_only(Path(name)):
            print(row[0], row[1], row[2])
