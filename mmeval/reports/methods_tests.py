"""The statistical part of the methods paragraph: intervals, tests, corrections and gate that the report uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mmeval.analysis.comparison import Comparison
from mmeval.metrics import get_metric
from mmeval.reports.comparison import ComparisonSection
from mmeval.reports.format import plural
from mmeval.reports.gate_section import GateSection
from mmeval.reports.method_names import INTERVALS, TESTS
from mmeval.reports.methods_text import Piece, Text, listed, words_of
from mmeval.reports.tables import Tables
from mmeval.stats.functionals import FUNCTIONAL_PLAN


def _phrases(text: Text, methods: Iterable[str], known: dict[str, tuple[str, tuple[str, ...]]]) -> list[list[Piece]]:
    """Each method by name with its source; an unknown one by its own name."""
    found = []
    for method in methods:
        words, keys = known.get(method, (method, ()))
        found.append([words, *text.cite(*keys)])
    return found


def estimates(text: Text, tables: Tables) -> Iterator[list[Piece]]:
    """Say which intervals the numbers have."""
    cells = [cell for family in tables.families for row in family.rows for cell in row.present]
    intervals = [cell.row.estimate.interval for cell in cells if cell.row.estimate.interval is not None]
    methods = sorted({one.method for one in intervals if not one.method.startswith("range")})
    if methods:
        levels = words_of(f"{level:.0%}" for level in sorted({one.level for one in intervals}))
        drawn = ""
        if any("bootstrap" in method for method in methods):
            drawn = (
                f" ({FUNCTIONAL_PLAN.resamples} resamples, BCa limits with t quantiles, seed {FUNCTIONAL_PLAN.seed})"
            )
        yield [f"We report {levels} intervals: ", *listed(_phrases(text, methods, INTERVALS)), f"{drawn}."]
    passk = [cell.row.estimate.metric for cell in cells if get_metric(cell.row.estimate.metric).k]
    if passk:
        yield [
            f"{words_of(dict.fromkeys(passk))} is the unbiased estimate from all repeats",
            *text.cite("chen2021passk"),
            ".",
        ]
    if tables.suites:
        yield ["Means over tasks are unweighted and take the tasks as fixed."]


def _how(text: Text, found: Sequence[Comparison]) -> list[Piece]:
    """Tests, and intervals, of some comparisons."""
    tests = sorted({one.test for one in found})
    intervals = sorted({one.interval.method for one in found if one.interval is not None})
    with_intervals = [", with ", *listed(_phrases(text, intervals, INTERVALS))] if intervals else []
    return [*listed(_phrases(text, tests, TESTS)), *with_intervals]


def comparisons(text: Text, comparison: ComparisonSection) -> Iterator[list[Piece]]:
    """Say how models were compared."""
    found = comparison.found
    if found is None or not found.comparisons:
        return
    whole = [one for one in found.comparisons if one.subset is None]
    parts = [one for one in found.comparisons if one.subset is not None]
    yield [
        f"Models were compared with {found.base} on the same items, paired and two-sided, by ",
        *_how(text, whole),
        ".",
    ]
    known = {(one.test, one.interval and one.interval.method) for one in whole}
    other = [one for one in parts if (one.test, one.interval and one.interval.method) not in known]
    if other:
        yield ["Subsets were, where their data called for it, compared by ", *_how(text, other), "."]
    sentence: list[Piece] = [
        f"The p-values were corrected by Holm's method over {plural(len(whole), 'comparison')}",
        *text.cite("holm1979"),
    ]
    if parts:
        sentence += [
            f" and, for {plural(len(parts), 'comparison')} of subsets, by the Benjamini-Hochberg procedure",
            *text.cite("benjamini1995"),
        ]
    yield [*sentence, "."]
    if any(one.mde is not None for one in found.comparisons):
        yield ["Smallest detectable differences are for 80% power at two-sided 0.05", *text.cite("connor1987"), "."]


def gated(text: Text, gate: GateSection) -> Iterator[list[Piece]]:
    """Say what a gate judged."""
    record = gate.record
    if record is None:
        return
    defaults = record.policy.defaults
    counted = [one for one in record.rules if not one.informational]
    sentence: list[Piece] = [
        f"{gate.candidate} was judged against {gate.baseline} by {plural(len(counted), 'rule')} at one-sided alpha {defaults.alpha:g}"
    ]
    kinds = {one.kind for one in counted}
    if "non_inferiority" in kinds or "no_regression" in kinds:
        margins = sorted({one.bound for one in counted if one.kind in ("non_inferiority", "no_regression")})
        sentence += [f"; non-inferiority margins were {words_of(f'{margin:g}' for margin in margins)}"]
    if "equivalence" in kinds:
        sentence += ["; equivalence was tested by two one-sided tests", *text.cite("schuirmann1987")]
    sentence += ["; a pass needs every rule, without correction (intersection-union)", *text.cite("berger1982")]
    if defaults.correction == "holm":
        sentence += [", and failures were corrected by Holm's method", *text.cite("holm1979")]
    yield [*sentence, "."]
    yield [f"The verdict was {record.verdict}: {record.reason}."]
