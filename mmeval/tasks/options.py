"""What a run adds to a task: how the model wants to be asked, and where data are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmeval.tasks.sharding import Shard


@dataclass(frozen=True, slots=True)
class AskStyle:
    """What the model's profile adds to a prompt; recorded apart and no part of the task's ask digest."""

    coordinates: str = "pixels"
    coordinate_order: str = "xy"
    system: str | None = None
    reasoning_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where data are read and how much of them."""

    data_dir: Path | None = None
    limit: int | float | None = None
    limit_seed: int = 0
    shard: Shard | None = None
    """Only this part of what the limit has drawn."""
