"""Runs in which every text of a stranger is one of `payloads`: names, questions, answers, verdicts, labels, commands."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from mmeval.runs.folder import Run
from mmeval.runs.labels import Label, write_labels_table
from mmeval.runs.manifest import ModelRecord
from tests.reports.conftest import RunFolder, draw_picture, task_record
from tests.reports.diagnosed import diagnosed_run
from tests.reports.payloads import PAYLOADS, storable

SHORT = 70
"""Characters: longer payloads stand in texts and labels, and in one name of a task."""
PER_TASK = 12
TEXTS = tuple(dict.fromkeys(map(storable, PAYLOADS)))
_SHORT = [text for text in TEXTS if len(text) <= SHORT]
MODELS = (" ".join(_SHORT[::2]), " ".join(_SHORT[1::2]))
RUN_NAME = "</title><script>alert(1)</script> {{ 7*7 }} \x1b[31m\u202e=1+1"


def hostile_run(folder: Path, name: str = RUN_NAME) -> Run:
    """Two models on a sample for each payload, twelve to a task; every second answer of the second model is an error."""
    folder.mkdir(parents=True)
    chunks = [TEXTS[start : start + PER_TASK] for start in range(0, len(TEXTS), PER_TASK)]
    tasks = [
        task_record(
            " ".join(text for text in chunk if len(text) <= SHORT) or chunk[0],
            " ".join(chunk[:3])[:200] if place % 8 == 0 else chunks[place // 8 * 8][0],
            " ".join(chunk)[:2000],
            ["accuracy"],
            len(chunk),
            chance=0.25,
            subset_columns=[chunk[0]],
            dataset={text: text for text in chunk},
            published=[
                {"model": text, "value": 0.5, "metric": metric, "protocol": "default", "source": text}
                for text in chunk
                for metric in ("accuracy", text)
            ],
            licence=chunk[1],
            citation=chunk[-1],
        )
        for place, chunk in enumerate(chunks)
    ]
    run = RunFolder(folder, MODELS, tasks)
    draw = random.Random(0)
    picture = draw_picture(draw, 3)
    for place, chunk in enumerate(chunks):
        for number, text in enumerate(chunk):
            sample = {
                "id": text,
                "cluster": text + " cluster",
                "question": text,
                "choices": [text, text + "."],
                "target": text,
                "subsets": {chunk[0]: text},
                "pictures": [picture],
            }
            run.add(place, sample, {(MODELS[0], 0): _scored(text, bool(draw.random() < 0.7)), (MODELS[1], 0): _second(text, number, draw)})  # fmt: skip
    served = [
        ModelRecord(
            name=model, spec=model, engine=model[:40], engine_version=model[:40], identity={}, identity_digest="0" * 64, shared_identity=False,
            details={text: text for text in _SHORT}, profile={text: text for text in _SHORT},
        )
        for model in MODELS
    ]  # fmt: skip
    return run.finish(
        name=name, models=served, command=["mmeval", "run", *TEXTS], notes=list(TEXTS), versions={text: text for text in TEXTS},
        hardware={text: text for text in TEXTS}, config={text: text for text in TEXTS},
    )  # fmt: skip


def _scored(text: str, right: bool) -> dict[str, Any]:
    return {
        "outcome": "scored", "score": float(right), "correct": right, "response": f"I say: {text}", "reasoning": text, "extracted": text,
        "extracted_span": [7, 7 + len(text)], "reason": text, "finish_reason": text, "verifier": text, "scores": {text: 1.0}, "judge_model": text,
        "judge_verdict": text, "judge_reason": text, "status": text,
    }  # fmt: skip


def _second(text: str, number: int, draw: random.Random) -> dict[str, Any]:
    if number % 2:
        return {"outcome": "error", "status": "error", "error": text, "reason": text, "finish_reason": None}
    return _scored(text, bool(draw.random() < 0.4))


def hostile_diagnosis(folder: Path) -> Run:
    """Two models under many conditions, with labels that are payloads."""
    run = diagnosed_run(folder, 30, models=(MODELS[0][:900], MODELS[1][:900]), task=" ".join(_SHORT)[:900])
    common = {
        "model": run.models[0],
        "task": run.manifest.tasks[0].name,
        "protocol": "default",
        "condition": "standard",
        "repeat": 0,
    }
    labels = [
        Label(**common, sample_id=str(number), source="error-type", label=f"perception/{text}", judge_model=text, card_digest="1", reason=text)
        for number, text in enumerate(_SHORT[:30])
    ]  # fmt: skip
    labels += [
        Label(**common, sample_id=str(number), source="human", label=text) for number, text in enumerate(_SHORT[30:40])
    ]
    write_labels_table(run, labels)
    return run
