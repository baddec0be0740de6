"""What a run is to do, fixed before the first request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmeval.conditions.base import Condition
from mmeval.core.errors import UsageError, unknown
from mmeval.core.hashing import derived_seed
from mmeval.core.types import Sampling
from mmeval.tasks.opened import OpenTask
from mmeval.tasks.task import Task


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

    def queue(self, judged: bool) -> list[int]:
        """Indices of the tasks in the order in which they are asked.

        First those whose rows go on longest after the model's first answer (further calls, then a judge, then a slow verifier), so
        that this work goes on beside the answers of the others and the last rows of a run have little of it left.

        Args:
            judged: whether judges are asked while the model answers.
        """

        def little_left(index: int) -> tuple[bool, bool, bool]:
            task = self.tasks[index].task
            return (
                task.card.strategy is None,
                not (judged and task.card.judges),
                not getattr(task.verifier, "blocking", False),
            )

        return sorted(range(len(self.tasks)), key=little_left)

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
    outage_s: float = 60.0
    """How long an endpoint that fails again and again is waited for before the rest is not asked."""
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
        _check_name(name)
        if text.lower() in {"none", "null"} and name not in {"max_tokens", "stop"}:
            found[name] = None
        elif name == "stop":
            found[name] = tuple(part for part in _unescaped(text).split("|") if part)
        else:
            found[name] = _number(name, text)
    return found


def check_sampling(values: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the `sampling` mapping of a configuration file; equal settings become equal values (0 and 0.0).

    Raises:
        UsageError: as `parse_sampling`.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        _check_name(name)
        if name == "stop":
            entries = [value] if isinstance(value, str) else value
            if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
                raise UsageError(f"sampling stop={value!r}: not a list of texts", remedy='e.g. stop: ["###"]')
            found[name] = tuple(entries)
        elif value is None and name != "max_tokens":
            found[name] = None
        else:
            found[name] = _number(name, value)
    return found


def _check_name(name: str) -> None:
    if name == "seed":
        raise UsageError("sampling field seed: seeds are derived per request", remedy="use --seed for the run's seed")
    if name not in Sampling.__dataclass_fields__:
        raise unknown("sampling field", name, [key for key in Sampling.__dataclass_fields__ if key != "seed"])


_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_p": (1e-9, 1.0),
    "top_k": (-1, 10**9),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (1e-9, 100.0),
    "max_tokens": (1, 10**7),
}
_WHOLE = frozenset({"top_k", "max_tokens"})


def _unescaped(text: str) -> str:
    """Read `\\n` and its like, and leave all other characters, of any script, as they are."""
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError as error:
        raise UsageError(f"sampling stop={text}: {error.reason}", remedy="write a backslash as \\\\") from error


def _number(name: str, given: Any) -> int | float:
    low, high = _RANGES[name]
    remedy = f"a {'whole ' if name in _WHOLE else ''}number from {low:g} to {high:g}"
    try:
        if isinstance(given, bool) or not isinstance(given, (str, int, float)):
            raise TypeError
        value = float(given)
        if name in _WHOLE:
            value = int(given)
            if value != float(given):
                raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"sampling {name}={given}: not a{' whole' if name in _WHOLE else ''} number", remedy=remedy
        ) from error
    if not low <= value <= high:
        raise UsageError(f"sampling {name}={given}: out of range", remedy=remedy)
    return value
