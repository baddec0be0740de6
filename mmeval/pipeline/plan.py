"""What a run is to do, fixed before the first request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmeval.conditions.base import Condition
from mmeval.core.errors import UsageError, unknown
from mmeval.core.hashing import derived_seed
from mmeval.core.types import Sampling
from mmeval.tasks.task import OpenTask, Task


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Tasks, conditions, repeats and seeds of one run; every field is identity."""

    tasks: Sequence[OpenTask]
    conditions: Sequence[Condition]
    repeats: int | None = None
    """None takes each card's own number."""
    seed: int = 0
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """`--sampling` overrides by field name."""

    def sampling_for(self, task: Task) -> Sampling:
        """The protocol's decoding with the user's overrides; the seed is set per request."""
        return replace(task.sampling, **self.sampling)

    def repeats_for(self, task: Task) -> int:
        """How often each sample of the task is asked."""
        return self.repeats if self.repeats is not None else task.card.decoding.repeats

    def seed_for(self, task: str, sample: str, repeat: int) -> int:
        """Seed of one request, hashed so that neighbours never share samples."""
        return derived_seed(self.seed, task, sample, repeat)

    @property
    def total(self) -> int | None:
        """Rows per model, where all sizes are known."""
        sizes = [task.size for task in self.tasks]
        if any(size is None for size in sizes):
            return None
        return sum(
            (size or 0) * self.repeats_for(task.task) for size, task in zip(sizes, self.tasks, strict=True)
        ) * len(self.conditions)


@dataclass(frozen=True, slots=True)
class Effort:
    """How the run is carried out; every field is transport and changes no answer."""

    concurrency: int | None = None
    """Requests in flight at most; None takes the engine's own number."""
    attempts: int = 5
    """How often one request is tried before it becomes an error row."""
    backoff_s: float = 0.5
    """First wait between tries, doubled each time."""
    backoff_limit_s: float = 30.0
    media_budget_bytes: int = 512 * 1024 * 1024
    """Prepared media that may wait for the engine."""
    workers: int = 2
    """Threads that read and validate media."""


def parse_sampling(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `--sampling key=value …`.

    Raises:
        UsageError: for an unknown field (with the nearest ones) or a value of the wrong type or range.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--sampling {pair!r}: key=value is expected", remedy="e.g. --sampling temperature=0.7")
        if name == "seed":
            raise UsageError("--sampling seed: seeds are derived per request", remedy="use --seed for the run's seed")
        if name not in Sampling.__dataclass_fields__:
            raise unknown("sampling field", name, [key for key in Sampling.__dataclass_fields__ if key != "seed"])
        found[name] = _sampling_value(name, text)
    return found


_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_p": (1e-9, 1.0),
    "top_k": (-1, 10**9),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (1e-9, 100.0),
    "max_tokens": (1, 10**7),
}


def _sampling_value(name: str, text: str) -> Any:
    if text.lower() in {"none", "null"} and name not in {"max_tokens", "stop"}:
        return None
    if name == "stop":
        return tuple(part for part in text.encode().decode("unicode_escape").split("|") if part)
    low, high = _RANGES[name]
    try:
        value = int(text) if name in {"top_k", "max_tokens"} else float(text)
    except ValueError as error:
        raise UsageError(
            f"--sampling {name}={text}: not a number", remedy=f"a number from {low:g} to {high:g}"
        ) from error
    if not low <= value <= high:
        raise UsageError(f"--sampling {name}={text}: out of range", remedy=f"a number from {low:g} to {high:g}")
    return value
