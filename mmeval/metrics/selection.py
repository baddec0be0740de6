"""Metrics of several answers to one question: votes, the best by a score, and judgements in both orders of a pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmeval.metrics.definition import Detail, Metric, Scores, Units
from mmeval.metrics.forms import GroupForm, PlainForm
from mmeval.metrics.units import groups, sample_units
from mmeval.stats.functionals import sums_by
from mmeval.stats.repeats import majority_at_k
from mmeval.stats.scores import IntArray


@dataclass(frozen=True, slots=True)
class Answered(PlainForm):
    """The mean over rows that have an answer; the others lower the coverage (the exclusion of official scripts)."""

    @property
    def linear(self) -> bool:
        """A mean."""
        return True

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples with the mean of their answered repeats."""
        return sample_units(metric, scores, scores.outcome == 0)


@dataclass(frozen=True, slots=True)
class Consistent(GroupForm):
    """The share of groups all of whose rows have an answer and the same score.

    Of a pair that is asked in both orders: the judge prefers one and the same answer, whichever stands first.
    """

    @property
    def monotone(self) -> bool:
        """A row that turns right may leave its group divided."""
        return False

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return groups, 1 where the rows agree; several repeats of a group are averaged."""
        found = groups(scores, self.column)
        values = scores.values[found.row]
        size = found.group_of_turn.size
        high, low = np.full(size, -np.inf), np.full(size, np.inf)
        np.maximum.at(high, found.turn, values)
        np.minimum.at(low, found.turn, values)
        silent = sums_by(found.turn, scores.outcome[found.row] != 0, size) > 0
        agree = np.asarray((high == low) & ~silent, dtype=np.float64)
        return found.units(agree, True, f"group of {self.column}")


def _by_sample(scores: Scores, usable: Any, k: int | None, whole: bool = False) -> tuple[Units, list[IntArray]]:
    """Return the samples all of whose counted rows (`whole`: all of whose rows) are usable, at least k, and their rows."""
    plain = Metric("rows", "score")
    counted = scores.counted
    bad = {
        sample for sample, fits in zip(scores.samples, usable if whole else usable | ~counted, strict=True) if not fits
    }
    kept = np.fromiter((sample not in bad for sample in scores.samples), dtype=bool, count=scores.samples.size)
    found = sample_units(plain, scores, kept)
    sizes = np.bincount(found.unit_of_row[found.unit_of_row >= 0], minlength=found.ids.size)
    if k is not None and bool(np.any(sizes < k)):
        few = set(found.ids[sizes < k].tolist())
        kept &= np.fromiter((sample not in few for sample in scores.samples), dtype=bool, count=scores.samples.size)
        found = sample_units(plain, scores, kept)
    rows = np.flatnonzero(found.unit_of_row >= 0)
    order = rows[np.argsort(found.unit_of_row[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(found.unit_of_row[order])) + 1
    return found, np.split(order, starts) if order.size else []


def _with_values(found: Units, values: Sequence[float], binary: bool) -> Units:
    return Units(found.ids, np.array(values, dtype=np.float64), found.clusters, found.unit_of_row, binary)


@dataclass(frozen=True, slots=True)
class VoteAt(PlainForm):
    """The chance that more than half of k answers are right, over all subsets of k of the repeats (an exact mean).

    Rows without an answer are votes for nobody. Samples with fewer repeats are left out, as pass@k does.
    """

    k: int

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the chance of each."""
        found, rows = _by_sample(scores, np.ones(scores.values.size, dtype=bool), self.k)
        values = [_vote(int(scores.values[part].sum()), part.size, self.k) for part in rows]
        return _with_values(found, values, all(part.size == self.k for part in rows))


def _vote(right: int, size: int, k: int) -> float:
    won = sum(math.comb(right, hits) * math.comb(size - right, k - hits) for hits in range(k // 2 + 1, k + 1))
    return won / math.comb(size, k)


@dataclass(frozen=True, slots=True)
class Majority(PlainForm):
    """Self-consistency: the chance that the most frequent of k answers is right (`stats.repeats.majority_at_k`).

    Answers are alike where what was extracted is. A tie for the most votes counts the share of right answers among the
    tied. Without k all repeats vote, and a sample of which a repeat failed is left out.
    """

    k: int | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The answers."""
        return ("extracted",)

    @property
    def monotone(self) -> bool:
        """A right answer that turns into another right one may split the majority."""
        return False

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the answers; None where there is none."""
        found = np.full(len(columns["sample_id"]), None, dtype=object)
        for row in rows.tolist():
            if columns["outcome"][row] == "scored":
                found[row] = columns["extracted"][row]
        return {"answer": found}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the chance of each."""
        found, rows = _by_sample(scores, scores.counted, self.k, whole=self.k is None)
        values = [self._of(scores, part) for part in rows]
        return _with_values(found, values, False)

    def _of(self, scores: Scores, rows: IntArray) -> float:
        right = [bool(value == 1.0) for value in scores.values[rows].tolist()]
        answers = [None if cell is None else str(cell) for cell in scores.details["answer"][rows]]
        verdicts: dict[str, set[bool]] = {}
        for answer, verdict in zip(answers, right, strict=True):
            verdicts.setdefault(str(answer), set()).add(verdict)
        # A judge may call one text right here and wrong there; these are two answers then.
        keys = [
            None if answer is None else (answer, verdict if len(verdicts[answer]) > 1 else None)
            for answer, verdict in zip(answers, right, strict=True)
        ]
        return majority_at_k(keys, right, self.k or len(keys))


@dataclass(frozen=True, slots=True)
class Best(PlainForm):
    """Best-of-k by a score that a reward model gave: the expected value of the answer with the highest score among k.

    An exact mean over all subsets of k of the repeats; answers with equal scores share. A sample of which any answer failed or
    has no score is left out, since nobody knows whether it would have been chosen; a refusal is no candidate. Without k the best of all repeats.
    """

    score: str
    k: int | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The score."""
        return (f"scores.{self.score}",)

    @property
    def linear(self) -> bool:
        """Linear in the rows' values: the scores choose."""
        return True

    def details(self, metric: Metric, columns: Mapping[str, Sequence[Any]], rows: IntArray) -> Mapping[str, Detail]:
        """Return the scores; NaN where there is none."""
        cells = columns[self.reads[0]]
        found = np.full(len(columns["sample_id"]), np.nan)
        for row in rows.tolist():
            missing = cells[row] is None or cells[row] != cells[row]  # NaN is how a table gives what is not there
            # What says nothing is no candidate; a row with an answer and no score is not known to be one.
            silent = -np.inf if columns["outcome"][row] == "no_answer" else np.nan
            found[row] = silent if missing else float(cells[row])
        return {"choice": found}

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return samples and the expected value of the chosen answer."""
        choice = scores.details["choice"]
        found, rows = _by_sample(scores, scores.counted & ~np.isnan(choice), self.k, whole=True)
        values = [best_of(choice[part].tolist(), scores.values[part].tolist(), self.k or part.size) for part in rows]
        return _with_values(found, values, False)


def best_of(choice: Sequence[float], values: Sequence[float], k: int) -> float:
    """Return the expected value of the highest-scored of k of the answers, drawn without replacement.

    Args:
        choice: score of each answer, by which one is chosen, length n.
        values: what the chosen one is worth, length n.
        k: answers drawn, 1 <= k <= n.
    """
    ways = math.comb(len(choice), k)
    total, below = 0.0, 0
    for score in sorted(set(choice)):
        tied = [value for value, mark in zip(values, choice, strict=True) if mark == score]
        won = math.comb(below + len(tied), k) - math.comb(below, k)
        total += won / ways * (math.fsum(tied) / len(tied))
        below += len(tied)
    return total
