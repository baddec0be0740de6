"""mmeval beside EvalScope, inspect_ai and lmms-eval on one simulated inference server: the same pictures, questions and slots, one after the other.

    python benchmarks/peers.py --peer evalscope=ENV/bin/python --peer inspect_ai=ENV/bin/python --peer lmms_eval=ENV/bin/python

Each peer comes from its public package in an environment of its own (`pip install evalscope`, `inspect_ai openai`, `lmms_eval`); those that are not
named are left out. Ideal is N / SLOTS x SERVICE seconds. CPU is that of the harness and its children, not of the server, start-up included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from children import server
from throughput import CARD, make_samples

PROMPT = "Answer with the letter of the right option."


@dataclass(frozen=True)
class Job:
    """What every harness is given."""

    folder: Path
    """Holds `data/samples.parquet` and a folder `images`."""
    count: int
    slots: int
    url: str
    python: Path


def mmeval(job: Job) -> tuple[list[str], dict[str, str]]:
    """The command of mmeval."""
    return [
        str(job.python), "-m", "mmeval", "run", "-m", "openai:sim", "--base-url", job.url, "-t", "benchmark", "--task-path", str(job.folder / "cards"),
        "--data-dir", str(job.folder / "data"), "--concurrency", str(job.slots), "-o", str(job.folder / "run"),
        "--cache", str(job.folder / "cache.sqlite"), "--no-report", "--no-media",
    ], {}  # fmt: skip


def evalscope(job: Job) -> tuple[list[str], dict[str, str]]:
    """The command of EvalScope: its general multiple-choice benchmark on a file."""
    lines = [
        {"question": f"<image 1> {row['question']}", "options": row["options"], "answer": row["answer"], "image_1": row["path"]}
        for row in _rows(job)
    ]  # fmt: skip
    place = job.folder / "evalscope"
    place.mkdir(exist_ok=True)
    (place / "default_val.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = {"general_vmcq": {"local_path": str(place), "subset_list": ["default"]}}
    return [
        str(job.python.parent / "evalscope"), "eval", "--model", "sim", "--api-url", job.url, "--api-key", "none", "--eval-type", "openai_api",
        "--datasets", "general_vmcq", "--dataset-args", json.dumps(settings), "--eval-batch-size", str(job.slots),
        "--generation-config", json.dumps({"temperature": 0.0, "max_tokens": 16}), "--work-dir", str(place / "out"),
    ], {}  # fmt: skip


INSPECT_TASK = """
import json
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

@task
def benchmark():
    rows = json.load(open("rows.json"))
    return Task(
        dataset=MemoryDataset([
            Sample(
                id=row["id"], choices=row["options"], target=row["answer"],
                input=[ChatMessageUser(content=[ContentImage(image=row["path"]), ContentText(text=row["question"])])],
            )
            for row in rows
        ]),
        solver=multiple_choice(), scorer=choice(),
    )
"""


def inspect_ai(job: Job) -> tuple[list[str], dict[str, str]]:
    """The command of inspect_ai: its own multiple-choice solver and scorer."""
    # It takes tasks below the current folder only.
    (job.folder / "rows.json").write_text(json.dumps(list(_rows(job))))
    (job.folder / "benchmark.py").write_text(INSPECT_TASK)
    return [
        str(job.python.parent / "inspect"), "eval", "benchmark.py", "--model", "openai/sim", "--model-base-url", job.url,
        "--max-connections", str(job.slots), "--max-samples", str(2 * job.slots), "--temperature", "0", "--max-tokens", "16",
        "--log-dir", "logs", "--display", "none", "-M", "responses_api=false",
    ], {"OPENAI_API_KEY": "none"}  # fmt: skip


LMMS_TASK = """\
dataset_path: parquet
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
task: simulated_benchmark
test_split: test
output_type: generate_until
doc_to_visual: !function utils.visual
doc_to_text: !function utils.text
doc_to_target: answer
generation_kwargs: {{max_new_tokens: 16, temperature: 0, do_sample: false}}
process_results: !function utils.results
metric_list:
  - {{metric: accuracy, aggregation: mean, higher_is_better: true}}
"""
LMMS_UTILS = f"""
import io
from PIL import Image

def visual(row):
    image = row["image"]
    return [(image if isinstance(image, Image.Image) else Image.open(io.BytesIO(image["bytes"]))).convert("RGB")]

def text(row, lmms_eval_specific_kwargs=None):
    options = "\\n".join(f"{{letter}}. {{option}}" for letter, option in zip("ABCD", row["options"]))
    return row["question"] + "\\n" + options + "\\n{PROMPT}"

def results(row, answers):
    return {{"accuracy": float(answers[0].strip()[:1] == row["answer"])}}
"""


def lmms_eval(job: Job) -> tuple[list[str], dict[str, str]]:
    """The command of lmms-eval: a task of its own schema on the parquet file, through its OpenAI-compatible model."""
    place = job.folder / "lmms"
    place.mkdir(exist_ok=True)
    (place / "simulated_benchmark.yaml").write_text(LMMS_TASK.format(data=job.folder / "data" / "samples.parquet"))
    (place / "utils.py").write_text(LMMS_UTILS)
    return [
        str(job.python), "-m", "lmms_eval", "--model", "async_openai", "--model_args", f"model_version=sim,base_url={job.url},api_key=none,num_cpus={job.slots}",
        "--tasks", "simulated_benchmark", "--include_path", str(place), "--batch_size", "1", "--output_path", str(place / "out"), "--log_samples",
    ], {"OPENAI_API_KEY": "none", "OPENAI_API_BASE": job.url, "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}  # fmt: skip


HARNESSES: Mapping[str, Callable[[Job], tuple[list[str], dict[str, str]]]] = {
    "mmeval": mmeval,
    "evalscope": evalscope,
    "inspect_ai": inspect_ai,
    "lmms_eval": lmms_eval,
}


def _rows(job: Job) -> list[dict[str, object]]:
    """The rows of the parquet file, pictures as paths of files."""
    import pyarrow.parquet as pq

    images = job.folder / "images"
    images.mkdir(exist_ok=True)
    found = []
    for batch in pq.ParquetFile(job.folder / "data" / "samples.parquet").iter_batches(256):
        for row in batch.to_pylist():
            path = images / f"{row['id']}.jpg"
            path.write_bytes(row.pop("image")["bytes"])
            found.append({**row, "path": str(path)})
    return found


def measure(name: str, job: Job, patience_s: float) -> dict[str, float | str]:
    """Run one harness and return what the server and the operating system saw."""
    command, further = HARNESSES[name](job)
    root = job.url.removesuffix("/v1")
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **further}
    if name != "mmeval":
        environment.pop("PYTHONPATH", None)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    log = job.folder / f"{name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment, cwd=job.folder)
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    stats = json.load(urllib.request.urlopen(f"{root}/stats"))
    if stats["done"] < job.count:
        tail = log.read_text(errors="replace")[-1500:]
        raise SystemExit(f"{name}: {stats['done']} of {job.count} requests, exit code {code}\n{tail}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "harness": name, "requests": stats["done"], "wall_s": wall, "efficiency": stats["efficiency"], "requests_per_s": stats["done"] / stats["makespan_s"],
        "cpu_ms_per_request": 1000 * cpu / job.count,
    }  # fmt: skip


def compare(
    chosen: Sequence[str],
    pythons: Mapping[str, Path],
    count: int,
    slots: int,
    service: float,
    port: int,
    patience_s: float,
) -> None:
    """Print one table: every harness against the same server."""
    ideal = count / slots * service
    print(f"\n{count} samples, {slots} slots x {service:g} s, ideal {ideal:.1f} s")
    print(f"{'':12}{'wall s':>9}{'efficiency':>12}{'requests/s':>12}{'CPU ms/request':>16}{'CPU of mmeval x':>17}")
    own = None
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        folder = Path(work)
        make_samples(count, folder / "data")
        (folder / "cards").mkdir()
        (folder / "cards" / "benchmark.yaml").write_text(CARD)
        for name in chosen:
            with server(port, slots, service) as base:
                found = measure(name, Job(folder, count, slots, f"{base}/v1", pythons[name]), patience_s)
            own = own or float(found["cpu_ms_per_request"])
            print(
                f"{name:12}{found['wall_s']:9.1f}{found['efficiency']:12.3f}{found['requests_per_s']:12.1f}{found['cpu_ms_per_request']:16.2f}"
                f"{float(found['cpu_ms_per_request']) / own:17.1f}", flush=True
            )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help=f"one of {', '.join(list(HARNESSES)[1:])}, and its interpreter",
    )
    parser.add_argument("--samples", type=int, default=2560)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--service", type=float, default=0.5)
    parser.add_argument("--port", type=int, default=8933)
    parser.add_argument("--patience", type=float, default=900, help="seconds for one harness")
    options = parser.parse_args()
    pythons = {"mmeval": Path(sys.executable)}
    for entry in options.peer:
        name, _, python = entry.partition("=")
        if name not in HARNESSES or not python:
            parser.error(f"--peer {entry}: write NAME=PYTHON with NAME one of {', '.join(list(HARNESSES)[1:])}")
        pythons[name] = Path(python).absolute()
    compare(list(pythons), pythons, options.samples, options.slots, options.service, options.port, options.patience)


if __name__ == "__main__":
    main()
