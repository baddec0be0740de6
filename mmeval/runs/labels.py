"""`labels.parquet`: what judges and people say of the rows of a run beside right and wrong, one row per source."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import DataError, StorageError
from mmeval.core.files import create
from mmeval.core.hashing import digest
from mmeval.runs.folder import Run, stream_batches

if TYPE_CHECKING:
    import pyarrow as pa

HUMAN = "human"
"""Source of labels that people gave."""
ANNOTATIONS = "perception-annotations"
"""Judge card whose labels are facts about a picture, read out of a reference solution: they are of no answer."""
ERROR_KINDS = (
    "perception",
    "question_misread",
    "knowledge",
    "reasoning",
    "calculation",
    "inconsistency",
    "no_answer",
    "label_suspect",
    "none",
)
"""Kinds of error in the order in which they are listed; `perception/count` and the like count as `perception`."""
FILE = "labels.parquet"
KEY = ("model", "task", "protocol", "condition", "sample_id", "repeat")
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})


@dataclass(frozen=True, slots=True)
class Label:
    """One label of one row."""

    model: str
    task: str
    protocol: str
    condition: str
    sample_id: str
    repeat: int
    source: str
    """The judge card, or `human`."""
    label: str | None = None
    """In words: a kind of error."""
    value: float | None = None
    """A share or grade in [0, 1]."""
    perceived: float | None = None
    """Whether the picture was perceived, as people say it: 1, 0."""
    details: str | None = None
    """JSON: steps, further labels."""
    reason: str | None = None
    judge_model: str | None = None
    card_digest: str | None = None
    status: str = "ok"
    """`ok`, or `fault` where the judge gave no verdict; such rows have no label."""
    response_hash: str | None = None
    """Of the text that was labelled: the response as the run holds it."""

    @property
    def key(self) -> tuple[str, str, str, str, str, int]:
        """The row of the results table."""
        return self.model, self.task, self.protocol, self.condition, self.sample_id, self.repeat


def labels_schema() -> pa.Schema:
    """Columns of `labels.parquet`."""
    import pyarrow as pa

    kinds = {"repeat": pa.int32(), "value": pa.float64(), "perceived": pa.float64()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in Label.__dataclass_fields__])


def read_labels_table(run: Run) -> list[Label]:
    """Return the labels of the models in view; none where the run has no such file.

    Raises:
        DataError: when the file is damaged.
    """
    path = run.path / FILE
    if not path.exists():
        return []
    try:
        found = [Label(**row) for batch in stream_batches(path) for row in batch.to_pylist()]
    except TypeError as error:
        raise DataError(
            f"{path}: not the columns of a table of labels",
            remedy="delete it and label the run again; verdicts come from the cache",
        ) from error
    return [label for label in found if run.model is None or label.model == run.model]


def write_labels_table(run: Run, labels: Iterable[Label]) -> None:
    """Add labels to the run; those of the same row and source (and judge) are replaced. Written whole or not at all.

    A judge that gives no verdict this time takes nothing away: its earlier label of the same text stays.

    Raises:
        StorageError: when the file cannot be written; the older one stays.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    everything = Run(run.path, run.manifest)
    merged: dict[tuple[Any, ...], Label] = {}
    for label in (*read_labels_table(everything), *labels):
        place = (label.key, label.source, label.judge_model)
        before = merged.get(place)
        kept = before is not None and before.status == "ok" and before.response_hash == label.response_hash
        if label.status == "ok" or not kept:
            merged[place] = label
    columns = {name: [getattr(label, name) for label in merged.values()] for name in Label.__dataclass_fields__}
    path = run.path / FILE
    temporary = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        with create(temporary) as handle:
            pq.write_table(
                pa.table(columns, schema=labels_schema()), handle, compression="zstd", write_page_checksum=True
            )
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="free some space or make the folder writable, then run the same command again; verdicts come from the cache",
        ) from error


def human_labels(path: Path, run: Run, rater: str | None = None) -> list[Label]:
    """Read people's labels of a run: a CSV with `task`, `id`, and `label` (a kind of error), `perceived` (0 or 1), or both.

    `model`, `protocol`, `condition` (standard) and `repeat` (0) may be given; a row that is not in the run is refused.

    Args:
        path: the file.
        run: the run that was labelled.
        rater: who labelled, where several people did; each keeps labels of their own.

    Raises:
        DataError: naming file, line and column.
    """
    known = _rows(run)
    kinds = {*ERROR_KINDS, *(kind_of(one.label or "") for one in read_labels_table(run) if one.source != HUMAN)}
    unknown_kind = ""
    found: dict[tuple[Any, ...], Label] = {}
    for number, row in _lines(path):
        place = f"{path}, line {number}"
        made = _human_label(row, run, rater, place)
        if made is None:
            continue
        if made.key not in known:
            raise DataError(
                f"{place}: the run has no answer of {made.model} to task {made.task!r}, id {made.sample_id!r} ({made.condition}, repeat {made.repeat})",
                remedy="labels belong to answers of this run; correct the row or label the run that holds it",
            )
        if made.key in found:
            raise DataError(
                f"{place}: task {made.task!r}, id {made.sample_id!r} is labelled twice", remedy="keep one of the two"
            )
        if made.label and kind_of(made.label) not in kinds:
            unknown_kind = unknown_kind or f"{place}: column label: {made.label!r} is no kind of error"
        found[made.key] = replace(made, response_hash=known[made.key])
    if not found:
        raise DataError(f"{path}: no label", remedy="fill the column label or perceived")
    if unknown_kind:
        raise DataError(unknown_kind, remedy=f"write one of {', '.join(sorted(kinds - {''}))}, perhaps with /more")
    return list(found.values())


def _human_label(row: Mapping[str, str | None], run: Run, rater: str | None, place: str) -> Label | None:
    """Return the label of one line, without the response's hash; None for a line that was not filled in."""
    label, seen = (row.get("label") or "").strip(), (row.get("perceived") or "").strip().lower()
    if not label and not seen:
        return None
    if seen and seen not in _TRUE | _FALSE:
        raise DataError(
            f"{place}: column perceived: {seen!r} is neither 0 nor 1", remedy="write 0 or 1, or leave it empty"
        )
    task = row["task"] or ""
    first = next((record.protocol for record in run.manifest.tasks if record.name == task), "")
    model = row.get("model") or (run.models[0] if len(run.models) == 1 else "")
    if not model:
        raise DataError(
            f"{place}: the run holds {len(run.models)} models", remedy="add a column model, or name RUN#MODEL"
        )
    repeat = (row.get("repeat") or "0").strip()
    if not repeat.isdecimal():
        raise DataError(f"{place}: column repeat: {repeat!r} is no whole number", remedy="count repeats from 0")
    return Label(
        model, task, row.get("protocol") or first, row.get("condition") or "standard", row["id"] or "", int(repeat), HUMAN,
        label=label or None, perceived=None if not seen else float(seen in _TRUE), judge_model=rater,
    )  # fmt: skip


def kind_of(label: str) -> str:
    """The kind of an error label, without its subkind."""
    return label.partition("/")[0]


def _rows(run: Run) -> dict[tuple[Any, ...], str]:
    """The rows of a run -> digest of the response."""
    frame = run.results([*KEY, "response"])
    keys = frame[list(KEY)].itertuples(index=False, name=None)
    return {key: digest(text or "") for key, text in zip(keys, frame["response"], strict=True)}


def _lines(path: Path) -> Iterable[tuple[int, Mapping[str, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names: Sequence[str] = reader.fieldnames or ()
            missing = sorted({"task", "id"} - set(names)) or ([] if {"label", "perceived"} & set(names) else ["label"])
            if missing:
                raise DataError(
                    f"{path}: column {missing[0]!r} is missing",
                    remedy="the columns are task, id, and label or perceived",
                )
            yield from enumerate(reader, 2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"cannot read {path}: {error}", remedy="give a UTF-8 CSV with task, id, label, perceived"
        ) from error
