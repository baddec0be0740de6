"""What a card needs beside a model, as the overviews show it: what it declares, and what follows from its sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def needs_of(raw: Mapping[str, Any]) -> list[str]:
    """Return what the default protocol of a card needs: judge, video, local data, retriever.

    Args:
        raw: the card as it lies on disk; sections of a wrong form count as empty.
    """
    dataset, fields, answer, strategy = (_section(raw, name) for name in ("dataset", "fields", "answer", "strategy"))
    steps = raw.get("judges")
    always = [step for step in steps if isinstance(step, Mapping) and step.get("when") == "always"] if isinstance(steps, list) else []  # fmt: skip
    found = [str(need) for need in raw.get("needs") or []]
    if always or (answer.get("reads") == "extraction" and steps):
        found.append("judge")
    if fields.get("videos"):
        found.append("video")
    if dataset.get("local") and not dataset.get("hub"):
        found.append("local data")
    if strategy.get("retrieval"):
        found.append("retriever")
    return list(dict.fromkeys(found))


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}
