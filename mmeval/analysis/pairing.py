"""Two runs to aligned scores: what may be compared, and which items are on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmeval.analysis.paired_scores import PairedScores, aligned_rows
from mmeval.conditions.base import metrics_of
from mmeval.core.errors import ComparisonError, UsageError, unknown
from mmeval.metrics import Metric, get_metric
from mmeval.runs.folder import Run, open_run
from mmeval.runs.manifest import SEARCHING, TaskRecord
from mmeval.runs.rescore import rescored

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "model", "task", "protocol", "condition", "sample_id", "repeat", "cluster", "item_hash", "outcome", "score",
    "correct", "scores", "extracted", "target", "finish_reason", "subsets",
)  # fmt: skip
_ANSWER_COLUMNS = ("response", "status", "error")
"""What scoring again needs besides; answers may be long."""


@dataclass(frozen=True, slots=True)
class PairingOptions:
    """What the user allows."""

    allow_missing: bool = False
    """Compare the items that both sides have, instead of refusing."""
    allow_protocol: bool = False
    """Compare although the questions were asked in different ways."""
    tasks: tuple[str, ...] = ()
    """Names of the tasks to compare; all when empty."""
    metric: str | None = None
    """Metric instead of each card's primary one."""
    task_paths: tuple[str, ...] = ()
    """Folders with further cards, for scoring again."""


@dataclass(frozen=True, slots=True)
class Side:
    """One model of one run."""

    run: Run
    model: str
    label: str
    """Unique name for tables."""


def open_sides(addresses: Sequence[str]) -> list[Side]:
    """Open `RUN` or `RUN#MODEL`, one model each.

    Raises:
        UsageError: a run with several models that names none of them, or one side given twice.
        DataError: no run folder.
    """
    sides = []
    for address in addresses:
        run = open_run(address)
        if len(run.models) != 1:
            listed = ", ".join(f"{address}#{name}" for name in run.models)
            raise UsageError(f"{address} holds {len(run.models)} models", remedy=f"name one: {listed}")
        sides.append((run, run.models[0], str(address)))
    if len({(str(run.path.resolve()), model) for run, model, _ in sides}) < len(sides):
        raise UsageError("the same run and model is given twice", remedy="compare two different runs or models")
    names = [model for _, model, _ in sides]
    return [Side(run, model, model if names.count(model) == 1 else address) for (run, model, address) in sides]


class RowTables:
    """The rows of sides, each read once for all the pairs that it is in."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], pd.DataFrame] = {}

    def of(self, side: Side, answers: bool) -> pd.DataFrame:
        """Return the rows of a side, with the texts of the answers or without.

        Raises:
            DataError: when the table is missing or damaged.
        """
        key = (side.label, answers)
        if key not in self._known:
            frame = side.run.results([*_COLUMNS, *(_ANSWER_COLUMNS if answers else ())])
            self._known[key] = frame[frame["model"] == side.model]
        return self._known[key]


def pair_runs(
    base: Side, candidate: Side, options: PairingOptions, tables: RowTables | None = None
) -> list[PairedScores]:
    """Align everything that two sides have in common.

    Args:
        base, candidate: the two sides.
        options: what is allowed.
        tables: rows read for other pairs of the same sides.

    Raises:
        ComparisonError: other items, another way of asking, rows without a score, nothing in common; each unless allowed.
        UsageError: a task or metric that neither side has.
    """
    common = _common_tasks(base, candidate, options)
    answers = any(record.score_digest != other.score_digest for record, other in common)
    known = tables or RowTables()
    rows = [known.of(side, answers) for side in (base, candidate)]
    found: list[PairedScores] = []
    for record, other in common:
        for condition in dict.fromkeys((*base.run.manifest.conditions, *candidate.run.manifest.conditions)):
            frames = [_select(table, one, condition) for table, one in zip(rows, (record, other), strict=True)]
            if all(frame.empty for frame in frames):
                continue
            if any(frame.empty for frame in frames):
                if options.allow_missing:
                    continue
                side = base if frames[0].empty else candidate
                raise ComparisonError(
                    f"task {record.name}: {side.label} has no rows under condition {condition}",
                    remedy="run that condition too, or add --allow-missing",
                )
            found.append(_pair((base, candidate), (record, other), frames, condition, options))
    if not found:
        raise ComparisonError(
            f"{base.label} and {candidate.label} have no task and condition in common",
            remedy="give two runs of the same tasks",
        )
    return found


def _select(table: pd.DataFrame, record: TaskRecord, condition: str) -> pd.DataFrame:
    chosen = (table["task"] == record.name) & (table["protocol"] == record.protocol) & (table["condition"] == condition)
    return table[chosen]


def _common_tasks(base: Side, candidate: Side, options: PairingOptions) -> list[tuple[TaskRecord, TaskRecord]]:
    ours, theirs = base.run.manifest.tasks, candidate.run.manifest.tasks
    for name in options.tasks:
        if not any(record.name == name for record in (*ours, *theirs)):
            raise unknown("task in these runs", name, sorted({record.name for record in (*ours, *theirs)}))
    wanted = [record for record in ours if not options.tasks or record.name in options.tasks]
    pairs = []
    for record in wanted:
        exact = [o for o in theirs if (o.name, o.protocol) == (record.name, record.protocol)]
        other = exact or [o for o in theirs if o.name == record.name]
        if not other:
            if not options.allow_missing:
                raise ComparisonError(
                    f"task {record.name} is in {base.label} only",
                    remedy="name the tasks with --task, or add --allow-missing",
                )
            continue
        _check_asked(record, other[0], options)
        pairs.append((record, other[0]))
    alone = [
        o.name for o in theirs if all(o.name != r.name for r in ours) and (not options.tasks or o.name in options.tasks)
    ]
    if alone and not options.allow_missing:
        raise ComparisonError(
            f"task {alone[0]} is in {candidate.label} only", remedy="name the tasks with --task, or add --allow-missing"
        )
    return pairs


def _check_asked(record: TaskRecord, other: TaskRecord, options: PairingOptions) -> None:
    if options.allow_protocol:
        return
    if record.protocol != other.protocol:
        raise ComparisonError(
            f"task {record.name}: protocol {record.protocol} on one side, {other.protocol} on the other",
            remedy="run both with the same protocol, or add --allow-protocol",
        )
    if not record.asked_alike(other):
        raise ComparisonError(
            f"task {record.name}: the two runs were asked in different ways (prompt, media or decoding)",
            remedy="compare run.json of both; run both alike, or add --allow-protocol",
        )


def _pair(
    sides: tuple[Side, Side],
    records: tuple[TaskRecord, TaskRecord],
    frames: list[pd.DataFrame],
    condition: str,
    options: PairingOptions,
) -> PairedScores:
    record = records[0]
    again = 0
    if records[0].score_digest != records[1].score_digest:
        frames = [
            rescored(side.run, one, frame, options.task_paths)
            for side, one, frame in zip(sides, records, frames, strict=True)
        ]
        again = sum(len(frame) for frame in frames)
    metric = _metric(record, condition, options)
    hashes = [_by_hash(side, record, frame) for side, frame in zip(sides, frames, strict=True)]
    both = [item for item in hashes[0] if item in hashes[1]]
    union = len(hashes[0].keys() | hashes[1].keys())
    _check_items(sides, record, hashes, len(both), union, options)
    rows = aligned_rows(metric, record, frames, [[known[item] for item in both] for known in hashes])
    units = rows.units()
    covered = rows.covered(units)
    place = record.name if condition == "standard" else f"{record.name} under {condition}"
    _check_scores(sides, place, len(both) - covered, options)
    if not units[0].ids.size:
        raise ComparisonError(f"task {record.name}: no item has a score on both sides", remedy="run both again")
    notes = [
        f"{side.label} is shard {shard.index}/{shard.count} of a larger run: these numbers are of a part of its samples"
        for side in sides
        if (shard := side.run.manifest.shard) is not None
    ]
    notes += _other_retrievers(sides, record)
    if again:
        notes.append(f"{again} rows of both sides were scored again: the runs had been scored in different ways")
    answers, items = rows.lacking(units)
    if answers:
        notes.append(
            f"{answers} answers to {items} items failed or have no verdict: these items count by their other repeats"
        )
    if covered < union:
        notes.append(f"{union - covered} of {union} items are on one side only or have no score there")
    return PairedScores(
        record.name, record.protocol, condition, metric.name, rows, units, covered, union, again, tuple(notes)
    )


def _other_retrievers(sides: tuple[Side, Side], record: TaskRecord) -> list[str]:
    """Say so where a task that searches had its pages from two addresses; what stands behind them nobody knows."""
    told = [note.partition(SEARCHING) for side in sides for note in side.run.manifest.notes if SEARCHING in note]
    urls = {url for names, _, url in told if f"{record.name}@{record.protocol}" in names.split(", ")}
    if len(urls) < 2:
        return []
    return [f"pages came from two retrievers ({', '.join(sorted(urls))}): the difference may be theirs"]


def _metric(record: TaskRecord, condition: str, options: PairingOptions) -> Metric:
    own = metrics_of(condition)
    if own:
        return get_metric(options.metric if options.metric in own else own[0])
    return get_metric(options.metric or record.metrics[0])


def _by_hash(side: Side, record: TaskRecord, frame: pd.DataFrame) -> dict[str, str]:
    """Item hash -> sample id."""
    found: dict[str, str] = {}
    rows = frame.drop_duplicates("sample_id")
    for item, sample in zip(rows["item_hash"], rows["sample_id"], strict=True):
        key = item if isinstance(item, str) and item else f"sample:{sample}"
        if key in found:
            raise ComparisonError(
                f"task {record.name}: samples {found[key]!r} and {sample!r} of {side.label} are the same item",
                remedy="give every item an id of its own",
            )
        found[key] = str(sample)
    return found


def _check_items(
    sides: tuple[Side, Side],
    record: TaskRecord,
    hashes: list[dict[str, str]],
    both: int,
    union: int,
    options: PairingOptions,
) -> None:
    if both == union or (options.allow_missing and both):
        return
    only = [len(mine.keys() - others.keys()) for mine, others in ((hashes[0], hashes[1]), (hashes[1], hashes[0]))]
    changed = sum(1 for name in set(hashes[0].values()) & set(hashes[1].values())) - both
    detail = f"; {changed} of them have the same id but another content" if changed > 0 else ""
    raise ComparisonError(
        f"task {record.name}: the items differ: {only[0]} in {sides[0].label} only, {only[1]} in {sides[1].label} only,"
        f" {both} in both{detail}",
        remedy="run both with the same --limit, --seed and data"
        + (", or add --allow-missing to compare what both have" if both else ""),
    )


def _check_scores(sides: tuple[Side, Side], place: str, missing: int, options: PairingOptions) -> None:
    if missing and not options.allow_missing:
        raise ComparisonError(
            f"task {place}: {missing} items have no score in {sides[0].label} or {sides[1].label}"
            " (error, unscored or unsupported rows)",
            remedy="run the same commands again to complete them (unsupported rows stay so), or add --allow-missing",
        )
