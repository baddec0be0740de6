"""Why rows were not scored, counted: reasons that differ in names alone are one, with the first of the names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DIFFERING = re.compile(r"'[^']*'|\"[^\"]*\"|(?<![\w./-])(?=[\w./-]*\d)(?=[\w./-]*(?:[A-Za-z_/-]|\.\w))[\w./-]+")
"""Quoted names, and words with digits (ids, paths, seconds), in which alone reasons may differ; a plain number is a server's code."""
SHOWN = 4
"""Reasons of one kind of which the differing parts are kept."""
MOST_KINDS = 1000
"""Kinds that are counted; rows of further ones are counted together."""
LONGEST = 200
"""Characters of a reason that are kept."""
FURTHER = "further reasons (column error of results.parquet)"


@dataclass(slots=True)
class _Kind:
    rows: int = 0
    parts: list[list[str]] = field(default_factory=list)
    """What stands at the places that differ, of the first few different reasons."""

    def text(self, mask: tuple[str, ...]) -> str:
        """The first reason, and what else stood in its place in the others."""
        first, *others = self.parts
        text = "".join(piece for pair in zip(mask, [*first, ""], strict=True) for piece in pair)
        places = [place for place in range(len(first)) if any(other[place] != first[place] for other in others)]
        if not places:
            return text
        told = ", ".join(" ".join(other[place] for place in places) for other in others)
        return f"{text} (the first; also {told}{' …' if self.rows > len(self.parts) else ''})"


class Reasons:
    """Counts rows by the kind of their reason."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._further = 0

    def add(self, reason: str, rows: int = 1) -> None:
        """Count rows; of the reason only the first line counts."""
        text = (reason.splitlines() or [""])[0][:LONGEST]
        mask = tuple(_DIFFERING.split(text))
        kind = self._kinds.get(mask)
        if kind is None:
            if len(self._kinds) == MOST_KINDS:
                self._further += rows
                return
            kind = self._kinds[mask] = _Kind()
        kind.rows += rows
        if len(kind.parts) < SHOWN and (parts := _DIFFERING.findall(text)) not in kind.parts:
            kind.parts.append(parts)

    def counts(self) -> dict[str, int]:
        """Reasons with their number of rows, most frequent first."""
        found = {kind.text(mask): kind.rows for mask, kind in self._kinds.items()}
        if self._further:
            found[FURTHER] = self._further
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))
