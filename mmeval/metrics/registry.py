"""Metrics by name."""

from __future__ import annotations

import re
from collections.abc import Callable

from mmeval.core.errors import unknown
from mmeval.metrics.summary import Estimate, Metric, Rows, collect, summarise

_NAMED: dict[str, Callable[[], Metric]] = {
    "accuracy": lambda: Metric("accuracy", "correct"),
    "mean": lambda: Metric("mean", "score", bounds=None),
    "mra": lambda: Metric("mra", "scores", key="mra"),
    "iou": lambda: Metric("iou", "scores", key="iou"),
}
_FORMS = ("iou@T", "mean:SCORE", "pass@K")
_IOU_AT = re.compile(r"iou@(0?\.[0-9]+|1(?:\.0)?)")
_PASS_AT = re.compile(r"pass@([1-9][0-9]{0,3})")
_MEAN_OF = re.compile(r"mean:(\S+)")


def get_metric(name: str) -> Metric:
    """Return the metric `name`.

    `accuracy` (share of right answers), `mean` (mean primary score), `mean:SCORE` (mean of a named score), `mra`
    (Mean Relative Accuracy), `iou` (mean IoU), `iou@T` (share with IoU >= T), `pass@K` (unbiased, from repeats).

    Raises:
        UsageError: when there is no such metric.
    """
    if name in _NAMED:
        return _NAMED[name]()
    if (found := _IOU_AT.fullmatch(name)) and float(found.group(1)) > 0:
        return Metric(name, "scores", key="iou", threshold=float(found.group(1)))
    if found := _PASS_AT.fullmatch(name):
        return Metric(name, "correct", k=int(found.group(1)))
    if found := _MEAN_OF.fullmatch(name):
        return Metric(name, "scores", key=found.group(1), bounds=None)
    raise unknown("metric", name, list_metrics())


def list_metrics() -> list[str]:
    """Return the names and forms of all metrics."""
    return [*_NAMED, *_FORMS]


def estimate(metric: str, rows: Rows, level: float = 0.95) -> Estimate:
    """Return a metric over rows of the results table (of one model, task and condition).

    Args:
        metric: its name.
        rows: a sequence of rows, or a mapping of columns.
        level: confidence level of the interval.

    Raises:
        UsageError: for an unknown metric.
        DataError: when the rows lack what the metric needs.
    """
    chosen = get_metric(metric)
    return summarise(chosen, collect(chosen, rows), level)
