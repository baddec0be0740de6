"""A run folder with everything that a diagnosis reads: conditions, labels, repeats, scored tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mmeval.runs.folder import Run, open_run
from mmeval.runs.labels import Label, write_labels_table
from mmeval.runs.manifest import read_manifest, write_manifest
from mmeval.verifiers.dependency import k3
from tests.analysis.conftest import write_run

MODELS = ("early", "late <b>")
KINDS = ("perception/count", "reasoning", "calculation")
TOKEN = "</script><script>alert(1)</script>"
CONDITIONS = (
    "standard", "blind", "blank", "checklist", "two-hop", "caption-exact", "hide-region", "hide-elsewhere", "shuffled:0", "shuffled:1", "mask:0.2",
    "mask:0.5", "mask:1", "dependency:mask:0.5",
)  # fmt: skip


def diagnosed_run(
    folder: Path, items: int = 60, seed: int = 3, models: tuple[str, str] = MODELS, task: str = "t"
) -> Run:
    """Two models under many conditions: the later one sees more."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    labels: list[Label] = []
    for number in range(items):
        for place, model in enumerate(models):
            seen = bool(draw.random() < (0.45, 0.75)[place])
            right = bool(draw.random() < (0.85 if seen else 0.25))
            verdicts = {
                "standard": right, "checklist": seen, "two-hop": seen and bool(draw.random() < 0.9), "caption-exact": bool(draw.random() < 0.9),
                "hide-region": bool(draw.random() < 0.3), "hide-elsewhere": bool(draw.random() < 0.6),
                **{name: bool(draw.random() < 0.25) for name in ("blind", "blank", "shuffled:0", "shuffled:1")},
                **{f"mask:{dose:g}": right and bool(draw.random() < 1 - 0.7 * dose) for dose in (0.2, 0.5, 1.0)},
            }  # fmt: skip
            rows += [
                {"model": model, "id": str(number), "condition": name, "right": value}
                for name, value in verdicts.items()
            ]
            rows.append({"model": model, "id": str(number), **_tokens(1.5 if right else 0.4)})
            if not right:
                kind = KINDS[number % 3]
                common = {
                    "model": model,
                    "task": task,
                    "protocol": "default",
                    "condition": "standard",
                    "sample_id": str(number),
                    "repeat": 0,
                }
                labels.append(Label(**common, source="error-type", label=kind, judge_model="j", card_digest="1"))
                if number % 2:
                    told = kind if number % 10 else "reasoning"
                    labels.append(Label(**common, source="human", label=told))
    run = _written(folder, rows, models, CONDITIONS, 1, task)
    write_labels_table(run, labels)
    return run


def repeated_run(folder: Path, items: int = 24, repeats: int = 4) -> Run:
    """One model with several answers per item, and nothing else."""
    draw = np.random.default_rng(1)
    rows = [
        {"id": str(number), "repeat": repeat, "right": bool(draw.random() < 0.5), "extracted": '"a"'}
        for number in range(items)
        for repeat in range(repeats)
    ]
    return _written(folder, rows, ("model",), ("standard",), repeats)


def plain_run(folder: Path) -> Run:
    """One model, one condition, one answer per item: nothing to diagnose."""
    return _written(
        folder, [{"id": str(number), "right": number % 3 > 0} for number in range(12)], ("model",), ("standard",), 1
    )


def _tokens(ratio: float) -> dict[str, Any]:
    text = json.dumps({"tokens": [TOKEN, "b"], "with": [-1.0, -1.0], "without": [-1.0 - ratio, -1.0]})
    scores = {"k3": k3(0, -ratio) / 2, "log_ratio": ratio / 2, "top_share": 0.9, "gini": 0.5}
    return {"condition": "dependency:mask:0.5", "response": text, "right": None, "scores": scores}


def _written(
    folder: Path,
    rows: list[dict[str, Any]],
    models: tuple[str, ...],
    conditions: tuple[str, ...],
    repeats: int,
    task: str = "t",
) -> Run:
    write_run(folder, rows, models, name=task, chance=0.25)
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"conditions": list(conditions), "repeats": repeats}))
    return open_run(folder)
