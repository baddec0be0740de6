"""Scores that rest on a judge, corrected for its errors with human labels of a part of the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmeval.analysis.judge_labels import Judged
from mmeval.analysis.judge_record import Correction, CorrectionMethod, figure
from mmeval.core.errors import UsageError
from mmeval.stats.debiasing import DebiasedMean, JudgedSample, ppi_mean
from mmeval.stats.intervals import FloatArray, Interval, cluster_mean
from mmeval.stats.judge_errors import judge_quality, rogan_gladen
from mmeval.stats.repeats import share
from mmeval.stats.resampling import BootstrapPlan, Design, bootstrap_weights
from mmeval.stats.scores import is_binary

UNLIKE = 3.0
"""Standard errors by which the judge's mean on labelled answers may differ from that on the others without a word."""


def corrections(judged: Sequence[Judged], method: CorrectionMethod, plan: BootstrapPlan) -> list[Correction]:
    """Correct the mean verdict of every model on every task.

    The judge's errors are taken from that model's labelled answers to that task alone, because judges err differently
    from model to model.

    Args:
        judged: all answers with a verdict of the judge, in [0, 1].
        method: `ppi` (PPI++), or `rogan-gladen` for verdicts of 0 and 1.
        plan: level; resamples and seed where clusters call for a bootstrap.

    Raises:
        UsageError: Rogan-Gladen on grades.
    """
    parts: dict[tuple[str, str, str, str], list[Judged]] = {}
    for one in judged:
        parts.setdefault((one.model, one.task, one.protocol, one.condition), []).append(one)
    return [_correction(parts[place], method, plan) for place in sorted(parts)]


def _correction(rows: Sequence[Judged], method: CorrectionMethod, plan: BootstrapPlan) -> Correction:
    labelled = [one for one in rows if one.human is not None]
    others = [one for one in rows if one.human is None]
    human = np.array([one.human for one in labelled], dtype=np.float64)
    said = np.array([one.judge for one in labelled], dtype=np.float64)
    alone = np.array([one.judge for one in others], dtype=np.float64)
    clusters = [one.cluster for one in labelled], [one.cluster for one in others]
    sample = JudgedSample(human, said, alone, *clusters)
    found = ppi_mean(sample, level=plan.level) if method == "ppi" else _rogan_gladen(sample, plan)
    raw = share(np.concatenate([said, alone]), [*clusters[0], *clusters[1]], plan.level)
    value, interval = found.estimate, found.interval
    notes = [note for note in (found.note, _unlike(sample)) if note]
    if value is not None and not 0 <= value <= 1:
        value = min(1.0, max(0.0, value))
        notes.append("estimate cut to [0, 1]")
    first = rows[0]
    return Correction(
        model=first.model,
        task=first.task,
        protocol=first.protocol,
        condition=first.condition,
        method=method,
        labelled=len(labelled),
        unlabelled=len(others),
        clusters=len({*clusters[0], *clusters[1]}),
        raw=figure("raw", raw.estimate, raw.interval, raw.n, raw.note),
        corrected=figure(
            found.method,
            value,
            None if interval is None else interval.clip(0.0, 1.0),
            len(rows) if method == "ppi" else len(others),
            "; ".join(notes),
        ),
        weight=found.weight,
    )


def _rogan_gladen(sample: JudgedSample, plan: BootstrapPlan) -> DebiasedMean:
    """Rogan-Gladen with the interval of Lee et al., or a cluster bootstrap where clusters repeat."""
    human, said, alone = sample.arrays
    if not all(is_binary(values) for values in (human, said, alone)):
        raise UsageError(
            "rogan-gladen corrects verdicts of 0 and 1, and these are grades", remedy="use --judge-correction ppi"
        )
    found = rogan_gladen(int(alone.sum()), alone.size, judge_quality(human, said, plan.level), plan.level)
    numbers = sample.cluster_numbers()
    if numbers is None or found.estimate is None:
        return found
    count = int(numbers.max()) + 1

    def corrected(weights: FloatArray) -> float:
        known, other = weights[: human.size], weights[human.size :]
        right, wrong = float(known @ human), float(known @ (1 - human))
        if not (right and wrong and other.sum()):
            return math.nan
        sensitivity, specificity = (
            float(known @ (human * said)) / right,
            float(known @ ((1 - human) * (1 - said))) / wrong,
        )
        youden = sensitivity + specificity - 1
        if not youden > 1e-9:
            return math.nan
        judged = float(other @ alone) / float(other.sum())
        return min(1.0, max(0.0, (judged + specificity - 1) / youden))

    bootstrap = bootstrap_weights(corrected, Design.of(numbers.size, numbers), plan)
    interval = bootstrap.interval()
    note = f"{plan.resamples} resamples, seed {plan.seed}"
    if interval is None:
        interval = Interval(0.0, 1.0, plan.level, "range")
        note += "; resamples do not differ, or the judge is too often no better than chance in them"
    else:
        interval = replace(interval, method=f"rogan-gladen-{bootstrap.method}")
    return replace(
        found,
        interval=interval,
        standard_error=bootstrap.standard_error(),
        clusters=count,
        note="; ".join(part for part in (found.note, note) if part),
    )


def _unlike(sample: JudgedSample) -> str:
    """Say so where the labelled answers are clearly no random sample: the judge itself treats them differently."""
    _, said, alone = sample.arrays
    if not said.size or not alone.size or sample.clusters is None or sample.clusters_unlabelled is None:
        return ""
    known, other = cluster_mean(said, sample.clusters), cluster_mean(alone, sample.clusters_unlabelled)
    if known.mean is None or other.mean is None or known.standard_error is None or other.standard_error is None:
        return ""
    error = math.hypot(known.standard_error, other.standard_error)
    if abs(known.mean - other.mean) <= UNLIKE * error:
        return ""
    return (
        f"the judge's mean is {known.mean:.3f} on the labelled answers and {other.mean:.3f} on the others:"
        " the labelled ones are hardly a random sample"
    )
