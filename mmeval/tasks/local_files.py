"""Data sets that lie on disk in files: where they are looked for, and their rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.file_hashes import hash_files, sample_hash
from mmeval.tasks.card import HubSource, LocalSource
from mmeval.tasks.class_lists import LAYOUT as CLASS_LIST
from mmeval.tasks.class_lists import class_rows
from mmeval.tasks.clip_lists import LISTS, listed_rows
from mmeval.tasks.corpora import corpus_row
from mmeval.tasks.data import DELIMITED, Row, Source, read_rows, unreadable
from mmeval.tasks.delimited import DelimitedFile, ImageOwners
from mmeval.tasks.detection_files import DETECTION_LAYOUTS, detection_rows
from mmeval.tasks.episode_files import LAYOUT as EPISODES
from mmeval.tasks.episode_files import episode_rows
from mmeval.tasks.hub_copies import named_folders
from mmeval.tasks.moment_lists import LAYOUT as MOMENT_LIST
from mmeval.tasks.moment_lists import moment_rows

PLACE_COLUMNS = ("_file", "_folder")
"""Columns that rows of JSON and parquet files get: some data sets tell their rows apart by the file or folder alone."""
GLANCED_TOGETHER = 256
"""Rows of some columns alone that are read before the file is looked at again."""
READ_WHOLE = 256 << 20
"""Bytes up to which the hash of a file is made of all of it; the first request of a run waits for it."""


def find_local_files(local: LocalSource, task: str, data_dir: Path | None, hub: HubSource | None = None) -> list[Path]:
    """Return the files of the first pattern that matches, sorted by path.

    Looked in are, below DIR, the folders of the task's name and of its hub data set's, then DIR, then the card's own folder.

    An absolute path is that file alone. A TSV that a pattern names in full may also lie in the LMUData folder.

    Raises:
        DataError: when $LMUData names no folder.
    """
    named = [Path(pattern) for pattern in local.files if Path(pattern).is_absolute()]
    if named:
        return [path for path in named if path.is_file()][:1]
    folders = [*named_folders(data_dir, task, hub), data_dir] if data_dir is not None else []
    folders += [Path(local.folder)] if local.folder else []
    for folder in dict.fromkeys(folders):
        for pattern in local.files:
            matches = sorted(path for path in folder.glob(pattern) if path.is_file())
            if matches:
                return matches
    tables = [name for name in local.files if name.lower().endswith(".tsv") and not set(name) & set("*?[")]
    common = lmu_folder() if tables else None
    return [common / name for name in tables if (common / name).is_file()][:1] if common is not None else []


def lmu_folder() -> Path | None:
    """Return the folder in which VLMEvalKit keeps its data sets: $LMUData, or ~/LMUData where that is there.

    Raises:
        DataError: when $LMUData names no folder.
    """
    named = os.environ.get("LMUData")  # noqa: SIM112 (VLMEvalKit's own spelling)
    if named:
        if not Path(named).is_dir():
            raise DataError(f"$LMUData names {named}: no such folder", remedy="set LMUData to the folder, or unset it")
        return Path(named)
    usual = Path.home() / "LMUData"
    return usual if usual.is_dir() else None


Cells = tuple[dict[str, Any] | DataError, Callable[[str], Any] | None]
"""The cells of one row, or why they cannot be read; and what reads those of them that stayed in the file."""


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reads the files of a card, each by its layout or its kind."""

    local: LocalSource
    delimited: Mapping[Path, DelimitedFile]
    owners: dict[Path, ImageOwners] = field(default_factory=dict)
    """Of the delimited files whose rows may show the picture of another row."""

    def rows(
        self, path: Path, wanted: Container[int] | None, first: int, columns: Collection[str] | None
    ) -> Iterator[Cells]:
        """Yield the rows of a file; `first` is the number of its first row in the data set."""
        layout = self.local.layout
        if layout == "coco" or layout == "coco-classes" or layout == "odgt" or layout == "uavdt":
            with unreadable(path):
                yield from (({"_file": path.name, **values}, None) for values in detection_rows(layout, path))
            return
        if layout == "lrw-1000" or layout == "transcript-list":
            root = (path.parent / self.local.image_root).resolve()
            yield from ((values, None) for values in listed_rows(layout, path, root))  # bad lines are DataErrors
            return
        if layout == CLASS_LIST:
            yield from ((values, None) for values in class_rows(path))
            return
        if layout in (MOMENT_LIST, EPISODES):
            rows = moment_rows(path) if layout == MOMENT_LIST else episode_rows(path)
            yield from ((values, None) for values in rows)
            return
        if layout is not None:
            try:
                yield corpus_row(layout, path), None
            except DataError as error:
                yield error, None
            return
        if path not in self.delimited:
            place = dict(zip(PLACE_COLUMNS, (path.name, path.parent.name), strict=True))
            for values in read_rows(path, wanted=wanted, first=first, columns=columns):
                yield from (({**place, **entry}, None) for entry in _listed(values, self.local.rows, path))
            return
        with unreadable(path):
            for number, values in enumerate(self.delimited[path].rows()):
                if number == 0 and path not in self.owners and ImageOwners.has_columns(values):
                    self.owners[path] = ImageOwners(self.delimited[path])
                owner = self.owners.get(path)
                if owner is not None:
                    owner.note(number, values)
                yield values, None if owner is None else owner.cell


def local_source(files: Sequence[Path], local: LocalSource, data_dir: Path | None = None) -> Source:
    """Open files as one data set; encoded images of CSV and TSV files stay there until they are needed.

    Args:
        files: their paths.
        local: the card's section.
        data_dir: where relative image paths may lie too, as beside the file itself.

    Raises:
        DataError: when a file is not the one that the card was made for, or a parquet file is damaged.
    """
    stamps = {path: _stamp(path) for path in files}  # before the content is looked at
    delimited = {path: DelimitedFile(path, stored=True) for path in files if path.suffix.lower() in DELIMITED}
    reader = _FileReader(local, delimited)
    shared = (data_dir.resolve(),) if data_dir is not None else ()

    def rows(wanted: Container[int] | None = None, columns: Collection[str] | None = None) -> Iterator[Row]:
        position = 0
        for path in files:
            root = (path.parent / local.image_root).resolve()
            near = (root, path.parent.resolve(), *shared)
            others = tuple(
                other for other in dict.fromkeys((*near, *(one / "images" for one in near))) if other != root
            )
            # Rows without their pictures are small: looking at the file after each of them would take longer than reading it.
            together = 1 if columns is None else GLANCED_TOGETHER
            found = unchanged(path, reader.rows(path, wanted, position, columns), together)
            for number, (values, owner) in enumerate(found):
                place = f"{path}, row {number + 1}"
                if isinstance(values, DataError):
                    named = {"id": f"{path.parent.name}/{path.name}, row {number + 1}"}
                    yield Row(position, named, place, root, others, owner, values)
                else:
                    yield Row(position, values, place, root, others, owner)
                position += 1

    def unchanged(path: Path, found: Iterator[Cells], together: int) -> Iterator[Cells]:
        """The rows of a file, none of them read after somebody has changed it; so many are read before the file is looked at."""
        while True:
            try:
                batch = list(islice(found, together))
            except DataError as error:
                _refuse_changed(path, stamps[path], error)
                raise
            _refuse_changed(path, stamps[path])
            if not batch:
                return
            yield from batch

    _check_content(files, local)
    listed = {*DETECTION_LAYOUTS, *LISTS, CLASS_LIST, MOMENT_LIST, EPISODES}
    total = len(files) if local.layout is not None and local.layout not in listed else None
    if all(path.suffix.lower() == ".parquet" for path in files):
        total = sum(_parquet_length(path) for path in files)
    described: list[dict[str, Any]] = [{"file": path.name, "bytes": path.stat().st_size} for path in files]
    described[0].update(_content(local))
    columnar = local.rows is None and any(path.suffix.lower() == ".parquet" for path in files)
    return Source(
        {"kind": "local", "files": described[:50], "file_count": len(files)},
        rows,
        total,
        glance=rows if columnar else None,
    )


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What another content of a file would change; None where there is no such file."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _refuse_changed(path: Path, stamp: tuple[int, ...] | None, cause: DataError | None = None) -> None:
    if stamp is not None and _stamp(path) != stamp:
        raise DataError(
            f"{path} was changed while the run read it; rows of two contents must not be mixed",
            remedy="run the same command again when the file is at rest; what was answered before is in the cache",
        ) from cause


def _listed(values: dict[str, Any], key: str | None, path: Path) -> list[dict[str, Any]]:
    """Return the rows that an object holds under a key; the object itself where the card names none."""
    if key is None:
        return [values]
    found = values.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise DataError(
            f"{path}: no list of objects {key!r}", remedy="use the benchmark's own file (dataset.local.rows)"
        )
    return found


def _content(local: LocalSource) -> dict[str, str]:
    """What the card says of the content of its one file."""
    return {name: value for name in _HASHES if (value := getattr(local, name)) is not None}


def _check_content(files: Sequence[Path], local: LocalSource) -> None:
    for name, expected in _content(local).items():
        if len(files) > 1:
            raise DataError(
                f"dataset.local.{name} is of one file, and {len(files)} match {', '.join(local.files)}",
                remedy=f"name the file in full in dataset.local.files, or remove dataset.local.{name}",
            )
        found = _HASHES[name](files[0])
        if found != expected:
            raise DataError(
                f"{files[0]}: its content is not the one that the card was made for"
                f" ({name} {found[:12]}…, dataset.local.{name} is {expected[:12]}…)",
                remedy="use the original file, or make the card anew (for a run of `-t file:`, leave --config out)",
            )


def file_content(path: Path) -> dict[str, str]:
    """Return the key of `dataset.local` that pins the content of a file: of a large one, a hash that does not read all of it.

    Raises:
        DataError: when it cannot be read.
    """
    with unreadable(path):
        name = "sha256" if path.stat().st_size <= READ_WHOLE else "sampled_sha256"
    return {name: _HASHES[name](path)}


def file_sha256(path: Path) -> str:
    """Return the hash of a data file.

    Raises:
        DataError: when it cannot be read.
    """
    with unreadable(path):
        return hash_files({"": path})[""]


def _sampled(path: Path) -> str:
    with unreadable(path):
        return sample_hash(path)


_HASHES: Mapping[str, Callable[[Path], str]] = {"sha256": file_sha256, "sampled_sha256": _sampled}


def _parquet_length(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error
