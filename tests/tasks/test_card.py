"""Cards: every mistake is named with file, key and remedy; protocols lie over them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import UsageError
from mmeval.tasks.card import merge, parse_card
from mmeval.tasks.check import explain
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task
from mmeval.verifiers.text import TextVerifier

FILE = Path("cards/demo.yaml")
CARD: dict[str, Any] = {
    "name": "demo/one",
    "family": "demo",
    "title": "A demonstration",
    "dataset": {"local": {"files": ["*.jsonl"]}},
    "fields": {"id": "id", "images": ["image"]},
    "answer": {"kind": "text"},
    "decoding": {"max_tokens": 64},
    "published": [{"model": "m", "value": 1.0, "protocol": "long", "source": "paper"}],
    "protocols": {
        "long": {"decoding": {"max_tokens": 2048}},
        "closed": {"answer": {"kind": "choice", "target": "letter"}, "metrics": ["accuracy"]},
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    card = copy.deepcopy(CARD)
    *parents, last = path.split(".")
    section = card
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return card


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("name", "Demo One", r"name: .*pattern"),
        ("name", "../evil", r"name: "),
        ("name", 5, r"name: "),
        ("famly", "x", r"famly: unknown key \(did you mean family"),
        ("fields.imags", ["x"], r"fields\.imags: unknown key \(did you mean images"),
        ("dataset.local.file", "x", r"dataset\.local\.file: unknown key \(did you mean files"),
        ("answer.kind", "essay", r"answer\.kind: .*'choice', 'number'"),
        ("answer.target", "number", r"answer\.target: "),
        ("decoding.max_tokens", 0, r"decoding\.max_tokens: .*greater than or equal to 1"),
        ("decoding.temperature", "warm", r"decoding\.temperature: .*number"),
        ("decoding.temperature", -0.1, r"decoding\.temperature: .*greater than or equal to 0"),
        ("decoding.temperature", float("nan"), r"decoding\.temperature: "),
        ("decoding.temperature", float("inf"), r"decoding\.temperature: .*less than or equal to 100"),
        ("decoding.top_p", 0, r"decoding\.top_p: .*greater than 0"),
        ("decoding.top_p", 1.2, r"decoding\.top_p: .*less than or equal to 1"),
        ("decoding.top_k", -5, r"decoding\.top_k: .*greater than or equal to -1"),
        ("decoding.min_p", 2, r"decoding\.min_p: .*less than or equal to 1"),
        ("decoding.repetition_penalty", 0, r"decoding\.repetition_penalty: .*greater than 0"),
        ("decoding.stop", [""], r"decoding\.stop\.0: .*at least 1 character"),
        ("metrics", [], r"metrics: .*at least 1"),
        ("dataset", {}, r"dataset: give one of synthetic, local, hub"),
        ("dataset.synthetic", {"generator": "count"}, r"dataset: synthetic excludes local and hub"),
        ("dataset.local.files", [], r"dataset\.local\.files: "),
        ("published", [{"modl": "x"}], r"published\.0\.modl: unknown key \(did you mean model"),
        ("protocols.long", None, r"protocols\.long: "),
        ("protocols.long", {"decodng": {}}, r"protocols\.long: unknown key 'decodng'(.|\n)*decoding"),
        ("fields", ["id"], r"fields: "),
    ],
)
def test_a_mistake_is_named_by_file_and_key(path: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_card(changed(path, value), FILE)
    assert str(FILE) in str(caught.value)
    assert caught.value.remedy
    assert "Value error" not in str(caught.value)


def test_every_mistake_is_listed() -> None:
    card = changed("famly", "x")
    del card["title"]
    card["answer"]["kind"] = "essay"
    with pytest.raises(UsageError, match=r"title: Field required(.|\n)*answer\.kind(.|\n)*famly"):
        parse_card(card, FILE)


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_card_is_a_mapping(raw: Any) -> None:
    with pytest.raises(UsageError, match=r"demo\.yaml.*mapping"):
        parse_card(raw, FILE)


def test_a_protocol_overrides_key_by_key() -> None:
    default, long, closed = (parse_card(CARD, FILE, name) for name in ("default", "long", "closed"))
    assert (default.decoding.max_tokens, long.decoding.max_tokens, closed.decoding.max_tokens) == (64, 2048, 64)
    assert long.decoding.temperature == 0.0
    assert (default.answer.kind, closed.answer.kind, closed.answer.target) == ("text", "choice", "letter")
    assert closed.fields == default.fields


def test_an_unknown_protocol_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown protocol of demo/one 'lnog'(.|\n)*did you mean long") as caught:
        parse_card(CARD, FILE, "lnog")
    assert "mmeval tasks show demo/one" in caught.value.remedy


def test_a_broken_protocol_is_named() -> None:
    with pytest.raises(UsageError, match=r"protocol long(.|\n)*decoding\.max_tokens"):
        parse_card(changed("protocols.long", {"decoding": {"max_tokens": 0}}), FILE, "long")


NESTED = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_merging_keeps_its_inputs_and_the_override_wins(base: dict[str, Any], override: dict[str, Any]) -> None:
    before = copy.deepcopy((base, override))
    merged = merge(base, override)
    assert (base, override) == before
    assert set(merged) == set(base) | set(override)
    assert merge(merged, override) == merged
    for key, value in override.items():
        if not isinstance(value, dict):
            assert merged[key] == value


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("metrics", ["acuracy"], r"metrics: unknown metric 'acuracy' \(did you mean accuracy"),
        ("metrics", ["mra"], r"metrics: 'mra' cannot be computed: verifier 'text' gives no score 'mra' \(use accuracy"),
        ("metrics", ["accuracy", "accuracy"], r"metrics: 'accuracy' is there twice"),
        ("answer.verifier", "chioce", r"answer\.verifier: unknown verifier 'chioce' \(did you mean choice"),
        (
            "answer.options",
            {"mach": "contains"},
            r"answer\.options\.mach: verifier 'text' has no such.*did you mean match",
        ),
        ("answer.options", {"match": "contain"}, r"answer\.options\.match: 'contain' is not one of exact, contains"),
        ("answer.verifier", "mixed", r"answer\.row_options: verifier 'mixed' needs 'answer_type'"),
        ("answer.verifier", "mathvista", r"answer\.row_options: verifier 'mathvista' needs 'answer_type'"),
        ("fields.answer", None, r"fields\.answer: without the column"),
        (
            "prompt.template",
            "{{ qestion }}",
            r"prompt\.template: .*'qestion', which is not defined \(did you mean question",
        ),
        (
            "prompt.template",
            "{{ question }}{% for c in choices %}{% endfor %}",
            r"fields\.choices: prompt\.template shows",
        ),
        ("prompt.template", "a\n{{ question", r"prompt\.template: .*line"),
        ("prompt.template", "{% for %}", "template"),
        ("fields.answer", "= answer +", r"fields\.answer: expression"),
        ("fields.images", ["ok", "= {{"], r"fields\.images: expression"),
        ("subsets.kind", "= )", r"subsets\.kind: expression"),
        ("answer.kind", "mixed", r"fields\.answer_type"),
    ],
)
def test_mistakes_that_the_schema_cannot_see(path: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Task.load(CardFile("demo/one", FILE, changed(path, value)))


def answering(metrics: list[str], **answer: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CARD), "answer": answer, "metrics": metrics, "protocols": {}}


@pytest.mark.parametrize(
    ("metrics", "answer", "says"),
    [
        (
            ["iou@0.5"],
            {"kind": "number"},
            r"metrics: 'iou@0\.5' cannot be computed: verifier 'number' gives no score 'iou'",
        ),
        (["mra"], {"kind": "number"}, r"verifier 'number' gives no score 'mra' \(set answer\.options\.mra: true"),
        (["accuracy"], {"kind": "box"}, r"gives no right or wrong \(set answer\.options\.threshold"),
        (["iou"], {"kind": "boxes"}, r"no score 'iou' \(use mean, mean:f1, mean:precision, mean:recall\)"),
        (["pass@2"], {"kind": "boxes"}, r"'pass@2' cannot be computed: verifier 'boxes' gives no right or wrong"),
        (["mean:exakt"], {"kind": "rating"}, r"verifier 'rating' gives no score 'exakt'"),
        (["accuracy"], {"kind": "rating", "options": {"low": 5, "high": 5}}, r"answer\.options: low: 5 and high: 5"),
        (["accuracy"], {"kind": "rating", "options": {"low": "a"}}, r"answer\.options\.low: 'a' is not a number"),
        (["accuracy"], {"kind": "rating", "options": {"high": 0}}, r"low: 1 and high: 0 make no scale"),
        (
            ["iou"],
            {"kind": "box", "options": {"threshold": 50}},
            r"threshold: 50 is not a number above 0 and at most 1",
        ),
        (
            ["accuracy"],
            {"kind": "number", "options": {"tolerance_abs": -1}},
            r"tolerance_abs: -1 is not a number of at",
        ),
        (["accuracy"], {"kind": "number", "options": {"tolerence_abs": 1}}, r"did you mean tolerance_abs"),
        (["accuracy"], {"kind": "number", "options": {"range": [3, 1]}}, r"range: \[3, 1\] is not \[lowest, highest\]"),
        (["accuracy"], {"kind": "choice", "target": "letter"}, r"fields\.choices: answer\.target 'letter' needs"),
        (["accuracy"], {"kind": "choice", "target": "index"}, r"fields\.choices: answer\.target 'index' needs"),
        (["accuracy"], {"kind": "point", "options": {"accept_box": "yes"}}, r"accept_box: 'yes' is not true or false"),
    ],
)
def test_options_and_metrics_must_suit_the_verifier(metrics: list[str], answer: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Task.load(CardFile("demo/one", FILE, answering(metrics, **answer)))
    assert str(caught.value).startswith(f"{FILE}: ")


@pytest.mark.parametrize(
    ("metrics", "answer"),
    [
        (["iou@0.5", "iou", "accuracy"], {"kind": "box", "options": {"threshold": 0.5}}),
        (["mra", "accuracy"], {"kind": "number", "options": {"mra": True, "range": [5, 50, 5], "precision": 2}}),
        (["mean", "mean:f1"], {"kind": "boxes"}),
        (["mean:contains"], {"kind": "text", "options": {"match": "contains", "answer_tags": ["a", "b"]}}),
        (["accuracy"], {"kind": "rating", "verifier": "number", "options": {"low": 0, "high": 10, "precision": 1}}),
        (["accuracy"], {"kind": "choice"}),
        (["mean:own"], {"kind": "text", "verifier": "of-a-package"}),
    ],
)
def test_cards_that_fit_are_left_alone(
    metrics: list[str], answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmeval.verifiers.registry._installed", lambda: {"of-a-package": _Package()})
    Task.load(CardFile("demo/one", FILE, answering(metrics, **answer)))


class _Package:
    """An entry point whose verifier declares nothing."""

    def load(self) -> Any:
        return TextVerifier


def test_every_mistake_behind_the_schema_is_listed_with_those_of_the_protocols() -> None:
    card = answering(["acuracy", "mra"], kind="number", options={"mar": True})
    card["prompt"] = {"template": "{{ qestion }} {{ rwo.x }}"}
    card["protocols"] = {
        "long": {"decoding": {"max_tokens": 0}},
        "wrong": {"answer": {"options": {"precison": 1}}},
        "well": {"answer": {"options": {"precision": 1}}},
        "odd": {"answr": {}},
    }
    found = explain(CardFile("demo/one", FILE, card))
    assert found is not None
    lines = [line.strip().split(" ", 1)[0] for line in found.message.splitlines()[1:]]
    assert lines == [
        "protocols.odd:", "answer.options.mar:", "metrics:", "metrics:", "prompt.template:", "prompt.template:",
        "protocol", "protocol", "protocol",
    ]  # fmt: skip
    assert "protocol long: decoding.max_tokens" in found.message
    assert "protocol wrong: answer.options.precison" in found.message
    assert "protocol odd: answr" in found.message
    assert explain(CardFile("demo/one", FILE, CARD | {"protocols": {}})) is None
    broken = explain(CardFile("demo/one", FILE, ["a list"]))  # type: ignore[arg-type]
    assert broken is not None
    assert "mapping" in broken.message


def test_a_prompt_file_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--prompt-file: .*'qestion'.*did you mean question"):
        Task.load(CardFile("demo/one", FILE, CARD), prompt_override="{{ qestion }}")
    names = (
        "{% for c in range(2) %}{{ question }}{{ letters }}{{ kind }}{{ row.x }}{{ c }}{{ instruction }}{% endfor %}"
    )
    Task.load(CardFile("demo/one", FILE, CARD), prompt_override=names)


def test_an_unknown_generator_is_answered_with_the_nearest() -> None:
    card = changed("dataset", {"synthetic": {"generator": "cuont"}})
    with pytest.raises(UsageError, match=r"demo\.yaml(.|\n)*dataset\.synthetic\.generator: .*'cuont'(.|\n)*count"):
        Task.load(CardFile("demo/one", FILE, card))


def test_a_broken_prompt_file_is_found_before_the_first_sample() -> None:
    with pytest.raises(UsageError, match="template"):
        Task.load(CardFile("demo/one", FILE, CARD), prompt_override="{{ question")
