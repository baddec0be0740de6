"""Conditions that rest on another run: its model describes, this run's model answers from the description alone.

A grid of describers and readers (RACRO, arXiv:2506.04559; Prism, arXiv:2406.14544) is made of such runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from mmeval.conditions.base import Condition, expand_conditions
from mmeval.conditions.strategy import DESCRIBER, description_of
from mmeval.conditions.texts import described_by
from mmeval.core.errors import DataError, UsageError
from mmeval.core.hashing import digest
from mmeval.runs.folder import open_run, stream_batches

DESCRIBED = {"described-by": "two-hop", "captioned-by": "caption"}
"""Prefix -> the condition of the other run whose descriptions are taken: told the question, or not."""


def resolve_conditions(names: Iterable[str]) -> list[Condition]:
    """Return the conditions of a list of names, sets taken apart, each once; `described-by:RUN[#MODEL]` reads that run.

    Raises:
        UsageError: for an unknown name, or a run with several models of which none is named.
        DataError: when the other run is missing, damaged, or has no descriptions.
    """
    found: dict[str, Condition] = {}
    for name in names:
        prefix, colon, address = name.partition(":")
        conditions = [_described(prefix, address)] if colon and prefix in DESCRIBED else expand_conditions([name])
        for condition in conditions:
            before = found.setdefault(condition.name, condition)
            if before.identity != condition.identity:
                raise UsageError(
                    f"two conditions are called {condition.name}: they read different runs of one model",
                    remedy="ask them in two runs",
                )
    return list(found.values())


def _described(prefix: str, address: str) -> Condition:
    run = open_run(address)
    if len(run.models) != 1:
        listed = ", ".join(f"{prefix}:{address}#{model}" for model in run.models)
        raise UsageError(f"{address} holds {len(run.models)} models", remedy=f"name one: {listed}")
    model, source = run.models[0], DESCRIBED[prefix]
    columns = ["model", "task", "condition", "sample_id", "repeat", "role", "status", "response"]
    descriptions: dict[tuple[str, str], str] = {}
    for batch in stream_batches(run.path / "calls.parquet", columns):
        for row in batch.to_pylist():
            own = (row["model"], row["condition"], row["repeat"], row["role"]) == (model, source, 0, DESCRIBER)
            if own and row["status"] == "ok":
                descriptions[row["task"], row["sample_id"]] = description_of(row["response"] or "")
    if not descriptions:
        raise DataError(
            f"{address}: {model} has no descriptions under condition {source}",
            remedy=f"run it with --condition {source} first",
        )
    version = digest(sorted([*key, text] for key, text in descriptions.items()))
    return Condition(f"{prefix}:{model}", version, sample=described_by(descriptions))
