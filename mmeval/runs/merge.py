"""Carrying out `mmeval merge`: several run folders of one configuration become the folder that a single run would have written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, StorageError, UsageError
from mmeval.core.hashing import digest
from mmeval.core.types import OUTCOMES
from mmeval.runs.aggregates import aggregate_records
from mmeval.runs.config import RunConfig, build_config, config_digest
from mmeval.runs.folder import Run, link_media, stream_batches
from mmeval.runs.joining import JoinTally, Part, Places, join_table
from mmeval.runs.labels import FILE as LABELS
from mmeval.runs.labels import labels_schema
from mmeval.runs.manifest import AggregateRecord, JudgeRecord, Manifest, MergedRecord, TaskRecord, write_manifest
from mmeval.runs.merge_checks import Cut, checked
from mmeval.runs.outcome import Outcome
from mmeval.runs.preparing import registry_of
from mmeval.runs.record import now
from mmeval.runs.tables import TableWriter
from mmeval.runs.writer import lock_folder
from mmeval.tasks.aggregates import plan_aggregates
from mmeval.tasks.file_selector import split_selectors

_JUDGE_SUMS = ("rows", "calls", "cached", "repaired", "prompt_tokens", "completion_tokens", "seconds")


def merge_runs(runs: Sequence[Run], folder: Path, command: Sequence[str], overwrite: bool = False) -> Outcome:
    """Join runs into a new run folder. The runs themselves stay as they are.

    Args:
        runs: shards of one run, or runs of one configuration that were cut by models or tasks. Models and tasks come in the
            order in which the runs are named.
        folder: the new run folder.
        command: argument vector for the manifest.
        overwrite: replace a run in the folder.

    Raises:
        UsageError: the folder is one of the runs, or holds a run.
        ComparisonError: the runs do not belong together, or hold the same rows.
        IncompleteError: a run is not finished, or a part is missing.
        DataError: a table is damaged.
        StorageError: the folder cannot be written.
    """
    began = time.monotonic()
    if any(folder.resolve() == run.path.resolve() for run in runs):
        raise UsageError(f"-o {folder} is one of the runs", remedy="give another folder; the runs stay as they are")
    if (folder / "run.json").exists() and not overwrite:
        raise UsageError(f"{folder} holds a run already", remedy="give another folder with -o, or add --overwrite")
    cut = checked(sorted(runs, key=_shard_index))
    config = _config(cut, folder)
    places = Places(
        [record.name for record in cut.models],
        [(record.name, record.protocol) for record in cut.tasks],
        runs[0].manifest.conditions,
    )
    parts = [Part(run.path, run.models, run.manifest.shard is not None) for run in cut.runs]
    tally = JoinTally(len(cut.models))
    lock = lock_folder(folder)
    try:
        (folder / "run.json").unlink(missing_ok=True)  # a folder without it is no run, should this be cut short
        (folder / "report.html").unlink(missing_ok=True)
        join_table("results", parts, places, folder, tally)
        _check_counts(cut, tally)
        join_table("samples", parts, places, folder)
        join_table("calls", parts, places, folder)
        _join_labels(cut.runs, folder)
        for run in cut.runs:
            link_media(run.path, folder)
        manifest = _manifest(cut, config, folder, tally, command, time.monotonic() - began)
        write_manifest(folder, manifest)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}",
            remedy="free some space or give another folder with -o, then run the same command again",
        ) from error
    finally:
        lock.close()
    broken = tally.outcomes["error"] + tally.outcomes["unscored"]
    allowed = config.allow_errors * sum(tally.outcomes.values())
    return Outcome(folder, manifest, 6 if broken > allowed else 0, tally.reasons.counts(), tally.at_fault)


def _shard_index(run: Run) -> int:
    return run.manifest.shard.index if run.manifest.shard is not None else 0


def _config(cut: Cut, folder: Path) -> RunConfig:
    """The configuration of the run as a whole."""
    first = cut.runs[0].manifest.config
    specs = {record.name: record.spec for record in cut.models}
    tasks = list(dict.fromkeys(task for run in cut.runs for task in run.manifest.config.get("tasks", [])))
    files: dict[str, Any] = {}
    for run in cut.runs:
        files |= run.manifest.config.get("file_tasks", {})
    together = {
        "models": list(specs.values()),
        "tasks": tasks,
        "file_tasks": files,
        "base_urls": _union(run.manifest.config.get("base_urls", []) for run in cut.runs),
        "output": str(folder),
        "shard": None,
    }
    config = build_config({**first, **together})
    for run in cut.runs:
        shard = run.manifest.shard
        if shard is None:
            continue
        own = build_config({**run.manifest.config, "shard": None})
        if config_digest(own) != shard.whole_digest:
            raise DataError(
                f"{run.path / 'run.json'}: its configuration and its digest do not fit together",
                remedy="repeat the shard with the same command and --overwrite",
            )
    return config


def _union(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(entry for one in lists for entry in one))


def _check_counts(cut: Cut, tally: JoinTally) -> None:
    """Every model has every sample of every task.

    Raises:
        DataError: where the tables hold fewer or more rows than the manifests say.
    """
    shard = cut.runs[0].manifest.shard
    whole = {} if shard is None else {(part.task, part.protocol): part.samples for part in shard.parts}
    for place, task in enumerate(cut.tasks):
        expected = whole.get((task.name, task.protocol), task.samples)
        for number, model in enumerate(cut.models):
            found = tally.samples[number, place]
            if found != expected:
                raise DataError(
                    f"the tables hold {found} samples of {task.name}@{task.protocol} for model {model.name}, the manifests say {expected}",
                    remedy="run the same `mmeval run` command of each run again to rebuild its tables",
                )


def _join_labels(runs: Sequence[Run], folder: Path) -> None:
    import pyarrow as pa

    schema = labels_schema()
    with TableWriter(folder / LABELS, schema, optional=True) as writer:
        for run in runs:
            path = run.path / LABELS
            for batch in stream_batches(path) if path.exists() else ():
                writer.write(pa.Table.from_batches([batch]).select(schema.names).cast(schema))


def _manifest(
    cut: Cut, config: RunConfig, folder: Path, tally: JoinTally, command: Sequence[str], seconds: float
) -> Manifest:
    manifests = [run.manifest for run in cut.runs]
    first = manifests[0]
    tasks = [
        record.model_copy(update={"items_digest": tally.items_digest(place), "samples": tally.samples[0, place]})
        for place, record in enumerate(cut.tasks)
    ]
    counts: dict[str, int] = {name: tally.outcomes[name] for name in OUTCOMES}
    counts |= {name: sum(one.counts.get(name, 0) for one in manifests) for name in ("asked", "cached", "missing")}
    broken = counts["error"] + counts["unscored"] + counts["missing"]
    spent = [one.timings.get("total", 0.0) for one in manifests]
    versions, differing = _together([one.versions for one in manifests])
    hardware, _ = _together([one.hardware for one in manifests])
    gits = [one.git for one in manifests]
    own_notes = {note for one in manifests for note in one.notes if one.shard is not None and note.startswith("shard ")}
    notes = [note for note in _union(one.notes for one in manifests) if note not in own_notes]
    notes.append(f"merged from {len(manifests)} runs: {_named(manifests)}")
    notes += [f"versions differ between the runs: {name} {versions[name]}" for name in differing]
    if any(git != gits[0] for git in gits):
        notes.append("the runs were started from other git commits (column `merged` of run.json names the runs)")
    return first.model_copy(
        update={
            "run_id": digest([one.run_id for one in manifests])[:16],
            "name": folder.name,
            "status": "incomplete" if broken else "complete",
            "created": min(one.created for one in manifests),
            "finished": now(),
            "command": list(command),
            "config": config.model_dump(mode="json"),
            "config_digest": config_digest(config),
            "versions": versions,
            "hardware": hardware,
            "git": gits[0] if all(git == gits[0] for git in gits) else None,
            "models": list(cut.models),
            "judge": _judge([one.judge for one in manifests]),
            "tasks": tasks,
            "aggregates": _aggregates(manifests, config, tasks),
            "repeats": max(one.repeats for one in manifests),
            "counts": counts,
            "timings": {"total": round(sum(spent), 3), "longest": max(spent), "merge": round(seconds, 3)},
            "shard": None,
            "merged": [entry for one in manifests for entry in _merged(one)],
            "notes": notes,
        }
    )


def _named(manifests: Sequence[Manifest]) -> str:
    names = [one.name for one in manifests]
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:8])} …"


def _together(records: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Values by key, several ones as text; and the keys that have several."""
    found: dict[str, Any] = {}
    differing = []
    for key in _union(list(record) for record in records):
        values = _union([str(record.get(key, "none"))] for record in records)
        if len(values) > 1:
            differing.append(key)
        found[key] = records[0].get(key) if len(values) == 1 else ", ".join(values)
    return found, differing


def _merged(manifest: Manifest) -> list[MergedRecord]:
    if manifest.merged:
        return list(manifest.merged)
    shard = manifest.shard
    return [
        MergedRecord(
            name=manifest.name,
            run_id=manifest.run_id,
            shard=None if shard is None else f"{shard.index}/{shard.count}",
            created=manifest.created,
            finished=manifest.finished,
            command=manifest.command,
            seconds=manifest.timings.get("total"),
            hardware=manifest.hardware,
        )
    ]


def _judge(records: Sequence[JudgeRecord | None]) -> JudgeRecord | None:
    """The judge with the sums of what it cost; how far repeats agreed is known of each run alone."""
    known = [record for record in records if record is not None]
    if not known:
        return None
    summary: dict[str, Any] = {name: sum(one.summary.get(name, 0) for one in known) for name in _JUDGE_SUMS}
    faults: dict[str, int] = {}
    for one in known:
        for reason, count in one.summary.get("faults", {}).items():
            faults[reason] = faults.get(reason, 0) + count
    summary["faults"] = dict(sorted(faults.items(), key=lambda entry: (-entry[1], entry[0]))[:20])
    agreements = [one.summary["agreement"] for one in known if "agreement" in one.summary]
    if agreements:
        summary["agreement_by_run"] = agreements
    return known[0].model_copy(update={"summary": summary})


def _aggregates(manifests: Sequence[Manifest], config: RunConfig, tasks: Sequence[TaskRecord]) -> list[AggregateRecord]:
    """Means over the tasks: those of the runs, and where they were cut by tasks those that a single run would have."""
    found = [entry for one in manifests for entry in one.aggregates]
    if any(len(one.tasks) != len(tasks) for one in manifests):
        primary = {(task.name, task.protocol): task.metrics[0] for task in tasks}
        planned, _ = plan_aggregates(registry_of(config).suites, split_selectors(config.tasks), set(primary))
        found = [*aggregate_records(planned, primary), *found]
    unique: list[AggregateRecord] = []
    for entry in found:
        if entry not in unique:
            unique.append(entry)
    return unique
