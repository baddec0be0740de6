"""Mistakes of a suite: tasks, protocols and keys that do not fit the cards, aggregates of what is not in it."""

from __future__ import annotations

from pathlib import Path

from mmeval.core.errors import MmevalError, UsageError, nearest
from mmeval.metrics import get_metric
from mmeval.tasks.aggregates import members_of
from mmeval.tasks.card import mistakes
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task


def explain_suite(path: Path) -> UsageError | None:
    """Return every mistake of a suite file (`tasks/suites/NAME.yaml`, or below a folder of cards) as one error, or None.

    Raises:
        UsageError: when the file is no suite, or names a task or protocol that does not exist.
    """
    registry = Registry([path.parent.parent])
    suite = registry.suites[path.stem]
    lines: list[str] = []
    there: set[str] = set()
    for card, protocol in registry.resolve([path.stem]):
        there.add(card.name if protocol == "default" else f"{card.name}@{protocol}")
        try:
            Task.load(card, protocol)
        except MmevalError as error:
            lines.append(f"tasks: {card.name}@{protocol}: {' '.join(error.message.split())}")
    for aggregate in suite.file.aggregates:
        for member in members_of(aggregate):
            if member.key not in there:
                close = nearest(member.key, there)
                hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(sorted(there))}"
                lines.append(f"aggregates.{aggregate.name}: {member.key!r} is none of the suite's tasks ({hint})")
            try:
                get_metric(member.metric or "accuracy")
            except MmevalError as error:
                lines.append(f"aggregates.{aggregate.name}: {error.message}")
    return mistakes(path, lines) if lines else None
