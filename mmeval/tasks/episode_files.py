"""Files of episodes, as SeeClick's copy of AITW has them: per task a list of episodes, each a list of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.data import read_json

LAYOUT = "episodes"


def episode_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each step of {task: [[step, …], …]}: what the step has, and task, episode, step (numbers from 0), previous.

    `previous` are the earlier steps of the episode, as they are.

    Raises:
        DataError: when the file cannot be read, or is of another form.
    """
    tasks = read_json(path)
    if not isinstance(tasks, dict) or not all(isinstance(episodes, list) for episodes in tasks.values()):
        raise DataError(f"{path}: no lists of episodes by task", remedy="the file is {TASK: [[STEP, …], …]}")
    for task, episodes in tasks.items():
        for number, steps in enumerate(episodes):
            if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
                raise DataError(
                    f"{path}, task {task!r}, episode {number}: no list of steps",
                    remedy="the file is {TASK: [[STEP, …], …]}",
                )
            for place, step in enumerate(steps):
                yield {**step, "task": task, "episode": number, "step": place, "previous": steps[:place]}
