"""How often a judge errs, and the share of right answers behind its verdicts.

Rogan-Gladen only needs the judge to err alike on labelled and unlabelled items, so it also holds where the share of
right answers differs between them, unlike `mmeval.stats.debiasing`; but it explodes as sensitivity + specificity
approaches 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmeval.stats.debiasing import DebiasedMean, normal_quantile
from mmeval.stats.intervals import Interval, wilson
from mmeval.stats.scores import is_binary


@dataclass(frozen=True, slots=True)
class JudgeQuality:
    """How often a judge agrees with human verdicts, by what the human said."""

    sensitivity: float | None
    """Share of humanly right answers that the judge calls right; None without any."""
    sensitivity_interval: Interval | None
    specificity: float | None
    """Share of humanly wrong answers that the judge calls wrong; None without any."""
    specificity_interval: Interval | None
    true_positive: int
    positives: int
    """Humanly right answers."""
    true_negative: int
    negatives: int
    """Humanly wrong answers."""


def judge_quality(human: npt.ArrayLike, judge: npt.ArrayLike, level: float = 0.95) -> JudgeQuality:
    """Return a binary judge's sensitivity and specificity with Wilson intervals.

    Args:
        human, judge: verdicts, 0 or 1, shape (n,).

    Raises:
        ValueError: when lengths differ, a verdict is not 0 or 1, or the level is not in (0, 1).
    """
    truth, said = (np.asarray(values, dtype=np.float64).ravel() for values in (human, judge))
    if truth.size != said.size:
        raise ValueError(f"{truth.size} human verdicts but {said.size} of the judge")
    if not (is_binary(truth) and is_binary(said)):
        raise ValueError("verdicts must be 0 or 1")
    right = truth == 1
    positives, negatives = int(right.sum()), int((~right).sum())
    hits, rejections = int(said[right].sum()), int((1 - said[~right]).sum())
    return JudgeQuality(
        hits / positives if positives else None,
        wilson(hits, positives, level),
        rejections / negatives if negatives else None,
        wilson(rejections, negatives, level),
        hits,
        positives,
        rejections,
        negatives,
    )


def rogan_gladen(judged_right: int, judged: int, quality: JudgeQuality, level: float = 0.95) -> DebiasedMean:
    """Return the share of truly right answers behind a judge's verdicts.

    (p + specificity - 1) / (sensitivity + specificity - 1) (Rogan and Gladen 1978), with the smoothed delta-method
    interval of Lee et al. (arXiv 2511.21140), both cut to [0, 1].

    Args:
        judged_right, judged: answers that the judge called right, and all that it judged without a human label.
        quality: the judge on items with human verdicts.

    Raises:
        ValueError: when the counts or the level are out of range.
    """
    z = normal_quantile(level)
    if not 0 <= judged_right <= judged:
        raise ValueError(f"{judged_right} right of {judged} judged answers")
    q0, q1 = quality.specificity, quality.sensitivity
    labelled = quality.positives + quality.negatives
    found = DebiasedMean(None, None, None, "rogan-gladen", None, labelled, judged)
    if judged == 0 or q0 is None or q1 is None:
        missing = "no judged answer" if judged == 0 else "human labels of one kind only"
        return replace(found, note=f"{missing}: undefined")
    everything = Interval(0.0, 1.0, level, "range")
    if not q0 + q1 - 1 > 1e-9:
        return replace(found, interval=everything, note="the judge is no better than chance: nothing can be said")
    share = judged_right / judged
    raw = (share + q0 - 1) / (q0 + q1 - 1)
    estimate = min(1.0, max(0.0, raw))
    notes = ["estimate cut to [0, 1]"] if estimate != raw else []
    n, m0, m1 = judged + z * z, quality.negatives + 2, quality.positives + 2
    p, s0, s1 = (judged_right + z * z / 2) / n, (quality.true_negative + 1) / m0, (quality.true_positive + 1) / m1
    youden = s0 + s1 - 1
    if not youden > 1e-9:
        notes.append("too few labels to tell the judge from chance")
        return replace(found, estimate=estimate, interval=everything, note="; ".join(notes))
    theta = (p + s0 - 1) / youden
    noise0, noise1 = s0 * (1 - s0) / m0, s1 * (1 - s1) / m1
    shift = 2 * z * z * (theta * noise1 - (1 - theta) * noise0)
    error = math.sqrt(p * (1 - p) / n + (1 - theta) ** 2 * noise0 + theta * theta * noise1) / youden
    center = theta + shift
    interval = Interval(center - z * error, center + z * error, level, "rogan-gladen-smoothed").clip(0.0, 1.0)
    # Smoothing may push a limit past an estimate at the edge of the range.
    interval = replace(interval, low=min(interval.low, estimate), high=max(interval.high, estimate))
    return replace(found, estimate=estimate, standard_error=error, interval=interval, note="; ".join(notes))
