"""Short answers about scenes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.scene_answer import SceneAnswerVerifier, leo_cleaned

NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  The  Chair ", "chair"), ("a brown table", "brown table"), ("an", "an"), ("2", "two"), ("12 chairs", "twelve chairs"), ("21", "21"),
        ("23", "twenty-three"), ("none", "zero"), ("TV", "TV"), ("tv stand", "TV stand"), ("letf", "left"), ("let", "left"), ("rigth side", "right side"),
        ("3 oclock", "three o'clock"), ("3 o' clock", "three o'clock"), ("backwards", "backward"), ("desk!", "desk"), ("yes.", "yes"),
        ("black & white", "black white"), ("to the right of the door", "to right of door"), ("mat2", "mat"), ("two-story", "two-story"),
        ("", ""), ("?!", ""),
    ],
)  # fmt: skip
def test_leos_cleaning(text: str, cleaned: str) -> None:
    assert " ".join(leo_cleaned(text).split()) == cleaned


@pytest.mark.parametrize(
    ("text", "golds", "plain", "leo"),
    [
        # (em, em_refined) of both cleanings
        ("brown cabinet", ["brown cabinet"], (1, 1), (1, 1)), ("Brown Cabinet.", ["brown cabinet"], (1, 1), (1, 1)),
        ("a brown cabinet", ["brown cabinet"], (0, 1), (1, 1)), ("the cabinet", ["brown cabinet", "a cabinet"], (0, 0), (1, 1)),
        ("4", ["four"], (0, 0), (1, 1)), ("four chairs", ["4"], (0, 0), (0, 1)), ("The answer is 4.", ["4"], (1, 1), (1, 1)),
        ("<think>a lamp?</think><answer>sofa</answer>", ["sofa"], (1, 1), (1, 1)), ("\\boxed{left}", ["left"], (1, 1), (1, 1)),
        ("not sure", ["no"], (0, 1), (0, 1)), ("chair", ["table"], (0, 0), (0, 0)), ("to the right of door", ["to right of door"], (0, 0), (1, 1)),
        ("It is dark blue", ["dark blue"], (0, 1), (0, 1)), ("blue", ["dark blue"], (0, 1), (0, 1)), ("book case", ["bookcase"], (0, 1), (0, 1)),
    ],
)  # fmt: skip
def test_exact_and_refined_match(text: str, golds: list[str], plain: tuple[int, int], leo: tuple[int, int]) -> None:
    for clean, wanted in (("plain", plain), ("leo", leo)):
        verdict = verify(SceneAnswerVerifier({"clean": clean}), Response("ok", text), golds, NONE)
        assert (verdict.scores["em"], verdict.scores["em_refined"]) == wanted
        assert (verdict.score, verdict.correct) == (wanted[0], bool(wanted[0]))


@pytest.mark.parametrize("text", ["", "  ", "...", "<think>chair", "!?"])
def test_no_answer_matches_nothing(text: str) -> None:
    # Published: an empty answer is part of every gold.
    verdict = verify(SceneAnswerVerifier({"clean": "leo"}), Response("ok", text), ["chair"], NONE)
    assert (verdict.outcome, verdict.score) == ("no_answer", 0.0)


def test_the_first_accepted_answer_that_decides_either_hides_a_later_exact_one() -> None:
    golds = ["a brown cabinet in the corner", "cabinet"]
    for first, wanted in ((False, (1.0, 1.0)), (True, (0.0, 1.0))):
        verdict = verify(SceneAnswerVerifier({"first_match": first}), Response("ok", "cabinet"), golds, NONE)
        assert (verdict.scores["em"], verdict.scores["em_refined"]) == wanted


@pytest.mark.parametrize("target", [None, [], True, {}, "", [" "], [None]])
def test_targets_that_are_no_answers(target: Any) -> None:
    with pytest.raises(DataError, match="no answer"):
        SceneAnswerVerifier().match("x", target, NONE)
    with pytest.raises(DataError, match="plain, leo"):
        SceneAnswerVerifier({"clean": "all"}).match("x", "y", NONE)


@given(st.text(max_size=40), st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip())))
def test_never_raises_and_an_exact_answer_is_a_refined_one(text: str, gold: str) -> None:
    for clean in ("plain", "leo"):
        verdict = verify(SceneAnswerVerifier({"clean": clean}), Response("ok", text), gold, NONE)
        assert verdict.outcome in ("scored", "no_answer")
        assert verdict.scores.get("em", 0) <= verdict.scores.get("em_refined", 0)
