"""How fast, and in how much memory, `mmeval score` goes through stored responses.

    python benchmarks/rescoring.py [--rows 1000000] [--folder DIR]

Makes a run folder with that many responses (choices, numbers, short texts and yes or no; some with long reasoning before
the answer), scores it again by rules, and prints seconds, rows per second and the peak memory of the parent and its workers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmeval.runs.folder import open_run
from mmeval.runs.manifest import Manifest, ModelRecord, write_manifest
from mmeval.runs.record import task_record
from mmeval.runs.schema import results_schema, samples_schema
from mmeval.runs.score import ScoreOptions, score_run
from mmeval.runs.writer import TableWriter
from mmeval.tasks.data import Source
from mmeval.tasks.opened import OpenTask
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

KINDS = ("choice", "number", "text", "yes-no")
CHOICES = ["a red cube", "a blue ball", "two green cones", "nothing"]
REASONING = "First look at the picture. There are several objects, and each of them has a colour and a shape. " * 12


def answer(kind: str, draw: random.Random) -> tuple[str, str]:
    """A response and its gold as JSON."""
    long = "<think>" + REASONING + "</think>" if draw.random() < 0.3 else ""
    if kind == "choice":
        letter = draw.choice("ABCD")
        form = draw.choice(
            [
                f"({letter})",
                letter,
                f"The answer is {letter}.",
                f"**Answer: ({letter})**",
                CHOICES["ABCD".index(letter)],
            ]
        )
        return long + form, json.dumps(draw.choice("ABCD"))
    if kind == "number":
        value = draw.randrange(10_000)
        return long + draw.choice([str(value), f"The answer is {value:,}.", f"$\\boxed{{{value}}}$"]), json.dumps(
            draw.randrange(10_000)
        )
    if kind == "yes-no":
        return long + draw.choice(["Yes", "No.", "Yes, there is.", "no"]), json.dumps(draw.choice(["yes", "no"]))
    return long + draw.choice(["a red cube", "The answer is blue.", "green"]), json.dumps("blue")


def rows(count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(results row, samples row) of every response, task by task."""
    draw = random.Random(0)
    for kind in KINDS:
        for number in range(count // len(KINDS)):
            response, target = answer(kind, draw)
            common = {
                "task": f"bench-{kind}",
                "protocol": "default",
                "condition": "standard",
                "sample_id": f"{kind}-{number}",
            }
            context = json.dumps({"options": {"answer_kind": kind}, "coordinates": "pixels", "coordinate_order": "xy"})
            choices = CHOICES if kind == "choice" else []
            yield (
                {**common, "model": "m", "repeat": 0, "cluster": f"c{number}", "item_hash": f"{number:x}", "request_hash": "r", "family": "bench",
                 "outcome": "scored", "score": 0.0, "correct": False, "scores": {}, "status": "ok", "finish_reason": "stop",
                 "target": target, "response": response, "verifier": "old/0", "subsets": {}},
                {**common, "cluster": f"c{number}", "item_hash": f"{number:x}", "question": "What is there?", "choices": choices,
                 "target": target, "context": context, "extras": "{}", "subsets": {}, "models": None},
            )  # fmt: skip


def make_run(folder: Path, count: int) -> Path:
    """Write cards and the run folder; returns the folder of the cards."""
    cards = folder / "cards"
    cards.mkdir(parents=True)
    for kind in KINDS:
        fields = {"choices": "options"} if kind == "choice" else {}
        form = {"kind": kind, **({"target": "letter"} if kind == "choice" else {})}
        card = {
            "name": f"bench-{kind}",
            "family": "bench",
            "title": kind,
            "dataset": {"local": {"files": ["x.jsonl"]}},
            "fields": fields,
            "answer": form,
        }
        (cards / f"{kind}.yaml").write_text(json.dumps(card))
    run = folder / "run"
    (run / "media").mkdir(parents=True)
    with (
        TableWriter(run / "results.parquet", results_schema()) as results,
        TableWriter(run / "samples.parquet", samples_schema()) as samples,
    ):
        for result, sample in rows(count):
            results.add([result])
            samples.add([sample])
    registry = Registry([cards])
    tasks = [Task.load(registry.cards[f"bench-{kind}"]) for kind in KINDS]
    empty = Source({"kind": "bench"}, lambda: iter(()), None)
    records = [task_record(OpenTask(task, empty, None, None), task.sampling, "bench", None) for task in tasks]
    model = ModelRecord(
        name="m", spec="fake", engine="fake", engine_version="1", identity={}, identity_digest="0", shared_identity=True
    )
    write_manifest(
        run,
        Manifest(run_id="0", name="run", status="complete", created="", command=[], config={}, config_digest="0", versions={}, hardware={},
                 seeds={}, models=[model], tasks=records, conditions=["standard"], counts={}),
    )  # fmt: skip
    return cards


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="rescoring-"))
    try:
        cards = make_run(folder, options.rows)
        began = time.perf_counter()
        settings = ScoreOptions(folder / "scored", task_paths=[str(cards)], overwrite=True)
        outcome = asyncio.run(score_run(open_run(folder / "run"), settings, ["benchmark"]))
        seconds = time.perf_counter() - began
        scored = outcome.manifest.counts
        own, workers = (
            resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        print(f"{options.rows} rows, {scored}, {seconds:.1f} s, {options.rows / seconds:.0f} rows/s")
        print(f"peak memory: parent {own:.0f} MB, largest worker {workers:.0f} MB")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
