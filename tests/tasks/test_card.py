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
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

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
        ("metrics", ["acuracy"], "accuracy"),
        ("answer.verifier", "chioce", "choice"),
        ("prompt.template", "a\n{{ question", "line"),
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


def test_an_unknown_generator_is_answered_with_the_nearest() -> None:
    card = changed("dataset", {"synthetic": {"generator": "cuont"}})
    with pytest.raises(UsageError, match=r"demo\.yaml 'cuont'(.|\n)*count"):
        Task.load(CardFile("demo/one", FILE, card))


def test_a_broken_prompt_file_is_found_before_the_first_sample() -> None:
    with pytest.raises(UsageError, match="template"):
        Task.load(CardFile("demo/one", FILE, CARD), prompt_override="{{ question")
