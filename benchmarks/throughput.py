"""How much `mmeval run` adds to a simulated inference server: wall time and efficiency against the ideal, and peak memory.

    python benchmarks/throughput.py [--samples 2560]

Makes 800x600 JPEG images of about 150 KB in a parquet file, starts `simulated_server.py`, and runs mmeval in a child process, once with a
quarter of the samples and once with all, so that memory that grows with the data set would show.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from children import mmeval, server, stats
from PIL import Image

CARD = """\
name: benchmark
family: custom
title: Throughput
dataset: {local: {files: ["samples.parquet"]}}
fields: {id: id, question: question, images: [image], choices: options, answer: answer}
answer: {kind: choice, target: letter}
"""


def make_samples(count: int, folder: Path) -> None:
    """Write `count` distinct 800x600 JPEGs with questions, in row groups of 256."""
    generator = np.random.default_rng(0)
    bases = [
        Image.fromarray(generator.integers(0, 255, (75, 100, 3), dtype=np.uint8)).resize(
            (800, 600), Image.Resampling.BICUBIC
        )
        for _ in range(16)
    ]
    schema = pa.schema(
        [("id", pa.string()), ("question", pa.string()), ("options", pa.list_(pa.string())), ("answer", pa.string()),
         ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    )  # fmt: skip
    folder.mkdir(parents=True)
    with pq.ParquetWriter(folder / "samples.parquet", schema) as writer:
        for start in range(0, count, 256):
            rows = []
            for index in range(start, min(count, start + 256)):
                picture = bases[index % 16].copy()
                picture.paste((index % 256, index // 256 % 256, index // 65536), (0, 0, 16, 16))
                buffer = io.BytesIO()
                picture.save(buffer, "JPEG", quality=90)
                rows.append(
                    {"id": str(index), "question": f"Sample {index}: which option is right?", "options": ["red", "green", "blue", "grey"],
                     "answer": "ABCD"[index % 4], "image": {"bytes": buffer.getvalue(), "path": None}}
                )  # fmt: skip
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def peak_memory_kb(process: int) -> int:
    """High-water mark of a process's memory; rusage of children also counts what the parent held before exec."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def measure(count: int, slots: int, service: float, port: int, work: Path) -> dict[str, float]:
    """Run mmeval once over `count` samples and return what the server and the operating system saw."""
    folder = work / f"n{count}"
    make_samples(count, folder / "data")
    (folder / "cards").mkdir()
    (folder / "cards" / "benchmark.yaml").write_text(CARD)
    with server(port, slots, service) as base:
        child, summary = mmeval(
            "run", "-m", "openai:sim", "--base-url", f"{base}/v1", "-t", "benchmark", "--task-path", str(folder / "cards"),
            "--data-dir", str(folder / "data"), "--concurrency", str(slots), "-o", str(folder / "run"),
            "--cache", str(folder / "cache.sqlite"), "--no-report", "--json",
        )  # fmt: skip
        seen = stats(base)
    return {
        "samples": count,
        "ideal_s": seen["ideal_s"],
        "wall_s": child.wall_s,
        "run_s": summary["timings"]["total"],
        "efficiency": seen["efficiency"],
        "cpu_ms_per_request": child.cpu_s / count * 1000,
        "peak_rss_mb": child.peak_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2560)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--service", type=float, default=0.5)
    parser.add_argument("--port", type=int, default=8931)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        found = [
            measure(count, options.slots, options.service, options.port, Path(work))
            for count in (options.samples // 4, options.samples)
        ]
    for entry in found:
        print({key: round(value, 3) for key, value in entry.items()})
    few, many = found
    print(
        f"wall time / ideal: {many['wall_s'] / many['ideal_s']:.3f} (with start-up), {many['run_s'] / many['ideal_s']:.3f} (after start-up)"
    )
    print(f"efficiency seen by the server: {many['efficiency']:.3f}")
    print(
        f"peak memory with {many['samples']:.0f} samples / with {few['samples']:.0f}: {many['peak_rss_mb'] / few['peak_rss_mb']:.3f}"
    )


if __name__ == "__main__":
    main()
