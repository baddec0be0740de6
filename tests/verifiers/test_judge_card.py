"""Judge cards: the shipped ones are complete, and every mistake in one of a user is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmeval.core.errors import UsageError
from mmeval.core.resources import resource_dir
from mmeval.core.templates import undeclared
from mmeval.core.yaml_files import read_yaml
from mmeval.verifiers.judge import JudgeFinding, parse_reply
from mmeval.verifiers.judge_card import NOT_IDENTITY, JudgeCard, JudgeDecoding, StepScore
from mmeval.verifiers.judge_files import ENTRY_POINT_GROUP, judge_folders, list_judges, load_judge, read_judge
from mmeval.verifiers.judge_prompt import example_input, example_reply

CARDS = {card.name: card for card in list_judges()}
SHIPPED = {
    "equivalence": "equivalence",
    "error-type": "label",
    "extract-answer": "extraction",
    "logicvista-letters": "extraction",
    "mathverse-cot-e": "steps",
    "mathverse-extract": "extraction",
    "mathverse-score": "equivalence",
    "mmvet-grade": "grade",
    "perception-annotations": "steps",
    "perception-consistency": "steps",
    "preference": "preference",
    "relaxed-second-round": "equivalence",
    "visual-cot-score": "grade",
}
Raw = dict[str, Any]


def raw_of(name: str) -> Raw:
    raw: Raw = yaml.safe_load((resource_dir("judges") / f"{name}.yaml").read_text(encoding="utf-8"))
    return raw


def write(folder: Path, raw: Raw, name: str | None = None) -> Path:
    path = folder / f"{name or raw['name']}.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def test_these_cards_ship() -> None:
    assert {name: card.kind for name, card in CARDS.items()} == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_both_readers_of_yaml_agree_on_a_shipped_card(name: str) -> None:
    assert raw_of(name) == read_yaml(resource_dir("judges") / f"{name}.yaml")


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_card_reads_its_own_examples(name: str) -> None:
    card = CARDS[name]
    assert card.title
    assert card.decoding.temperature == 0.0
    for example in card.examples:
        shown = example_input(example)
        found = parse_reply(card, example_reply(card, shown, example.reply), shown)
        assert isinstance(found, JudgeFinding)
        assert found.kind == card.kind


@pytest.mark.parametrize("name", sorted(name for name, kind in SHIPPED.items() if kind == "extraction"))
def test_the_template_of_an_extraction_does_not_name_the_gold_answer(name: str) -> None:
    used = undeclared(raw_of(name)["prompt"]) | undeclared(raw_of(name)["system"])
    assert not used & {"target", "extraction", "gold", "answer", "solution", "label"}


def test_text_cards_show_examples_of_more_than_one_outcome() -> None:
    for name, card in CARDS.items():
        if card.kind in ("equivalence", "extraction", "grade"):
            values = [repr(example.reply) for example in card.examples]
            assert len(set(values)) >= 2, name


def test_cards_name_what_is_unverified() -> None:
    assert "UNVERIFIED" in CARDS["mathverse-cot-e"].notes
    score = CARDS["mathverse-cot-e"].score
    assert score is not None
    assert score.final_weight == 0.3


def test_an_unknown_card_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown judge 'equivalense'\n.*did you mean equivalence.*mmeval judge list"):
        load_judge("equivalense")


def test_a_users_folder_overrides(tmp_path: Path) -> None:
    raw = raw_of("equivalence")
    raw["title"] = "Mine"
    write(tmp_path, raw)
    assert load_judge("equivalence", [tmp_path]).title == "Mine"
    assert load_judge("equivalence").title != "Mine"
    assert len(list_judges([tmp_path])) == len(SHIPPED)
    assert judge_folders([tmp_path])[-1] == tmp_path


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        judge_folders([tmp_path / "absent"])


def test_packages_bring_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("mine", "mmeval.verifiers", ENTRY_POINT_GROUP)]
    monkeypatch.setattr("mmeval.core.resources._entry_points", lambda group, places: points)
    assert [folder.name for folder in judge_folders()] == ["judges", "verifiers"]
    for absent in ("mmeval.no_such", "no_such.cards", "mmeval.verifiers.judge"):
        points[0] = EntryPoint("mine", absent, ENTRY_POINT_GROUP)
        with pytest.raises(UsageError, match="no package with judge cards"):
            judge_folders()


def test_a_package_that_comes_into_reach_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [folder.name for folder in judge_folders()] == ["judges"]
    (tmp_path / "lab-1.dist-info").mkdir()
    (tmp_path / "lab-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1\n")
    (tmp_path / "lab-1.dist-info" / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmine = mmeval.verifiers\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [folder.name for folder in judge_folders()] == ["judges", "verifiers"]


def test_a_calibration_lies_beside_its_card(tmp_path: Path) -> None:
    raw = {**raw_of("equivalence"), "calibration": "equivalence.json"}
    path = write(tmp_path, raw)
    with pytest.raises(UsageError, match=r"no file equivalence\.json beside the card"):
        read_judge(path)
    (tmp_path / "equivalence.json").write_text("{}")
    assert read_judge(path).calibration == "equivalence.json"


def test_sampling_is_the_cards() -> None:
    sampling = CARDS["mmvet-grade"].sampling
    assert (sampling.temperature, sampling.max_tokens, sampling.seed) == (0.0, 256, None)


CHANGES: dict[str, Any] = {
    "kind": "grade",
    "system": "Other words.",
    "prompt": "{{ target }} {{ response }}",
    "shows_image": True,
    "fields": ["more"],
    "optional_fields": ["target"],
    "numbered_by": "more",
    "schema_": {"type": "object"},
    "labels": ["x"],
    "scale": (0.0, 2.0),
    "step": 0.5,
    "score": StepScore(key="x"),
    "limit": 2_000,
    "examples": [],
    "decoding": JudgeDecoding(temperature=0.5, max_tokens=64),
}


@pytest.mark.parametrize("key", list(JudgeCard.model_fields))
def test_every_key_is_identity_or_declared_to_be_none(key: str) -> None:
    card = CARDS["equivalence"]
    if key in NOT_IDENTITY:
        assert key not in CHANGES
        assert fresh(card, **{key: "other"}).digest == card.digest
        return
    assert CHANGES[key] != getattr(card, key)
    assert fresh(card, **{key: CHANGES[key]}).digest != card.digest


def fresh(card: JudgeCard, **update: Any) -> JudgeCard:
    """A changed copy, without the digest that the original keeps."""
    values = {name: getattr(card, name) for name in JudgeCard.model_fields}
    return JudgeCard.model_construct(**{**values, **update})


def at(raw: Raw, *path: str) -> Raw:
    for key in path:
        raw = raw[key]
    return raw


def change(*path: str, **values: Any) -> Callable[[Raw], None]:
    def apply(raw: Raw) -> None:
        at(raw, *path).update(values)

    return apply


PROPERTIES = ("schema", "properties")
STEP = (*PROPERTIES, "steps", "items")
MISTAKES: list[tuple[str, Callable[[Raw], None], str]] = [
    ("equivalence", change(promt="x"), "promt: unknown key (did you mean prompt"),
    ("equivalence", change(schema_={}), "unknown key (did you mean schema"),
    ("equivalence", change(kind="verdict"), "kind: "),
    ("equivalence", change(prompt="{{ response "), "prompt: prompt template, line 1"),
    ("equivalence", change(prompt="{{ response }} {{ gold }}"), "prompt: unknown name 'gold'"),
    ("equivalence", change(system="{{ target }}"), "system: unknown name 'target'"),
    ("equivalence", change(prompt="{{ target }}"), "shows nothing of the candidate"),
    ("extract-answer", change(prompt="{{ response }} {{ target }}"), "prompt: an extraction never sees 'target'"),
    ("extract-answer", change(prompt="{{ response }} {{ extraction }}"), "an extraction never sees 'extraction'"),
    (
        "extract-answer",
        change(prompt="{{ response }} {{ gold_answer }}", optional_fields=["gold_answer"]),
        "'gold_answer' is named like one",
    ),
    ("extract-answer", change(fields=["target"], optional_fields=[]), "'target' is named like one"),
    ("equivalence", change(fields=["response"]), "fields: 'response' is a name of its own"),
    ("equivalence", change(fields=["facts"]), "the prompt does not use 'facts'"),
    ("equivalence", change(scale=[0, 1]), "scale: kind grade needs it"),
    ("mmvet-grade", change(scale=[1, 0]), "scale: the lowest grade comes first"),
    ("mmvet-grade", change(scale=None), "scale: kind grade needs it"),
    ("mmvet-grade", change(*PROPERTIES, grade={"type": "string"}), "schema: property 'grade' is of type number"),
    ("mmvet-grade", change(*PROPERTIES, grade={"type": "number", "enum": [0, 0.5]}), "whole numbers"),
    ("equivalence", change(step=0.5), "step: only for kind grade"),
    ("equivalence", change(labels=["a"]), "labels: kind label needs them"),
    ("error-type", change(labels=["a"]), "schema: property 'label' is"),
    ("equivalence", change(score={"key": "x"}), "numbered_by, score: only for kind steps"),
    ("equivalence", change(calibration="../other.json"), "calibration: the name of a file in the folder"),
    ("equivalence", change(schema={"type": "array"}), "schema: the reply is one object"),
    ("equivalence", change("schema", additionalProperties=True), "additionalProperties: false"),
    ("equivalence", change("schema", required=["id"]), "required lists all properties"),
    ("equivalence", change("schema", properties={}), "an object has properties"),
    ("equivalence", change(*PROPERTIES, equivalent={"type": "string"}), "schema: property 'equivalent' is"),
    ("equivalence", change(*PROPERTIES, reason={"type": "integer"}), "schema: 'reason' is of type string"),
    ("equivalence", change(*PROPERTIES, id={"type": "integer"}), "the property 'id' of type string"),
    (
        "equivalence",
        change(*PROPERTIES, reason={"type": "string", "pattern": "x"}),
        "keyword 'pattern' is not supported",
    ),
    ("equivalence", change(*PROPERTIES, reason={"type": "text"}), "type must be one of"),
    ("equivalence", change(*PROPERTIES, reason="string"), "schema.reason: must be a mapping"),
    (
        "extract-answer",
        change(*PROPERTIES, answer={"anyOf": [{"type": "string"}, {"type": "nil"}]}),
        "schema.answer.anyOf[1]",
    ),
    ("preference", change(fields=[]), "kind preference needs 'other'"),
    ("preference", change(prompt="{{ first }}"), "shows both 'first' and 'second'"),
    ("preference", change(prompt="{{ first }} {{ second }} {{ response }}"), "unknown name 'response'"),
    ("perception-consistency", change(numbered_by="claims"), "'claims' is none of the card's fields"),
    (
        "perception-consistency",
        change(*STEP, "properties", number={"type": "string"}),
        "the property 'number' of type integer",
    ),
    ("perception-consistency", change(score={"key": "seen"}), "score: every step has the property 'seen'"),
    ("perception-consistency", change(score={"key": "present", "final_weight": 0.5}), "go together"),
    ("perception-consistency", change(*PROPERTIES, steps={"type": "array"}), "schema.steps[]: must be a mapping"),
    (
        "perception-consistency",
        change(*PROPERTIES, steps={"type": "array", "items": {"type": "string"}}),
        "'steps' is an array of objects",
    ),
    ("equivalence", change(decoding={"temperature": 0, "max_tokens": 1}), "decoding.max_tokens"),
    (
        "equivalence",
        change(examples=[{"given": {"respons": "x"}, "reply": {}}]),
        "examples.0.given.respons: unknown key",
    ),
    (
        "equivalence",
        change(examples=[{"given": {"response": "x"}, "reply": {}}]),
        "examples.0.given: judge equivalence: the row has no 'target'",
    ),
    (
        "equivalence",
        change(examples=[{"given": {"target": "x"}, "reply": {"reason": "", "equivalent": "yes"}}]),
        "examples.0.reply: equivalent must be true or false",
    ),
    ("equivalence", change(name="other"), "key name: 'other' is not the name of the file"),
]


@pytest.mark.parametrize(("name", "apply", "message"), MISTAKES, ids=[message for _, _, message in MISTAKES])
def test_a_mistake_in_a_card_is_named(tmp_path: Path, name: str, apply: Callable[[Raw], None], message: str) -> None:
    raw = copy.deepcopy(raw_of(name))
    apply(raw)
    path = write(tmp_path, raw, name)
    with pytest.raises(UsageError) as caught:
        read_judge(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_value_that_is_missing_is_named(tmp_path: Path) -> None:
    raw = raw_of("equivalence")
    del raw["schema"]["properties"]["equivalent"]
    raw["schema"]["required"].remove("equivalent")
    with pytest.raises(UsageError, match="has its finding in the property 'equivalent'"):
        read_judge(write(tmp_path, raw))


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    raw = raw_of("equivalence")
    raw |= {"prompt": "{{ gold }}", "labels": ["x"], "scale": [1, 0]}
    with pytest.raises(UsageError) as caught:
        read_judge(write(tmp_path, raw))
    assert len(caught.value.message.split("\n")) == 5


@pytest.mark.parametrize("text", ["- a", "just text", ""])
def test_a_card_is_a_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match="a judge card is a YAML mapping"):
        load_judge("x", [tmp_path])
