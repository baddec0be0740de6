"""Run folders with given scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord, write_manifest
from mmeval.runs.writer import RunWriter

RECORD: dict[str, Any] = {
    "name": "quiz", "protocol": "default", "family": "custom", "title": "Quiz", "items_digest": "1" * 64,
    "ask_digest": "2" * 64, "score_digest": "3" * 64, "metrics": ["accuracy"], "samples": 0, "available": None,
}  # fmt: skip


def write_run(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    models: Sequence[str] = ("model",),
    contexts: dict[str, dict[str, Any]] | None = None,
    **record: Any,
) -> str:
    """Write a run of one task; a row has `id` and `right` (or `score`), and may have any column of the results table."""
    folder.mkdir(parents=True)
    task = TaskRecord(**{**RECORD, "samples": len(rows), **record})
    writer = RunWriter(folder)
    seen: set[str] = set()
    for position, given in enumerate(rows):
        row = dict(given)
        name = str(row.pop("id"))
        right = row.pop("right", None)
        filled = {
            "model": models[0], "task": task.name, "protocol": task.protocol, "family": task.family,
            "condition": "standard", "sample_id": name, "repeat": 0, "cluster": name,
            "item_hash": hashlib.sha256(name.encode()).hexdigest(), "request_hash": None, "outcome": "scored",
            "score": None if right is None else float(right), "correct": None if right is None else bool(right),
            "scores": {}, "target": None, "response": "text", "status": "ok", "finish_reason": "stop", "verifier": "choice/1",
            "subsets": {}, "media": [], **row,
        }  # fmt: skip
        order = (list(models).index(filled["model"]), 0, 0, position, filled["repeat"])
        writer.add(order, filled)
        if name not in seen:
            seen.add(name)
            sample = {
                key: filled[key]
                for key in (
                    "task",
                    "protocol",
                    "condition",
                    "sample_id",
                    "item_hash",
                    "cluster",
                    "target",
                    "subsets",
                    "media",
                )
            }
            more = (contexts or {}).get(name, {})
            writer.add_sample(
                (0, 0, position),
                {
                    **sample,
                    "question": "?",
                    "choices": [],
                    "messages": "[]",
                    "context": "{}",
                    "extras": "{}",
                    "source_media": [],
                    **more,
                },
                (0, None),
            )
    writer.finish()
    writer.close()
    known = [
        ModelRecord(
            name=name,
            spec=name,
            engine="fake",
            engine_version="1",
            identity={},
            identity_digest="0",
            shared_identity=True,
        )
        for name in models
    ]
    write_manifest(
        folder,
        Manifest(
            run_id="0", name=folder.name, status="complete", created="2026-01-02T03:04:05+00:00", command=["mmeval"],
            config={}, config_digest="4" * 64, versions={}, hardware={}, seeds={}, models=known, tasks=[task],
            conditions=["standard"],
        ),
    )  # fmt: skip
    return str(folder)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., str]:
    """Write `NAME` with rows; returns its path."""

    def make(name: str, rows: Sequence[dict[str, Any]], /, **more: Any) -> str:
        return write_run(tmp_path / name, rows, **{"models": (name,), **more})

    return make


def quiz(*right: Any, **columns: Any) -> list[dict[str, Any]]:
    """Rows with the given verdicts in order."""
    return [{"id": f"q{number}", "right": value, **columns} for number, value in enumerate(right)]


def pair_of(both: int, losses: int, gains: int, neither: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Baseline and candidate rows with a given 2x2 table."""
    cells = [(1, 1)] * both + [(1, 0)] * losses + [(0, 1)] * gains + [(0, 0)] * neither
    return quiz(*(first for first, _ in cells)), quiz(*(second for _, second in cells))
