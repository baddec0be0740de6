"""What asking the questions on one picture together is worth to vLLM's prefix cache.

Pictures with several questions each, whose rows stand scattered in the data set (every question of a picture as far from the next one as the
pictures are many), through `mmeval run` on the embedded checkpoint: once in the order of the data set, once as mmeval orders them. The cache
of keys and values is made as small as it is beside a large model, in relation to the pictures. Prints the share of prompt tokens that came from
vLLM's prefix cache, CPU seconds of the engine and wall seconds of both, by turns, and whether the answers are equal.

    python benchmarks/prefix_sharing.py --engine-python .venv-vllm/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = ("How many objects are there?", "What colour is the square?", "Is there a circle?", "Where is the square?")
PIXELS = 336 * 336
"""Of a picture as the model sees it, 441 tokens on the grid of the embedded checkpoint."""
BLOCK = 32
"""Tokens of a block, the fewest that vLLM takes on a CPU."""
COLOURS = ("red", "green", "blue", "orange", "purple", "black")
RUN = """
import sys
from mmeval.pipeline import work
if sys.argv.pop(1) == "scattered":
    work.nearby = lambda rows, picture: rows
from mmeval.__main__ import main
main()
"""
"""The command line of this checkout; without a view ahead, rows keep their order."""


def write_task(folder: Path, pictures: int, side: int) -> Path:
    """Write pictures, the scattered questions, and return the data file."""
    draw_from = random.Random(0)
    for number in range(pictures):
        image = Image.effect_noise((side, side), 20 + number % 50).convert("RGB")
        draw = ImageDraw.Draw(image)
        for _ in range(1 + number % 4):
            left, top = draw_from.randrange(side - 20), draw_from.randrange(side - 20)
            draw.rectangle((left, top, left + 20, top + 20), fill=draw_from.choice(COLOURS))
        image.save(folder / f"{number}.png")
    path = folder / "scattered.jsonl"
    rows = [
        {"id": f"{number}-{turn}", "image": f"{number}.png", "question": question, "answer": "two"}
        for turn, question in enumerate(QUESTIONS)
        for number in range(pictures)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def once(order: str, data: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, float | list[str]]:
    """One run in a fresh process with an empty cache of answers."""
    command = [
        sys.executable, "-c", RUN, order, "run", "-m", f"vllm:{ROOT / 'mmeval' / 'checkpoints' / 'tiny'}", "-t", f"file:{data}",
        "-o", str(folder), "--cache", str(folder) + ".cache", "--engine-python", arguments.engine_python,
        "--sampling", "max_tokens=4", "--allow-errors", "1",
    ]  # fmt: skip
    options = {
        "dtype": "float32", "max_model_len": 1024, "min_pixels": PIXELS, "max_pixels": PIXELS, "max_num_seqs": arguments.sequences, "enable_prefix_caching": "true",
        "num_gpu_blocks_override": arguments.blocks, "block_size": BLOCK,
    }  # fmt: skip
    for name, value in options.items():
        command += ["--engine-arg", f"{name}={value}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((folder / "run.json").read_text())
    admission = manifest["models"][0]["admission"]
    rows = pq.read_table(folder / "results.parquet", columns=["sample_id", "response"]).sort_by("sample_id").to_pylist()
    return {
        "hits": admission["prefix_hits"],
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "wall": wall,
        "asking": manifest["timings"]["total"],
        "answers": [row["response"] for row in rows],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine-python", required=True, help="interpreter of an environment with vLLM")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--side", type=int, default=448, help="pixels of a picture's sides")
    parser.add_argument("--sequences", type=int, default=8, help="vLLM's max_num_seqs")
    parser.add_argument("--blocks", type=int, default=400, help="blocks of 32 tokens in vLLM's cache")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "data").mkdir()
        data = write_task(base / "data", arguments.pictures, arguments.side)
        print(
            f"{arguments.pictures} pictures x {len(QUESTIONS)} questions, cache of {BLOCK * arguments.blocks} tokens; load {os.getloadavg()[0]:.1f}"
        )
        answers = []
        for turn in range(arguments.rounds):
            for order in ("scattered", "together"):
                found = once(order, data, base / f"{order}-{turn}", arguments)
                answers.append(found.pop("answers"))
                print(order, *(f"{key} {value:.3f}" for key, value in found.items()))
        print("answers equal:", all(one == answers[0] for one in answers))


if __name__ == "__main__":
    main()
