"""How long `mmeval report` takes for a large run, in how much memory, and how large its file is.

    python benchmarks/report_at_size.py [--samples 5000] [--models 2] [--images 1500] [--bundle] [--folder DIR] [--profile FILE]

Writes a run folder with answers of about 1 kB and photograph-like JPEGs of about 87 kB (sums of textures with a 1/f spectrum, which compress as
photographs do), builds its report twice, each in a process of its own, and prints seconds, CPU seconds, peak memory, size, the SHA-256 of both
builds, and each figure as a share of the limit. `--images 0` is a run of text only. With `--folder` the run folder stays and is used again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord, write_manifest
from mmeval.runs.writer import RunWriter

SIZE = (640, 480)
BASES = 24
LIMITS = {"seconds": 60.0, "peak_mb": 1500.0, "megabytes": 20.0}
VOCABULARY = (
    "the a of and to in is that it as on with for by from at this which there are one two three left right above below behind near picture image "
    "object table chair window person street sign number label colour red green blue yellow large small count total answer therefore because first "
    "second finally look closely shows appears seems likely between corner edge centre bottom top line curve value axis chart bar legend percent"
)
WORDS = VOCABULARY.split()


def textures() -> list[np.ndarray[Any, Any]]:
    """Colour fields (height, width, 3) with the spectrum of photographs: amplitude falls with the frequency."""
    generator = np.random.default_rng(0)
    height, width = SIZE[1], SIZE[0]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    found = []
    for _ in range(BASES):
        phases = np.exp(2j * np.pi * generator.random((3, height, width // 2 + 1)))
        fields = np.fft.irfft2(phases / frequency**1.3, s=(height, width))
        fields /= fields.std(axis=(1, 2), keepdims=True)
        grey = fields[0][..., None]
        found.append((0.85 * grey + 0.35 * np.moveaxis(fields, 0, -1)).astype(np.float32))
    return found


def photograph(index: int, bases: list[np.ndarray[Any, Any]]) -> bytes:
    """The JPEG of picture `index`: two textures, moved against each other."""
    draw = random.Random(index)
    one, other = (bases[draw.randrange(BASES)] for _ in range(2))
    moved = np.roll(other, (draw.randrange(SIZE[1]), draw.randrange(SIZE[0])), (0, 1))
    pixels = np.clip(128 + 42 * (0.8 * one + 0.6 * moved), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=87)
    return out.getvalue()


def make_images(folder: Path, count: int) -> list[dict[str, Any]]:
    """Store the pictures as a run does; returns their rows of the column `media`."""
    if not count:
        return []
    bases = textures()

    def store(index: int) -> str:
        data = photograph(index, bases)
        name = hashlib.sha256(data).hexdigest()
        (folder / f"{name}.jpeg").write_bytes(data)
        return name

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        names = list(pool.map(store, range(count)))
    width, height = SIZE
    return [{"sha256": name, "width": width, "height": height, "kind": "image", "format": "jpeg"} for name in names]


def make_run(folder: Path, samples: int, models: int, images: int) -> None:
    """Write a run folder of multiple-choice questions with reasoning before the answer."""
    (folder / "media").mkdir(parents=True)
    media = make_images(folder / "media", images)
    draw = random.Random(0)
    names = [f"model-{number}" for number in range(models)]
    counts = {"scored": 0, "no_answer": 0, "error": 0}
    with RunWriter(folder) as writer:
        for position in range(samples):
            shown = [media[position % images]] if images else []
            question = " ".join(draw.choices(WORDS, k=30)) + "?"
            target = draw.choice("ABCD")
            common = {
                "task": "benchmark", "protocol": "default", "condition": "standard", "sample_id": f"sample-{position:06d}", "cluster": f"c{position}",
                "item_hash": f"{position:064x}", "target": json.dumps(target), "subsets": {"subject": f"subject {position % 12}"},
            }  # fmt: skip
            prompt = [{"media": 0}, question] if shown else [question]
            writer.add_sample(
                (0, 0, position),
                {**common, "question": question, "choices": [" ".join(draw.choices(WORDS, k=3)) for _ in range(4)],
                 "messages": json.dumps([{"role": "user", "parts": prompt}]), "context": "{}", "extras": "{}", "media": shown,
                 "source_media": [entry["sha256"] for entry in shown]},
            )  # fmt: skip
            for number, name in enumerate(names):
                row = answer(draw, target, 0.5 + 0.05 * number)
                counts[row["outcome"]] += 1
                more = {"model": name, "family": "benchmark", "repeat": 0, "media": shown, "latency_s": draw.random()}
                writer.add((number, 0, 0, position, 0), {**common, **more, **row})
        writer.finish()
    task = TaskRecord(
        name="benchmark", protocol="default", family="benchmark", title="Report at size", metrics=["accuracy"], samples=samples, available=samples,
        items_digest="1", ask_digest="2", score_digest="3", dataset={}, subset_columns=["subject"], chance=0.25,
    )  # fmt: skip
    record = [
        ModelRecord(name=name, spec=name, engine="replay", engine_version="1", identity={}, identity_digest=name, shared_identity=True)
        for name in names
    ]  # fmt: skip
    write_manifest(
        folder,
        Manifest(run_id="0", name="benchmark", status="complete", created="2026-01-01T00:00:00+00:00", command=["mmeval", "run"], config={},
                 config_digest="0", versions={}, hardware={}, seeds={}, models=record, tasks=[task], conditions=["standard"], counts=counts),
    )  # fmt: skip


def answer(draw: random.Random, target: str, skill: float) -> dict[str, Any]:
    """Outcome, score and response of about 1 kB; one in fifty cannot be read, one in two hundred failed."""
    fate = draw.random()
    common = {
        "scores": {},
        "verifier": "choice/1",
        "prompt_tokens": 600,
        "completion_tokens": 220,
        "reasoning_tokens": 0,
    }
    if fate < 0.005:
        failed = {"outcome": "error", "status": "error", "error": "HTTP 500: the server is overloaded"}
        return {**common, **failed, "score": None, "correct": None, "response": None, "finish_reason": None}
    text = " ".join(draw.choices(WORDS, k=185)) + f" {draw.random():.6f}."
    read = {**common, "status": "ok", "finish_reason": "stop"}
    if fate < 0.025:
        return {
            **read,
            "outcome": "no_answer",
            "score": 0.0,
            "correct": False,
            "response": text,
            "reason": "nothing to read",
        }
    letter = target if draw.random() < skill else draw.choice("ABCD")
    right = letter == target
    response = f"{text} The answer is {letter}"
    place = [len(response) - 1, len(response)]
    return {**read, "outcome": "scored", "score": float(right), "correct": right, "extracted": json.dumps(letter), "extracted_span": place, "response": response}  # fmt: skip


def build(run: Path, output: Path, bundle: bool, profile: str | None) -> None:
    """Build one report and print its figures as JSON; what the child process does."""
    from mmeval.cli.main import main as mmeval

    sys.argv = ["mmeval", "report", str(run), "--bundle" if bundle else "-o", str(output)]
    began = time.perf_counter()
    if profile:
        import cProfile

        tracer = cProfile.Profile()
        tracer.enable()
    code = 0
    try:
        mmeval()
    except SystemExit as end:
        code = int(end.code or 0)
    if profile:
        tracer.disable()
        tracer.dump_stats(profile)
    seconds = time.perf_counter() - began
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    files = sorted(path for path in output.rglob("*") if path.is_file()) if bundle else [output]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(output)}\n".encode() + path.read_bytes())
    figures = {"code": code, "seconds": seconds, "cpu": cpu, "peak_mb": peak_mb(), "files": len(files)}
    print(
        json.dumps(
            {**figures, "megabytes": sum(path.stat().st_size for path in files) / 1e6, "sha256": digest.hexdigest()}
        )
    )


def peak_mb() -> float:
    """High-water mark of this process's memory in MB; rusage also counts what the parent held before it started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--bundle", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--profile", help="write a cProfile of one build here instead of measuring two")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="report-"))
    run = folder / "run"
    if options.child:
        build(run, options.child, options.bundle, options.profile)
        return
    try:
        if not (run / "run.json").exists():
            make_run(run, options.samples, options.models, options.images)
        stored = [path.stat().st_size for path in (run / "media").iterdir()]
        print(
            f"{options.samples} samples × {options.models} models, {len(stored)} images of {sum(stored) / max(1, len(stored)) / 1e3:.0f} kB"
        )
        found = []
        for number in range(1 if options.profile else 2):
            output = (
                folder / ("bundle" if options.bundle else "report.html") if number == 0 else folder / f"again-{number}"
            )
            shutil.rmtree(output, ignore_errors=True)
            more = ["--bundle"] * options.bundle + (["--profile", options.profile] if options.profile else [])
            command = [sys.executable, __file__, "--folder", str(folder), "--child", str(output), *more]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(
                ", ".join(
                    f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}"
                    for name, value in found[-1].items()
                )
            )
        limits = {name: limit for name, limit in LIMITS.items() if not (options.bundle and name == "megabytes")}
        worst = {name: max(entry[name] for entry in found) for name in limits}
        print("share of the limit: " + ", ".join(f"{name} {worst[name] / limit:.2f}" for name, limit in limits.items()))
        print("same bytes:", len({entry["sha256"] for entry in found}) == 1, f"load {os.getloadavg()[0]:.1f}")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
