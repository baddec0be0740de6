"""Lists, sets and intervals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.lists import ListVerifier

PLAIN = AnswerContext()

NUMBERS = [
    ("[1, 2, 3]", [1, 2, 3]),
    ("[1.5, -2]", [1.5, -2]),
    ("1, 2, 3", [1, 2, 3]),
    ("1,2,3", [1, 2, 3]),
    ("1; 2; 3", [1, 2, 3]),
    ("1 and 2", [1, 2]),
    ("1,000, 2,000", [1000, 2000]),
    ("(1, 2)", [1, 2]),
    (r"\{1, 2\}", [1, 2]),
    (r"\left\{1, 2\right\}", [1, 2]),
    ("$[1, 2]$", [1, 2]),
    ("[1/2, 3/4]", [0.5, 0.75]),
    ("[two, three]", [2, 3]),
    ("The answer is [1, 2, 3].", [1, 2, 3]),
    ("The answer is 1, 2 and 3.", [1, 2, 3]),
    ("Answer:\n[1,\n 2]", [1, 2]),
    ("The answer is [1]. No, the answer is [2].", [2]),
    (r"So \boxed{[1, 2]}", [1, 2]),
    (r"\boxed{1, 2}", [1, 2]),
    ("<answer>3, 4</answer>", [3, 4]),
    ("<think>[1]</think>[2, 3]", [2, 3]),
    ("The years [2014, 2016] are shown (in blue).", [2014, 2016]),
    ("first [1, 2]\nthen\n[3, 4]", [3, 4]),
    ("[1, 2] is what I said: [1, 2] again", [1, 2]),
    ("- 1\n- 2\n- 3", [1, 2, 3]),
    ("They are:\n1. 5\n2. 7\n", [5, 7]),
    ("5", [5]),
]
TEXTS = [
    ('["a", "b"]', ["a", "b"]),
    ("['a', 'b']", ["a", "b"]),
    ("[a, b]", ["a", "b"]),
    ('[a, "b, c"]', ["a", "b, c"]),
    ("{'x', 'y'}", ["x", "y"]),
    ("a, b and c", ["a", "b", "c"]),
    ("cat, dog, and bird", ["cat", "dog", "bird"]),
    ("cat and dog", ["cat", "dog"]),
    ("“a”, “b”", ["a", "b"]),
    ("**a**, **b**", ["a", "b"]),
    ("红、蓝和绿", ["红", "蓝", "绿"]),
    ("Answer: red; blue", ["red", "blue"]),
    ("The answer is cat and dog.", ["cat", "dog"]),
    ("- red\n- blue", ["red", "blue"]),
    ("I see:\n* a red car,\n* a blue car.\nThat is all.", ["a red car", "a blue car"]),
    (r"\boxed{\text{red}, \text{blue}}", ["red", "blue"]),
    ("[1, 2]", ["1", "2"]),
    ("red", ["red"]),
    ('["it\'s"]', ["it's"]),
    ("rock (hard), paper", ["rock (hard)", "paper"]),
]
NONE = [
    ("text", "", "empty"),
    ("text", "<think>[1]", "unfinished reasoning"),
    ("number", "[1, x]", "not found"),
    ("number", "[]", "not found"),
    ("number", "[[1, 2], [3]]", "not found"),
    ("number", "[1, 2", "not found"),
    ("number", "Either [1, 2] or [3, 4]", "ambiguous"),
    ("number", "[NaN]", "not found"),
    ("text", "I see a cat, which is large, and a dog near the house", "not found"),
    ("text", "- a\n\n- b\nand\n- c\n- d", "not found"),
    ("text", "I am sorry, I cannot see the image that you sent to me here", "refusal"),
    ("text", "\n".join(f"{index}. x y z a b c d" for index in range(2000)), "not found"),
    ("text", "[" + ",".join(["a"] * 301) + "]", "not found"),
    ("expression", "[" + ",".join(["x"] * 41) + "]", "not found"),
    ("text", "[" * 30_000, "not found"),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers(text: str, value: list[float]) -> None:
    found = ListVerifier({"element": "number"}).parse(text, PLAIN)
    assert found.value == value
    assert found.span is not None
    assert text[slice(*found.span)].strip()


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_texts(text: str, value: list[str]) -> None:
    assert ListVerifier().parse(text, PLAIN).value == value


@pytest.mark.parametrize(("element", "text", "reason"), NONE)
def test_no_list(element: str, text: str, reason: str) -> None:
    assert ListVerifier({"element": element}).parse(text, PLAIN) == Extraction(reason=reason)


def test_expressions() -> None:
    verifier = ListVerifier({"element": "expression", "order": False})
    found = verifier.parse(r"\boxed{\sqrt{8}, \frac12}", PLAIN)
    assert found.value == [r"\sqrt{8}", r"\frac12"]
    assert verifier.match(found.value, ["0.5", r"2\sqrt2"], PLAIN).correct is True
    assert verifier.match(found.value, ["0.5", r"3\sqrt2"], PLAIN).scores == {"exact": 0.0, "f1": 0.5}


@pytest.mark.parametrize(
    ("value", "target", "options", "exact", "f1"),
    [
        (["a", "b"], ["a", "b"], {}, True, 1.0),
        (["A", "the b."], ["a", "b"], {}, True, 1.0),
        (["b", "a"], ["a", "b"], {}, False, 0.0),
        (["b", "a"], ["a", "b"], {"order": False}, True, 1.0),
        (["a", "c"], ["a", "b"], {}, False, 0.5),
        (["a"], ["a", "b"], {"order": False}, False, 2 / 3),
        (["a", "b", "c"], ["a", "b"], {}, False, 0.8),
        (["a", "a", "b"], ["a", "b"], {"order": False}, False, 0.8),
        (["a", "a", "b"], ["a", "b"], {"form": "set"}, True, 1.0),
        (["b", "a"], ["a", "b", "a"], {"form": "set"}, True, 1.0),
        (["a", "x", "x"], ["a", "b"], {"form": "set"}, False, 0.5),
        (["a", "b"], '["a", "b"]', {}, True, 1.0),
        (["a", "b"], "a, b", {}, True, 1.0),
        (["a", "b"], [["x"], ["a", "b"]], {}, True, 1.0),
        ([1, 2.0], [1, 2], {"element": "number"}, True, 1.0),
        ([1, 2.01], [1, 2], {"element": "number"}, False, 0.5),
        ([1, 2.01], ["1", "2"], {"element": "number", "tolerance_abs": 0.1}, True, 1.0),
        ([2014, 2016], "[2014, 2016]", {"element": "number"}, True, 1.0),
        ([3, 4], [4, 3.05], {"element": "number", "order": False, "tolerance_abs": 0.1}, True, 1.0),
        # a greedy matching would take 1.0 for 0.95 and leave 1.05 alone
        ([1.0, 0.9], [0.95, 1.05], {"element": "number", "order": False, "tolerance_abs": 0.06}, True, 1.0),
    ],
)
def test_match(value: list[Any], target: Any, options: dict[str, Any], exact: bool, f1: float) -> None:
    found = ListVerifier(options).match(value, target, PLAIN)
    assert (found.correct, found.score) == (exact, float(exact))
    assert found.scores == {"exact": float(exact), "f1": pytest.approx(f1)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,2)", "[1,2)"),
        ("The answer is $(1, 2]$.", "(1, 2]"),
        (r"\boxed{1 < x \le 2}", r"1 < x \le 2"),
        (r"(-\infty, 3) \cup [5, \infty)", r"(-\infty, 3) \cup [5, \infty)"),
        ("x<1 or x>3", "x<1 or x>3"),
        (r"x \in [0, 1]", r"x \in [0, 1]"),
        (r"\mathbb{R}", r"\mathbb{R}"),
        ("x = 3", None),
        ("{1, 2}", None),
        ("between 1 and 2", None),
    ],
)
def test_intervals(text: str, value: str | None) -> None:
    found = ListVerifier({"form": "interval"}).parse(text, PLAIN)
    assert found.value == value
    if value is not None:
        assert found.span is not None
        assert text[slice(*found.span)] == value


@pytest.mark.parametrize(
    ("value", "target", "right"),
    [
        ("[1, 2)", "[1,2)", True),
        ("[1, 2]", "[1,2)", False),
        ("(1, 2)", "[1,2]", False),
        (r"1 \le x < 2", "[1,2)", True),
        ("2 > x >= 1", "[1,2)", True),
        ("[0.5, 1]", r"[\frac12, 1]", True),
        ("[3, 1)", "[1,3)", False),
        ("x > 3", r"(3,\infty)", True),
        ("x > 3", r"(3,\infty]", True),
        (r"(-\infty,1) \cup (3,\infty)", "x<1 or x>3", True),
        (r"(3,\infty) \cup (-\infty,1)", "x<1 or x>3", True),
        ("x < 1", "x<1 or x>3", False),
        ("x<1 or x>3", "x < 1", False),
        (r"\mathbb{R}", r"(-\infty,\infty)", True),
        (r"x \in [0, 1]", ["[0,2]", "[0,1]"], True),
    ],
)
def test_interval_match(value: str, target: Any, right: bool) -> None:
    found = ListVerifier({"form": "interval"}).match(value, target, PLAIN)
    assert (found.correct, found.score, found.scores) == (right, float(right), {})


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, None),
        ({}, []),
        ({}, ""),
        ({}, [None]),
        ({}, [True]),
        ({}, [["a"], "b"]),
        ({"element": "number"}, ["x"]),
        ({"form": "interval"}, "5"),
        ({"form": "interval"}, "[1, 2"),
        ({"form": "interval"}, []),
        ({"form": "interval"}, [["[1,2]"]]),
    ],
)
def test_bad_target(options: dict[str, Any], target: Any) -> None:
    with pytest.raises(DataError, match="target"):
        ListVerifier(options).match([1] if options.get("element") else ["a"], target, PLAIN)


@pytest.mark.parametrize("options", [{"form": "heap"}, {"element": "box"}])
def test_bad_option(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        ListVerifier(options).parse("[1]", PLAIN)


def test_verdict() -> None:
    found = verify(ListVerifier({"element": "number"}), Response("ok", "The answer is [1, 2]."), [1, 2], PLAIN)
    assert (found.outcome, found.correct, found.extracted, found.verifier) == ("scored", True, [1, 2], "list/3")


@pytest.mark.parametrize(
    ("value", "target", "right"),
    [
        (r"y = \pm \sqrt[3]{2}", r"\sqrt[3]{2}, -\sqrt[3]{2}", True),
        ("2, 3, -3", "±3, 2", True),
        ("±3, 2", "3, 2", False),
        ("±3, ±2", "±2, ±3", True),
    ],
)
def test_a_plus_minus_sign_stands_for_two_elements(value: str, target: str, right: bool) -> None:
    verifier = ListVerifier({"element": "expression", "order": False})
    assert verify(verifier, Response("ok", f"\\boxed{{{value}}}"), target, PLAIN).correct is right


PIECES = st.lists(
    st.sampled_from(
        ["[", "]", "{", "}", '"', "'", ", ", ",", "and ", "a", "1", "2.5", "\n", "- ", "1. ", "(", ")", "\\{", "the answer is ",
         "\\boxed{", "<answer>", "</answer>", "“", "”", " ", "\\text{x}", "*", "$"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(st.text(max_size=100) | PIECES)
@settings(deadline=None)
def test_never_raises_and_is_idempotent(text: str) -> None:
    for options in ({"element": "text"}, {"element": "number"}, {"element": "expression"}, {"form": "interval"}):
        verifier = ListVerifier(options)
        found = verifier.parse(text, PLAIN)
        written = found.value if isinstance(found.value, str) else json.dumps(found.value, ensure_ascii=False)
        if found.found:
            assert found.span is not None
            assert 0 <= found.span[0] < found.span[1] <= len(text)
            assert verifier.parse(written, PLAIN).value == found.value


@given(st.lists(st.text(alphabet="abc xyz", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=6))
def test_lists_read_back(items: list[str]) -> None:
    found = ListVerifier().parse(json.dumps(items), PLAIN)
    assert found.value == items
    for options in ({}, {"order": False}, {"form": "set"}):
        assert ListVerifier(options).match(items, items, PLAIN).correct
        swapped = ListVerifier(options).match(list(reversed(items)), items, PLAIN)
        assert swapped.correct or not options
