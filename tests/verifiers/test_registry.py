from __future__ import annotations

import pytest

from mmeval.core.errors import UsageError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier, list_verifiers


def test_every_name_gives_a_verifier_of_that_name() -> None:
    names = list_verifiers()
    assert {"choice", "number", "yes-no", "text", "box", "boxes", "point", "rating", "mixed", "mathvista"} <= set(names)
    for name in names:
        verifier = get_verifier(name, {})
        assert verifier.name == name
        assert verifier.version
    assert get_verifier("yes_no").name == "yes-no"


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="number"):
        get_verifier("numbr", {})


@pytest.mark.parametrize(
    ("name", "text", "target", "options"),
    [
        ("choice", "The answer is (B).", "B", {}),
        ("number", "x = 4", 4, {}),
        ("yes-no", "Yes.", "yes", {}),
        ("text", "Rome", "rome", {}),
        ("box", "[1,2,3,4]", [1, 2, 3, 4], {"threshold": 0.5}),
        ("point", "[1,2]", {"box": [0, 0, 4, 4]}, {}),
        ("rating", "4/5", 4, {}),
    ],
)
def test_verdicts(name: str, text: str, target: object, options: dict[str, object]) -> None:
    verifier = get_verifier(name, options)
    context = AnswerContext(choices=("x", "y") if name == "choice" else ())
    found = verify(verifier, Response("ok", text), target, context)
    assert (found.outcome, found.score, found.correct) == ("scored", 1.0, True)
    assert found.verifier == f"{verifier.name}/{verifier.version}"
    if name == "text":
        return  # any words are text
    silent = verify(verifier, Response("ok", "I cannot help with that"), target, context)
    assert (silent.outcome, silent.score, silent.reason) == ("no_answer", 0.0, "refusal")
