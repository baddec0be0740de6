"""Answers in the manner of real models that a person judged before any verifier had read them (`tests/data/judged`).

A file holds the answers of a family: verifier, options and context, and for every answer the value that it deserves, or null for
none. Of formulas the gold answer stands beside each, and whether the answer is right (null: no answer).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier

FOLDER = Path(__file__).parents[1] / "data" / "judged"
GROUPS = [
    (f"{path.stem}-{number}", group)
    for path in sorted(FOLDER.glob("*.json"))
    if path.stem != "expressions"
    for number, group in enumerate(json.loads(path.read_text(encoding="utf-8")))
]
FORMULAS = json.loads((FOLDER / "expressions.json").read_text(encoding="utf-8"))


def context_of(fields: dict[str, Any]) -> AnswerContext:
    sizes = {name: tuple(fields[name]) for name in ("image_size", "sent_size") if name in fields}
    return AnswerContext(**{**fields, **sizes})


def plain(name: str, value: Any) -> Any:
    """The value as the files have it: of found objects the box and the class."""
    if name == "detections" and value is not None:
        return [[one["box"], one["label"]] for one in value]
    return list(value) if isinstance(value, tuple) else value


def same(first: Any, second: Any) -> bool:
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(same(one, other) for one, other in zip(first, second, strict=True))
    if isinstance(first, float) and isinstance(second, (int, float)):
        return first == pytest.approx(second)
    return bool(first == second)


@pytest.mark.parametrize("group", [group for _, group in GROUPS], ids=[name for name, _ in GROUPS])
def test_what_is_read_is_what_was_judged(group: dict[str, Any]) -> None:
    name, context = group["verifier"], context_of(group["context"])
    verifier = get_verifier(name, group["options"])
    differ = []
    for text, judged in group["answers"]:
        found = verifier.parse(text, context)
        if not same(plain(name, found.value), judged):
            differ.append((text, judged, found.value))
        assert found.span is None or 0 <= found.span[0] <= found.span[1] <= len(text)
        assert found.found or found.reason
    assert not differ


def test_formulas_are_right_where_they_were_judged_so() -> None:
    verifier = get_verifier("expression")
    differ = []
    for text, gold, judged in FORMULAS:
        found = verify(verifier, Response("ok", text), gold, AnswerContext())
        said = {"scored": found.correct, "no_answer": None}.get(found.outcome, found.outcome)
        if said != judged:
            differ.append((text, gold, judged, said))
    assert not differ


@pytest.mark.parametrize(
    ("name", "text", "choices", "value"),
    [
        ("number", r'{"answer": "2\\pi"}', (), 6.283185307179586),
        ("number", r'{"answer": "\\frac{3}{4}"}', (), 0.75),
        ("number", r'{"answer": "\frac{3}{4}"}', (), 0.75),
        ("choice", r'{"answer": "2\\sqrt{3}"}', (r"$2\sqrt{3}$", "$2$"), "A"),
        ("choice", r'{"answer": "\\text{B}"}', ("red", "blue"), "B"),
        ("expression", r'{"answer": "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"}', (), r"\begin{pmatrix} 1   \\ 2  \end{pmatrix}"),
    ],
)  # fmt: skip
def test_backslashes_of_json_are_no_part_of_the_answer(
    name: str, text: str, choices: tuple[str, ...], value: Any
) -> None:
    found = get_verifier(name).parse(text, AnswerContext(choices))
    assert found.value == value
    assert found.span is not None
