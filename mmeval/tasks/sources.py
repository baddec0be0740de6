"""Opening a card's data set: local files in the benchmark's own layout, a copy of a hub data set, or the hub itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, MmevalError
from mmeval.tasks.card import Dataset, HubSource, LocalSource
from mmeval.tasks.data import Row, Source, missing_column, read_rows

_SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Words in file names that stand for a split, as the hub reads them."""


def open_dataset(dataset: Dataset, task: str, data_dir: Path | None, columns: Collection[str] = ()) -> Source:
    """Open the rows of a card.

    Local files below `data_dir` win over the hub; without `data_dir` the hub (or its local cache) is asked.

    Args:
        dataset: the card's section.
        task: the task's name; a folder of that name in `data_dir` is looked in first.
        data_dir: where data sets lie.
        columns: what the card reads; parquet files that merely lie in `data_dir` are the hub's only when they have these.

    Raises:
        DataError: when neither has the data, saying what was looked for and what to do.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise DataError(f"--data-dir {data_dir}: no such folder", remedy="give the folder that holds the data set")
    if data_dir is not None:
        if dataset.local is not None:
            found = find_local_files(dataset.local, task, data_dir)
            if found:
                return _filtered(_local_source(found, dataset.local), dataset)
        copy, refused = _hub_copy(dataset.hub, task, data_dir, columns) if dataset.hub is not None else (None, [])
        if copy is not None and dataset.hub is not None:
            return _filtered(_hub_source(dataset.hub, copy), dataset)
        seen = f"; not taken for it: {', '.join(refused[:6])}" if refused else ""
        if dataset.hub is None or dataset.local is not None:
            patterns = ", ".join(dataset.local.files) if dataset.local else ""
            raise DataError(
                f"task {task}: no file that matches {patterns} in {data_dir / task} or {data_dir}{seen}",
                remedy="put the benchmark's files there in their own layout (mmeval tasks show names it)",
            )
        return _filtered(_hub_source(dataset.hub, None, f"{data_dir} has no copy{seen}"), dataset)
    if dataset.hub is None:
        patterns = ", ".join(dataset.local.files) if dataset.local else ""
        raise DataError(
            f"task {task} reads local files ({patterns})", remedy="add --data-dir DIR with the benchmark's files"
        )
    return _filtered(_hub_source(dataset.hub, None), dataset)


def find_local_files(local: LocalSource, task: str, data_dir: Path) -> list[Path]:
    """Return the files of the first pattern that matches below DIR/<task> or DIR, sorted by path."""
    folders = [data_dir / task, data_dir / task.rsplit("/", 1)[-1], data_dir]
    for folder in dict.fromkeys(folders):
        for pattern in local.files:
            matches = sorted(path for path in folder.glob(pattern) if path.is_file())
            if matches:
                return matches
    return []


def _local_source(files: Sequence[Path], local: LocalSource) -> Source:
    def rows() -> Iterator[Row]:
        position = 0
        for path in files:
            root = (path.parent / local.image_root).resolve()
            for number, values in enumerate(read_rows(path), 1):
                yield Row(position, values, f"{path}, row {number}", root)
                position += 1

    total = None
    if all(path.suffix.lower() == ".parquet" for path in files):
        total = sum(_parquet_length(path) for path in files)
    described = [{"file": path.name, "bytes": path.stat().st_size} for path in files]
    return Source({"kind": "local", "files": described[:50], "file_count": len(files)}, rows, total)


def _parquet_length(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


@dataclass(frozen=True, slots=True)
class _Copy:
    """A hub data set on disk."""

    folder: Path
    files: tuple[Path, ...] = ()
    """The parquet files of the split; none leaves it to `datasets` to find them in the folder."""


def _hub_copy(hub: HubSource, task: str, data_dir: Path, columns: Collection[str]) -> tuple[_Copy | None, list[str]]:
    """Find the copy of a hub data set: a folder of its name, or files that fit. Also say why files beside it do not."""
    for folder in (data_dir / hub.id, data_dir / hub.id.rsplit("/", 1)[-1], data_dir / task):
        if folder.is_dir() and any(folder.rglob("*.parquet")):
            return _Copy(folder), []
    # Not any depth: the folder may hold other data sets in folders of their own.
    patterns = ["*.parquet", "data/*.parquet", *([f"{hub.config}/*.parquet"] if hub.config else [])]
    files = sorted({path for pattern in patterns for path in data_dir.glob(pattern) if path.is_file()})
    fitting: dict[bool, list[Path]] = {True: [], False: []}
    refused: list[str] = []
    split = re.split(r"[\[+%]", hub.split)[0]
    for path in files:
        name = str(path.relative_to(data_dir))
        named = any(_has_word(name, word) for word in _SPLIT_WORDS.get(split, (split,)))
        try:
            present = set(_parquet_columns(path))
        except DataError:
            refused.append(f"{name} (not a readable parquet file)")
            continue
        missing = sorted({column for column in columns if not {column, column.split(".")[0]} & present})
        if missing:
            refused.append(f"{name} (no column {', '.join(missing[:4])})")
        elif named or (columns and not any(_has_word(name, word) for words in _SPLIT_WORDS.values() for word in words)):
            fitting[named].append(path)
        else:
            refused.append(f"{name} (not of split {split!r})")
    chosen = fitting[True] or fitting[False]
    return (_Copy(data_dir, tuple(chosen)) if chosen else None), refused


def _has_word(name: str, word: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(word.lower())}(?![a-z])", name.lower()) is not None


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [str(name) for name in pq.read_schema(path).names]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error


def _hub_source(hub: HubSource, copy: _Copy | None, note: str = "") -> Source:
    """Open through `datasets`, with images left as encoded bytes and no remote code."""
    import datasets

    revision = hub.revision if copy is None else None
    try:
        if copy is not None and copy.files:
            # A slice of the split (test[:10]) is cut from all of its files.
            files = {re.split(r"[\[+%]", hub.split)[0]: [str(path) for path in copy.files]}
            loaded = datasets.load_dataset("parquet", data_files=files, split=hub.split, streaming=True)
        else:
            path = hub.id if copy is None else str(copy.folder)
            loaded = datasets.load_dataset(path, hub.config, split=hub.split, revision=revision, streaming=True)
    except Exception as error:  # `datasets` raises many kinds for a hub that cannot be reached
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"data set {hub.id} ({hub.split}) cannot be loaded: {reason}{f' ({note})' if note else ''}",
            remedy="connect to the hub once (it is cached), or add --data-dir DIR with a copy of the data set",
        ) from error
    loaded = _undecoded(loaded, datasets)
    root = None if copy is None else copy.folder.resolve()

    def rows() -> Iterator[Row]:
        position = -1
        try:
            for position, values in enumerate(loaded):
                yield Row(position, values, f"{hub.id}[{hub.split}], row {position}", root)
        except (GeneratorExit, MmevalError):
            raise
        except Exception as error:  # as above: a connection that breaks off, a damaged file
            raise DataError(
                f"data set {hub.id} ({hub.split}) cannot be read after row {position}: {type(error).__name__}: {error}",
                remedy="run the same command again, or add --data-dir DIR with a copy of the data set",
            ) from error

    total = None
    if loaded.info.splits and hub.split in loaded.info.splits:
        total = loaded.info.splits[hub.split].num_examples or None
    return Source(
        {"kind": "hub", "id": hub.id, "config": hub.config, "split": hub.split, "revision": revision}, rows, total
    )


def _undecoded(loaded: Any, datasets: Any) -> Any:
    """Leave images encoded: the original bytes go to the engine, and decoding is the harness's own, validated step."""
    plain = datasets.Image(decode=False)
    for name, feature in (loaded.features or {}).items():
        inner = getattr(feature, "feature", None)  # of Sequence, and of List since datasets 4
        if isinstance(feature, datasets.Image):
            loaded = loaded.cast_column(name, plain)
        elif isinstance(inner, datasets.Image):
            loaded = loaded.cast_column(name, type(feature)(plain))
        elif isinstance(feature, list) and isinstance(feature[0], datasets.Image):
            loaded = loaded.cast_column(name, [plain])
    return loaded


def _filtered(source: Source, dataset: Dataset) -> Source:
    if not dataset.where:
        return source

    def rows() -> Iterator[Row]:
        for row in source.rows():
            for column, values in dataset.where.items():
                if column not in row.values:
                    raise missing_column(column, row, "dataset.where")
                if row.values[column] not in values:
                    break
            else:
                yield row

    return Source(source.describe, rows, None)
