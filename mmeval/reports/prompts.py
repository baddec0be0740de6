"""Prompts as sent: the first one of every task, condition and way of asking, from samples.parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.reports.format import plural
from mmeval.reports.names import RunNames, task_label
from mmeval.runs.cells import in_folder, messages_cell

TEXT_LIMIT = 4000
"""Characters of one text that are shown; the sample browser shows more."""
_COLUMNS = ("task", "protocol", "condition", "sample_id", "messages", "media", "models")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    parts: tuple[tuple[str, str], ...]
    """`text` or `media`, and the words."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One real prompt."""

    task: str
    condition: str
    models: str
    """Who was asked so, where not all were."""
    sample: str
    turns: tuple[Turn, ...]


def first_prompts(entry: RunNames) -> list[Prompt]:
    """Return the first prompt of every task, condition and way of asking, in the order of the manifest.

    Raises:
        DataError: when the table is damaged.
    """
    found: dict[tuple[str, str, tuple[str, ...]], Prompt] = {}
    for row in entry.run.rows("samples", _COLUMNS):
        asked = tuple(name for name in row.get("models") or entry.models if name in entry.models)
        place = (task_label(row["task"], row["protocol"]), row["condition"], asked)
        if place in found:
            continue
        with in_folder(entry.run.path):
            messages = messages_cell("samples.parquet", row)
        if not (turns := _turns(messages, row["media"] or [])):
            continue
        everyone = len(asked) == len(entry.models)
        models = "" if everyone else ", ".join(entry.models[name] for name in asked)
        found[place] = Prompt(place[0], place[1], models, row["sample_id"], turns)
    tasks = [task_label(task.name, task.protocol) for task in entry.run.manifest.tasks]
    conditions = entry.run.manifest.conditions
    order = {name: place for place, name in enumerate((*tasks, *conditions))}
    return sorted(found.values(), key=lambda one: (order.get(one.task, 0), order.get(one.condition, 0)))


def _turns(messages: Sequence[Mapping[str, Any]], media: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    turns = []
    for message in messages:
        parts = tuple(
            ("text", _short(part)) if isinstance(part, str) else ("media", _placeholder(part["media"], media))
            for part in message["parts"]
        )
        turns.append(Turn(message["role"], parts))
    return tuple(turns)


def _placeholder(index: int, media: Sequence[Mapping[str, Any]]) -> str:
    if not 0 <= index < len(media):
        return f"media {index + 1}"
    one = media[index]
    return f"{one['kind']} {index + 1}: {one['width']} × {one['height']} {one['format'] or ''}".rstrip()


def _short(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    half = TEXT_LIMIT // 2
    return f"{text[:half]}\n[… {plural(len(text) - 2 * half, 'character')} left out …]\n{text[-half:]}"
