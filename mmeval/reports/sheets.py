"""Tables of numbers as every output has them: HTML, Markdown, LaTeX, CSV and JSON read the same cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.reports.format import percent


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell: what people read, and the number behind it."""

    text: str
    value: float | int | None = None
    """Unrounded, in the metric's own unit (shares of 1); None for words."""
    low: float | None = None
    high: float | None = None
    """Ends of the interval, in the unit of the value."""
    link: str = ""
    """Address in the page that shows what was counted."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table. The first `labels` columns of each row are words that say what the row is."""

    name: str
    """Unique within a report: names files and rows of exports."""
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    labels: int = 1

    @property
    def worded(self) -> tuple[bool, ...]:
        """Which columns hold words and no number: they start on the left, head and all."""
        return tuple(
            place < self.labels
            or (all(row[place].value is None for row in self.rows) and any(row[place].text != "–" for row in self.rows))
            for place in range(len(self.head))
        )


NOTHING = Entry("–")


def words(text: object) -> Entry:
    """A cell of words."""
    return Entry(str(text))


def whole(value: int | None) -> Entry:
    """A count."""
    return NOTHING if value is None else Entry(f"{value:,}".replace(",", "\u202f"), value)


def plain_number(value: float | None, digits: int = 3, limits: Sequence[float] | None = None) -> Entry:
    """A number with its interval, where there is one."""
    if value is None or not math.isfinite(value):
        return NOTHING
    low, high = limits if limits is not None else (None, None)
    text = f"{value:.{digits}f}"
    return Entry(text if low is None else f"{text} [{low:.{digits}f}, {high:.{digits}f}]", value, low, high)


def rate(value: float | None, limits: Sequence[float] | None = None) -> Entry:
    """A share of 1 in percent, with its interval."""
    if value is None or not math.isfinite(value):
        return NOTHING
    low, high = limits if limits is not None else (None, None)
    text = f"{100 * value:.1f}"
    return Entry(
        text if low is None or high is None else f"{text} [{100 * low:.1f}, {100 * high:.1f}]", value, low, high
    )


def rate_of(share: Mapping[str, Any] | None) -> Entry:
    """A share as `share_json` writes it."""
    return NOTHING if share is None else rate(share["estimate"], share.get("ci"))


def change(value: float | None, limits: Sequence[float] | None = None, *, share: bool = True) -> Entry:
    """A signed difference with its interval: percentage points for shares, else the metric's unit."""
    if value is None or not math.isfinite(value):
        return NOTHING
    scale, form = (100.0, "+z.1f") if share else (1.0, "+z.4g")
    low, high = limits if limits is not None else (None, None)
    text = f"{scale * value:{form}}"
    if low is None or high is None:
        return Entry(text, value)
    return Entry(f"{text} [{scale * low:{form}}, {scale * high:{form}}]", value, low, high)


def p_value(value: float | None) -> Entry:
    """A p-value."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return Entry("<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.001 else f"{value:.3f}", value)


def amount(share: float | None) -> Entry:
    """A share of rows in percent with its sign of percent."""
    return NOTHING if share is None else Entry(percent(share), share)
