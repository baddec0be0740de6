"""What a diagnosis finds, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmeval.analysis.diagnose_data import TaskItems, plain
from mmeval.runs.labels import HUMAN
from mmeval.stats.comparison import PairedComparison, compare_paired
from mmeval.stats.decomposition import PerceptionRates
from mmeval.stats.intervals import FloatArray, Interval
from mmeval.stats.paired import mcnemar_exact
from mmeval.stats.pairs import MeanPair
from mmeval.stats.power import DEFAULT_AIM
from mmeval.stats.repeats import Share
from mmeval.stats.resampling import BootstrapPlan

CELLS = ("perceived, right", "perceived, wrong", "not perceived, right", "not perceived, wrong")


ANALYSES = (
    "no-answer", "perception", "error-types", "ablation", "masking", "shortcut", "text-solvable", "shuffled", "regions", "crops", "captions", "describers",
    "hints", "formats", "versions", "repeats", "texts", "dependency", "answers", "perception-change", "split", "transitions", "error-changes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One analysis of one task."""

    analysis: str
    task: str
    numbers: Mapping[str, Any]
    """JSON; shares in [0, 1], intervals as [low, high]."""
    says: str
    """What it shows, in one sentence."""
    limits: str
    """What it does not show."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and what could not be computed."""

    model: str
    base: str | None
    findings: tuple[Finding, ...]
    missing: tuple[str, ...] = ()
    """What is lacking, with the remedy."""


@dataclass(frozen=True, slots=True)
class DiagnoseOptions:
    """How to diagnose."""

    only: tuple[str, ...] = ()
    """Names of analyses; all when empty."""
    threshold: float = 1.0
    """Share of the visual facts of an item that must be right, or stated, for perceived."""
    plan: BootstrapPlan = field(default_factory=lambda: BootstrapPlan(resamples=2000))


def wanted(name: str, options: DiagnoseOptions) -> bool:
    """Whether an analysis was asked for."""
    return not options.only or name in options.only


def missing(items: Mapping[tuple[str, str], TaskItems]) -> Iterator[str]:
    """What a diagnosis lacks, with the option that would produce it."""
    present = {name for task in items.values() for name in task.right}
    blank = [task.record.name for task in items.values() if not task.sources]
    if blank:
        where = "" if len(blank) == len(items) else f" of {', '.join(blank)}"
        yield f"no perception labels{where}: add --condition checklist (tasks with visual facts) or two-hop, or `mmeval judge label RUN error-type --judge MODEL`, or --labels FILE.csv of people"
    for task in items.values():
        yield from task.answers.notes
    wanted = {"blind": "what is answered without the picture", "two-hop": "whether the own description suffices"}
    for name, why in wanted.items():
        if name not in present:
            yield f"condition {name} was not run ({why}): add --condition {name} to the same command"
    sets = {
        "shuffles": ("shuffled:", "what depends on this very picture"), "regions": ("hide-region", "what depends on the gold boxes"),
        "captions": ("caption-exact", "how far an exact caption leads"), "hints": ("hint-facts", "what known facts leave"),
        "formats": ("as-open", "the same question in other forms"),
    }  # fmt: skip
    for name, (condition, why) in sets.items():
        if not any(one.startswith(condition) for one in present):
            yield f"set {name} was not run ({why}): add --condition {name}"
    if all(task.repeats < 2 for task in items.values()):
        yield "one answer per item (curves of avg@k, pass@k, maj@k and semantic entropy need several): add --repeats 8 --sampling temperature=1.0"
    if not any(name.startswith("dependency:") for name in present):
        yield "token visual dependency was not run: add --condition dependency (engines that score tokens: hf, vllm, lmdeploy with backend=pytorch)"
    if sum(name.startswith("mask:") for name in present) < 2:
        yield "fewer than two strengths of masking were run: add --condition mask:0.2 --condition mask:0.5 --condition mask:0.8"


def source_limits(source: str) -> str:
    """What a perception source does not show."""
    if source == "two-hop":
        return "a description can lack what was seen, and can be used badly: a failure here is not proof that the picture was not perceived"
    if source == "checklist":
        return "perceived means that every listed fact was answered rightly; what is not listed is not tested, and items that are perceived are easier ones"
    if source != HUMAN:
        return (
            "labels of a judge: without labels of people on a random part of these rows nobody knows how far they err"
        )
    return "labels of people; how they were drawn and how far two people agree decides what they are worth"


@dataclass(frozen=True, slots=True)
class Measured:
    """A paired difference, and the smallest one that such data would show."""

    pair: PairedComparison
    mde: float | None
    """With 80 % power at two-sided 0.05; None where no difference would be shown with that power."""
    same: bool
    """Whether every item is alike on both sides."""

    def json(self) -> dict[str, Any]:
        """The difference as JSON."""
        difference, table = self.pair.difference, self.pair.table
        return {
            "delta": difference.estimate, "ci": limits_json(difference.interval), "test": difference.method, "p": plain(difference.p_value),
            "p_exact": None if table is None else mcnemar_exact(table).p_value, "n": difference.n, "clusters": difference.clusters,
            "table": None if table is None else [table.both_right, table.losses, table.gains, table.both_wrong], "mde": self.mde,
        }  # fmt: skip

    @property
    def change(self) -> str:
        """Estimate, interval, p-value and number of items."""
        found = self.pair.difference
        p = "" if found.p_value is None else f", p = {found.p_value:.2g}"
        return f"{points(found.estimate, found.interval)}{p}, n = {found.n}"

    @property
    def power(self) -> str:
        """What a difference that is not significant leaves open; empty for one that is."""
        if self.same:
            return "no item differs"
        return power_text(self.pair.difference.p_value, self.mde)


def power_text(p_value: float | None, mde: float | None, unit: str = "points") -> str:
    """What could have been found, where nothing was: never that there is nothing."""
    if p_value is not None and p_value < 0.05:
        return ""
    if mde is None:
        return "too few data to show any difference with 80 % power"
    size = f"{100 * mde:.1f}" if unit == "points" else f"{mde:.3g}"
    return f"80 % power only from {size} {unit} on"


def detectable(standard_error: float | None) -> float | None:
    """Return the smallest effect that an estimate with this standard error shows with 80 % power; None without spread."""
    return (DEFAULT_AIM.level_quantile + DEFAULT_AIM.power_quantile) * standard_error if standard_error else None


def measure(first: FloatArray, second: FloatArray, clusters: Sequence[str] | None = None) -> Measured:
    """Compare two conditions or models on the same items, second minus first."""
    pair = compare_paired(first, second, clusters)
    return Measured(pair, MeanPair(first, second, clusters).detectable(DEFAULT_AIM), bool((first == second).all()))


def rates_json(rates: PerceptionRates) -> dict[str, Any]:
    """p, r, l and the lucky share as JSON."""
    return {
        "p": share_json(rates.perceived), "r": share_json(rates.right_if_perceived), "l": share_json(rates.right_if_not),
        "lucky": share_json(rates.lucky), "counts": dict(zip(CELLS, rates.counts, strict=True)),
    }  # fmt: skip


def share_json(value: Share) -> dict[str, Any]:
    """A share as JSON."""
    return {"estimate": value.estimate, "ci": limits_json(value.interval), "n": value.n}


def limits_json(interval: Interval | None) -> list[float] | None:
    """An interval as JSON."""
    return None if interval is None else [interval.low, interval.high]


def percent(value: Share) -> str:
    """A share in percent with its interval."""
    if value.estimate is None or value.interval is None:
        return "no item"
    return f"{100 * value.estimate:.1f} % [{100 * value.interval.low:.1f}, {100 * value.interval.high:.1f}]"


def points(estimate: float, interval: Interval | None) -> str:
    """A difference in percentage points with its interval."""
    limits = "" if interval is None else f" [{_signed(interval.low)}, {_signed(interval.high)}]"
    return f"{_signed(estimate)}{limits}"


def _signed(share: float) -> str:
    """In points with a sign, and no minus before nothing."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def to_json(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON."""
    return [
        {"analysis": one.analysis, "task": one.task, **one.numbers, "says": one.says, "limits": one.limits}
        for one in found
    ]
