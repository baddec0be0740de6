"""From the rows of one metric to its number, with interval, n, clusters and coverage."""

from __future__ import annotations

import numpy as np

from mmeval.metrics.definition import Estimate, Metric, Scores, Units
from mmeval.metrics.units import cluster_numbers, sample_units
from mmeval.stats.functionals import FUNCTIONAL_PLAN, estimate_functional
from mmeval.stats.intervals import FloatArray, Interval, cluster_mean, mean_interval, no_spread, wilson
from mmeval.stats.numbering import repeated
from mmeval.stats.resampling import BootstrapPlan
from mmeval.stats.scores import IntArray


def units_of(metric: Metric, scores: Scores) -> Units:
    """Return what the metric's number is made of.

    Raises:
        DataError: when the rows do not have what the metric's form needs.
    """
    return sample_units(metric, scores) if metric.form is None else metric.form.units(metric, scores)


def summarise(metric: Metric, scores: Scores, level: float = 0.95) -> Estimate:
    """Return the metric's value and interval.

    Repeats are averaged per sample or group first (pass@k: estimated per sample). A mean of binary values of one repeat
    whose clusters do not repeat gets the Wilson interval; every other mean Student's t on the CR1 standard error (over
    clusters, or samples where each is its own), cut to the metric's range. Where the clusters of a bounded metric do not
    differ, that interval has no width and says too much: a Wilson interval on as many trials as clusters replaces it, and
    without a range there is none. A single cluster says nothing about others: the interval is the whole range. A metric that
    is no mean gets the interval of the cluster bootstrap (`estimate_functional`), seeded.

    Raises:
        DataError: when the rows do not have what the metric's form needs.
    """
    units = units_of(metric, scores)
    size = int(units.values.size)
    if not size:
        return Estimate(metric.name, None, None, 0, 0, units.coverage, scores.counts, units.kind)
    clusters = units.clusters
    if units.functional is None and np.issubdtype(clusters.dtype, np.integer) and repeated(clusters) is None:
        mean, around = _mean(metric, units, None, level)
        return Estimate(metric.name, mean, around, size, size, units.coverage, scores.counts, units.kind)
    index = cluster_numbers(clusters)
    count = int(index.max()) + 1
    if units.functional is not None:
        plan = BootstrapPlan(FUNCTIONAL_PLAN.resamples, FUNCTIONAL_PLAN.seed, level, FUNCTIONAL_PLAN.method)
        found = estimate_functional(units.functional, index, metric.bounds, plan)
        value, interval = found.value, found.interval
    else:
        value, interval = _mean(metric, units, index, level)
    return Estimate(metric.name, value, interval, size, count, units.coverage, scores.counts, units.kind)


def _mean(metric: Metric, units: Units, index: IntArray | None, level: float) -> tuple[float, Interval | None]:
    """The mean and its interval; without an index every unit is a cluster of its own."""
    values: FloatArray = units.values
    count = values.size if index is None else int(index.max()) + 1
    if units.binary and count == values.size:
        right = int(np.count_nonzero(values == 1.0))
        return right / values.size, wilson(right, values.size, level)
    found = (
        mean_interval(values, level) if index is None or count == values.size else cluster_mean(values, index, level)
    )
    assert found.mean is not None
    if metric.bounds is None:
        return found.mean, None if found.interval is None or no_spread(found.interval) else found.interval
    low, high = metric.bounds
    if found.interval is None or found.interval.high - found.interval.low <= 1e-9 * (high - low):
        if count == 1:
            return found.mean, Interval(low, high, level, "range (one cluster)")
        share = min(max((found.mean - low) / (high - low), 0.0), 1.0)
        wide = wilson(share * count, count, level)
        assert wide is not None
        width = high - low
        return found.mean, Interval(low + wide.low * width, low + wide.high * width, level, "wilson on clusters")
    return found.mean, found.interval.clip(low, high)
