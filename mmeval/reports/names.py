"""Labels that are unique across the runs of one report."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmeval.runs.folder import Run


@dataclass(frozen=True, slots=True)
class RunNames:
    """A run with the label that each of its models has in the report."""

    run: Run
    label: str
    """The run's name, numbered where two runs have the same one."""
    models: dict[str, str]
    """Model name in the run -> label in the report."""


def name_runs(runs: Sequence[Run]) -> list[RunNames]:
    """Give every model of every run its own label: the plain name, or `RUN#MODEL` where several runs share the name."""
    seen: Counter[str] = Counter()
    labels = []
    for run in runs:
        seen[run.manifest.name] += 1
        number = seen[run.manifest.name]
        labels.append(run.manifest.name if number == 1 else f"{run.manifest.name} ({number})")
    models = Counter(model for run in runs for model in run.models)
    return [
        RunNames(run, label, {model: model if models[model] == 1 else f"{label}#{model}" for model in run.models})
        for run, label in zip(runs, labels, strict=True)
    ]


def task_label(task: str, protocol: str) -> str:
    """Return `task`, or `task@protocol` for another protocol than the card's default."""
    return task if protocol == "default" else f"{task}@{protocol}"


def record_key(task: str, protocol: str, sample: str, item_hash: str | None) -> str:
    """Return the short stable name of a record in links; `item_hash` only where one id stands for several items."""
    return hashlib.sha256(json.dumps((task, protocol, sample, item_hash)).encode()).hexdigest()[:12]
