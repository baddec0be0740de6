"""Verdicts to a number and its interval."""

from __future__ import annotations

from mmeval.metrics.registry import estimate, get_metric, list_metrics
from mmeval.metrics.subsets import estimate_subsets
from mmeval.metrics.summary import Estimate, Metric, Scores

__all__ = ["Estimate", "Metric", "Scores", "estimate", "estimate_subsets", "get_metric", "list_metrics"]
