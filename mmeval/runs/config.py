"""The resolved configuration of `mmeval run`, and which of its keys are identity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mmeval.core.errors import UsageError, nearest
from mmeval.core.hashing import digest
from mmeval.core.yaml_files import read_yaml
from mmeval.engines.base import RaySettings
from mmeval.tasks.file_selector import is_file_selector, selector_name
from mmeval.tasks.limit import LARGEST, parse_limit
from mmeval.tasks.sharding import parse_shard


class RunConfig(BaseModel):
    """Everything that `mmeval run` was told. Command line, `--config` file and defaults end here."""

    model_config = ConfigDict(extra="forbid")

    models: list[str] = Field(default_factory=list)
    tasks: list[str] = Field(default_factory=list)
    columns: list[str] = Field(default_factory=list)
    """`ROLE=COLUMN` for the data files of `-t file:PATH`; what is found ends in `file_tasks`."""
    answer_kind: str | None = None
    answer_form: str | None = None
    file_tasks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The card of each data file, by its selector."""
    output: str | None = None
    conditions: list[str] = Field(default_factory=lambda: ["standard"], min_length=1)
    repeats: int | None = Field(default=None, ge=1)
    limit: float | int | None = None
    shard: str | None = None
    """`I/N`: only this part of the samples; `mmeval merge` joins the parts."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    sampling: dict[str, Any] = Field(default_factory=dict)
    engine_args: dict[str, Any] = Field(default_factory=dict)
    base_urls: list[str] = Field(default_factory=list)
    concurrency: int | None = Field(default=None, ge=1)
    data_dir: str | None = None
    task_paths: list[str] = Field(default_factory=list)
    cache: str | None = None
    engine_python: str | None = None
    tensor_parallel: int | None = Field(default=None, ge=1)
    data_parallel: int | None = Field(default=None, ge=1)
    workers: Literal["local", "ray"] = "local"
    """Where managed workers run: on this machine, or as replicas on a Ray cluster."""
    ray_address: str | None = None
    replicas: int | Literal["auto"] | None = None
    """Copies of a model on Ray; `auto`, the default, fills the cluster and what joins it."""
    replica_cpus: int | None = Field(default=None, ge=1)
    model_id: str | None = None
    revision: str | None = None
    profile: str | None = None
    prompt_file: str | None = None
    prompt: str | None = None
    """Text of the prompt file, so that the manifest repeats the run without it."""
    media: bool = True
    timeout_s: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    attempts: int = Field(default=5, ge=1)
    outage_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    """How long an endpoint that fails again and again is waited for before the rest is not asked."""
    allow_errors: float = Field(default=0.0, ge=0, le=1)
    """Share of rows that may end in error or unscored before the exit code is 6."""
    trust_remote_code: bool = False
    retriever: str | None = None
    """Address of the retriever that tasks with a search ask."""
    judge: str | None = None
    """Model that judges what the rules leave open, written like a model."""
    judge_model_id: str | None = None
    judge_engine_args: dict[str, Any] = Field(default_factory=dict)
    judge_base_urls: list[str] = Field(default_factory=list)
    judge_engine_python: str | None = None
    judge_concurrency: int | None = Field(default=None, ge=1)
    judge_repeats: int = Field(default=1, ge=1)
    """Verdicts per row; the majority counts, for grades the mean."""
    judge_swap: bool = False
    """Also ask with the two answers in the other order, where a judge card shows two."""

    @field_validator("output", "data_dir", "cache", "engine_python", "prompt_file", mode="before")
    @classmethod
    def _no_zero_bytes(cls, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{value!r} holds a zero byte, which no path may")
        return value

    @field_validator("sampling")
    @classmethod
    def _known_sampling(cls, values: dict[str, Any]) -> dict[str, Any]:
        from mmeval.pipeline.plan import check_sampling

        return check_sampling(values)

    @field_validator("shard")
    @classmethod
    def _part_of_the_whole(cls, value: str | None) -> str | None:
        return None if value is None else str(parse_shard(value))

    @field_validator("replicas")
    @classmethod
    def _at_least_one(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and value < 1:
            raise ValueError("a number of at least 1, or auto, is expected")
        return value

    @field_validator("limit", mode="before")
    @classmethod
    def _count_or_share(cls, value: Any) -> Any:
        if isinstance(value, str):  # a file may hold what the command line takes
            try:
                return parse_limit(value.strip())
            except ValueError as error:
                raise ValueError(f"{value!r} is no limit: a count like 200, or a share like 0.1 or 10%") from error
        count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST
        share = isinstance(value, float) and 0 < value <= 1
        if value is not None and not count and not share:
            raise ValueError("a count of at least 1, or a share above 0 and at most 1 (0.1), is expected")
        return value


IDENTITY_KEYS = frozenset(
    {
        "models", "tasks", "file_tasks", "conditions", "repeats", "limit", "shard", "seed", "sampling", "engine_args",
        "model_id", "revision", "profile", "prompt", "trust_remote_code", "retriever",
        "judge", "judge_model_id", "judge_engine_args", "judge_repeats", "judge_swap",
    }
)  # fmt: skip
"""Keys that decide what is asked and how it is scored; another value is another run."""

TRANSPORT_KEYS = frozenset(
    {
        "output", "base_urls", "concurrency", "data_dir", "task_paths", "cache", "engine_python", "prompt_file",
        "tensor_parallel", "data_parallel", "workers", "ray_address", "replicas", "replica_cpus", "columns", "answer_kind", "answer_form",
        "media", "timeout_s",
        "outage_s", "attempts", "allow_errors", "judge_base_urls", "judge_engine_python", "judge_concurrency",
    }
)  # fmt: skip
"""Keys that only say where things are and how hard to try. Data behind `data_dir` and cards behind `task_paths` enter by content, what `columns` says by `file_tasks`."""


def ray_settings(config: RunConfig) -> RaySettings | None:
    """Where replicas run, None for workers on this machine.

    Raises:
        UsageError: an option of replicas without them.
    """
    if config.workers != "ray":
        for name in ("ray_address", "replicas", "replica_cpus"):
            if getattr(config, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} needs --workers ray", remedy="add --workers ray")
        return None
    replicas = config.replicas if isinstance(config.replicas, int) else None
    return RaySettings(config.ray_address, replicas, config.replica_cpus, config.outage_s)


def config_digest(config: RunConfig) -> str:
    """Digest of the identity keys. A shard is another run than the whole, and its requests are the same."""
    found = config.model_dump(include=set(IDENTITY_KEYS), mode="json")
    if config.shard is None:
        del found["shard"]
    return digest(found)


def default_output(config: RunConfig) -> Path:
    """The run folder when `-o` is not given: the same command finds the same folder, so it resumes."""
    short = "+".join(model.rstrip("/").replace(":", "/").rsplit("/", 1)[-1] for model in config.models)
    model = re.sub(r"[^A-Za-z0-9._+-]+", "-", short)[:40].strip("-.+") or "run"
    names = [selector_name(task) if is_file_selector(task) else task for task in config.tasks]
    task = re.sub(r"[^A-Za-z0-9._-]+", "-", "+".join(names))[:40].strip("-.") or "tasks"
    whole = config_digest(config.model_copy(update={"shard": None}))[:8]
    part = "" if config.shard is None else f"-shard-{config.shard.replace('/', '-of-')}"
    return Path("runs") / f"{model}_{task}_{whole}{part}"


def read_config(path: Path) -> dict[str, Any]:
    """Read and check a `--config` YAML or JSON file, or the `config` of a `run.json`.

    Raises:
        UsageError: naming file, line (YAML) and key: unreadable, a key that is unknown or given twice, a value of the wrong kind.
    """
    lines: dict[str, int] = {}
    if path.suffix == ".json":
        try:
            data = path.read_bytes()
            raw = orjson.loads(data)
        except OSError as error:
            raise UsageError(f"cannot read --config {path}: {error.strerror}", remedy="check the path") from error
        except orjson.JSONDecodeError as error:
            raise UsageError(f"--config {path}: not JSON: {error}", remedy="correct the file") from error
        json.loads(data, object_pairs_hook=lambda pairs: _once(path, pairs))
    else:
        raw = read_yaml(path)
        lines = _yaml_lines(path)
    if isinstance(raw, dict) and "schema_version" in raw and isinstance(raw.get("config"), dict):
        raw = {key: value for key, value in raw["config"].items() if key != "output"}
    if not isinstance(raw, dict):
        raise UsageError(f"--config {path}: a mapping of options is expected", remedy="docs/run.md lists the keys")
    try:
        orjson.dumps(raw, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        raise UsageError(
            f"--config {path}: the options cannot be written as JSON: {error}",
            remedy="a run records its options as JSON; remove anchors that contain themselves",
        ) from error
    for key in raw:
        if key not in RunConfig.model_fields:
            close = nearest(str(key), RunConfig.model_fields)
            raise UsageError(
                f"--config {path}{_line(lines, key)}: unknown key {key!r}",
                remedy=f"did you mean {' or '.join(close)}?" if close else "docs/run.md lists the keys",
            )
    for key, value in raw.items():
        try:
            RunConfig.model_validate({key: value})
        except ValidationError as error:
            where, what = _first_problem(error)
            raise UsageError(
                f"--config {path}{_line(lines, key)}: key {where}: {what}", remedy="docs/run.md describes every key"
            ) from error
        except UsageError as error:
            raise UsageError(
                f"--config {path}{_line(lines, key)}: key {key}: {error.message}", remedy=error.remedy
            ) from error
    return raw


def build_config(values: dict[str, Any]) -> RunConfig:
    """Validate the merged options.

    Raises:
        UsageError: naming the key and what it takes.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        key, what = _first_problem(error)
        raise UsageError(
            f"configuration key {key}: {what}", remedy="`mmeval run --help` describes every option"
        ) from error


def _first_problem(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    what = first["msg"]
    if first["type"] == "list_type" and isinstance(first["input"], (str, int, float)):
        what = f"a list is expected, e.g. [{first['input']}]"
    return ".".join(str(part) for part in first["loc"]), what


def _line(lines: Mapping[str, int], key: object) -> str:
    return f", line {lines[str(key)]}" if str(key) in lines else ""


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UsageError(f"--config {path}: key {key!r} is given twice", remedy="keep one of the two")
        found[key] = value
    return found


def _yaml_lines(path: Path) -> dict[str, int]:
    """Line of every key of the outermost mapping."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(root, yaml.MappingNode):
        return {}
    return {key.value: key.start_mark.line + 1 for key, _ in root.value if isinstance(key, yaml.ScalarNode)}
