"""Whether runs belong together: one configuration, the same weights and protocols, every part there once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mmeval.core.errors import ComparisonError, IncompleteError, MmevalError, UsageError
from mmeval.runs.config import IDENTITY_KEYS
from mmeval.runs.folder import Run, stream_batches
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord

CUT_BY = frozenset({"models", "tasks", "file_tasks", "shard"})
"""Identity keys by which runs of one configuration may differ: what they were cut by."""
SHOWN = 8
"""Missing parts that a message names."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the runs come to together."""

    runs: Sequence[Run]
    models: Sequence[ModelRecord]
    """In the order of the runs as they were named."""
    tasks: Sequence[TaskRecord]
    shards: int | None
    """Into how many parts samples were cut; None where they were not."""


def checked(runs: Sequence[Run]) -> Cut:
    """Return what the runs come to together.

    Raises:
        UsageError: no runs, or a part of a run by its model.
        ComparisonError: they are of other configurations, protocols, weights or data, or hold the same rows.
        IncompleteError: a run is not finished, or a part is missing.
    """
    if not runs:
        raise UsageError("no run given", remedy="name the run folders that are to be joined")
    for run in runs:
        if run.model is not None:
            raise UsageError(f"{run.path}#{run.model}: runs are merged whole", remedy="leave #MODEL out")
    first = runs[0]
    for run in runs[1:]:
        _same_configuration(first, run)
    models = _models(runs)
    tasks = _tasks(runs)
    shards = _shards(runs)
    _once(runs)
    _finished(runs)
    _complete(runs, models, tasks, shards)
    return Cut(runs, models, tasks, shards)


def _differ(first: Run, second: Run, what: str, remedy: str) -> MmevalError:
    return ComparisonError(f"{first.path} and {second.path} {what}", remedy=remedy)


def _same_configuration(first: Run, run: Run) -> None:
    one, two = first.manifest, run.manifest
    if one.versions.get("mmeval") != two.versions.get("mmeval"):
        what = f"were made by mmeval {one.versions.get('mmeval')} and {two.versions.get('mmeval')}"
        raise _differ(first, run, what, "repeat one of them with the version of the other")
    changed = [key for key in sorted(IDENTITY_KEYS - CUT_BY) if one.config.get(key) != two.config.get(key)]
    if changed:
        values = "; ".join(f"{key}: {one.config.get(key)!r} and {two.config.get(key)!r}" for key in changed)[:500]
        raise _differ(first, run, f"are not of one configuration ({values})", "merge runs of one command only")
    if one.conditions != two.conditions or one.seeds != two.seeds:
        raise _differ(first, run, "have other conditions or seeds", "merge runs of one command only")
    judges = [None if m.judge is None else (m.judge.identity_digest, m.judge.engine_version, m.judge.cards) for m in (one, two)]  # fmt: skip
    if judges[0] != judges[1]:
        raise _differ(first, run, "were judged by other judges, or by other judge cards", "score them alike first")


def _models(runs: Sequence[Run]) -> list[ModelRecord]:
    found: dict[str, tuple[Run, ModelRecord]] = {}
    for run in runs:
        for record in run.manifest.models:
            earlier, known = found.setdefault(record.name, (run, record))
            if known.identity_digest != record.identity_digest:
                what = f"asked other weights (or another endpoint) under the name {record.name}"
                raise _differ(earlier, run, what, "merge runs of one checkpoint; the manifests show both identities")
            if (known.engine, known.engine_version) != (record.engine, record.engine_version):
                what = f"asked {record.name} with {known.engine} {known.engine_version} and {record.engine} {record.engine_version}"
                raise _differ(earlier, run, what, "repeat one of them with the engine of the other")
            if known.profile != record.profile:
                raise _differ(earlier, run, f"asked {record.name} under other profiles", "use one --profile")
    return [record for _, record in found.values()]


def _tasks(runs: Sequence[Run]) -> list[TaskRecord]:
    found: dict[tuple[str, str], tuple[Run, TaskRecord]] = {}
    protocols: dict[str, tuple[Run, set[str]]] = {}
    for run in runs:
        own: dict[str, set[str]] = {}
        for record in run.manifest.tasks:
            own.setdefault(record.name, set()).add(record.protocol)
            earlier, known = found.setdefault((record.name, record.protocol), (run, record))
            label = f"{record.name}@{record.protocol}"
            if known.ask_digest != record.ask_digest:
                what = f"ask {label} differently (prompt, media settings, decoding or condition)"
                raise _differ(earlier, run, what, "repeat one of them with the card and options of the other")
            if known.score_digest != record.score_digest or known.metrics != record.metrics:
                raise _differ(earlier, run, f"score {label} differently", "score both alike: `mmeval score`")
            if known.dataset != record.dataset or known.available != record.available:
                raise _differ(earlier, run, f"read other data for {label}", "use one revision of the data set")
            sharded = run.manifest.shard is not None
            if not sharded and known.items_digest != record.items_digest:
                raise _differ(earlier, run, f"hold other samples of {label}", "use the same data and the same --limit")
        for name, names in own.items():
            before, others = protocols.setdefault(name, (run, names))
            if names != others:
                what = f"hold {name} under other protocols ({', '.join(sorted(others))}; {', '.join(sorted(names))})"
                raise _differ(before, run, what, "merge runs of one protocol")
    return [record for _, record in found.values()]


def _shards(runs: Sequence[Run]) -> int | None:
    first = runs[0]
    parts: dict[tuple[str, str], tuple[Run, Any]] = {}
    for run in runs:
        shard, other = run.manifest.shard, first.manifest.shard
        if (shard is None) != (other is None):
            whole, part = (run, first) if shard is None else (first, run)
            raise ComparisonError(
                f"{whole.path} is a whole run, and {part.path} is a shard", remedy="merge the shards first"
            )
        if shard is None or other is None:
            continue
        if shard.count != other.count:
            what = f"are shards of other cuts ({other.index}/{other.count} and {shard.index}/{shard.count})"
            raise _differ(first, run, what, "merge shards of one N")
        for part_record in shard.parts:
            name = (part_record.task, part_record.protocol)
            earlier, known = parts.setdefault(name, (run, part_record))
            if known != part_record:
                what = f"are shards of other data for {name[0]} ({known.samples} and {part_record.samples} samples)"
                raise _differ(earlier, run, what, "use one revision of the data set and the same --limit")
    return first.manifest.shard.count if first.manifest.shard is not None else None


def _cells(run: Run) -> Iterator[tuple[str, str, str, int]]:
    """(model, task, protocol, shard) of everything that the run holds."""
    manifest = run.manifest
    index = manifest.shard.index if manifest.shard is not None else 1
    for model in manifest.models:
        for task in manifest.tasks:
            yield model.name, task.name, task.protocol, index


def _once(runs: Sequence[Run]) -> None:
    """Refuse two runs that hold the same rows, and say whether their answers agree."""
    seen: dict[tuple[str, str, str, int], Run] = {}
    for run in runs:
        for cell in _cells(run):
            earlier = seen.setdefault(cell, run)
            if earlier is run:
                continue
            shard = run.manifest.shard
            part = "" if shard is None else f"shard {shard.index}/{shard.count} of "
            rows, other = _overlap(earlier, run, cell[:3])
            answers = (
                f"{other} of {rows} rows with different answers" if other else f"{rows} rows with the same answers"
            )
            raise ComparisonError(
                f"{earlier.path} and {run.path} both hold {part}task {cell[1]} of model {cell[0]}: {answers}",
                remedy="leave one of the two out",
            )


def _overlap(first: Run, second: Run, cell: tuple[str, str, str]) -> tuple[int, int]:
    """How many rows of a cell two runs share, and how many of them have other answers."""
    rows = different = 0
    for one, two in zip_longest(_answers(first.path, cell), _answers(second.path, cell)):
        rows += 1
        different += one != two
    return rows, different


def _answers(folder: Path, cell: tuple[str, str, str]) -> Iterator[tuple[Any, ...]]:
    columns = ("model", "task", "protocol", "condition", "sample_id", "repeat", "request_hash", "status", "response")
    for batch in stream_batches(folder / "results.parquet", columns):
        for row in batch.to_pylist():
            values = tuple(row[name] for name in columns)
            if values[:3] == cell:
                yield values


def _finished(runs: Sequence[Run]) -> None:
    open_ = [run for run in runs if _unfinished(run.manifest)]
    if open_:
        named = ", ".join(f"{run.path} ({_unfinished(run.manifest)})" for run in open_[:SHOWN])
        more = f" and {len(open_) - SHOWN} more" if len(open_) > SHOWN else ""
        raise IncompleteError(
            f"{len(open_)} of {len(runs)} runs {'is' if len(open_) == 1 else 'are'} not finished: {named}{more}",
            remedy="run the same command of each again (it resumes), then merge",
        )


def _unfinished(manifest: Manifest) -> str:
    if manifest.status in ("running", "interrupted"):
        return manifest.status
    missing = manifest.counts.get("missing", 0)
    return f"{missing} rows were not asked" if missing else ""


def _complete(
    runs: Sequence[Run], models: Sequence[ModelRecord], tasks: Sequence[TaskRecord], shards: int | None
) -> None:
    there = {cell for run in runs for cell in _cells(run)}
    missing: dict[str, list[str]] = {}
    for model in models:
        for task in tasks:
            numbers = [
                number
                for number in range(1, (shards or 1) + 1)
                if (model.name, task.name, task.protocol, number) not in there
            ]
            if numbers:
                cell = f"model {model.name} on {task.name}@{task.protocol}"
                missing.setdefault(_ranges(numbers), []).append(cell)
    if not missing:
        return
    whole = len(models) * len(tasks)
    texts = []
    for numbers_text, cells in missing.items():
        where = "" if len(cells) == whole else f"{'; '.join(cells[:SHOWN])}{' …' if len(cells) > SHOWN else ''}"
        part = "" if shards is None else f"shard {numbers_text} of {shards}"
        texts.append(", ".join(text for text in (part, where) if text))
    raise IncompleteError(f"missing: {' | '.join(texts)}", remedy="run what is missing, and name its folder too")


def _ranges(numbers: Sequence[int]) -> str:
    """`1, 3-5` of [1, 3, 4, 5]."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
