"""A run that has everything the sample browser can show: conditions, repeats, frames, boxes, clicks, masks, labels, judges, calls."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mmeval.runs.folder import Run
from mmeval.runs.labels import Label, write_labels_table
from mmeval.verifiers.masks import encode_runs
from tests.reports.conftest import RunFolder, draw_picture, scored, task_record

MODELS = ("alpha", "beta", "gamma")
COUNT = 12


def browsing_run(folder: Path) -> Run:
    """Write the run."""
    draw = random.Random(3)
    folder.mkdir(parents=True)
    tasks = [
        task_record("demo/count", "counting", "Count", ["accuracy"], COUNT, subset_columns=["size"]),
        task_record("demo/box", "grounding", "Boxes", ["iou"], 1),
        task_record("demo/click", "gui", "Clicks", ["accuracy"], 1),
        task_record("demo/mask", "grounding", "Masks", ["mean"], 1),
        task_record("demo/clip", "video", "Clips", ["accuracy"], 1),
    ]
    run = RunFolder(folder, MODELS, tasks, repeats=2)
    run.conditions = ["standard", "blind", "crop"]
    for number in range(COUNT):
        if number % 3 == 0:
            picture = draw_picture(draw, 3)
        sample = {
            "id": f"item-{number:02d}", "cluster": f"scene-{number // 3}", "target": 3, "question": f"How many circles, question {number}?",
            "subsets": {"size": "few | round" if number % 2 else "many"}, "choices": ["3", "4"],
        }  # fmt: skip
        run.add(0, {**sample, "pictures": [picture]}, answers(number))
        blind = {(model, 0): scored(number % 4 == 0, 3, "It is 3.") for model in MODELS}
        run.add(0, {**sample, "condition": "blind"}, blind)
    near = {"verifier": "box/1", "score": 0.5, "scores": {"iou": 0.5}}
    box = {
        ("alpha", 0): {**scored(True, [0, 0, 20, 10], "[0, 0, 20, 10]"), **near},
        ("beta", 0): {**scored(False, [100, 100, 120, 120], "[100, 100, 120, 120]"), **near},
    }
    asked = {
        "id": "box-0",
        "question": "Where?",
        "target": [0, 0, 10, 10],
        "pictures": [picture],
        "image_size": [640, 480],
    }
    run.add(1, asked, box)
    run.add(
        1,
        {**asked, "condition": "crop", "pictures": [draw_picture(draw, 1, (100, 100))]},
        {("alpha", 0): {**box["alpha", 0]}},
    )
    click = {"kind": "click", "point": [15, 5]}
    target = {**click, "box": [10, 0, 20, 10]}
    run.add(2, {"id": "click-0", "question": "Tap it.", "target": target, "pictures": [picture]}, {
        ("alpha", 0): scored(True, click, "click(15, 5)", verifier="gui-step/1"),
        ("beta", 0): scored(False, {"kind": "click", "point": [50, 5]}, "click(50, 5)", verifier="gui-step/1"),
    })  # fmt: skip
    mask = np.zeros((240, 320), dtype=bool)
    mask[40:120, 40:160] = True
    run.add(3, {"id": "mask-0", "question": "Segment it.", "target": encode_runs(mask), "pictures": [picture]}, {
        ("alpha", 0): scored(True, [[40, 40, 160, 120]], "[40, 40, 160, 120]", verifier="mask/1"),
    })  # fmt: skip
    frames = [draw_picture(draw, 2) for _ in range(4)]
    numbers = [{"kind": "frame", "frame": 8 * place} for place in range(4)]
    run.add(4, {"id": "clip-0", "question": "What moves?", "target": "it", "pictures": frames, "media": numbers}, {
        ("gamma", 0): scored(True, "it", "it moves"),
    })  # fmt: skip
    add_calls(run)
    made = run.finish()
    write_labels_table(made, [
        Label("alpha", "demo/count", "default", "standard", "item-01", 0, "error-card", label="perception/count", judge_model="referee", reason="saw four"),
        Label("alpha", "demo/count", "default", "standard", "item-01", 1, "human", label="reasoning", response_hash="of another text"),
    ])  # fmt: skip
    return made


def answers(number: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Answers of all models to a question of the counting task, twice, with every outcome among them."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for place, model in enumerate(MODELS):
        for repeat in range(2):
            right = (number + place * (1 + repeat)) % 3 == 0
            value = 3 if right else 4
            found[model, repeat] = scored(
                right, value, f"I count {value} circles.", reasoning="One, two, thinking aloud." if number == 2 else None,
                judge_model="referee", judge_verdict="right" if right else "wrong", judge_reason="compared with the gold",
            )  # fmt: skip
    silent = {
        "outcome": "no_answer",
        "score": 0.0,
        "correct": False,
        "response": "I cannot tell",
        "reason": "not found",
        "finish_reason": "length",
    }
    found |= {
        5: {("gamma", 0): silent}, 6: {("gamma", 0): {**silent, "reason": "several answers", "finish_reason": "stop"}},
        7: {("beta", 0): {"outcome": "error", "status": "error", "error": "HTTP 500: broken\nmore of it", "finish_reason": None}},
        8: {("beta", 0): {"outcome": "unscored", "reason": "the judge failed", "response": "3"}},
        9: {("alpha", 0): {"outcome": "unsupported", "status": "too_long", "error": "beyond the context", "finish_reason": None}},
    }.get(number, {})  # fmt: skip
    return found


def add_calls(run: RunFolder) -> None:
    """Two calls of a strategy and one of a judge behind one answer."""
    common = {
        "model": "alpha",
        "task": "demo/count",
        "protocol": "default",
        "condition": "standard",
        "sample_id": "item-00",
        "repeat": 0,
    }
    rest = {
        "request_hash": None,
        "media": [],
        "reasoning": None,
        "finish_reason": "stop",
        "error": None,
        "prompt_tokens": 3,
        "latency_s": 0.1,
    }
    asked = orjson.dumps([{"role": "user", "parts": ["Which part matters?"]}]).decode()
    step = orjson.dumps({"action": "crop", "box": [10, 20, 60, 80], "region": [10, 20, 60, 80]}).decode()
    for turn, more in enumerate([
        {"role": "model", "card": None, "caller": "alpha", "messages": asked, "step": step, "response": "<bbox>[10, 20, 60, 80]</bbox>"},
        {"role": "model", "card": None, "caller": "alpha", "messages": asked, "step": None, "response": "I count 3 circles."},
        {"role": "judge", "card": "match", "caller": "referee", "messages": asked, "step": None, "response": "verdict: right"},
    ]):  # fmt: skip
        row = {**common, **rest, **more, "turn": turn, "status": "ok", "completion_tokens": 9}
        run.writer.add_call((0, 0, 0, 1, 0, turn), row)
