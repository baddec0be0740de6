"""How much of vLLM's own throughput arrives through mmeval's managed worker.

The same prompts, all at once: first through one AsyncLLM in its own process (`raw_vllm.py`), then through the `vllm`
engine of mmeval. Prints the ratio of the best rounds and how many answers are equal.

    python benchmarks/vllm_worker.py --engine-python .venv-vllm/bin/python --requests 1000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from pathlib import Path

from mmeval.core.types import Request, Response
from mmeval.engines.registry import create_engine, parse_model
from tests.engines.questions import synthetic_requests

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "mmeval" / "checkpoints" / "tiny"
MAX_MODEL_LEN = 512


def write_requests(folder: Path, requests: tuple[Request, ...]) -> Path:
    """Store requests for the raw engine: images as files, one JSON line each."""
    lines = []
    for number, request in enumerate(requests):
        paths = []
        for media in request.media:
            for image in media.images:
                path = folder / f"{number}-{len(paths)}.png"
                path.write_bytes(image.data)
                paths.append(str(path))
        text = request.messages[-1].parts[-1]
        lines.append(json.dumps({"text": text.text, "images": paths, "max_tokens": request.sampling.max_tokens}))
    found = folder / "requests.jsonl"
    found.write_text("\n".join(lines), encoding="utf-8")
    return found


def raw(python: str, requests_file: Path, rounds: int) -> list[tuple[float, list[str]]]:
    """Seconds and answers of each round of the raw engine."""
    command = [python, str(ROOT / "benchmarks" / "raw_vllm.py"), str(CHECKPOINT), str(requests_file)]
    done = subprocess.run(
        [*command, str(MAX_MODEL_LEN), str(rounds)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    lines = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return [(line["seconds"], line["texts"]) for line in lines]


async def managed(python: str, requests: tuple[Request, ...], rounds: int) -> list[tuple[float, list[str | None]]]:
    """The same through mmeval's worker."""
    arguments = {
        "dtype": "float32",
        "max_model_len": MAX_MODEL_LEN,
        "enable_prefix_caching": False,
        "mm_processor_cache_gb": 0,
    }
    engine = create_engine(parse_model(f"vllm:{CHECKPOINT}", engine_python=python, engine_args=arguments))
    await engine.start()
    found = []
    try:
        for _ in range(rounds):
            started = time.perf_counter()
            answers: list[Response] = list(await asyncio.gather(*(engine.generate(r) for r in requests)))
            found.append((time.perf_counter() - started, [answer.text for answer in answers]))
    finally:
        await engine.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine-python", required=True)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    requests = synthetic_requests(options.requests)
    with tempfile.TemporaryDirectory() as folder:
        there = raw(options.engine_python, write_requests(Path(folder), requests), options.rounds)
    here = asyncio.run(managed(options.engine_python, requests, options.rounds))
    best_raw, best_here = min(s for s, _ in there), min(s for s, _ in here)
    equal = sum(a == b for a, b in zip(there[0][1], here[0][1], strict=True))
    print(
        f"raw engine      {len(requests) / best_raw:7.1f} answers/s  (rounds: {', '.join(f'{s:.1f} s' for s, _ in there)})"
    )
    print(
        f"managed worker  {len(requests) / best_here:7.1f} answers/s  (rounds: {', '.join(f'{s:.1f} s' for s, _ in here)})"
    )
    print(f"ratio {best_raw / best_here:.3f}; equal answers {equal} of {len(requests)}")


if __name__ == "__main__":
    main()
