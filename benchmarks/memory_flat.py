"""Peak memory of the process for few and for many samples: text, photographs of 150 KB, screenshots of 3840x2160.

    python benchmarks/memory_flat.py [--texts 200000] [--photographs 20000] [--screenshots 50000]

A number of 0 leaves that kind out.

The engine is in the process and answers at once, so that the run is short, and screenshots once more after 0.2 s, so that all slots and what is prepared behind them
are full, as they are with a real engine. Rows name files: the few pictures are shared, each row has its own id and question.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from children import load, mmeval
from PIL import Image

CARD = """\
name: benchmark
family: custom
title: Memory
dataset: {{local: {{files: ["rows.jsonl"]}}}}
fields: {{id: id, question: question, images: {images}, choices: options, answer: answer}}
answer: {{kind: choice, target: letter}}
"""
PICTURES = 8
TEXTS = (2_000, 200_000)
PHOTOGRAPHS = (2_000, 200_000)
SCREENSHOTS = (2_000, 50_000)


def make_pictures(folder: Path, size: tuple[int, int], noise: int) -> list[str]:
    """A few JPEGs of coarse noise enlarged to a size; `noise` is the width of the coarse picture."""
    generator = np.random.default_rng(0)
    names = []
    for number in range(PICTURES):
        pixels = generator.integers(0, 255, (noise * 3 // 4, noise, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(
            folder / f"{number}.jpg", "JPEG", quality=90
        )
        names.append(f"{number}.jpg")
    return names


def peak(folder: Path, count: int, pictures: list[str], latency_s: float) -> float:
    """Peak memory in MB of one run over `count` rows, each of which is answered after some seconds."""
    with (folder / "rows.jsonl").open("w") as lines:
        for index in range(count):
            row = {
                "id": str(index),
                "question": f"Sample {index}: which?",
                "options": ["red", "green"],
                "answer": "AB"[index % 2],
            }
            if pictures:
                row["image"] = pictures[index % len(pictures)]
            lines.write(json.dumps(row) + "\n")
    (folder / "benchmark.yaml").write_text(CARD.format(images="[image]" if pictures else "[]"))
    child, summary = mmeval(
        "run", "-m", "fake:noop", "--engine-arg", "answer=A", "--engine-arg", f"latency_s={latency_s}", "-t", "benchmark", "--task-path", str(folder), "--data-dir", str(folder),
        "--concurrency", "64", "-o", str(folder / f"run{count}"), "--cache", str(folder / "cache.sqlite"), "--no-report", "--json",
    )  # fmt: skip
    if summary["counts"]["scored"] != count:
        raise SystemExit(str(summary["counts"]))
    return child.peak_mb


def memory_flat(
    work: Path,
    texts: tuple[int, int] = TEXTS,
    screenshots: tuple[int, int] = SCREENSHOTS,
    photographs: tuple[int, int] = PHOTOGRAPHS,
) -> Iterator[tuple[str, str, str]]:
    """Rows of the table, as they are found."""
    for name, counts, size, noise, latency_s in (
        ("text", texts, None, 0, 0.0),
        ("photographs of 150 KB", photographs, (800, 600), 100, 0.0),
        ("screenshots of 3840x2160", screenshots, (3840, 2160), 480, 0.0),
        ("screenshots of 3840x2160 answered after 0.2 s", screenshots, (3840, 2160), 480, 0.2),
    ):
        if not counts[1]:
            continue
        folder = work / name.replace(" ", "-")
        folder.mkdir(parents=True)
        pictures = [] if size is None else make_pictures(folder, size, noise)
        few, many = (peak(folder, count, pictures, latency_s) for count in counts)
        found = f"{few:.0f} / {many:.0f} MB ({many / few - 1:+.1%})"
        yield f"peak memory, {name}, {counts[0]} / {counts[1]} samples", "<= +10 %", found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--screenshots", type=int, default=SCREENSHOTS[1], help="the larger number of screenshots")
    parser.add_argument("--texts", type=int, default=TEXTS[1], help="the larger number of texts")
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS[1], help="the larger number of photographs")
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory() as name:
        pairs = (
            (TEXTS[0], options.texts), (SCREENSHOTS[0], options.screenshots), (PHOTOGRAPHS[0], options.photographs)
        )  # fmt: skip
        for row in memory_flat(Path(name), *pairs):
            print(row[0], row[1], row[2], flush=True)
