"""Pairwise preferences: win rates, and the effect of the order in which answers are shown.

Abilities from preferences are in `mmeval.stats.bradley_terry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmeval.stats.intervals import Interval, Labels, cluster_mean
from mmeval.stats.repeats import Share, share


@dataclass(frozen=True, slots=True)
class Preferences:
    """Verdicts on pairs of answers.

    Raises:
        ValueError: when lengths differ, an outcome is outside [0, 1], or a model meets itself.
    """

    first: Sequence[str]
    """Model whose answer was shown first."""
    second: Sequence[str]
    """Model whose answer was shown second."""
    outcome: npt.ArrayLike
    """1 where the first won, 0 where the second did, 0.5 for a tie."""
    prompts: Labels | None = None
    """Prompt of each comparison; comparisons of one prompt are dependent. None takes all as independent."""

    def __post_init__(self) -> None:
        results = np.asarray(self.outcome, dtype=np.float64).ravel()
        if not len(self.first) == len(self.second) == results.size:
            raise ValueError(f"{len(self.first)} first and {len(self.second)} second models, {results.size} outcomes")
        if self.prompts is not None and len(self.prompts) != results.size:
            raise ValueError(f"{results.size} comparisons but {len(self.prompts)} prompts")
        if not bool(np.all((results >= 0) & (results <= 1))):
            raise ValueError("outcomes must lie in [0, 1]: 1 the first won, 0 the second did, 0.5 a tie")
        for left, right in zip(self.first, self.second, strict=True):
            if left == right:
                raise ValueError(f"model {left!r} is compared with itself")

    @property
    def models(self) -> tuple[str, ...]:
        """All models, sorted."""
        return tuple(sorted({*self.first, *self.second}))


def win_rates(preferences: Preferences, level: float = 0.95) -> dict[str, Share]:
    """Return each model's share of wins over all its comparisons, a tie counting half, with its interval by prompt.

    Raises:
        ValueError: when the level is out of range.
    """
    outcome = np.asarray(preferences.outcome, dtype=np.float64).ravel()
    prompts = list(range(outcome.size)) if preferences.prompts is None else list(preferences.prompts)
    first, second = np.asarray(preferences.first), np.asarray(preferences.second)
    found = {}
    for model in preferences.models:
        values = np.where(first == model, outcome, 1 - outcome)
        chosen = np.flatnonzero((first == model) | (second == model))
        found[model] = share(values[chosen], [prompts[i] for i in chosen], level)
    return found


@dataclass(frozen=True, slots=True)
class OrderSwap:
    """Verdicts of one judge on the same pairs shown in both orders."""

    resolved: tuple[float, ...]
    """Outcome for the model of interest: the common verdict, or a tie where the two orders disagree."""
    consistency: Share
    """Share of pairs with the same verdict in both orders."""
    flips_to_first: int
    """Pairs whose verdict moved to whichever answer was shown first."""
    flips_to_second: int
    first_advantage: float | None
    """Mean win share of the answer shown first, minus 1/2, in [-0.5, 0.5]; None without pairs."""
    interval: Interval | None
    """Of the advantage, Student's t (CR1 where prompts repeat); None with fewer than two prompts or no spread."""
    p_value: float
    """Two-sided exact sign test of the flips; with repeated prompts, the t test of the advantage."""
    method: str
    note: str = ""


def order_swap(
    shown_first: npt.ArrayLike, shown_second: npt.ArrayLike, prompts: Labels | None = None, level: float = 0.95
) -> OrderSwap:
    """Compare a judge's verdicts on the same pairs of answers in both orders.

    Args:
        shown_first: outcome for model A (1 won, 0.5 tie, 0 lost) with A's answer shown first, shape (n,).
        shown_second: outcome for model A with A's answer shown second, shape (n,).
        prompts: prompt of each pair; None takes pairs as independent.
        level: confidence level in (0, 1).

    Raises:
        ValueError: when lengths differ or an outcome is outside [0, 1].
    """
    from scipy.stats import binomtest
    from scipy.stats import t as student

    ahead, behind = (np.asarray(side, dtype=np.float64).ravel() for side in (shown_first, shown_second))
    if ahead.size != behind.size:
        raise ValueError(f"{ahead.size} outcomes in one order but {behind.size} in the other")
    if not bool(np.all((ahead >= 0) & (ahead <= 1) & (behind >= 0) & (behind <= 1))):
        raise ValueError("outcomes must lie in [0, 1]: 1 won, 0.5 tie, 0 lost")
    labels: Labels = range(ahead.size) if prompts is None else prompts
    consistency = share((ahead == behind).astype(np.float64), labels, level)
    pulls = (ahead - behind) / 2
    first, second = int(np.sum(pulls > 0)), int(np.sum(pulls < 0))
    found = cluster_mean(pulls, labels, level)
    resolved = tuple(np.where(ahead == behind, ahead, 0.5).tolist())
    interval = found.interval
    note = ""
    if interval is not None and not interval.high - interval.low > 1e-12:
        interval, note = None, "pairs do not differ: no interval of the advantage"
    p_value = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    method = "sign-test"
    if found.clusters < found.n and interval is not None and found.mean is not None and found.standard_error:
        p_value = 2 * float(student.sf(abs(found.mean) / found.standard_error, found.clusters - 1))
        method = "cr1-t"
    elif found.clusters < found.n:
        note = "; ".join(filter(None, [note, "one prompt or no spread: the sign test takes pairs as independent"]))
    bounded = None if interval is None else interval.clip(-0.5, 0.5)
    return OrderSwap(resolved, consistency, first, second, found.mean, bounded, p_value, method, note)
