"""We-Math's four-way diagnosis of composite problems (Qiao et al. 2024): knows the steps, generalises, or only recalls.

A composite problem asks one question that needs several steps, and each step on its own. With s the steps and m the
composite question:
IK (insufficient knowledge): some s wrong, m wrong. IG (inadequate generalisation): all s right, m wrong.
CM (complete mastery): m right and all s right (strict), or any s right (loose).
RM (rote memorisation): m right otherwise. Score = (CM + IG / 2) / problems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmeval.core.errors import DataError
from mmeval.metrics.definition import BoolArray, Metric, Scores, Units
from mmeval.metrics.forms import PlainForm
from mmeval.metrics.units import groups
from mmeval.stats.functionals import RatioMean, sums_by
from mmeval.stats.scores import IntArray

PROBLEM = "problem"
"""Group column: label of the composite problem."""
STEP = "step"
"""Column that says which question of the problem a row is: `2steps_1`, `2steps_2`, `2steps_multi`, `3steps_1` …"""
Part = Literal["score", "IK", "IG", "CM", "RM"]
PARTS: tuple[Part, ...] = ("score", "IK", "IG", "CM", "RM")
_STEP = re.compile(r"([1-9])steps_([1-9]|multi)")


@dataclass(frozen=True, slots=True)
class WeMath(PlainForm):
    """The score, or the share of one of the four; RM is its share of the problems whose composite question is right."""

    part: Part
    strict: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Problem and step."""
        return PROBLEM, STEP

    @property
    def monotone(self) -> bool:
        """The score is; a share may fall for another."""
        return self.part == "score"

    def units(self, metric: Metric, scores: Scores) -> Units:
        """Return problems all of whose questions are there and count."""
        steps, number = _steps(scores)
        there = _complete(scores, steps, number)
        found = groups(scores, PROBLEM, [there])
        turns = found.group_of_turn.size
        right = scores.values[found.row] == 1.0
        multi = number[found.row] == 0
        needed = sums_by(found.turn, ~multi, turns)
        known = sums_by(found.turn, right & ~multi, turns)
        solved = sums_by(found.turn, right & multi, turns) == 1
        enough = known == needed if self.strict else known >= 1
        ik, ig = ~solved & (known < needed), ~solved & (known == needed)
        cm, rm = solved & enough, solved & ~enough
        if self.part == "RM":
            memorised, mastered = (found.over_turns(part.astype(np.float64)) for part in (rm, cm))
            ratio = RatioMean.of(memorised, memorised + mastered)
            return found.units(rm.astype(np.float64), False, PROBLEM, ratio)
        values = {"score": cm + 0.5 * ig, "IK": ik, "IG": ig, "CM": cm}[self.part]
        return found.units(np.asarray(values, dtype=np.float64), self.part != "score", PROBLEM)


def _steps(scores: Scores) -> tuple[IntArray, IntArray]:
    """Return by row how many steps its problem has, and which it is (0: the composite question)."""
    labels = scores.labels[STEP]
    found: dict[str, tuple[int, int]] = {"": (0, 0)}
    for row, label in enumerate(labels):
        if label not in found:
            read = _STEP.fullmatch(label)
            if read is None:
                raise DataError(
                    f"sample {scores.name(row)!r}: step {label!r} is none of We-Math's",
                    remedy="labels of the column 'step' are 2steps_1, 2steps_2, 2steps_multi, 3steps_1 …",
                )
            found[label] = (int(read[1]), 0 if read[2] == "multi" else int(read[2]))
    pairs = np.array([found[label] for label in labels], dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _complete(scores: Scores, steps: IntArray, number: IntArray) -> BoolArray:
    """Return by row whether its problem has each of its questions once in that repeat."""
    import pandas as pd

    frame = pd.DataFrame(
        {"problem": scores.labels[PROBLEM], "repeat": scores.repeats, "steps": steps, "number": number}
    )
    by = frame.groupby(["problem", "repeat"], sort=False)
    whole = (by["number"].transform("nunique") == frame["steps"] + 1) & (
        by["number"].transform("size") == frame["steps"] + 1
    )
    alike = by["steps"].transform("nunique") == 1
    possible = frame["number"] <= frame["steps"]
    return np.asarray(whole & alike & possible & (frame["steps"] > 0), dtype=bool)
