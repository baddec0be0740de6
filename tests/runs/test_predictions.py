"""Reading predictions of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.runs.importers import jsonl, mathvista
from mmeval.runs.importers.jsonl import KEYS
from mmeval.runs.importers.predictions import Prediction, Reader, Reading


def read_jsonl(path: Path, warn: Callable[[str], None] = lambda message: None) -> Iterator[Prediction]:
    return jsonl.read([path], Reading(warn=warn))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("respnse", "response"),
        ("Response", "response"),
        ("finishReason", "finish_reason"),
        ("subset", "subsets"),
        ("corect", "correct"),
        ("ID", "id"),
        ("judge-verdict", "judge_verdict"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_one_that_is_meant(tmp_path: Path, key: str, meant: str) -> None:
    good: dict[str, Any] = {"id": "a", "score": 1, "response": "x"}
    bad = {name: value for name, value in good.items() if name != meant} | {key: "x"}
    path = write(tmp_path / "a.jsonl", [good, bad])
    with pytest.raises(DataError, match=rf"a\.jsonl, row 2: key '{key}' is unknown; is '{meant}' meant"):
        list(read_jsonl(path))


@pytest.mark.parametrize("key", ["response", "condition", "finish_reason"])
def test_a_list_where_a_text_belongs_is_refused(tmp_path: Path, key: str) -> None:
    path = write(tmp_path / "a.jsonl", [{"id": "a", "score": 1, key: ["x"]}])
    with pytest.raises(DataError, match=f"key '{key}': text is expected, this is list"):
        list(read_jsonl(path))


def test_a_look_alike_beside_the_key_itself_is_told_once(tmp_path: Path) -> None:
    rows = [{"id": str(i), "score": i, "scores": [1, 2]} for i in range(3)]
    told: list[str] = []
    assert [entry.score for entry in read_jsonl(write(tmp_path / "a.jsonl", rows), told.append)] == [0.0, 1.0, 2.0]
    assert told == [f"{tmp_path / 'a.jsonl'}, row 1: key 'scores' is ignored ('score' is read)"]


@pytest.mark.parametrize(
    "key", ["question", "model", "image_id", "idx", "answer", "response_time", "verdict", "meta", ""]
)
def test_keys_of_ones_own_are_let_through(tmp_path: Path, key: str) -> None:
    told: list[str] = []
    assert len(list(read_jsonl(write(tmp_path / "a.jsonl", [{"id": "a", "score": 1, key: "x"}]), told.append))) == 1
    assert told == []


def test_every_documented_key_is_read_without_a_word(tmp_path: Path) -> None:
    row = dict.fromkeys(KEYS) | {"id": "a", "score": 0.5, "repeat": 0}
    told: list[str] = []
    assert len(list(read_jsonl(write(tmp_path / "a.jsonl", [row]), told.append))) == 1
    assert told == []


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity"])
@pytest.mark.parametrize("reader", [jsonl.read, mathvista.read])
@pytest.mark.parametrize(("name", "form"), [("a.jsonl", '{"id": "b", "score": %s}'), ("a.json", '[{"score":[1, %s]}]')])
def test_a_number_that_json_does_not_have_is_named(
    tmp_path: Path, name: str, form: str, reader: Reader, number: str
) -> None:
    (tmp_path / name).write_text(form % number)
    with pytest.raises(DataError, match=rf"{name}.*NaN or Infinity, which JSON does not have(.|\n)*null"):
        list(reader([tmp_path / name], Reading()))


def test_another_mistake_is_not_blamed_on_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "response": "NaN, he said"\n')
    with pytest.raises(DataError, match="line 1: not JSON") as caught:
        list(read_jsonl(tmp_path / "a.jsonl"))
    assert "Infinity" not in str(caught.value)
