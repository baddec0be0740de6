"""The order in which families of tasks are listed."""

from __future__ import annotations

from collections.abc import Iterable

FIRST = ("reasoning", "knowledge", "ocr", "perception")
LAST = ("synthetic",)


def in_order(families: Iterable[str]) -> list[str]:
    """Return each family once: those of `FIRST`, the others in alphabetical order, procedural tasks last."""
    there = set(families)
    rest = sorted(there - {*FIRST, *LAST})
    return [family for family in (*FIRST, *rest, *LAST) if family in there]
