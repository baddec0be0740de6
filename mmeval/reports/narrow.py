"""Tables on a terminal that is too narrow for them: each row as a block, so that no number and no name is cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_ENDLESS = 100_000


def print_tables(tables: Iterable[Table], piped_width: int) -> None:
    """Print tables on stdout; a file or pipe has no width of its own and gets the one that is given."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else piped_width)
    for table in tables:
        if terminal and needed_width(console, table) > console.width:
            for line in blocks(table, console.width):
                console.print(line, soft_wrap=True)
        else:
            console.print(table)


def needed_width(console: Console, table: Table) -> int:
    """Columns of the terminal that a table takes without breaking a cell."""
    return console.measure(table, options=console.options.update(max_width=_ENDLESS)).maximum


def _text(cell: object) -> Text:
    from rich.text import Text

    return cell if isinstance(cell, Text) else Text(str(cell))


def blocks(table: Table, width: int) -> Iterator[Text]:
    """Yield the lines of a table whose rows are blocks: the names, then the numbers with their headings.

    Args:
        table: names in columns that stand left, numbers in those that stand right; cells are texts.
        width: of the terminal; a line breaks between numbers, and is longer only where a single one is.
    """
    from rich.text import Text

    if table.title:
        yield Text(str(table.title), "italic")
    columns = [
        (str(column.header), column.justify == "left", [_text(cell) for cell in column.cells])
        for column in table.columns
    ]
    leading = ""
    for row in range(table.row_count):
        names = [cells[row] for _, left, cells in columns if left]
        first = str(names[0]) if names else ""
        if first and first != leading and row:
            yield Text()
        leading = first or leading  # a name that stands once for several rows
        yield Text(" · ").join([Text(leading, "bold"), *(name for name in names[1:] if str(name))])
        line = Text("  ")
        for heading, left, cells in columns:
            if left or not str(cells[row]):
                continue
            pair = Text.assemble((f"{heading} ", "dim"), cells[row])
            if line.cell_len > 2 and line.cell_len + 2 + pair.cell_len > width:
                yield line
                line = Text("  ")
            line = Text.assemble(line, "  " if line.cell_len > 2 else "", pair)
        if line.cell_len > 2:
            yield line
    yield Text()
