"""How often a judge errs, measured on human labels: the numbers behind `mmeval judge calibrate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmeval.analysis.judge_correction import corrections
from mmeval.analysis.judge_labels import Judged, judged_in_file, judged_in_run, label_source, read_labels
from mmeval.analysis.judge_record import (
    CardSource,
    CorrectionMethod,
    Counts,
    Figure,
    JudgeCalibration,
    Quality,
    RunSource,
    figure,
)
from mmeval.analysis.judge_rows import Column, check_grades, judged_rows, members
from mmeval.core.errors import DataError, UsageError
from mmeval.runs.folder import Run
from mmeval.stats.agreement import DEFAULT_PLAN, agreement_report
from mmeval.stats.comparison import compare_paired
from mmeval.stats.correlation import Kind, correlation
from mmeval.stats.intervals import FloatArray
from mmeval.stats.repeats import share
from mmeval.stats.resampling import BootstrapPlan
from mmeval.stats.scores import is_binary
from mmeval.verifiers.judge_files import known_judges, load_judge

ASSUMPTIONS: dict[CorrectionMethod, str] = {
    "ppi": "ppi: holds where the labelled answers are a random sample of the model's answers to the task",
    "rogan-gladen": "rogan-gladen: holds where the judge errs alike on labelled and unlabelled answers that are right, and"
    " on those that are wrong; the estimate is of the answers without a label",
}


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """How to calibrate."""

    tasks: tuple[str, ...] = ()
    """Names of the tasks whose labels count; all when empty."""
    by: tuple[str, ...] = ()
    """Subset columns to break down by; models, tasks and deciding verifiers always are where there are several."""
    column: Column | None = None
    """Of the run; None takes `correct` for labels of 0 and 1 where rows have it, else `score`."""
    correction: CorrectionMethod | None = None
    allow_missing: bool = False
    """Leave out labels that fit no row, are about another response or have no verdict of the judge."""
    plan: BootstrapPlan = DEFAULT_PLAN


def calibrate_judge(name: str, labels_file: Path, run: Run | None, options: CalibrationOptions) -> JudgeCalibration:
    """Measure a judge on human labels and, where asked, correct the scores that rest on it.

    Args:
        name: of the judge.
        labels_file: see `read_labels`.
        run: where the judge's verdicts are; None takes them from the label file's column `judge`.
        options: how.

    Raises:
        DataError: a label file that cannot be used; labels that are all alike.
        ComparisonError: labels that do not fit the run, unless allowed.
        UsageError: no name, unknown tasks or subset columns, too many different grades, options that do not fit.
    """
    if not name.strip():
        raise UsageError("the judge needs a name", remedy="e.g. `mmeval judge calibrate my-judge --labels FILE`")
    card = _card(name)
    labels = read_labels(labels_file)
    place = None
    if run is None:
        if options.column is not None:
            raise UsageError("--column names a column of a run", remedy="add --run RUN, or leave --column out")
        judged, left_out = judged_in_file(labels, options.tasks)
    else:
        where = f"{run.path}#{run.model}" if run.model else str(run.path)
        rows = judged_rows(run, options.tasks)
        wanted = [label for label in labels if not options.tasks or label.task in (None, *options.tasks)]
        judged, place, left_out = judged_in_run(wanted, rows, where, options.column, options.allow_missing)
    labelled = [one for one in judged if one.human is not None]
    human, said = _columns(labelled)
    if bool(np.all(human == human[0])):
        raise DataError(
            f"{labels_file}: all {human.size} human labels that count are {human[0]:g}: how the judge treats other"
            " answers is unknown",
            remedy="label answers of both kinds, right ones and wrong ones",
        )
    check_grades([*human.tolist(), *said.tolist()])
    binary = is_binary(human) and is_binary(said)
    notes = [ASSUMPTIONS[options.correction]] if options.correction else []
    notes += _scale_notes(human, said)
    if card is None:
        notes.append(f"no judge card is named {name}: the calibration does not say which prompt it is about")
    plan = options.plan
    return JudgeCalibration(
        judge=name,
        card=card,
        scale="binary" if binary else "graded",
        column=place,
        level=plan.level,
        resamples=plan.resamples,
        seed=plan.seed,
        labels=label_source(labels_file, labels, left_out),
        run=None if run is None else _source(run, labelled),
        overall=_quality({}, labelled, binary, plan),
        groups=[_quality(group, rows, binary, plan) for group, rows in _groups(labelled, options.by)],
        corrections=corrections(judged, options.correction, plan) if options.correction else [],
        notes=notes,
    )


def _scale_notes(human: FloatArray, said: FloatArray) -> list[str]:
    """Say that one side has grades between 0 and 1 and the other has not."""
    if is_binary(human) == is_binary(said):
        return []
    coarse, fine = ("human labels", "the judge") if is_binary(human) else ("the judge", "human labels")
    return [f"{coarse}: 0 and 1 alone, {fine}: grades between; compared as grades"]


def _source(run: Run, labelled: Sequence[Judged]) -> RunSource:
    decided = Counter(one.decided_by for one in labelled)
    return RunSource(
        name=run.path.name,
        config_digest=run.manifest.config_digest,
        models=run.models,
        decided_by=dict(sorted(decided.items())),
    )


def _card(name: str) -> CardSource | None:
    if name not in known_judges():
        return None
    card = load_judge(name)
    return CardSource(version=card.version, digest=card.digest)


def _columns(rows: Sequence[Judged]) -> tuple[FloatArray, FloatArray]:
    """Human and judge verdicts of labelled answers."""
    human = np.array([one.human for one in rows], dtype=np.float64)
    return human, np.array([one.judge for one in rows], dtype=np.float64)


def _groups(rows: Sequence[Judged], by: Sequence[str]) -> Iterable[tuple[dict[str, str], list[Judged]]]:
    for name in ("model", "task", "condition", "decided_by"):
        parts: dict[str, list[Judged]] = {}
        for one in rows:
            parts.setdefault(getattr(one, name), []).append(one)
        if len(parts) > 1:
            yield from (({name: label or "(not named)"}, parts[label]) for label in sorted(parts))
    for (column, label), positions in members([one.subsets for one in rows], by).items():
        if column != "model":
            yield {column: label}, [rows[position] for position in positions]


def _quality(group: dict[str, str], rows: Sequence[Judged], binary: bool, plan: BootstrapPlan) -> Quality:
    human, said = _columns(rows)
    labels = [one.cluster for one in rows]
    report = agreement_report(
        list(zip(human.tolist(), said.tolist(), strict=True)),
        "nominal" if binary else "interval",
        categories=[0.0, 1.0] if binary else None,
        clusters=labels,
        plan=plan,
    )
    bias = compare_paired(human, said, labels, level=plan.level, seed=plan.seed).difference
    figures = _rates(human, said, labels, plan.level) if binary else _grades(human, said, labels, plan)
    figures += [figure(one.name, one.estimate, one.interval, one.items, one.note) for one in report.coefficients]
    figures.append(figure("bias", bias.estimate, bias.interval, bias.n, bias.note))
    counts = None
    if binary:
        counts = Counts(
            both_right=int(np.sum((human == 1) & (said == 1))),
            judge_only=int(np.sum((human == 0) & (said == 1))),
            human_only=int(np.sum((human == 1) & (said == 0))),
            both_wrong=int(np.sum((human == 0) & (said == 0))),
        )
    return Quality(
        group=group, n=len(rows), clusters=len(set(labels)), counts=counts, figures=figures, note=report.note
    )


def _rates(human: FloatArray, said: FloatArray, labels: Sequence[str], level: float) -> list[Figure]:
    """Sensitivity, specificity and predictive values; independent rows get Wilson intervals."""
    everything = np.ones(human.size, dtype=bool)
    wanted = (
        ("sensitivity", said, human == 1, "no answer that the human calls right"),
        ("specificity", 1 - said, human == 0, "no answer that the human calls wrong"),
        ("ppv", human, said == 1, "no answer that the judge calls right"),
        ("npv", 1 - human, said == 0, "no answer that the judge calls wrong"),
        ("human-rate", human, everything, ""),
        ("judge-rate", said, everything, ""),
    )
    found = []
    for name, values, where, missing in wanted:
        rows = np.flatnonzero(where).tolist()
        one = share(values[rows], [labels[row] for row in rows], level)
        found.append(figure(name, one.estimate, one.interval, one.n, one.note if one.n else missing))
    return found


def _grades(human: FloatArray, said: FloatArray, labels: Sequence[str], plan: BootstrapPlan) -> list[Figure]:
    found = []
    kinds: tuple[Kind, ...] = ("pearson", "spearman")
    for kind in kinds:
        one = correlation(human, said, kind, clusters=labels, plan=plan)
        found.append(figure(kind, one.estimate, one.interval, human.size, one.note))
    distance = share(np.abs(said - human), labels, plan.level)
    found.append(figure("mean-absolute-difference", distance.estimate, distance.interval, human.size, distance.note))
    return found
