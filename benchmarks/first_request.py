"""Seconds from the start of `mmeval run` to its first request, for local parquet files of several sizes.

    python benchmarks/first_request.py [--gigabytes 0.1 1 5]

Images of 250 KB each, uncompressed, row groups of 500. `whole` asks everything, `--limit 200` draws from all rows, `file:` has no card: columns and content of the
file are looked at first. Runs are interrupted after their first request.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from children import ROOT, kept_environment, load, server, stats
from hot_path import CARD
from PIL import Image

GROUP = 500
SCHEMA = pa.schema(
    [("id", pa.string()), ("question", pa.string()), ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("options", pa.list_(pa.string())), ("answer", pa.string())]
)  # fmt: skip


def make(path: Path, size: float) -> None:
    """A parquet file of about `size` bytes, with a few pictures again and again, each time of other bytes at its end."""
    generator = np.random.default_rng(0)
    pictures = []
    for _ in range(16):
        out = io.BytesIO()
        pixels = generator.integers(0, 255, (75, 100, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((800, 600), Image.Resampling.BICUBIC).save(out, "JPEG", quality=97)
        pictures.append(out.getvalue())
    count = max(1, round(size / len(pictures[0])))
    with pq.ParquetWriter(path, SCHEMA, compression="none") as writer:
        for start in range(0, count, GROUP):
            rows = [
                {
                    "id": str(number),
                    "question": f"Sample {number}: which?",
                    "image": {"bytes": pictures[number % 16] + str(number).encode(), "path": None},
                    "options": ["red", "green"],
                    "answer": "A",
                }
                for number in range(start, min(count, start + GROUP))
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), row_group_size=GROUP)


def first_request(port: int, work: Path, *arguments: str) -> float:
    """Seconds from the start of the process to the first request."""
    with server(port, 64, 0.05) as base, tempfile.TemporaryDirectory(dir=work) as out:
        began = time.monotonic()
        run = subprocess.Popen(
            [
                sys.executable, "-m", "mmeval", "run", "-m", "openai:sim", "--base-url", f"{base}/v1", *arguments, "--concurrency", "64",
                "-o", f"{out}/run", "--cache", f"{out}/cache.sqlite", "--no-report", "--json",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, env={**kept_environment(), "XDG_CACHE_HOME": out},
        )  # fmt: skip
        try:
            while (first := stats(base)["first"]) is None:
                if run.poll() is not None:
                    raise SystemExit(f"no request came:\n{run.communicate()[1].decode()[-2000:]}")
                time.sleep(0.05)
        finally:
            run.send_signal(signal.SIGINT)
            run.communicate()
        return float(first) - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.1, 1, 5])
    parser.add_argument("--port", type=int, default=8971)
    options = parser.parse_args()
    print(load())
    for gigabytes in options.gigabytes:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            make(work / "samples.parquet", gigabytes * 1e9)
            os.sync()  # what was just written is not to be written back while runs are timed
            (work / "benchmark.yaml").write_text(CARD)
            card = ("-t", "benchmark", "--task-path", name, "--data-dir", name)
            first_request(options.port, work, *card)  # compiled modules
            for kind, arguments in (
                ("whole", card),
                ("--limit 200", (*card, "--limit", "200")),
                ("file:", ("-t", f"file:{work / 'samples.parquet'}")),
            ):
                seconds = first_request(options.port, work, *arguments)
                print(f"{gigabytes:g} GB, {kind}: {seconds:.2f} s to the first request (<= 1.5 s)", flush=True)


if __name__ == "__main__":
    main()
