"""The leaderboard as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmeval.reports.format import count, decision_text, interval_text, is_share, percent, value_text, visible_text

if TYPE_CHECKING:
    from rich.table import Table

    from mmeval.runs.leaderboard import LeaderboardRow


def leaderboard_table(rows: Sequence[LeaderboardRow]) -> Table:
    """Build a `rich` table with value, interval, n, coverage and chance of every leaderboard row.

    Names are untrusted: they enter as plain text, so that neither rich's markup nor control characters take effect.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    several = len({row.condition for row in rows}) > 1
    levels = {row.estimate.interval.level for row in rows if row.estimate.interval is not None}
    title = f"{next(iter(levels)) * 100:g} % interval" if len(levels) == 1 else "interval"
    for header in ("task", "model", *(["condition"] if several else []), "metric"):
        table.add_column(header, overflow="fold")
    for header in ("value", title, "n", "coverage", "chance"):
        table.add_column(header, justify="right", no_wrap=True)
    several_rows = len({row.model for row in rows}) > 1 or several
    previous = None
    for row in rows:
        name = row.task if row.protocol == "default" else f"{row.task}@{row.protocol}"
        if row.subset is not None:
            name += f" [{row.subset[0]}: {row.subset[1]}]"
        if several_rows and previous is not None and name != previous:
            table.add_section()
        metric, interval = row.estimate.metric, row.estimate.interval
        coverage = percent(row.estimate.coverage)
        cells = [
            Text(visible_text(name) if name != previous else ""),
            Text(visible_text(row.model)),
            *([Text(visible_text(row.condition))] if several else []),
            Text(f"{visible_text(metric)} %" if is_share(metric) else visible_text(metric)),
            Text(value_text(row.estimate.value, metric), style="bold"),
            Text(interval_text(interval.low, interval.high, metric) if interval else "–"),
            Text(count(row.estimate.n)),
            Text(
                coverage if row.estimate.coverage >= 1 else f"{coverage} !",
                style="" if row.estimate.coverage >= 1 else "yellow",
            ),
            Text(value_text(row.chance, metric)),
        ]
        table.add_row(*cells)
        previous = name
    return table


def decision_lines(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Say for each row of the leaderboard who decided rows beside the card's rules."""
    lines = []
    for row in rows:
        if text := decision_text(row):
            name = row.task if row.protocol == "default" else f"{row.task}@{row.protocol}"
            lines.append(visible_text(f"{name}, {row.model}: {text}"))
    return lines
