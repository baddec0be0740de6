"""The noise of a model against itself (A/A), below which no margin of a gate makes sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmeval.analysis.gate_policy import OPERATIONAL, Rule
from mmeval.core.errors import DataError, UsageError
from mmeval.stats.repeats import stability, variance_components

if TYPE_CHECKING:
    import pandas as pd

    from mmeval.analysis.gate_data import Source, Target

ALPHA = 0.05


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Noise(_Record):
    """One metric of one task."""

    task: str
    protocol: str
    condition: str
    metric: str
    items: int = Field(ge=1)
    """Items with at least two answers."""
    answers: float = Field(ge=2)
    """Mean answers per item."""
    flip_rate: float = Field(ge=0, le=1)
    """Chance that two answers to one item are scored differently."""
    flip_rate_high: float = Field(ge=0, le=1)
    """Upper 95 % limit of the flip rate."""
    within: float = Field(ge=0, allow_inf_nan=False)
    """Variance of one answer's value around its item's mean."""
    floor: float = Field(ge=0, allow_inf_nan=False)
    """Difference that two runs with one answer per item stay below in 95 % of cases, one-sided."""

    def at(self, n: int, repeats: tuple[int, int], alpha: float = ALPHA) -> float:
        """The noise floor of n items with so many answers each: z sqrt(within (1/k_base + 1/k_candidate) / n)."""
        variance = self.within * (1 / repeats[0] + 1 / repeats[1]) / n
        return NormalDist().inv_cdf(1 - alpha) * math.sqrt(variance)


class Calibration(_Record):
    """The file calibration.json."""

    schema_version: Literal[1] = 1
    model: str
    identity_digest: str
    runs: list[str]
    """Configuration digests of the runs that went in."""
    entries: list[Noise]
    notes: list[str] = Field(default_factory=list)

    def find(self, target: Target) -> Noise | None:
        """The entry of a target's task and metric, over all subsets."""
        wanted = (target.task, target.protocol, target.condition, target.metric)
        return next((e for e in self.entries if (e.task, e.protocol, e.condition, e.metric) == wanted), None)

    def check(self, rule: Rule, target: Target, n: int, repeats: tuple[int, int]) -> list[str]:
        """Refuse a margin below the noise of n items; returns notes.

        Raises:
            UsageError: the margin is smaller than what the model differs from itself.
        """
        entry = self.find(target)
        if entry is None:
            return ["not calibrated: the calibration has no entry for this task and metric"]
        floor = entry.at(n, repeats)
        if rule.tolerance < floor:
            raise UsageError(
                f"rule {rule.id!r}, {target.place}: the margin {rule.tolerance:g} is below the noise of the model against"
                f" itself, {floor:.3g} on {n} items",
                remedy="widen the margin, or run more items or repeats",
            )
        return []


def load_calibration(path: Path) -> Calibration:
    """Read calibration.json.

    Raises:
        DataError: naming file and key.
    """
    try:
        return Calibration.model_validate(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise DataError(
            f"cannot read calibration {path}: {error.strerror}",
            remedy="write it with `mmeval gate --calibrate RUN --out DIR`",
        ) from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy="write it again with `mmeval gate --calibrate`") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path}: key {key}: {first['msg']}", remedy="write it again with `mmeval gate --calibrate`"
        ) from error


def calibrate(sources: Sequence[Source]) -> Calibration:
    """Measure how much a model differs from itself, from the repeats of one run or from independent runs.

    Args:
        sources: one run with repeats, or several runs of the same model.

    Raises:
        UsageError: cached answers, other models or questions, or one answer per item only.
        IncompleteError: a run that has not come to its end.
    """
    for source in sources:
        source.check_finished()
        _check_fresh(source)
    _check_alike(sources)
    first = sources[0]
    entries = [
        noise
        for record in first.records
        for condition in first.side.run.manifest.conditions
        for metric in dict.fromkeys([*record.metrics, *(name for name in OPERATIONAL if name != "flip_rate")])
        if (noise := _noise(sources, record.name, record.protocol, condition, metric)) is not None
    ]
    if not entries:
        raise UsageError(
            f"{first.side.label} has one answer per item: nothing to compare with",
            remedy="run with `--repeats 2` or more, or give a second run of the same model as --baseline",
        )
    notes = [f"not calibrated: {one}" for one in _left_out(first, {(one.task, one.condition) for one in entries})]
    notes += [
        f"{source.side.label}: imported, so that nobody knows whether answers are independent"
        for source in sources
        if not source.side.run.manifest.counts.get("asked")
    ]
    models = [_model(source) for source in sources]
    digests = [source.side.run.manifest.config_digest for source in sources]
    return Calibration(model=models[0][0], identity_digest=models[0][1], runs=digests, entries=entries, notes=notes)


def _check_fresh(source: Source) -> None:
    cached = source.side.run.manifest.counts.get("cached", 0)
    if cached:
        raise UsageError(
            f"{cached} answers of {source.side.label} came from the cache: they say nothing about noise",
            remedy="run it again with a new `--cache FILE`",
        )


def _model(source: Source) -> tuple[str, str]:
    record = next(one for one in source.side.run.manifest.models if one.name == source.side.model)
    return record.name, record.identity_digest


def _check_alike(sources: Sequence[Source]) -> None:
    first = sources[0]
    asked = {(record.name, record.protocol): record.ask_digest for record in first.records}
    for other in sources[1:]:
        if _model(other)[1] != _model(first)[1]:
            raise UsageError(
                f"{first.side.label} and {other.side.label} are not the same model",
                remedy="calibrate with two runs of one model",
            )
        if other.side.run.manifest.run_id == first.side.run.manifest.run_id and other.side.run.path.resolve() != (
            first.side.run.path.resolve()
        ):
            raise UsageError(
                f"{other.side.label} is a copy of {first.side.label}", remedy="run the model a second time"
            )
        theirs = {(record.name, record.protocol): record.ask_digest for record in other.records}
        if asked != theirs:
            raise UsageError(
                f"{first.side.label} and {other.side.label} asked different questions",
                remedy="repeat the run with the same command",
            )


def _joins_answers(metric: str) -> bool:
    """Whether a metric makes one number of many answers (F1, pass@k …), so that it has no value of each answer that could vary."""
    from mmeval.metrics import get_metric

    return metric not in OPERATIONAL and (get_metric(metric).k is not None or get_metric(metric).form is not None)


def _left_out(source: Source, found: set[tuple[str, str]]) -> list[str]:
    """The metrics and tasks of a run of which `_noise` gives nothing, and why; `found` has (task, condition)."""
    joined = [
        f"{record.name}, {metric}: one number from many answers, and noise is measured for means over samples alone"
        for record in source.records
        for metric in record.metrics
        if _joins_answers(metric)
    ]
    single = [
        f"{record.name}, {condition}: one answer per item"
        for record in source.records
        for condition in source.side.run.manifest.conditions
        if (record.name, condition) not in found
    ]
    return [*joined, *single]


def _noise(sources: Sequence[Source], task: str, protocol: str, condition: str, metric: str) -> Noise | None:
    from mmeval.analysis.gate_data import Target, raw_values

    if _joins_answers(metric):
        return None
    grouped: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    for source in sources:
        frame: pd.DataFrame = source.rows(Target(task, protocol, condition, metric, None))
        for item, cluster, value in raw_values(frame, metric):
            grouped.setdefault(item, []).append(value)
            clusters[item] = cluster
    repeated = {item: values for item, values in grouped.items() if len(values) > 1}
    found = variance_components(list(repeated.values()))
    if found.within is None:
        return None
    stable = stability(list(repeated.values()), [clusters[item] for item in repeated], level=1 - 2 * ALPHA)
    rate, interval = stable.flip_rate.estimate, stable.flip_rate.interval
    noise = Noise(
        task=task, protocol=protocol, condition=condition, metric=metric, items=found.items,
        answers=float(np.mean([len(values) for values in repeated.values()])), flip_rate=float(rate or 0.0),
        flip_rate_high=1.0 if interval is None else interval.high, within=found.within, floor=0.0,
    )  # fmt: skip
    return noise.model_copy(update={"floor": noise.at(found.items, (1, 1))})
