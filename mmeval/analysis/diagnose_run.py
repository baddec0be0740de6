"""One run's whole diagnosis, as `mmeval diagnose` prints it and the report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_behaviour import behaviour
from mmeval.analysis.diagnose_change import diagnose_against
from mmeval.analysis.diagnose_data import TaskItems
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Diagnosis, wanted
from mmeval.analysis.diagnose_tokens import dependency
from mmeval.runs.folder import Run
from mmeval.runs.labels import FILE

Items: TypeAlias = Mapping[tuple[str, str], TaskItems]
"""(task, protocol) -> the items of one model."""


def holds_diagnosis(run: Run) -> bool:
    """Whether a run has more than one answer per item under the standard condition: conditions, repeats or labels."""
    manifest = run.manifest
    return len(manifest.conditions) > 1 or manifest.repeats > 1 or (run.path / FILE).exists()


def diagnose_run(run: Run, items: Items, options: DiagnoseOptions) -> Diagnosis:
    """Everything that the rows of one model say by themselves.

    Args:
        run: narrowed to one model, or with one.
        items: what `load_items` read of it.
        options: which analyses, and how.
    """
    found = diagnose(items, run.models[0], options)
    told = (one for one in (*behaviour(run), *dependency(run)) if wanted(one.analysis, options))
    skipped = [
        f"task {record.name} ({record.protocol}) has no right and wrong answers under the standard condition and was left out"
        for record in run.manifest.tasks
        if (record.name, record.protocol) not in items
    ]
    return replace(found, findings=(*found.findings, *told), missing=(*found.missing, *skipped))


def diagnose_runs(base: Items, candidate: Items, own: Diagnosis, name: str, options: DiagnoseOptions) -> Diagnosis:
    """A candidate's own diagnosis, and what changed to it from a baseline.

    Args:
        base, candidate: items of both.
        own: what `diagnose_run` said of the candidate.
        name: of the baseline.
        options: which analyses, and how.

    Raises:
        ComparisonError: see `diagnose_against`.
    """
    change = diagnose_against(base, candidate, (name, own.model), options)
    lacking = tuple(dict.fromkeys((*change.missing, *own.missing)))
    return Diagnosis(change.model, change.base, (*own.findings, *change.findings), lacking)
