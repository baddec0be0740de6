"""Scores beyond guessing, for samples with any number of options."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import Interval, Labels, MeanEstimate, cluster_mean, wilson


def chance_corrected(
    scores: npt.ArrayLike,
    chance: npt.ArrayLike,
    *,
    clusters: Labels | None = None,
    pooled: bool = False,
    level: float = 0.95,
) -> MeanEstimate:
    """Return the score beyond guessing: 0 for a guesser, 1 for all right, negative below chance.

    By sample, mean of (score - chance) / (1 - chance): it estimates the share of samples known, whatever their numbers
    of options. Pooled, (mean score - mean chance) / (1 - mean chance), with a delta-method error: samples with many
    options weigh more, and the interval is narrower. The interval is Student's t on CR1, or, where samples do not
    differ, the Wilson interval of the raw score moved to this scale (without a standard error).

    Args:
        scores: in [0, 1], shape (n,).
        chance: expected score of a guess, 1 / number of options (0 for free answers), one value or shape (n,).
        clusters: cluster label of each sample; None takes them as independent.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when lengths differ, or a value is out of range.
    """
    data = np.asarray(scores, dtype=np.float64).ravel()
    given = np.asarray(chance, dtype=np.float64).ravel()
    if given.size not in (1, data.size):
        raise ValueError(f"{data.size} scores but {given.size} chances")
    guess = np.broadcast_to(given, data.shape)
    if not bool(np.all((data >= 0) & (data <= 1))) or not bool(np.all((guess >= 0) & (guess < 1))):
        raise ValueError("scores must lie in [0, 1] and chance in [0, 1)")
    labels: Labels = range(data.size) if clusters is None else clusters
    if data.size == 0:
        return cluster_mean(data, labels, level)
    shift = float(guess.mean())
    lowest = -shift / (1 - shift) if pooled else -float(np.mean(guess / (1 - guess)))
    if pooled:
        estimate = (float(data.mean()) - shift) / (1 - shift)
        # First-order terms of the ratio: their mean is the estimate, their spread its error.
        terms = estimate + ((data - data.mean()) - (guess - shift) * (1 - estimate)) / (1 - shift)
    else:
        terms = (data - guess) / (1 - guess)
    found = cluster_mean(terms, labels, level)
    assert found.mean is not None
    if found.interval is not None and found.interval.high - found.interval.low > 1e-9:
        interval = found.interval.clip(lowest, 1.0)
        return MeanEstimate(found.mean, found.standard_error, interval, found.n, found.clusters)
    bounds = wilson(min(1.0, float(data.mean())) * found.clusters, found.clusters, level)
    assert bounds is not None
    low, high = ((bound - shift) / (1 - shift) for bound in (bounds.low, bounds.high))
    interval = Interval(min(low, found.mean), max(high, found.mean), level, "wilson of the raw score, corrected")
    return MeanEstimate(found.mean, None, interval, found.n, found.clusters)
