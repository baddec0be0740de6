"""Whose answers a run goes on with: the identity of the run that its folder holds."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from mmeval.core.errors import DataError, UsageError
from mmeval.runs.config import RunConfig, config_digest
from mmeval.runs.folder import stream_batches
from mmeval.runs.manifest import TornManifestError, read_manifest

if TYPE_CHECKING:
    from mmeval.runs.preparing import Prepared

_PLACE = ("model", "task", "protocol", "condition")


def run_identity(folder: Path, prepared: Prepared, overwrite: bool) -> tuple[str, str]:
    """The id of the run in a folder, or a new one, and what the reader must know of that (mostly nothing).

    Raises:
        UsageError: when the folder holds a run of another configuration.
        DataError: when it holds one that cannot be read.
    """
    new = secrets.token_hex(8)
    if not (folder / "run.json").exists():
        return new, ""
    try:
        earlier = read_manifest(folder)
    except TornManifestError as error:
        if overwrite or _only_ours(folder, prepared):
            return (
                new,
                f"{error.message}; the run has begun anew in its place (answers of models that are known by their weights stay)",
            )
        raise DataError(error.message, remedy=_replacing()) from error
    except DataError:
        if overwrite:
            return new, ""
        raise
    if earlier.config_digest != config_digest(prepared.config) and not overwrite:
        raise UsageError(
            f"{folder} holds another run (it differs in {_changed(prepared.config, earlier.config) or 'its configuration'})",
            remedy=_replacing(),
        )
    return earlier.run_id, ""


def _replacing() -> str:
    return "give another folder with -o, or add --overwrite (answers stay in the cache either way)"


def _changed(config: RunConfig, earlier: dict[str, object]) -> str:
    now = config.model_dump(mode="json")
    return ", ".join(key for key, value in now.items() if key in earlier and earlier[key] != value)


def _only_ours(folder: Path, prepared: Prepared) -> bool:
    """Whether the table in the folder holds nothing but rows that this run will write; one that cannot be read holds nothing."""
    path = folder / "results.parquet"
    if not path.exists():
        return True
    plan = prepared.plan
    ours = {
        (name, opened.task.name, opened.task.protocol, condition.name)
        for name in prepared.names
        for opened in plan.tasks
        for condition in plan.conditions
    }
    try:
        return all(
            set(zip(*(batch[name].to_pylist() for name in _PLACE), strict=True)) <= ours
            for batch in stream_batches(path, _PLACE)
        )
    except (DataError, KeyError):
        return True
