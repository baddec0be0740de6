"""`run.json`: what was asked of whom, with which versions, and what came of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mmeval import __version__
from mmeval.core.errors import DataError
from mmeval.core.files import create

SCHEMA_VERSION = 1
SEARCHING = ": pages come from the retriever at "
"""Between tasks and address, in the note of a run whose tasks search."""
RunStatus = Literal["running", "complete", "incomplete", "interrupted"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Served(_Record):
    """A model and the engine that served it."""

    name: str
    """The name in the results table."""
    spec: str
    """What the command line said."""
    engine: str
    engine_version: str
    identity: dict[str, Any]
    identity_digest: str
    shared_identity: bool


class ModelRecord(_Served):
    """One model of the run (`-m`), addressed as `RUN#name`."""

    details: dict[str, Any] = Field(default_factory=dict)
    profile: dict[str, Any] = Field(default_factory=dict)
    admission: dict[str, Any] = Field(default_factory=dict)
    """How many requests (`slots`) and tokens were in flight at most; of endpoints also how that adapted, and why."""


class JudgeRecord(_Served):
    """The judge of the run (`--judge`), what it cost, and how it went."""

    cards: dict[str, str]
    """Judge card -> digest of its prompt, schema and decoding."""
    summary: dict[str, Any] = Field(default_factory=dict)
    """rows, calls, cached, repaired, faults, prompt_tokens, completion_tokens, seconds, agreement."""


class TaskRecord(_Record):
    """One task under one protocol, with the digests that decide whether two numbers compare."""

    name: str
    protocol: str
    family: str
    title: str
    items_digest: str | None
    """Of the item hashes in the run; None until every sample was seen."""
    ask_digest: str
    """Of prompt, media settings, decoding and all conditions."""
    asked: dict[str, str] = Field(default_factory=dict)
    """Condition -> the same digest with that condition alone: runs with other sets of conditions compare on the common ones."""
    score_digest: str
    """Of parser, verifier, judge and metric with their versions."""
    judge: dict[str, Any] | None = None
    """Judge steps and the judge's identity, where a judge takes part in the scoring."""
    metrics: list[str]
    """Metric names; the first is the primary one."""
    chance: float | None = None
    """The primary metric of the best blind guess, where it is known exactly."""
    subset_columns: list[str] = Field(default_factory=list)
    group_columns: list[str] = Field(default_factory=list)
    """Columns by which metrics group rows and nothing is broken down; their labels stand in the rows' `subsets` too."""
    samples: int
    """Samples in this run (after `--limit`)."""
    available: int | None
    """Samples in the data set before `--limit`, where known."""
    expected: int | None = None
    """Samples in the whole data set, as the card has it; None where it does not say."""
    changed: list[str] = Field(default_factory=list)
    """Keys of decoding (and `prompt`) that the run set otherwise than the protocol."""
    limit: float | int | None = None
    sampling: dict[str, Any] = Field(default_factory=dict)
    """Decoding as asked for, every field (the seed is one per request); empty for imported predictions and older runs."""

    @field_validator("sampling")
    @classmethod
    def _numbers_and_stops(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            if name != "stop" and value is not None and not isinstance(value, (int, float)):
                raise ValueError(f"{name}: a number is expected")
        return values

    dataset: dict[str, Any] = Field(default_factory=dict)
    published: list[dict[str, Any]] = Field(default_factory=list)
    """Published numbers with the protocol they belong to."""
    citation: str = ""
    licence: str = ""
    status: str = "verified"
    card: dict[str, Any] | None = None
    """The card, where it was made from a data file (`-t file:PATH`)."""

    def asked_alike(self, other: TaskRecord) -> bool:
        """Whether both were asked in the same way under every condition that both have."""
        common = self.asked.keys() & other.asked.keys()
        if self.ask_digest == other.ask_digest or not common:
            return self.ask_digest == other.ask_digest
        return all(self.asked[name] == other.asked[name] for name in common)


class MemberRecord(_Record):
    """One task in a number over several."""

    task: str
    protocol: str
    metric: str


class AggregateRecord(_Record):
    """A number over several tasks that a suite declares: the unweighted mean of its members."""

    name: str
    suite: str
    members: list[MemberRecord]
    shared: bool = False
    """Whether clusters of the same name in different tasks are the same."""


class PartRecord(_Record):
    """What a shard's part of one task was cut out of."""

    task: str
    protocol: str
    samples: int
    """Of all shards together."""
    digest: str
    """Of all clusters and their sizes; the shards of one run have the same."""


class ShardRecord(_Record):
    """Set when the run is one shard of a larger one (`--shard I/N`)."""

    index: int
    """From 1."""
    count: int
    whole_digest: str
    """`config_digest` of the run without `--shard`."""
    parts: list[PartRecord]
    """In the order of the tasks."""


class MergedRecord(_Record):
    """One run that `mmeval merge` joined into this one."""

    name: str
    run_id: str
    shard: str | None
    """`I/N`."""
    created: str
    finished: str | None
    command: list[str]
    seconds: float | None
    hardware: dict[str, Any]


_LISTS = ("models", "tasks", "base_urls", "conditions", "task_paths")
_MAPPINGS = ("file_tasks", "sampling", "engine_args")
"""Keys of `config` by the form in which every reader expects them."""


class Manifest(_Record):
    """The manifest of one run folder."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    """Random; scopes the cached answers of endpoints whose weights are unknown."""
    name: str
    status: RunStatus
    created: str
    """ISO 8601, UTC."""
    finished: str | None = None
    command: list[str]
    """Argument vector with secrets removed."""
    config: dict[str, Any]
    """The resolved configuration; `mmeval run --config run.json` repeats the run."""

    @field_validator("config")
    @classmethod
    def _lists_and_mappings(cls, values: dict[str, Any]) -> dict[str, Any]:
        for kind, word, names in ((list, "a list", _LISTS), (dict, "a mapping", _MAPPINGS)):
            for name in names:
                if not isinstance(values.get(name, kind()), kind):
                    raise ValueError(f"{name}: {word} is expected")
        return values

    config_digest: str
    """Of the part of `config` that is identity, not transport."""
    versions: dict[str, str]
    hardware: dict[str, Any]
    git: dict[str, Any] | None = None
    seeds: dict[str, int]
    models: list[ModelRecord]
    judge: JudgeRecord | None = None
    tasks: list[TaskRecord]
    aggregates: list[AggregateRecord] = Field(default_factory=list)
    """Numbers over several tasks whose members are all in the run."""
    conditions: list[str]
    repeats: int = 1
    counts: dict[str, int] = Field(default_factory=dict)
    """Rows by outcome, plus `asked` (model calls made), `cached` (answers taken from the cache), `missing` (not asked)."""
    timings: dict[str, float] = Field(default_factory=dict)
    """Seconds: `total`, and what else was measured."""
    trace: dict[str, Any] | None = None
    """Summary of the trace (`--trace`): spans by kind, how busy each model was, how late the event loop."""
    shard: ShardRecord | None = None
    """Of which larger run this is a part; such a run is `incomplete` even when all its rows are there."""
    merged: list[MergedRecord] = Field(default_factory=list)
    """The runs that this one was joined from."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know: limits, refused fields, fallbacks."""


_AGAIN = "repeat the run with the same command (answers stay in the cache)"


class TornManifestError(DataError):
    """A `run.json` that is no JSON object: nothing can be learnt from it."""


def read_manifest(folder: Path) -> Manifest:
    """Read `run.json` of a run folder.

    Raises:
        TornManifestError: when it is no JSON.
        DataError: when the folder has none, or it does not follow the schema.
    """
    path = folder / "run.json"
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is no ordinary file", remedy="move it away and repeat the run with the same command")
    try:
        raw = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is not a run folder (no run.json)", remedy="give a folder that `mmeval run -o` wrote"
        ) from error
    except NotADirectoryError as error:
        raise DataError(
            f"{folder} is a file, not a run folder", remedy="give a folder that `mmeval run -o` wrote"
        ) from error
    except orjson.JSONDecodeError as error:
        raise TornManifestError(f"cannot read {path}: {error}", remedy=_AGAIN) from error
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", remedy="check the file and its permissions"
        ) from error
    if not isinstance(raw, dict):
        raise TornManifestError(f"{path} holds no JSON object", remedy=_AGAIN)
    version = raw.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version is {version!r}, this mmeval reads {SCHEMA_VERSION}",
            remedy="use the mmeval version that wrote the run, or repeat the run",
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        versions = raw.get("versions")
        writer = str(versions.get("mmeval", "")) if isinstance(versions, dict) else ""
        if first["type"] == "extra_forbidden" and writer and writer != __version__:
            raise DataError(
                f"{path}: key {key} is not known here: the run was written by mmeval {writer}, this is {__version__}",
                remedy=f"use mmeval {writer}, or repeat the run with this one",
            ) from error
        raise DataError(f"{path}: key {key}: {first['msg']}", remedy="repeat the run with the same command") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `run.json` so that a crash leaves either the old or the new file."""
    path = folder / "run.json"
    temporary = folder / "run.json.new"
    data = orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    with create(temporary) as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
