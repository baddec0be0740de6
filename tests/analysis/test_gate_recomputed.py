"""Verdicts of gates on random run folders, computed a second time: by scipy, statsmodels and plain enumeration from the docs' tables."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from mmeval.analysis.gate import Finding
from tests.analysis.conftest import write_run
from tests.analysis.test_gate import gate

Floats = npt.NDArray[np.float64]
ALPHA = 0.05
CASES = 400 if os.environ.get("MMEVAL_LONG_TESTS") else 24
KINDS = ("non_inferiority", "no_regression", "equivalence")


def score_statistic(n: int, losses: int, gains: int, difference: float) -> float:
    """Tango's statistic with the restricted maximum of the likelihood found by search instead of by its formula."""

    def cost(chance: float) -> float:
        cells = ((losses, chance), (gains, chance + difference), (n - losses - gains, 1 - 2 * chance - difference))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    found = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-13})
    chance = min((low, high, float(found.x)), key=cost)
    variance = n * (2 * chance + difference * (1 - difference))
    return (gains - losses - n * difference) / math.sqrt(variance)


def flip_p(sums: Floats, sizes: Floats, bound: float) -> float:
    """One-sided p-value against a mean of at most `bound`, over every assignment of signs to clusters."""
    shifted = sums - bound * sizes
    totals = np.array(list(itertools.product((1, -1), repeat=sums.size))) @ shifted
    return float(np.mean(totals >= shifted.sum() - 1e-9))


class Recomputed:
    """What the docs say about one rule, from the values of both sides."""

    def __init__(self, base: Floats, candidate: Floats, labels: list[str], binary: bool) -> None:
        self.differences = candidate - base
        self.n = base.size
        self.names = sorted(set(labels))
        self.groups = np.array([self.names.index(label) for label in labels])
        self.losses, self.gains = int((self.differences < 0).sum()), int((self.differences > 0).sum())
        count = len(self.names)
        self.sums, self.sizes = np.bincount(self.groups, self.differences), np.bincount(self.groups).astype(float)
        residuals = np.bincount(self.groups, self.differences - self.differences.mean())
        flat = bool(np.all(np.abs(residuals) < 1e-9))
        if binary and count == self.n:
            self.how = "score"
        elif flat:
            self.how = "flat"
        elif count < 30 and count < self.n:
            self.how = "flips"
        else:
            self.how = "t"

    def shows_more_than(self, bound: float) -> float:
        """One-sided p-value of the hypothesis that the true difference is at most `bound`."""
        if self.how == "score":
            return float(stats.norm.sf(score_statistic(self.n, self.losses, self.gains, bound)))
        if self.how == "flips":
            return flip_p(self.sums, self.sizes, bound)
        return float(stats.t.sf((self.differences.mean() - bound) / self.error, len(self.names) - 1))

    @property
    def error(self) -> float:
        fit = OLS(self.differences, np.ones(self.n))
        grouped = (
            fit.fit(cov_type="cluster", cov_kwds={"groups": self.groups}) if len(self.names) < self.n else fit.fit()
        )
        return float(grouped.bse[0])

    @property
    def drop_p(self) -> float:
        """One-sided p-value against no drop."""
        if self.how != "score":
            return turned(self).shows_more_than(0.0)
        total = self.losses + self.gains
        more = stats.binom.sf(self.losses, total, 0.5) + 0.5 * stats.binom.pmf(self.losses, total, 0.5)
        return float(more)


def turned(one: Recomputed) -> Recomputed:
    other = object.__new__(Recomputed)
    other.__dict__ = {
        **one.__dict__,
        "differences": -one.differences,
        "sums": -one.sums,
        "losses": one.gains,
        "gains": one.losses,
    }
    return other


def expected(one: Recomputed, kind: str, margin: float, least: float, p_adjusted: float) -> str:
    """The table of docs/gate.md."""
    delta = float(one.differences.mean())
    not_worse = one.shows_more_than(-margin) < ALPHA
    if kind == "equivalence":
        not_better = turned(one).shows_more_than(-margin) < ALPHA
        fails, passes = abs(delta) >= max(margin, least) - 1e-12, not_worse and not_better
    else:
        smallest = least if kind == "no_regression" else max(margin, least)
        fails, passes = delta < 0 and delta <= -smallest + 1e-12, not_worse
    if fails and p_adjusted <= ALPHA:
        return "FAIL"
    return "PASS" if passes else "INCONCLUSIVE"


def draw(generator: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Recomputed, bool]:
    """Two tables of rows on the same items, and what their values are by item."""
    size = int(generator.choice([1, 1, 2, 9]))
    n = int(
        generator.integers(max(30, 30 * size) if size < 9 else 30, 100)
    )  # 4 to 11 clusters are enumerated, 30 take t
    repeats = int(generator.choice([1, 1, 3]))
    binary = bool(generator.random() < 0.7)
    shift = float(generator.choice([0.0, 0.0, 0.1, 0.3]))
    names, labels = [f"q{number}" for number in range(n)], [f"c{number // size}" for number in range(n)]
    level = generator.random(n)
    sides: list[list[dict[str, Any]]] = []
    values: list[Floats] = []
    for easier in (0.0, -shift):
        noise = 0.1 * generator.standard_normal((n, repeats))
        raw = level[:, None] + easier + noise
        scored = (raw > 0.4).astype(float) if binary else raw.round(3)
        values.append(scored.mean(axis=1))
        key = "right" if binary else "score"
        rows = [
            {"id": names[i], key: float(scored[i, k]), "repeat": k, "cluster": labels[i]}
            for i in range(n)
            for k in range(repeats)
        ]
        sides.append([rows[place] for place in generator.permutation(len(rows))])
    single = binary and bool(np.all(np.isin(np.concatenate(values), (0.0, 1.0))))
    return sides[0], sides[1], Recomputed(values[0], values[1], labels, single), binary


@pytest.mark.parametrize("seed", range(CASES))
def test_random_runs(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    base, candidate, one, binary = draw(generator)
    more = {} if binary else {"metrics": ["mean"]}
    pair = tuple(
        write_run(tmp_path / name, rows, models=(name,), **more) for name, rows in (("b", base), ("c", candidate))
    )
    rules, asked = [], []
    for number in range(int(generator.integers(1, 5))):
        kind = str(generator.choice(KINDS))
        margin, least = (round(float(value), 3) for value in generator.uniform(0.01, 0.3, 2))
        least = 0.0 if kind != "no_regression" and generator.random() < 0.5 else least
        rule = {"id": f"r{number}", "kind": kind, "margin": margin, "min_effect": least}
        rules.append(rule)
        asked.append((kind, margin, least))
    report = gate((pair[0], pair[1]), *rules)
    if one.how == "flat":
        return
    raw = [
        min(1.0, 2 * min(one.drop_p, turned(one).drop_p)) if kind == "equivalence" else one.drop_p
        for kind, _, _ in asked
    ]
    corrected = multipletests(raw, method="holm")[1]
    for found, (kind, margin, least), p, p_adjusted in zip(report.findings, asked, raw, corrected, strict=True):
        evidence = found.evidence
        assert evidence is not None
        assert evidence.delta == pytest.approx(float(one.differences.mean()), abs=1e-12)
        # Ties count on both sides of a permutation test; beyond one half nothing is decided.
        assert min(evidence.p, 0.5) == pytest.approx(min(p, 0.5), rel=1e-6), (one.how, evidence.test)
        assert min(found.p_adjusted or 0.0, 0.5) == pytest.approx(min(p_adjusted, 0.5), rel=1e-6)
        assert found.verdict == expected(one, kind, margin, least, float(p_adjusted)), (one.how, found.message)
        check_limits(found, one, margin)
    assert report.exit_code == (3 if any(each.verdict == "FAIL" for each in report.findings) else 0)


def check_limits(found: Finding, one: Recomputed, margin: float) -> None:
    """The interval that is shown says what the verdict says."""
    assert found.evidence is not None
    interval = found.evidence.interval
    if interval is None:
        assert one.how == "flips"
        assert len(one.names) < 6
        return
    assert interval.level == pytest.approx(0.9)
    if one.how != "flips":
        for bound, sign in ((interval.low, 1), (interval.high, -1)):
            p = one.shows_more_than(bound) if sign > 0 else turned(one).shows_more_than(-bound)
            assert p == pytest.approx(ALPHA, rel=1e-4) or abs(bound) == 1.0
    if found.check.rule.kind != "equivalence" and found.verdict != "FAIL":
        assert (found.verdict == "PASS") == (interval.low > -margin)
