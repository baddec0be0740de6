"""Tables on narrow terminals: nothing of a number or a name is lost."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmeval.reports.narrow import blocks, needed_width, print_tables

ROWS = (
    ("synthetic/attribute", "tiny", "40 (20 clusters)", "[-60.0, -31.2]", "0.0001"),
    ("", "tiny-early", "40 (20 clusters)", "[-10.5, +31.2]", "0.7"),
    ("synthetic/count", "tiny", "40", "–", "1"),
)


def table() -> Table:
    found = Table(title="chance against tiny")
    for heading in ("task", "model", "n", "interval", "p adj."):
        found.add_column(heading, justify="left" if heading in ("task", "model") else "right")
    for row in ROWS:
        found.add_row(*map(Text, row))
    return found


@pytest.mark.parametrize("width", [20, 40, 60])
def test_every_cell_is_there_and_lines_fit(width: int) -> None:
    lines = [str(line) for line in blocks(table(), width)]
    text = "\n".join(lines)
    for row in ROWS:
        assert all(cell in text for cell in row)
    assert text.count("synthetic/attribute") == 2  # each block names its task
    longest = max(
        len(f"  {heading} {cell}")
        for row in ROWS
        for heading, cell in zip(("n", "interval", "p adj."), row[2:], strict=True)
    )
    assert max(len(line) for line in lines if line.startswith("  ")) <= max(width, longest)


def test_a_table_that_fits_stays_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = needed_width(Console(width=80), table())
    for columns, narrow in ((needed, False), (needed - 1, True)):
        shown = io.StringIO()
        shown.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        print_tables([table()], 160)
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
        assert ("n 40 (20 clusters)" in text) == narrow
        assert "[-60.0, -31.2]" in text
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stdout", piped)
    print_tables([table()], 160)
    assert "n 40" not in piped.getvalue()
