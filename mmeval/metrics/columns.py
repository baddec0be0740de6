"""Columns of a results table in a few bytes per row: texts as codes, numbers as narrow as they are exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from mmeval.core.arrow import number_cells, text_scalar

_Objects: TypeAlias = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Texts(Sequence[Any]):
    """A column of texts; a cell is a text or None."""

    codes: npt.NDArray[np.signedinteger[Any]]
    """Place of each cell in the words, -1 for null, shape (rows,)."""
    words: Any
    """Arrow array of texts; in the order of code points, each once, where `ordered`, else chunked, perhaps with repetitions."""
    ordered: bool
    """Whether codes are ranks: equal for equal texts, smaller for earlier ones."""

    def __len__(self) -> int:
        return int(self.codes.size)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> Texts: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return Texts(self.codes[row], self.words, self.ordered)
        return self.word(int(self.codes[row]))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.objects())

    def word(self, code: int) -> str | None:
        """Return the text of a code."""
        return None if code < 0 else self.words[code].as_py()

    def code(self, word: str) -> int:
        """Return the code of a text, -2 where no cell has it. For ordered columns of few words."""
        words = self.words.to_pylist()
        return words.index(word) if word in words else -2

    def objects(self, missing: str | None = None) -> _Objects:
        """Return the column as an array of Python texts (equal ones are one object), `missing` for null."""
        found = np.empty(len(self.words) + 1, dtype=object)
        found[:] = [*self.words.to_pylist(), missing]
        cells: _Objects = found[self.codes]  # -1 is the last one
        return cells

    def take(self, rows: npt.NDArray[Any]) -> Texts:
        """Return some of the cells."""
        return Texts(_taken(self.codes, rows), self.words, self.ordered)


Column = npt.NDArray[Any] | Texts


@dataclass(frozen=True, slots=True)
class Columns(Mapping[str, Any]):
    """Columns of one table, by name; as a mapping, numbers come as float64, int64 or bool, null as NaN."""

    size: int
    held: Mapping[str, Column]

    def __getitem__(self, name: str) -> Any:
        column = self.held[name]
        return column if isinstance(column, Texts) else wide(column)

    def __contains__(self, name: object) -> bool:
        return name in self.held

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)

    def texts(self, name: str) -> Texts:
        """Return a column of texts."""
        column = self.held[name]
        assert isinstance(column, Texts), name
        return column

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return a column of numbers as it is held, of any type of number."""
        column = self.held[name]
        assert not isinstance(column, Texts), name
        return column

    def take(self, rows: npt.NDArray[Any]) -> Columns:
        """Return some of the rows, by position."""
        return Columns(
            int(rows.size),
            {
                name: column.take(rows) if isinstance(column, Texts) else _taken(column, rows)
                for name, column in self.held.items()
            },
        )

    def where(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        """Return the chosen rows; all of them are no copy."""
        return self if bool(chosen.all()) else self.take(np.flatnonzero(chosen))

    def equal(self, name: str, text: str) -> npt.NDArray[np.bool_]:
        """Return which rows have a text in a column."""
        cells = self.texts(name)
        if cells.ordered:
            return np.asarray(cells.codes == cells.code(text))
        import pyarrow.compute as pc

        alike = pc.equal(cells.words, text_scalar(text)).chunks  # words that are not coded as one may be there again
        found = np.concatenate([*(number_cells(chunk) == 1 for chunk in alike), [False]])  # the last one is for null
        return np.asarray(found[cells.codes], dtype=bool)

    def plain(self) -> dict[str, npt.NDArray[Any]]:
        """Return arrays alone: texts as objects."""
        return {name: cells.objects() if isinstance(cells, Texts) else cells for name, cells in self.items()}


def narrow(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers in the smallest type that holds each of them exactly; NaN alone as one number that is repeated."""
    if np.issubdtype(cells.dtype, np.integer):
        low, high = int(cells.min(initial=0)), int(cells.max(initial=0))
        for whole in (np.int8, np.int16, np.int32):
            limits = np.iinfo(whole)
            if limits.min <= low and high <= limits.max:
                return cells.astype(whole)
        return cells
    if not np.issubdtype(cells.dtype, np.floating):
        return cells
    missing = np.isnan(cells)
    if bool(missing.all()):
        return np.broadcast_to(np.float16(np.nan), cells.shape)
    with np.errstate(over="ignore"):  # becomes infinite, and is not equal then
        for small in (np.float16, np.float32):
            shorter = cells.astype(small)
            if bool(np.all((shorter == cells) | missing)):
                return shorter
    return cells


def wide(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers in the type in which one computes with them."""
    if np.issubdtype(cells.dtype, np.floating):
        return cells.astype(np.float64)
    return cells.astype(np.int64) if np.issubdtype(cells.dtype, np.integer) else cells


def joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return parts of one column behind each other; a number that is repeated throughout stays one."""
    size = sum(part.size for part in parts)
    held = [part for part in parts if part.size]
    if held and all(_repeats(part) and _same(part[0], held[0][0]) for part in held):
        return np.broadcast_to(held[0][0], (size,))
    return np.concatenate(parts) if parts else np.empty(0)


def _taken(column: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.broadcast_to(column[0], rows.shape) if column.size and _repeats(column) else column[rows]


def _repeats(column: npt.NDArray[Any]) -> bool:
    return column.strides == (0,)


def _same(first: Any, second: Any) -> bool:
    return bool(first == second or (first != first and second != second))
