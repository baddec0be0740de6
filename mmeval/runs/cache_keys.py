"""Which answers of a response cache belong to runs: for archives, and for what pruning must keep."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.pipeline.cache import KEPT_STATUS
from mmeval.pipeline.identity import cache_key
from mmeval.runs.folder import Run, stream_batches
from mmeval.runs.manifest import Manifest, read_manifest

_ROW = ("model", "task", "protocol", "condition", "sample_id", "repeat")


def keys_of(run: Run) -> Iterator[tuple[str, ...]]:
    """Yield, for every answer that a run holds (judges' and strategies' too), the keys under which a cache may have it.

    Raises:
        DataError: a table is missing or damaged.
    """
    manifest = run.manifest
    scopes = [None, manifest.run_id, *(entry.run_id for entry in manifest.merged)]
    calls = run.path / "calls.parquet"
    by_strategy: set[bytes] = set()
    """Rows whose answer is that of their calls; their own hash stands for the conversation, and no answer lies under it."""
    if calls.exists():
        for batch in stream_batches(calls, (*_ROW, "turn", "role", "request_hash", "status")):
            for row in batch.to_pylist():
                if run.model is not None and row["model"] != run.model:
                    continue
                if row["turn"] == 0 and row["role"] != "model":
                    by_strategy.add(_place(row))
                if row["status"] in KEPT_STATUS and row["request_hash"]:
                    yield tuple(cache_key(row["request_hash"], scope) for scope in scopes)
    for batch in stream_batches(run.path / "results.parquet", (*_ROW, "request_hash", "status")):
        for row in batch.to_pylist():
            mine = run.model is None or row["model"] == run.model
            if mine and row["status"] in KEPT_STATUS and row["request_hash"] and _place(row) not in by_strategy:
                yield tuple(cache_key(row["request_hash"], scope) for scope in scopes)


def _place(row: dict[str, Any]) -> bytes:
    return hashlib.blake2b(repr([row[name] for name in _ROW]).encode(), digest_size=16).digest()


def unfinished_models(folder: Path) -> dict[str, Path]:
    """Names of models and judges that runs below a folder still have to ask, each with one such run.

    Raises:
        DataError: a manifest there cannot be read.
    """
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        if "run.json" not in files:
            continue
        folders.clear()  # there is no run inside of a run
        path = Path(place)
        try:
            manifest = read_manifest(path)
        except DataError as error:
            raise DataError(
                f"{error.message}; whether this run is finished is not known", remedy="move it away, or add --force"
            ) from error
        if _unfinished(manifest):
            names = [record.name for record in manifest.models]
            names += [manifest.judge.name] if manifest.judge is not None else []
            for name in names:
                found.setdefault(name, path)
    return found


def _unfinished(manifest: Manifest) -> bool:
    open_rows = any(manifest.counts.get(name) for name in ("error", "unscored", "missing"))
    return manifest.status in ("running", "interrupted") or open_rows
