"""Opening a card's data set: local files in the benchmark's own layout, a copy of a hub data set, or the hub itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, MmevalError
from mmeval.tasks.beside import with_beside
from mmeval.tasks.card import Dataset, HubSource, LocalSource
from mmeval.tasks.data import Row, Source
from mmeval.tasks.gold import field_value
from mmeval.tasks.hub_copies import HubCopy, find_copy, find_tables, plain_split
from mmeval.tasks.local_files import find_local_files, local_source
from mmeval.tasks.pairs import in_pairs
from mmeval.tasks.plain_cells import plain_cell, plain_rows


def open_dataset(dataset: Dataset, task: str, data_dir: Path | None, columns: Collection[str] = ()) -> Source:
    """Open the rows of a card.

    Local files win over the hub: those below `data_dir`, else those of the card's own folder, else a TSV of that name in
    the LMUData folder. Without them the hub (or its local cache) is asked.

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
    local, hub = dataset.local, dataset.hub
    if local is not None:
        found = find_local_files(local, task, data_dir, hub)
        if found:
            return _filtered(local_source(found, local, data_dir), dataset)
    patterns = ", ".join(local.files) if local is not None else ""
    if data_dir is not None:
        refused: list[str] = []
        if hub is not None:
            copy, refused = find_copy(hub, task, data_dir, columns)
            if copy is not None:
                return _filtered(_hub_source(hub, copy), dataset)
            tables, others = find_tables(hub, task, data_dir, columns)
            if tables:
                files = LocalSource(files=[path.name for path in tables])
                return _filtered(local_source(tables, files, data_dir), dataset)
            refused += others
        seen = f"; not taken for it: {', '.join(refused[:6])}" if refused else ""
        if hub is None or local is not None:
            raise DataError(
                f"task {task}: no file that matches {patterns} in {data_dir / task} or {data_dir}{seen}",
                remedy="put the benchmark's files there in their own layout (mmeval tasks show names it)",
            )
        return _filtered(_hub_source(hub, None, f"{data_dir} has no copy{seen}"), dataset)
    if hub is None:
        where = f" in {local.folder}" if local is not None and local.folder else ""
        raise DataError(
            f"task {task} reads local files ({patterns}){where and f', and there are none{where}'}",
            remedy="add --data-dir DIR with the benchmark's files",
        )
    return _filtered(_hub_source(hub, None), dataset)


def _hub_source(hub: HubSource, copy: HubCopy | None, note: str = "") -> Source:
    """Open through `datasets`, with images left as encoded bytes and no remote code."""
    import datasets

    # `datasets` before 4 asks the user, or an environment variable, whether a data set's own code may run: here it may not.
    datasets.config.HF_DATASETS_TRUST_REMOTE_CODE = False
    revision = hub.revision if copy is None else None
    try:
        builder, loaded = _streamed(hub, copy, revision)
    except Exception as error:  # `datasets` raises many kinds for a hub that cannot be reached
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"data set {hub.id} ({hub.split}) cannot be loaded: {reason}{f' ({note})' if note else ''}",
            remedy="connect to the hub once (it is cached), or add --data-dir DIR with a copy of the data set",
        ) from error
    loaded = _undecoded(loaded, datasets)
    root = None if copy is None else copy.folder.resolve()
    plain = plain_cell if loaded.features is None else plain_rows(loaded.features.arrow_schema)

    def rows() -> Iterator[Row]:
        position = -1
        try:
            for position, values in enumerate(loaded):
                cells = values if plain is None else plain(values)
                yield Row(position, cells, f"{hub.id}[{hub.split}], row {position}", root)
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
    described = {"kind": "hub", "id": hub.id, "config": hub.config, "split": hub.split, "revision": revision}
    commit = _commit(builder) if copy is None else None
    return Source({**described, "commit": commit} if commit else described, rows, total)


def _streamed(hub: HubSource, copy: HubCopy | None, revision: str | None) -> tuple[Any, Any]:
    """The builder and the stream of the split, of the hub or of a copy."""
    import datasets

    if copy is not None and copy.files:
        # A slice of the split (test[:10]) is cut from all of its files.
        files = {plain_split(hub): [str(path) for path in copy.files]}
        if copy.described:
            try:
                builder = datasets.load_dataset_builder(str(copy.folder), hub.config)
                return builder, builder.as_streaming_dataset(split=hub.split)
            except ValueError:  # a README that says nothing of this configuration or split
                pass
        builder = datasets.load_dataset_builder("parquet", data_files=files)
    else:
        path = hub.id if copy is None else str(copy.folder)
        builder = datasets.load_dataset_builder(path, hub.config, revision=revision)
    return builder, builder.as_streaming_dataset(split=hub.split)


def _commit(builder: Any) -> str | None:
    """The commit that the hub's files are read from, which a card that pins no revision does not say."""
    for files in (builder.config.data_files or {}).values():
        for file in files:
            found = re.match(r"hf://datasets/[^@]+@([0-9a-f]{40})/", str(file))
            if found is not None:
                return found.group(1)
    return None


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
    if dataset.beside:
        source = with_beside(source, dataset.beside)
    for column, values in dataset.each.items():
        source = _for_each(source, column, values)
    if dataset.where:
        source = _kept(source, dataset)
    return source if dataset.pairs is None else in_pairs(source, dataset.pairs)


def _kept(source: Source, dataset: Dataset) -> Source:
    """Return the rows that `dataset.where` keeps."""

    def rows() -> Iterator[Row]:
        for row in source.rows():
            for column, values in dataset.where.items():
                if row.problem is None and field_value(column, row, "dataset.where") not in values:
                    break
            else:
                yield row

    return Source(source.describe, rows, None)


def _for_each(source: Source, column: str, values: Sequence[Any]) -> Source:
    """Return a source with a row per value in place of each row."""

    def rows() -> Iterator[Row]:
        for row in source.rows():
            if row.problem is not None:
                yield replace(row, position=row.position * len(values))
                continue
            if column in row.values:
                raise DataError(
                    f"{row.place}: the row has a column {column!r}, which dataset.each would replace",
                    remedy="give dataset.each another name",
                )
            for number, value in enumerate(values):
                yield replace(
                    row,
                    position=row.position * len(values) + number,
                    values={**row.values, column: value},
                    place=f"{row.place}, {column} {value}",
                )

    return Source(source.describe, rows, None if source.total is None else source.total * len(values))
