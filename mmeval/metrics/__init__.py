"""Verdicts to a number and its interval."""

from __future__ import annotations

from mmeval.metrics.definition import Estimate, Metric, Scores, Units
from mmeval.metrics.registry import estimate, get_metric, list_metrics
from mmeval.metrics.subsets import estimate_subsets
from mmeval.metrics.summary import summarise, units_of

__all__ = [
    "Estimate",
    "Metric",
    "Scores",
    "Units",
    "estimate",
    "estimate_subsets",
    "get_metric",
    "list_metrics",
    "summarise",
    "units_of",
]
