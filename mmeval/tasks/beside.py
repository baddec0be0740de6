"""JSON files that lie beside a data set and belong to its rows: the lines of a city, the questions of an annotation file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.templates import compile_template
from mmeval.tasks.card import BesideSource
from mmeval.tasks.data import Row, Source, read_json


def with_beside(source: Source, beside: Mapping[str, BesideSource]) -> Source:
    """Return the same rows with the content of the files as further columns; each file is read once per pass.

    Raises:
        DataError: while reading, when a file that all rows share is missing or no JSON, or a row has a column of that name.
    """

    def rows() -> Iterator[Row]:
        read = lru_cache(maxsize=256)(_content)
        for row in source.rows():
            if row.problem is not None:
                yield row
                continue
            found = {name: _of_row(name, one, row, read) for name, one in beside.items()}
            yield replace(row, values={**row.values, **found})

    return Source(source.describe, rows, source.total)


def _of_row(name: str, beside: BesideSource, row: Row, read: Any) -> Any:
    if name in row.values:
        raise DataError(
            f"{row.place}: the row has a column {name!r}, which dataset.beside would replace",
            remedy="give dataset.beside another name",
        )
    own = "{{" in beside.file
    path = compile_template(beside.file).render(**row.values) if own else beside.file
    if row.image_root is None and own:
        return None
    if row.image_root is None:
        raise DataError(
            f"{row.place}: {path!r} is to be read beside the data set, which has no folder",
            remedy="add --data-dir DIR with a copy of the data set and that file",
        )
    root = row.image_root.resolve()
    try:
        file = (root / path).resolve()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{row.place}: no file has the name {path[:80]!r} ({error})", remedy="correct the row"
        ) from error
    if not file.is_relative_to(root):
        raise DataError(f"{row.place}: {path!r} leaves the folder of the data set", remedy="correct the row")
    if not os.path.isfile(file) and own:
        return None  # this row's alone: what needs the file says so
    return read(file, beside.rows, beside.key)


def _content(path: Path, rows: str | None, key: str | None) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file, and every row needs it", remedy="put it beside the data file")
    value = read_json(path)
    try:
        entries = value if rows is None else value[rows]
        return entries if key is None else {str(entry[key]): entry for entry in entries}
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{path}: no list {rows!r} of objects with the key {key!r}", remedy="use the benchmark's own file"
        ) from error
