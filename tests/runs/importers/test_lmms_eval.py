"""Sample files of lmms-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.runs.importers import lmms_eval
from mmeval.runs.importers.lmms_eval import texts_of
from mmeval.runs.importers.predictions import Prediction, Reading

TOY = Path(__file__).parents[2] / "data" / "importers" / "lmms-eval"
SAMPLES = TOY / "20260101_000000_samples_toy.jsonl"


def read(*paths: Path, **options: Any) -> tuple[list[Prediction], Reading]:
    reading = Reading(**options)
    found = list(lmms_eval.read(paths, reading))
    assert len(found) + reading.lost.total() == reading.found
    return found, reading


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_answers_repeats_and_likelihoods() -> None:
    found, reading = read(SAMPLES)
    assert [(entry.id, entry.repeat, entry.response) for entry in found] == [
        ("0", 0, "B"), ("1", 0, "I think it is C."), ("2", 0, "C"), ("2", 1, "A"), ("3", 0, None),
    ]  # fmt: skip
    assert [entry.position for entry in found] == [0, 1, 2, 2, 3]
    assert found[1].extraction == "C"
    assert found[0].extraction is None
    assert "likelihood" in found[4].problem
    assert (found[0].prompt_tokens, found[0].completion_tokens) == (7, 1)
    assert dict(reading.lost) == {"the same answer once more, through another filter": 1}


def test_verdicts_of_the_metric() -> None:
    found, _ = read(SAMPLES)
    assert [(entry.official, entry.stored_score) for entry in found] == [
        (True, 1.0), (False, 0.0), (True, 1.0), (None, None), (True, 1.0),
    ]  # fmt: skip


def test_the_results_file_beside_the_samples_is_told() -> None:
    _, reading = read(SAMPLES)
    assert reading.expected == 5
    assert reading.notes == ["20260101_000000_results.json (toy-model) says of toy: exact_match,none 0.75"]


def test_documents_give_question_options_gold_and_id() -> None:
    found, _ = read(TOY / "with_doc_samples_toy.jsonl", id_column="qid")
    own = found[0].own
    assert own is not None
    assert (found[0].id, found[0].position) == ("q0", 0)
    assert (own.question, own.choices, own.answer) == ("What is in picture 0?", ("a cat", "a dog", "a boat"), "B")


def test_without_documents_the_prompt_and_target_are_all_there_is() -> None:
    found, _ = read(SAMPLES)
    own = found[0].own
    assert own is not None
    assert (own.question, own.choices, own.answer) == ("What is in the picture?", (), "B")


@pytest.mark.parametrize(
    ("metrics", "named", "verdict"),
    [
        ({"acc": 1}, None, (True, 1.0)),
        ({"acc": True}, None, (True, 1.0)),
        ({"acc": {"score": 0.0, "category": "x"}}, None, (False, 0.0)),
        ({"anls": 0.5}, None, (None, 0.5)),
        ({"acc": 1, "f1": 0}, None, (None, None)),
        ({"acc": 1, "f1": 0}, "f1", (False, 0.0)),
        ({"acc": float("nan")}, None, (None, None)),
        ({"acc": "1"}, None, (None, None)),
        ({"mmmu_acc": {"parsed_pred": "A", "answer": "A"}}, None, (None, None)),
        ({}, None, (None, None)),
    ],
)
def test_metrics_of_many_shapes(tmp_path: Path, metrics: dict[str, Any], named: str | None, verdict: Any) -> None:
    path = write(tmp_path / "a_samples_toy.jsonl", {"doc_id": 0, "target": "A", "filtered_resps": "A"} | metrics)
    found, reading = read(path, columns={"verdict": named} if named else {})
    assert (found[0].official, found[0].stored_score) == verdict
    assert any("several metrics (acc, f1)" in note for note in reading.notes) == (len(metrics) > 1 and named is None)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("A", ["A"]),
        (["A"], ["A"]),
        (["A", "B"], ["A", "B"]),
        ([["A"], ["B"]], ["A", "B"]),
        ([["A", "B"]], ["A", "B"]),
        (["-1.2", "False"], None),
        ([["-1.2", "False"], ["-0.1", "True"]], None),
        ([[["-1.2", "False"]]], None),
        (["1.2", "False"], ["1.2", "False"]),
        (["nan", "nan"], ["nan", "nan"]),
        ([], None),
        (None, None),
        (3, None),
        ([{"a": 1}], None),
    ],
)
def test_the_shapes_of_answers(value: Any, texts: list[str] | None) -> None:
    assert texts_of(value) == texts


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            '{"doc_id": 0, "filtered_resps": "A"}\n{"doc_id": 0, "filtered_resps": "B"}',
            "another answer in an earlier row",
        ),
        ('{"target": "A"}', "line 1: no sample of lmms-eval"),
        ('{"doc_id": 0, "filtered_resps": "A"}\n{"doc_id"', "line 2: not JSON"),
        ('{"doc_id": [0], "filtered_resps": "A"}', "no row number"),
        ("[1]", "no sample of lmms-eval"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "a_samples_toy.jsonl").write_text(lines)
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path / "a_samples_toy.jsonl")
    assert "a_samples_toy.jsonl" in str(caught.value)


def test_an_unknown_metric_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no metric 'acc'(.|\n)*exact_match"):
        read(SAMPLES, columns={"verdict": "acc"})


def test_a_folder_gives_its_one_file(tmp_path: Path) -> None:
    write(tmp_path / "a_samples_toy.jsonl", {"doc_id": 0, "filtered_resps": "A"})
    assert len(read(tmp_path)[0]) == 1
    with pytest.raises(DataError, match="several tasks or runs"):
        read(TOY)


def test_an_endpoint_s_failure_is_no_answer(tmp_path: Path) -> None:
    failed = "[LMMS_EVAL_REQUEST_FAILED after 5 retries] Connection error"
    rows = {"doc_id": 0, "target": "A", "resps": [[failed, "A"]], "acc": 0.0}
    found, _ = read(write(tmp_path / "a_samples_toy.jsonl", rows))
    assert [(one.status, one.response, one.stored_score) for one in found] == [("error", None, None), ("ok", "A", None)]
    assert "Connection error" in found[0].error
