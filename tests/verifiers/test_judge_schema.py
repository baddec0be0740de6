"""The schemas of replies: shown in one line, kept to the letter, violations told without text of the reply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import UsageError
from mmeval.verifiers.judge_files import list_judges, read_judge
from mmeval.verifiers.judge_schema import first_violation, form, schema_mistakes

FORMS = {
    "extract-answer": '{"id": "X", "answer": (string or null)}',
    "equivalence": '{"id": "X", "reason": (string), "equivalent": (true or false)}',
    "visual-cot-score": '{"id": "X", "reason": (string), "grade": (number from 0 to 1)}',
    "mmvet-grade": '{"id": "X", "reason": (string), "grade": (number from 0 to 1)}',
    "perception-consistency": '{"id": "X", "steps": [{"number": (integer), "present": (true or false)}, …]}',
    "preference": '{"id": "X", "reason": (string), "preference": (one of "A", "B", "tie")}',
}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_form_of_a_reply(name: str) -> None:
    card = next(card for card in list_judges() if card.name == name)
    assert form(card.schema_, "X") == FORMS[name]


def test_shipped_schemas_are_what_every_engine_can_force() -> None:
    assert [schema_mistakes(card.schema_) for card in list_judges()] == [[]] * len(list_judges())


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "n": {"type": "integer", "minimum": 0, "maximum": 3},
        "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}},
    },
    "required": ["id", "n", "list"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"n": 4}, "n must be integer"),
        ({"n": "1"}, "n must be integer"),
        ({"n": True}, "n must be integer"),
        ({"n": 1.5}, "n must be integer"),
        ({"list": []}, "list has too few entries"),
        ({"list": ["a", "a", "b"]}, "list has too many entries"),
        ({"list": ["a", "z"]}, 'list.1 must be one of "a", "b"'),
        ({"list": "a"}, 'list must be [(one of "a", "b"), …]'),
        ({"more": 1}, "the object has a key that the form does not have"),
    ],
)
def test_a_violation_in_words(change: dict[str, Any], words: str | None) -> None:
    assert first_violation(SCHEMA, {"id": "x", "n": 1, "list": ["a"], **change}) == words


def test_a_missing_key_in_words() -> None:
    assert first_violation(SCHEMA, {"id": "x", "n": 1}) == "the object lacks a key; it has id, n, list"


@pytest.mark.parametrize(
    "change",
    [
        {"type": ["object"]}, {"enum": 3}, {"required": 3}, {"anyOf": 3}, {"anyOf": {}}, {"minimum": "x"}, {"maximum": True}, {"minItems": 0.5},
        {"type": "object", "properties": "x"}, {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": "x"}}}},
    ],
)  # fmt: skip
def test_a_keyword_of_another_form_is_a_mistake(change: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "steps": {"type": "string"} | change}}
    assert schema_mistakes(schema | {"required": ["id", "steps"], "additionalProperties": False})
    assert schema_mistakes(schema | change)


def test_a_card_whose_steps_have_no_properties_is_refused_by_name(tmp_path: Path) -> None:
    card = (Path(__file__).parents[2] / "judges" / "perception-consistency.yaml").read_text(encoding="utf-8")
    inner = "        properties:\n          number: {type: integer}\n          present: {type: boolean}\n"
    assert inner in card
    (tmp_path / "x.yaml").write_text(card.replace(inner, "        properties: number\n"), encoding="utf-8")
    with pytest.raises(UsageError, match="an object has properties"):
        read_judge(tmp_path / "x.yaml")
