"""A small run folder as `mmeval run` writes it: real pictures, several models, repeats, failures and hostile texts."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image, ImageDraw

from mmeval.runs.folder import Run, open_run
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord, write_manifest
from mmeval.runs.writer import RunWriter

MODELS = ("tiny-late", "tiny-early", "chance")
SKILL = {"tiny-late": 0.85, "tiny-early": 0.5, "chance": 0.2}
COLORS = {"red": "#c8402f", "blue": "#2f6fc8", "green": "#3f9a56", "yellow": "#e0b13c"}

HOSTILE = (
    "<script>alert('xss')</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg/onload=alert(3)>",
    '"><iframe src="javascript:alert(4)"></iframe>',
    "<!--<script>",
    "javascript:alert(5)",
    "{{ 7 * 7 }}{% raw %}",
    "${alert(6)}`${7}`",
    "]]><style>*{display:none}</style>",
    "&lt;script&gt;alert(8)&lt;/script&gt;",
    "a\u202egnp.exe\u202c \u2066isolate\u2069",
    "zero\u200bwidth\u200djoiner\ufeff",
    "bell\x07 escape\x1b[31m null\x00",
    "line\u2028separator\u2029paragraph",
    "<a href='http://example.invalid/track'>click</a>",
    "<link rel=stylesheet href=http://example.invalid/x.css>",
    "<meta http-equiv=refresh content='0;url=http://example.invalid/'>",
    "مرحبا بالعالم \u200f(7)",
    "``` </textarea><script>alert(9)</script>",
)


@dataclass(frozen=True)
class Picture:
    """An encoded picture with the boxes drawn in it."""

    data: bytes
    width: int
    height: int
    boxes: list[list[int]]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def row(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "width": self.width, "height": self.height, "kind": "image", "format": "png"}


def draw_picture(rng: random.Random, objects: int, size: tuple[int, int] = (320, 240)) -> Picture:
    image = Image.new("RGB", size, "#f3efe6")
    pen = ImageDraw.Draw(image)
    boxes = []
    for index in range(objects):
        edge = rng.randint(28, 56)
        x = 12 + (index % 5) * 60 + rng.randint(0, 6)
        y = 16 + (index // 5) * 110 + rng.randint(0, 30)
        box = [x, y, x + edge, y + edge]
        pen.ellipse(box, fill=rng.choice(list(COLORS.values())), outline="#2b2b2b", width=2)
        boxes.append(box)
    out = io.BytesIO()
    image.save(out, "PNG")
    return Picture(out.getvalue(), *size, boxes)


def task_record(name: str, family: str, title: str, metrics: list[str], samples: int, **more: Any) -> TaskRecord:
    given = {
        "protocol": "default",
        "items_digest": "1" * 64,
        "ask_digest": "2" * 64,
        "score_digest": "3" * 64,
        "available": samples,
        "dataset": {"generator": name, "seed": 0},
        "licence": "CC0-1.0",
    }
    return TaskRecord(name=name, family=family, title=title, metrics=metrics, samples=samples, **{**given, **more})


def model_record(name: str) -> ModelRecord:
    engine = "chance" if name == "chance" else "hf"
    return ModelRecord(
        name=name,
        spec=f"{engine}:/home/somebody/secret/checkpoints/{name}",
        engine=engine,
        engine_version="1.0",
        identity={"weights": name},
        identity_digest=hashlib.sha256(name.encode()).hexdigest(),
        shared_identity=True,
        details={"parameters": 4_200_000},
    )


class RunFolder:
    """Writes one run folder, sample by sample."""

    def __init__(self, folder: Path, models: tuple[str, ...], tasks: list[TaskRecord], repeats: int = 1) -> None:
        self.folder, self.models, self.tasks, self.repeats = folder, models, tasks, repeats
        self.conditions = ["standard"]
        self.writer = RunWriter(folder)
        self.counts: dict[str, int] = {}
        self.position = 0

    def add(self, task: int, sample: dict[str, Any], answers: dict[tuple[str, int], dict[str, Any]]) -> None:
        """Add one sample and its answers by (model, repeat)."""
        record, self.position = self.tasks[task], self.position + 1
        common = {
            "task": record.name,
            "protocol": record.protocol,
            "condition": sample.get("condition", "standard"),
            "sample_id": sample["id"],
            "cluster": sample.get("cluster", sample["id"]),
            "item_hash": sample.get("item_hash", hashlib.sha256(sample["id"].encode()).hexdigest()),
            "target": None if sample.get("target") is None else orjson.dumps(sample["target"]).decode(),
            "subsets": sample.get("subsets", {}),
        }
        asked = self.conditions.index(common["condition"])
        media = []
        for picture in sample.get("pictures", []):
            (self.folder / "media" / f"{picture.sha256}.png").write_bytes(picture.data)
            media.append(picture.row)
        size = [media[0]["width"], media[0]["height"]] if media else None
        pictures = [{"media": index} for index in range(len(media))]
        prompts: dict[str | None, str] = sample.get("prompts") or {None: sample["question"]}
        media = [{**entry, **more} for entry, more in zip(media, sample.get("media", [{}] * len(media)), strict=True)]
        for place, (name, prompt) in enumerate(prompts.items()):
            messages = [{"role": "user", "parts": [*pictures, prompt]}]
            self.writer.add_sample(
                (task, asked, self.position),
                {
                    **common,
                    "question": sample["question"],
                    "choices": sample.get("choices", []),
                    "messages": orjson.dumps(messages).decode(),
                    "context": orjson.dumps({"image_size": sample.get("image_size", size)}).decode(),
                    "extras": "{}",
                    "media": media,
                    "source_media": [entry["sha256"] for entry in media],
                },
                (place, name),
            )
        for (model, repeat), answer in answers.items():
            row = {
                "model": model,
                "family": record.family,
                "repeat": repeat,
                "request_hash": None,
                "scores": {},
                "status": "ok",
                "finish_reason": "stop",
                "verifier": "number/1",
                "prompt_tokens": 180,
                "completion_tokens": 12,
                "latency_s": 0.25,
                "media": media,
                **common,
                **answer,
            }
            if "extracted" in answer:
                row["extracted"] = orjson.dumps(answer["extracted"]).decode()
            self.counts[row["outcome"]] = self.counts.get(row["outcome"], 0) + 1
            self.writer.add((self.models.index(model), task, asked, self.position, repeat), row)

    def finish(self, **more: Any) -> Run:
        self.writer.finish()
        self.writer.close()
        given: dict[str, Any] = {
            "run_id": "00112233",
            "name": self.folder.name,
            "status": "complete",
            "created": "2026-01-02T03:04:05+00:00",
            "finished": "2026-01-02T03:05:06+00:00",
            "command": ["mmeval", "run", "-m", "hf:/home/somebody/secret/checkpoints/tiny-late", "-t", "synthetic/*"],
            "config": {},
            "config_digest": "4" * 64,
            "versions": {"python": "3.11.9", "mmeval": "0.1.0"},
            "hardware": {"system": "Linux", "machine": "x86_64", "cpus": 2},
            "seeds": {"run": 0, "limit": 0},
            "models": [model_record(name) for name in self.models],
            "tasks": self.tasks,
            "conditions": self.conditions,
            "repeats": self.repeats,
            "counts": {**self.counts, "asked": sum(self.counts.values()), "cached": 0, "missing": 0},
            "timings": {"total": 61.0},
        }
        write_manifest(self.folder, Manifest(**{**given, **more}))
        return open_run(self.folder)


def scored(right: bool, value: Any, response: str, **more: Any) -> dict[str, Any]:
    """A scored answer; the span is where the value stands in the response."""
    start = response.find(str(value))
    span = [start, start + len(str(value))] if start >= 0 else None
    return {
        "outcome": "scored",
        "score": float(right),
        "correct": right,
        "extracted": value,
        "extracted_span": span,
        "response": response,
        **more,
    }


def add_count(run: RunFolder, task: int, rng: random.Random, samples: int) -> None:
    """Counting, two questions per picture, two repeats, with reasoning now and then."""
    for index in range(samples):
        if index % 2 == 0:
            picture = draw_picture(rng, rng.randint(2, 9))
        total = len(picture.boxes)
        answers: dict[tuple[str, int], dict[str, Any]] = {}
        for model in run.models:
            for repeat in range(run.repeats):
                right = rng.random() < SKILL[model]
                value = total if right else total + rng.choice([-1, 1, 2])
                reasoning = "First row, then second row. I count them one by one." if rng.random() < 0.4 else None
                answers[model, repeat] = scored(
                    right, value, f"There are {value} circles in the picture.", reasoning=reasoning
                )
        run.add(
            task,
            {
                "id": f"count-{index:04d}",
                "cluster": f"scene-{index // 2:04d}",
                "question": "How many circles are there?\nAnswer with a number.",
                "target": total,
                "subsets": {"objects": "few" if total < 5 else "many", "background": "plain"},
                "pictures": [picture],
            },
            answers,
        )


def add_box(run: RunFolder, task: int, rng: random.Random, samples: int) -> None:
    """Boxes; the picture is sent at half the size of the original."""
    for index in range(samples):
        picture = draw_picture(rng, 4)
        target = [2.0 * value for value in picture.boxes[index % 4]]
        answers = {}
        for model in run.models:
            shift = rng.uniform(0, 60) * (1 - SKILL[model])
            box = [round(value + shift, 1) for value in target]
            edge = target[2] - target[0]
            inside = max(0.0, edge - shift) ** 2
            iou = inside / (2 * edge**2 - inside)
            answer = scored(iou >= 0.5, box, f"The circle is at {box}.", verifier="box/1")
            answers[model, 0] = {**answer, "score": iou, "scores": {"iou": iou}}
        sample = {
            "id": f"box-{index:04d}",
            "question": f"Where is circle {index % 4 + 1}? Answer with one box as [x1, y1, x2, y2] in pixels.",
            "target": target,
            "subsets": {"size": "small" if target[2] - target[0] < 84 else "large"},
            "pictures": [picture],
            "image_size": [640, 480],
        }
        run.add(task, sample, answers)


def add_hostile(run: RunFolder, task: int, rng: random.Random) -> None:
    """Texts that try to break out, one of 1 MB, and one row of each failure."""
    picture = draw_picture(rng, 3)
    for index, text in enumerate(HOSTILE):
        answers = {
            (model, 0): scored(False, text, f"I say: {text}", verifier="text/1", reasoning=text) for model in run.models
        }
        sample = {
            "id": f"hostile-{index:02d} {text}",
            "question": f"Repeat this: {text}",
            "target": text,
            "choices": [text, "other"],
            "subsets": {"kind <b>": text},
            "pictures": [picture],
        }
        run.add(task, sample, answers)
    long = "word " * 200_000
    failures: list[tuple[str, dict[str, Any]]] = [
        ("long", scored(True, "needle", f"{long}needle {long}", verifier="text/1", finish_reason="length")),
        (
            "failed",
            {"outcome": "error", "status": "error", "error": "HTTP 500 <b>from</b> server", "finish_reason": None},
        ),
        ("silent", {"outcome": "no_answer", "score": 0.0, "correct": False, "response": "", "reason": "empty"}),
        (
            "toolong",
            {
                "outcome": "unsupported",
                "status": "too_long",
                "error": "prompt beyond the context",
                "finish_reason": None,
            },
        ),
    ]
    for name, failure in failures:
        answers = {(model, 0): failure if model != "chance" else scored(False, "x", "x") for model in run.models}
        run.add(task, {"id": f"{name}-0", "question": "Say needle.", "target": "needle"}, answers)


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """Factory of run folders: `make_run(folder, count=…, box=…, hostile=…, models=…)`."""

    def make(
        folder: Path,
        *,
        count: int = 24,
        box: int = 8,
        hostile: bool = True,
        models: tuple[str, ...] = MODELS,
        seed: int = 7,
        own_prompts: int = 0,
        failed: int = 0,
        **more: Any,
    ) -> Run:
        rng = random.Random(seed)
        folder.mkdir(parents=True, exist_ok=True)
        tasks = [
            task_record("synthetic/count", "counting", "Count the circles", ["accuracy"], count, chance=0.2, subset_columns=["objects", "background"], available=500, limit=count),
            task_record("synthetic/box", "grounding", "Box of a circle", ["iou", "iou@0.5"], box, subset_columns=["size"]),
        ]  # fmt: skip
        if hostile:
            tasks.append(
                task_record(
                    "text/repeat",
                    "reading",
                    "Repeat a <i>text</i>",
                    ["accuracy"],
                    len(HOSTILE) + 4,
                    subset_columns=["kind <b>"],
                )
            )
        if own_prompts:
            tasks.append(task_record("text/own", "reading", "A prompt for each profile", ["accuracy"], own_prompts))
        if failed:
            tasks.append(task_record("text/failed", "reading", "Nothing works", ["accuracy"], failed))
        run = RunFolder(folder, models, tasks, repeats=2)
        add_count(run, 0, rng, count)
        add_box(run, 1, rng, box)
        if hostile:
            add_hostile(run, 2, rng)
        for number in range(failed):
            error = {"outcome": "error", "status": "error", "error": "HTTP 500: broken\nmore of it"}
            unsupported = {"outcome": "unsupported", "status": "unsupported", "error": "this model takes no video"}
            answer = unsupported if number == 0 else error
            sample = {"id": f"failed-{number}", "question": "Say needle.", "target": "needle"}
            run.add(len(tasks) - 1, sample, {(name, 0): answer for name in models})
        for number in range(own_prompts):
            prompts = dict.fromkeys(models, "Where? In pixels.") | {models[0]: "Where? From 0 to 1000."}
            sample = {"id": f"own-{number}", "question": "Where?", "target": "here", "prompts": prompts}
            run.add(len(tasks) - 1, sample, {(name, 0): scored(True, "here", f"here, says {name}") for name in models})
        return run.finish(
            **{"notes": [f"synthetic/count: {count} of 500 samples (--limit, whole clusters, seed 0)"], **more}
        )

    return make


@pytest.fixture(scope="session")
def run(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole fixture: three models, three tasks, repeats, failures, hostile texts."""
    return make_run(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture(scope="session")
def chromium() -> Any:
    """The browser driver beside this file; a missing Chromium skips, but fails where CI promises one."""
    name = "mmeval_tests_chromium"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("chromium.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.find_chromium() is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("CI=true but no Chromium is installed (apt-get install -y chromium)")
        pytest.skip("no Chromium on the path (apt-get install -y chromium)")
    return module
