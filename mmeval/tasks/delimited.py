"""CSV and TSV, read in bounded memory: encoded images stay in the file, and a row may name another row's image."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mmeval.core.errors import DataError
from mmeval.tasks.stored import OPENING, STORED_FROM, StoredFile, StoredText, looks_encoded

CHUNK = 1 << 20
"""Bytes read at once."""
LARGEST_CELL = 384 << 20
"""Bytes of one cell; the largest image that mmeval takes (256 MiB) is shorter in base64."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_QUOTE = 34

_Span = tuple[int, int, bool]
"""Start and end of a cell in the buffer, and whether it holds doubled quotes."""
_Cell = _Span | str


class DelimitedFile:
    """One CSV or TSV file: cells apart by a delimiter, quoted with `"` where they hold it, a quote or a line end.

    A pass over the rows holds one row. Cells that look like encoded images are `StoredText` and stay in the file
    when `stored` is set.
    """

    def __init__(self, path: Path, *, stored: bool = False) -> None:
        self.path = path
        self._delimiter = b"\t" if path.suffix.lower() == ".tsv" else b","
        self._stored = stored

    def rows(self) -> Iterator[dict[str, Any]]:
        """Stream the rows; cells that a short row lacks are None.

        Raises:
            DataError: naming file, line and column of what cannot be read.
            OSError: when the file cannot be read.
        """
        with self.path.open("rb") as handle:
            state = os.fstat(handle.fileno())
            place = StoredFile(self.path, state.st_size, state.st_mtime_ns) if self._stored else None
            scanner = _Scanner(self.path, handle, self._delimiter)
            header = scanner.next()
            if header is None:
                return
            names = [scanner.text(cell, f"column {number}") for number, cell in enumerate(header, 1)]
            _check_names(names, self.path)
            count = len(names)
            while (record := scanner.next()) is not None:
                if len(record) > count:
                    raise scanner.error(
                        f"more cells than the {count} columns",
                        "quote cells that hold the delimiter" + _other_delimiter(names),
                    )
                cells: list[Any] = [
                    cell if isinstance(cell, str) else scanner.cell(cell, name, place)
                    for cell, name in zip(record, names, strict=False)
                ]
                cells += [None] * (count - len(cells))
                yield dict(zip(names, cells, strict=True))


def _check_names(names: list[str], path: Path) -> None:
    twice = next((name for number, name in enumerate(names) if name and name in names[:number]), None)
    if twice is not None:
        raise DataError(
            f"{path}, line 1: column {twice!r} is there twice", remedy="give every column a name of its own"
        )
    if any("\r" in name for name in names):
        raise DataError(
            f"{path}, line 1: a carriage return inside the name of a column",
            remedy="save the file with line ends LF or CR LF",
        )


def _other_delimiter(names: list[str]) -> str:
    if len(names) == 1 and any(mark in names[0] for mark in "\t,;"):
        return "; the header is one column: commas separate a .csv, tabs a .tsv"
    return ""


class _Scanner:
    """Finds the cells of one record after the other in the bytes of a file."""

    def __init__(self, path: Path, handle: BinaryIO, delimiter: bytes) -> None:
        self._path = path
        self._handle = handle
        self._delimiter = delimiter
        self._buffer = handle.read(CHUNK)
        self._end = len(self._buffer) < CHUNK
        self._base = 0
        """Offset of the buffer in the file."""
        if self._buffer.startswith(_UTF_16) or b"\0" in self._buffer[:2]:
            raise DataError(f"{path}: not UTF-8 at byte 0", remedy="save the file as UTF-8")
        self._position = len(_BYTE_ORDER_MARK) if self._buffer.startswith(_BYTE_ORDER_MARK) else 0
        self._record = self._position
        """Where the latest record began."""

    def next(self) -> Sequence[_Cell] | None:
        """Return the cells of the next record that is no empty line, or None at the end."""
        while True:
            if self._position > len(self._buffer) // 2:
                self._buffer = self._buffer[self._position :]
                self._base += self._position
                self._position = 0
            self._record = self._position
            line = self._find(b"\n", self._position)
            if line < 0 and self._position >= len(self._buffer):
                return None
            end = line if line >= 0 else len(self._buffer)
            stop = end - 1 if self._buffer.endswith(b"\r", self._position, end) else end
            quotes = self._buffer.find(b'"', self._position, end) >= 0
            if (short := self._short(stop, quotes)) is not None:
                self._position = end + 1
                return short
            if quotes:
                return self._quoted(end)
            self._position = end + 1
            if stop > self._record:
                return self._plain(stop)

    def cell(self, span: _Span, name: str, place: StoredFile | None) -> str | StoredText:
        """Return a cell: text, or its place in the file where it looks like an encoded image."""
        start, end, doubled = span
        if place is not None and end - start >= STORED_FROM and looks_encoded(self._buffer, start):
            opening = self._buffer[start : start + OPENING]
            return StoredText(place, self._base + start, self._base + end, doubled, opening)
        return self.text(span, f"column {name!r}")

    def text(self, cell: _Cell, column: str) -> str:
        """Return the text of a cell.

        Raises:
            DataError: when it is not UTF-8.
        """
        if isinstance(cell, str):
            return cell
        start, end, doubled = cell
        try:
            text = self._buffer[start:end].decode()
        except UnicodeDecodeError as error:
            raise self.error(
                f"{column} is not UTF-8 at byte {self._base + start + error.start} of the file",
                "save the file as UTF-8",
            ) from error
        return text.replace('""', '"') if doubled else text

    def error(self, problem: str, remedy: str) -> DataError:
        """Build an error that names the line in which the latest record begins."""
        wanted = self._base + self._record
        self._handle.seek(0)
        line = 1
        while wanted > 0 and (chunk := self._handle.read(min(CHUNK, wanted))):
            line += chunk.count(b"\n")
            wanted -= len(chunk)
        return DataError(f"{self._path}, line {line}: {problem}", remedy=remedy)

    def _short(self, end: int, quotes: bool) -> list[str] | None:
        """Cells of a short line by the quickest way; None for what needs a closer look."""
        if not 0 < end - self._record < STORED_FROM:
            return None
        try:
            line = self._buffer[self._record : end].decode()
            if quotes and "\r" in line:
                return None  # the reader would take it for the end of the line
            if quotes:
                return next(csv.reader([line], delimiter=self._delimiter.decode(), strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        return line.split(self._delimiter.decode())

    def _plain(self, end: int) -> list[_Span]:
        """Cells of a line without quotes."""
        start, buffer = self._record, self._buffer
        spans: list[_Span] = []
        while (stop := buffer.find(self._delimiter, start, end)) >= 0:
            spans.append((start, stop, False))
            start = stop + 1
        spans.append((start, end, False))
        return spans

    def _quoted(self, line: int) -> list[_Span]:
        """Cells of a record in whose first line a quote stands; `line` is where that line ends."""
        spans: list[_Span] = []
        position = self._position
        while True:
            if position < len(self._buffer) and self._buffer[position] == _QUOTE:
                span = self._closed(position + 1, len(spans) + 1)
                position = span[1] + 1
                if position > line:
                    found = self._find(b"\n", position)
                    line = found if found >= 0 else len(self._buffer)
                stop = position if self._buffer[position : position + 1] == self._delimiter else line
                between = self._buffer[position:stop]
                if between not in (b"", b"\r"):
                    raise self.error(
                        f"cell {len(spans) + 1}: text behind the closing quote ({between[:20].decode(errors='replace')!r})",
                        "write a quote inside a quoted cell twice, and quote a cell that begins with one",
                    )
                spans.append(span)
            else:
                found = self._buffer.find(self._delimiter, position, line)
                stop = found if found >= 0 else line
                end = stop
                if found < 0 and self._buffer.endswith(b"\r", position, line):
                    end -= 1
                spans.append((position, end, False))
            position = stop + 1
            if stop == line:
                self._position = position
                return spans

    def _closed(self, start: int, number: int) -> _Span:
        """Return the quoted cell that begins at `start`, behind its opening quote."""
        doubled, position = False, start
        while True:
            position = self._find(b'"', position)
            if position < 0:
                raise self.error(
                    f"cell {number}: the file ends before its quote is closed",
                    "download the file again if it was cut off, or close the quote",
                )
            if position + 1 >= len(self._buffer):
                self._more()
            if self._buffer[position + 1 : position + 2] != b'"':
                return start, position, doubled
            doubled, position = True, position + 2

    def _find(self, byte: bytes, start: int) -> int:
        """Find a byte from `start` on, reading on as needed; -1 when the file has it no more."""
        while True:
            found = self._buffer.find(byte, start)
            if found >= 0 or self._end:
                return found
            start = len(self._buffer)
            self._more()

    def _more(self) -> None:
        if self._end:
            return
        if len(self._buffer) - self._record > LARGEST_CELL:
            raise self.error(
                f"a row of more than {LARGEST_CELL >> 20} MiB", "look for a quote in this row that is never closed"
            )
        wanted = max(CHUNK, len(self._buffer))
        chunk = self._handle.read(wanted)
        self._end = len(chunk) < wanted
        self._buffer += chunk


class ImageOwners:
    """Which row owns the image that another row names by its index, in the files of an LMUData folder.

    Fills itself from the rows that pass by, and reads ahead in the file only for a row that is still to come.
    """

    INDEX, IMAGE = "index", "image"

    def __init__(self, file: DelimitedFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._passed = 0
        self._complete = False

    @classmethod
    def has_columns(cls, values: dict[str, Any]) -> bool:
        """Whether a row has both an index and an image, as in an LMUData file."""
        return {cls.INDEX, cls.IMAGE} <= values.keys()

    def note(self, number: int, values: dict[str, Any]) -> None:
        """Remember a row that passes by.

        Args:
            number: 0-based position in the file.
            values: the row.
        """
        with self._lock:
            self._note(number, values)

    def _note(self, number: int, values: dict[str, Any]) -> None:
        if number != self._passed:
            return
        self._passed += 1
        index, cell = values.get(self.INDEX), values.get(self.IMAGE)
        if index and cell:
            self._known.setdefault(str(index).strip(), cell)

    def cell(self, index: str) -> Any:
        """Return the image cell of the row with this index, or None where no row has it.

        Raises:
            DataError: when the file cannot be read up to that row.
        """
        with self._lock:
            if index not in self._known and not self._complete:
                for number, values in enumerate(self._file.rows()):
                    self._note(number, values)
                    if index in self._known:
                        break
                else:
                    self._complete = True
            return self._known.get(index)
