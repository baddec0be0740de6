"""Labels of judges and people in a diagnosis: what became of each kind of error, PAPO's counts, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmeval.analysis.diagnose import diagnose
from mmeval.analysis.diagnose_change import diagnose_against
from mmeval.analysis.diagnose_data import TaskItems
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Finding
from mmeval.analysis.diagnose_labels import described
from mmeval.core.errors import ComparisonError
from mmeval.stats.resampling import BootstrapPlan
from tests.analysis.simulated import RECORD

FAST = DiagnoseOptions(plan=BootstrapPlan(resamples=200))


def items(labels: list[str], right: list[float], source: str = "error-type", judge: str = "j with 1") -> TaskItems:
    names = tuple(str(number) for number in range(len(labels)))
    return TaskItems(
        RECORD, names, names, names, {"standard": np.array(right)}, ("",) * len(names), 1,
        errors={source: tuple(labels)}, judges={source: judge},
    )  # fmt: skip


def changes(base: TaskItems, other: TaskItems) -> Finding:
    found = diagnose_against({("t", "default"): base}, {("t", "default"): other}, ("a", "b"), FAST).findings
    (one,) = [finding for finding in found if finding.analysis == "error-changes"]
    return one


def test_papos_figure_comes_out_of_the_labels() -> None:
    """134/49/10/7 errors on 200 items, of which 61/31/8/7 are mended: 30.5 points of the errors, 45.5 % of those of perception."""
    counts = {"perception/misread": (134, 61), "reasoning": (49, 31), "calculation": (10, 8), "inconsistency": (7, 7)}
    labels, mended = [], []
    for kind, (total, fixed) in counts.items():
        labels += [kind] * total
        mended += [1.0] * fixed + [0.0] * (total - fixed)
    base, other = items(labels, [0.0] * 200), items(labels, mended)
    found = changes(base, other).numbers
    rows = {row["kind"]: row for row in found["changes"]}
    assert {kind: (row["before"], row["mended"]) for kind, row in rows.items()} == {
        "perception": (134, 61), "reasoning": (49, 31), "calculation": (10, 8), "inconsistency": (7, 7),
    }  # fmt: skip
    assert rows["perception"]["mended_of_errors"] == pytest.approx(0.305)
    assert rows["perception"]["mended_of_kind"] == pytest.approx(0.455, abs=5e-4)
    assert "61 right now = 30.5 points of all errors, 45.5 % of its own" in changes(base, other).says
    shares = diagnose({("t", "default"): base}, "m", FAST).findings
    (types,) = [one for one in shares if one.analysis == "error-types"]
    assert [round(100 * types.numbers["shares"][kind]["estimate"], 1) for kind in rows] == [67.0, 24.5, 5.0, 3.5]


def test_mending_by_breaking_elsewhere_is_seen() -> None:
    base = items(["perception/count"] * 20 + ["none"] * 20, [0.0] * 20 + [1.0] * 20)
    other = items(["none"] * 20 + ["perception/count"] * 20, [1.0] * 20 + [0.0] * 20)
    found = changes(base, other).numbers
    (row,) = found["changes"]
    assert (row["gone"], row["new"], row["p_exact"]) == (20, 20, 1.0)
    assert found["table"] == [[0, 20], [20, 0]]


def test_p_values_are_exact_and_adjusted_over_kinds() -> None:
    base = items(["perception/count"] * 12 + ["reasoning"] * 4, [0.0] * 16)
    other = items(["perception/count"] * 2 + ["none"] * 10 + ["reasoning"] * 4, [0.0] * 2 + [1.0] * 10 + [0.0] * 4)
    rows = {row["kind"]: row for row in changes(base, other).numbers["changes"]}
    assert rows["perception"]["p_exact"] == pytest.approx(2 * 0.5**10)
    assert rows["perception"]["p_holm"] == pytest.approx(2 * rows["perception"]["p"])
    assert rows["reasoning"]["p"] == 1.0


def test_labels_of_two_judges_are_not_compared() -> None:
    base = items(["reasoning"] * 4, [0.0] * 4)
    with pytest.raises(ComparisonError, match="labelled by different judges"):
        changes(base, items(["reasoning"] * 4, [0.0] * 4, judge="other with 1"))


def test_rows_that_cannot_be_known_are_neither_perceived_nor_not() -> None:
    labels = ["perception/count", "reasoning", "no_answer/refused", "label_suspect", ""]
    task = items(labels, [0.0] * 5)
    assert len(labels) == len(task.ids)
    (types,) = [one for one in diagnose({("t", "default"): task}, "m", FAST).findings if one.analysis == "error-types"]
    assert types.numbers["failures"] == 4
    assert types.numbers["unlabelled_failures"] == 1


@pytest.mark.parametrize("described_share", [0.05, 0.3, 0.8, 0.95])
def test_the_readers_own_errors_are_taken_out(described_share: float) -> None:
    draw = np.random.default_rng(0)
    n = 6000
    good = draw.random(n) < described_share
    reads, guesses = draw.random(n) < 0.7, draw.random(n) < 0.25
    right = {
        "standard": np.ones(n), "caption-exact": np.where(reads, 1.0, guesses), "blind": guesses.astype(float),
        "two-hop": np.where(good & reads, 1.0, guesses),
    }  # fmt: skip
    names = tuple(map(str, range(n)))
    task = TaskItems(RECORD, names, names, names, right, ("",) * n, 1)
    found = described(task)
    assert found is not None
    assert found["estimate"] == pytest.approx(described_share, abs=0.04)
    assert found["ci"][0] - 1e-9 <= described_share <= found["ci"][1] + 1e-9
    flat = replace(task, right={**right, "caption-exact": right["blind"]})
    assert described(flat) is None
