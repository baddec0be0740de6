"""Tables as other tools store them (xlsx, tsv, csv, json, jsonl), and what a spreadsheet has done to a cell."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.shortage import shortage
from mmeval.runs.importers.archive import Archive
from mmeval.tasks.data import read_rows

SUFFIXES = (".xlsx", ".tsv", ".csv", ".json", ".jsonl")
CELL_LIMIT = 32_767
"""Characters that a cell of a workbook holds; writers cut what is longer."""
MOST_WORKBOOK_BYTES = 4 << 30
"""Size of all parts of a workbook together, unpacked."""
_CONTROL = re.compile(r"_x(00[01][0-9A-Fa-f])_")
_LITERAL = re.compile(r"_x005F_(?=x[0-9A-Fa-f]{4}_)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its value, and what happened to it where the value is not what was written."""

    value: Any
    """str, int, float, bool or None."""
    fate: str = ""
    """`empty`, `cut`, `number`, `boolean`, `date`, `formula`, `error`, or nothing."""


def cell_of(value: Any, kind: str = "", quoted: bool = False) -> Cell:
    """Return a cell with its fate.

    Args:
        value: as the reader of the file gives it.
        kind: openpyxl's data type where the file is a workbook (`f` a formula, `e` an error value).
        quoted: whether the format tells an empty text from no value, as JSON does.
    """
    if value is None or (value == "" and not quoted):
        return Cell(None, "empty")
    if isinstance(value, (datetime, date, time, timedelta)):
        return Cell(str(value), "date")
    if kind == "e":
        return Cell(str(value), "error")
    if kind == "f":
        return Cell(str(value), "formula") if isinstance(value, str) else Cell(None, "error")
    if isinstance(value, bool):
        return Cell(value, "boolean")
    if isinstance(value, (int, float)):
        return Cell(value, "number")
    text = str(value)
    cut = CELL_LIMIT in (len(text), len(text.encode("utf-16-le", errors="surrogatepass")) // 2)
    return Cell(text, "cut" if cut else "")


def as_written(value: Any) -> str | None:
    """Return a cell's value as text: whole numbers without a decimal point, as they were before a column became floats."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def read_table(path: Path) -> Iterator[dict[str, Cell]]:
    """Stream the rows of a table.

    Raises:
        DataError: naming the file, for one that cannot be read, is no table, or is a pickle.
    """
    suffix = path.suffix.lower()
    if suffix in {".pkl", ".pickle"}:
        raise DataError(
            f"{path}: pickle files can run code when they are opened, so they are not read",
            remedy="give the xlsx, tsv or json file beside it",
        )
    if suffix == ".xls":
        raise DataError(f"{path}: the old format of Excel is not read", remedy="save it as xlsx or tsv")
    if suffix == ".xlsx":
        yield from _workbook(path)
    elif suffix == ".json":
        yield from (_cells(row, True) for row in _records(path))
    elif suffix in {".tsv", ".csv", ".jsonl"}:
        yield from (_cells(row, suffix == ".jsonl") for row in read_rows(path))
    else:
        raise DataError(
            f"{path}: {suffix or 'a file without a suffix'} is no table", remedy=f"give {', '.join(SUFFIXES)}"
        )


def _cells(row: Mapping[str, Any], quoted: bool) -> dict[str, Cell]:
    return {str(key): cell_of(value, quoted=quoted) for key, value in row.items()}


def is_json_table(path: Path) -> bool:
    """Whether a JSON file holds rows, as far as its first bytes tell: tables are lists, other files of a run are objects."""
    with path.open("rb") as handle:
        return handle.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _workbook(path: Path) -> Iterator[dict[str, Cell]]:
    import openpyxl

    with Archive(path, MOST_WORKBOOK_BYTES, "workbook"):
        pass  # a bomb is refused before openpyxl unpacks it
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False)
    except Exception as error:  # openpyxl fails in many ways on damaged parts
        if shortage(error):
            raise
        raise DataError(
            f"{path}: not a readable workbook: {error}", remedy="save it as xlsx again, or as tsv"
        ) from error
    try:
        filled = [sheet for sheet in book.worksheets if sheet.title]
        # Otherwise one cell in the last corner makes a million rows of sixteen thousand empty cells each.
        for sheet in filled[:1]:
            sheet.reset_dimensions()
        rows = filled[0].iter_rows() if filled else iter(())
        header: list[str] = []
        named: list[tuple[int, str]] = []
        for cells in rows:
            if not header:
                header = ["" if cell.value is None else str(cell.value) for cell in cells]
                named = [(place, name) for place, name in enumerate(header) if name]
                _check_header(header, path)
                continue
            if not cells:
                continue
            row = {
                name: cell_of(_unescaped(cells[place].value), getattr(cells[place], "data_type", ""))
                for place, name in named
                if place < len(cells)
            }
            if any(cell.value is not None for cell in row.values()):
                yield {**dict.fromkeys(filter(None, header), Cell(None, "empty")), **row}
    except DataError:
        raise
    except Exception as error:  # as above; parts are unpacked while rows are read
        if shortage(error):
            raise
        raise DataError(
            f"{path}: the workbook is damaged: {error}", remedy="save it as xlsx again, or as tsv"
        ) from error
    finally:
        book.close()


def _check_header(header: Sequence[str], path: Path) -> None:
    doubled = sorted(name for name, times in Counter(header).items() if name and times > 1)
    if doubled:
        raise DataError(f"{path}: column {doubled[0]!r} is there twice", remedy="rename one of the two")


def _unescaped(value: Any) -> Any:
    """Undo how workbooks write control characters (`_x000D_` is a carriage return)."""
    if not isinstance(value, str) or "_x0" not in value:
        return value
    return _LITERAL.sub("_", _CONTROL.sub(lambda found: chr(int(found.group(1), 16)), value))


def _records(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON file that pandas wrote: a list of objects, an object of lists, or an object of objects."""
    content = lenient_json(path)
    if isinstance(content, dict) and content and all(isinstance(column, list) for column in content.values()):
        lengths = {len(column) for column in content.values()}
        if len(lengths) == 1:
            return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]
    if isinstance(content, dict) and content and all(isinstance(row, dict) for row in content.values()):
        content = list(content.values())
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(f"{path}: no table", remedy="a list of objects is expected, one per row")
    return content


def lenient_json(path: Path) -> Any:
    """Read JSON in which NaN and Infinity may stand, as Python's own writer leaves them; they are null.

    Raises:
        DataError: when it is no JSON.
    """
    try:
        return parse_lenient(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}", remedy="save the file as UTF-8") from error


def parse_lenient(text: str | bytes, place: str) -> Any:
    """Read JSON in which NaN and Infinity may stand; they are null.

    Raises:
        DataError: when it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON: {error}", remedy="give the file as it was written") from error
