"""Simulated models whose perception and reasoning are known: every item has exact facts, and every answer a known cause."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mmeval.analysis.diagnose_data import TaskItems
from mmeval.runs.labels import HUMAN
from mmeval.runs.manifest import TaskRecord

RECORD = TaskRecord(
    name="t", protocol="default", family="f", title="T", items_digest=None, ask_digest="a", score_digest="s", metrics=["accuracy"],
    chance=None, samples=0, available=None,
)  # fmt: skip
JUDGE = "error-type"


@dataclass(frozen=True)
class Simulated:
    """Rates of a model, and of who looks at its answers."""

    sees: float
    """Probability that all facts of an item are perceived."""
    reasons: float
    """Probability of a right answer from perceived facts."""
    lucky: float = 0.04
    """Probability of a right answer without them."""
    unreadable: float = 0.0
    """Share of answers in a form that cannot be read, whatever is in them."""
    facts: int = 4
    """Yes-or-no facts of an item."""
    judge_hits: float = 0.8
    """Probability that the judge finds an error of perception where there is one."""
    judge_false: float = 0.15
    """Probability that it finds one where there is none."""
    labelled: float = 0.3
    """Share of the items that people label, at random."""
    skill: np.ndarray | None = field(default=None, compare=False)
    """Difficulty of each item in [0, 1], shared by models; None draws independently."""


def simulate(model: Simulated, n: int, draw: np.random.Generator, items: np.ndarray | None = None) -> TaskItems:
    """Items as a diagnosis loads them.

    Args:
        model: rates.
        n: items.
        draw: of everything.
        items: one uniform number per item: an item is perceived where it is below `sees`, so that two models share easy ones.
    """
    level = draw.random(n) if items is None else items
    seen = level < model.sees
    answered = np.where(seen, draw.random(n) < model.reasons, draw.random(n) < model.lucky)
    readable = draw.random(n) >= model.unreadable
    right = answered & readable
    # A checklist asks each fact: one that is not perceived is answered wrongly, the others rightly.
    wrong_facts = np.where(seen, 0, 1 + draw.integers(0, model.facts, n))
    checklist = wrong_facts == 0
    # A perfect reader answers from the description, which holds what was perceived.
    contained = np.where(seen, True, draw.random(n) < model.lucky)
    blamed = np.where(seen, draw.random(n) < model.judge_false, draw.random(n) < model.judge_hits)
    people = np.where(draw.random(n) < model.labelled, seen.astype(float), np.nan)
    names = tuple(str(number) for number in range(n))
    labels = tuple(
        "perception/count" if bad else ("none" if good else "reasoning")
        for bad, good in zip(blamed, right, strict=True)
    )
    told = tuple(
        "" if np.isnan(known) else ("perception/count" if known == 0 else ("none" if good else "reasoning"))
        for known, good in zip(people, right, strict=True)
    )
    return TaskItems(
        RECORD, names, names, names,
        {"standard": right.astype(float), "checklist": checklist.astype(float), "two-hop": contained.astype(float)},
        tuple("" if ok else "not found" for ok in readable), 1, people,
        judged={JUDGE: 1 - blamed.astype(float)}, errors={JUDGE: labels, HUMAN: told}, judges={JUDGE: "one"},
    )  # fmt: skip
