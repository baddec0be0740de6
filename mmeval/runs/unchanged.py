"""Recognising that a run is already there, complete, and would come out the same: then nothing is read or asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.identity import cache_key
from mmeval.runs.folder import Run
from mmeval.runs.manifest import Manifest, read_manifest

_TASK_FIELDS = (
    "name", "protocol", "family", "title", "ask_digest", "score_digest", "metrics", "chance", "subset_columns",
    "group_columns", "limit", "dataset", "published", "citation", "licence", "status",
)  # fmt: skip
_MODEL_FIELDS = ("name", "spec", "engine", "engine_version", "identity_digest", "shared_identity", "profile")
_UNFINISHED = ("error", "unscored", "missing")


def already_there(folder: Path, planned: Manifest, cache: ResponseCache) -> Manifest | None:
    """Return the manifest of a finished run in `folder` that equals what is planned, or None.

    Equal are versions of everything, models and their weights, tasks with prompts, decoding and scoring, conditions,
    repeats and seeds. Only procedural tasks qualify: their items follow from what the manifest holds, while files can
    change under the same path. Every answer must be in the cache, unharmed; a judged run is always looked through.
    """
    if not all((folder / name).is_file() for name in ("run.json", "results.parquet", "samples.parquet")):
        return None
    try:
        earlier = read_manifest(folder)
    except DataError:
        return None
    finished = earlier.status == "complete" and not any(earlier.counts.get(name) for name in _UNFINISHED)
    procedural = all(task.dataset.get("kind") == "synthetic" for task in planned.tasks)
    judged = earlier.judge is not None or planned.judge is not None
    if not finished or judged or not procedural or _facts(earlier) != _facts(planned):
        return None
    return earlier if _all_cached(folder, earlier, cache) else None


def _all_cached(folder: Path, manifest: Manifest, cache: ResponseCache) -> bool:
    scopes = {model.name: None if model.shared_identity else manifest.run_id for model in manifest.models}
    try:
        frame = Run(folder, manifest).results(["model", "request_hash"])
    except DataError:
        return False
    pairs = zip(frame["model"], frame["request_hash"], strict=True)
    return all(asked is None or cache.get(cache_key(asked, scopes[model])) is not None for model, asked in pairs)


def _facts(manifest: Manifest) -> dict[str, Any]:
    known = manifest.model_dump(
        mode="json", include={"config_digest", "versions", "seeds", "conditions", "repeats", "notes"}
    )
    known["models"] = [{name: getattr(model, name) for name in _MODEL_FIELDS} for model in manifest.models]
    known["tasks"] = [task.model_dump(mode="json", include=set(_TASK_FIELDS)) for task in manifest.tasks]
    known["aggregates"] = [one.model_dump(mode="json") for one in manifest.aggregates]
    known["media"] = manifest.config.get("media")
    return known
