"""Columns of `results.parquet` held compactly, so that a summary grows by a few bytes per row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmeval.core.arrow import code_cells, null_cells, number_cells, own_texts, place_array, text_array
from mmeval.core.memory import release_memory
from mmeval.metrics.columns import Column, Columns, Texts, joined, narrow
from mmeval.runs.folder import Run, column_batches

if TYPE_CHECKING:
    import pyarrow as pa

FEW_WORDS = 4096
"""Different texts up to which a column is read as codes; beyond, its texts are held as Arrow has them."""
RELEASE_AFTER = 2
"""Batches after which freed memory is given back."""
RANKED = frozenset({"sample_id", "cluster"})
"""Columns whose cells are compared with each other: equal texts have equal codes, in the order of the texts."""


def read_columns(run: Run, names: Sequence[str], unspelled: Collection[str] = ()) -> Columns:
    """Return columns of a run's results, narrowed to the model in view.

    Args:
        run: the run to read.
        names: columns; `scores.KEY` and `subsets.KEY` are single entries of the maps, null where a row has none.
        unspelled: those of `RANKED` of whose texts, where they are many, only the order is kept, with "" as null.

    Raises:
        DataError: when the file is missing or damaged.
    """
    growing: dict[str, _Numbers | _Words] = {}
    release_memory()
    size = 0
    batches = column_batches(run.path / "results.parquet", list(dict.fromkeys(names)), run.model)
    for number, batch in enumerate(batches, start=1):
        for name, column in batch.items():
            if name not in growing:
                growing[name] = _started(name, column, name not in unspelled)
            growing[name].add(column)
        size += len(next(iter(batch.values())))
        if number % RELEASE_AFTER == 0:
            release_memory()
    release_memory()
    columns = Columns(size, {name: growing.pop(name).column() for name in list(growing)})
    release_memory()
    return columns


def _started(name: str, column: pa.Array, spelled: bool) -> _Numbers | _Words:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind):
        return _Words(name in RANKED, spelled)
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TypeError(f"column {name} holds neither texts nor numbers")
    return _Numbers()


class _Numbers:
    """A column of numbers as it grows."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[Any]] = []

    def add(self, column: pa.Array) -> None:
        self._parts.append(narrow(number_cells(column)))

    def column(self) -> Column:
        return joined(self._parts)


class _Words:
    """A column of texts as it grows."""

    def __init__(self, ranked: bool, spelled: bool) -> None:
        self._ranked = ranked
        self._spelled_out = spelled
        self._known: dict[str, int] = {}
        self._codes: list[npt.NDArray[Any]] = []
        self._texts: list[pa.Array] = []
        """Once there are many words; the codes are empty then."""

    def add(self, column: pa.Array) -> None:
        if self._texts:
            self._texts.append(own_texts(column))
            return
        found = column.dictionary_encode()
        known = self._known
        places = [known.setdefault(word, len(known)) for word in found.dictionary.to_pylist()]
        codes = np.array([*places, -1])[code_cells(found.indices, len(places))]
        self._codes.append(narrow(codes))
        if len(known) > FEW_WORDS:
            self._texts = list(self._spelled())
            self._known, self._codes = {}, []

    def _spelled(self) -> Iterator[pa.Array]:
        """The cells so far, as texts."""
        words = text_array(list(self._known))
        for codes in self._codes:
            yield own_texts(words.take(place_array(codes)))

    def column(self) -> Column:
        import pyarrow as pa

        if self._texts:
            texts = pa.chunked_array(self._texts)
            self._texts = []
            return _ranked(texts, self._spelled_out) if self._ranked else _listed(texts)
        words = sorted(self._known)
        place = np.full(len(words) + 1, -1)
        place[[self._known[word] for word in words]] = np.arange(len(words))
        if not words:
            codes: npt.NDArray[Any] = np.broadcast_to(np.int8(-1), (sum(part.size for part in self._codes),))
        else:
            codes = np.concatenate([narrow(place[part]) for part in self._codes])
        return Texts(codes, text_array(words), True)


def _ranked(texts: pa.ChunkedArray, spelled: bool) -> Texts:
    """Many texts, as their places among the sorted ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = number_cells(pc.rank(texts, sort_keys="ascending", tiebreaker="dense")).astype(np.int32)
    release_memory()
    codes -= 1
    if texts.null_count:
        codes[np.concatenate([null_cells(chunk) for chunk in texts.chunks])] = -1
    if not spelled:
        if texts[int(np.argmax(codes == 0))].as_py() == "":
            np.maximum(codes - 1, -1, out=codes)
        return Texts(codes, pa.nulls(int(codes.max(initial=-1)) + 1), True)
    rows = np.empty(int(codes.max(initial=-1)) + 1, dtype=np.int32)
    if texts.null_count:
        known = np.flatnonzero(codes >= 0)
        rows[codes[known]] = known
    else:
        rows[codes] = np.arange(codes.size, dtype=np.int32)
    words = texts.take(place_array(rows))
    return Texts(codes, words.chunk(0) if words.num_chunks == 1 else words.combine_chunks(), True)


def _listed(texts: pa.ChunkedArray) -> Texts:
    """Many texts, each for itself."""
    codes = np.arange(len(texts), dtype=np.int32)
    if texts.null_count:
        codes[np.concatenate([null_cells(chunk) for chunk in texts.chunks])] = -1
    return Texts(codes, texts, False)
