"""Errors say what is wrong and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core import errors
from mmeval.core.errors import MmevalError, UsageError, nearest, unknown

KNOWN = ["synthetic/count", "synthetic/box", "mathvista", "mathvision", "puzzlevqa"]


def test_exit_codes_are_those_of_the_contract() -> None:
    codes = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, MmevalError)
    }
    assert codes == {
        "MmevalError": 1,
        "NotApplicableError": 1,
        "UsageError": 2,
        "DataError": 2,
        "EngineError": 2,
        "StorageError": 2,
        "ComparisonError": 5,
        "IncompleteError": 6,
        "MediaError": 1,
        "UndecidedError": 1,
    }


def test_the_remedy_follows_the_message() -> None:
    error = MmevalError("a.yaml: key x: bad", remedy="correct it")
    assert str(error) == "a.yaml: key x: bad\n  -> correct it"
    assert (error.message, error.remedy) == ("a.yaml: key x: bad", "correct it")
    assert str(MmevalError("alone")) == "alone"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mathvsta", "mathvista"),
        ("MathVista", "mathvista"),
        ("count", "synthetic/count"),
        ("synthetic-box", "synthetic/box"),
        ("puzle", "puzzlevqa"),
    ],
)
def test_the_nearest_name_comes_first(name: str, first: str) -> None:
    assert nearest(name, KNOWN)[0] == first


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=8))
def test_only_known_names_are_proposed(name: str, known: list[str]) -> None:
    found = nearest(name, known)
    assert len(found) <= 3
    assert len(set(found)) == len(found)
    assert set(found) <= set(known)
    assert not known or name not in known or name in nearest(name, known, len(known))


def test_an_unknown_name_is_answered_with_the_nearest_or_with_all() -> None:
    error = unknown("task", "mathvsta", KNOWN, listing="mmeval tasks list")
    assert isinstance(error, UsageError)
    assert str(error).startswith("unknown task 'mathvsta'\n  -> did you mean mathvista")
    assert "mmeval tasks list" in str(error)
    assert "known: " in str(unknown("task", "§§§", KNOWN))
