"""Repeats and texts: curves against exact counts, entropy against a worked case, reflection words."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.diagnose_behaviour import REFLECTION, behaviour
from mmeval.runs.folder import open_run
from tests.analysis.conftest import write_run


@pytest.fixture
def found_in(tmp_path: Path) -> Callable[[list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """Write rows as a run and return its findings by analysis."""

    def find(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        run = open_run(write_run(tmp_path / "run", rows))
        return {one.analysis: dict(one.numbers) for one in behaviour(run)}

    return find


def rows(answers: dict[str, list[tuple[str | None, bool]]]) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "repeat": number,
            "extracted": answer,
            "correct": right,
            "score": float(right),
            "response": f"I say {answer}",
        }
        for name, given in answers.items()
        for number, (answer, right) in enumerate(given)
    ]


def test_curves_are_exact(found_in: Callable) -> None:
    found = found_in(
        rows(
            {
                "1": [("A", True), ("A", True), ("B", False), ("A", True)],
                "2": [("C", False), ("C", False), ("D", True), ("C", False)],
                "3": [("A", True)] * 4,
            }
        )
    )["repeats"]
    assert found["k"] == 4
    assert found["avg"]["estimate"] == pytest.approx((0.75 + 0.25 + 1) / 3)
    passes = {entry["k"]: entry["estimate"] for entry in found["curves"]["pass"]}
    assert passes == pytest.approx({1: 2 / 3, 2: (1 + 0.5 + 1) / 3, 4: 1.0})
    majority = {entry["k"]: entry["estimate"] for entry in found["curves"]["maj"]}
    assert majority[4] == pytest.approx(2 / 3)
    assert found["zero_variance"]["estimate"] == pytest.approx(1 / 3)
    assert (found["always_right"], found["never_right"]) == (1, 0)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found["semantic_entropy"]["mean"] == pytest.approx(2 * entropy / 3)


def test_one_answer_per_item_has_no_curve(found_in: Callable) -> None:
    assert set(found_in(rows({"1": [("A", True)], "2": [("B", False)]}))) == {"texts"}


def test_reflection_counts_words_and_not_their_parts(found_in: Callable) -> None:
    texts = ["Wait, let me check again: A", "The waiter is yetis", "A", "We verify. Yes, verify."]
    found = found_in(
        [{"id": str(i), "extracted": "A", "right": i != 2, "response": text} for i, text in enumerate(texts)]
    )["texts"]
    assert found["reflection"]["estimate"] == 0.5
    assert found["words"] == {"verify": 2, "wait": 1, "check again": 1}
    assert found["right_if_reflecting"]["estimate"] == 1.0
    assert found["right_otherwise"]["estimate"] == 0.5
    assert found["length"]["unit"] == "word"
    assert len(REFLECTION) == 15
