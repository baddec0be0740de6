"""The columns by which samples are found."""

from __future__ import annotations

from typing import Any

import orjson

from mmeval.reports.indexing import KINDS, brief, index_columns, kinds, verdict


def record(key: str, answers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    given = {"key": key, "id": key, "task": 0, "question": "", "cluster": None, "disagree": False, "subsets": []}
    return {**given, **more, "answers": [{"model": 0, "condition": 0, **answer} for answer in answers]}


def test_right_wrong_graded_or_nothing() -> None:
    assert verdict({"outcome": "scored", "correct": True}) == "correct"
    assert verdict({"outcome": "scored", "correct": False}) == "wrong"
    assert verdict({"outcome": "scored", "score": 0.4}) == "graded"
    assert verdict({"outcome": "no_answer"}) == "wrong"
    assert verdict({"outcome": "error", "correct": False}) == ""


def test_kinds_are_labels_with_their_family_and_the_first_line_of_why_there_is_no_score() -> None:
    labels = [{"source": "human", "label": "perception/count"}, {"source": "judge", "value": 0.5}]
    assert kinds({"outcome": "scored", "labels": labels}) == [["label", "perception"], ["label", "perception/count"]]
    assert kinds({"outcome": "scored", "reason": "guessed"}) == []
    assert kinds({"outcome": "no_answer", "reason": "not found"}) == [["reason", "not found"]]
    broken = {"outcome": "error", "error": [["text", "HTTP 500\nmore"]], "reason": "HTTP 500\nmore"}
    assert kinds(broken) == [["reason", "HTTP 500"]]


def test_columns_follow_the_records() -> None:
    scored = {"outcome": "scored", "correct": True, "finish": "stop"}
    one = record(
        "a", [scored, {"outcome": "no_answer", "reason": "empty", "model": 1}], cluster="x", subsets=[["s", "1"]]
    )
    two = record("b", [], cluster="x", question="q" * 500)
    three = record("c", [{"outcome": "scored", "score": 0.5, "finish": "length"}], cluster="x", task=1)
    columns = orjson.loads(index_columns([brief(one), brief(two), brief(three)], 2))
    assert columns["counts"] == [2, 0, 1]
    assert columns["clusters"] == [0, 0, 1], "clusters of two tasks are two"
    assert columns["verdicts"] == [1, 2, 3]
    assert columns["finishes"] == [0, -1, 1]
    assert columns["finish_names"] == ["stop", "length"]
    assert columns["kinds"] == [[1, 0]]
    assert columns["kind_names"] == [["reason", "empty"]]
    assert columns["subsets"] == [[0], [], []]
    assert len(columns["questions"][1]) < 200


def test_rare_kinds_are_other() -> None:
    many = [record(f"r{n}", [{"outcome": "error", "reason": f"why {n}"}]) for n in range(KINDS + 20)]
    columns = orjson.loads(index_columns([brief(one) for one in many], 100))
    assert len(columns["kind_names"]) == KINDS + 1
    assert columns["kind_names"][-1] == ["reason", "other"]
    assert sum(kind == KINDS for _, kind in columns["kinds"]) == 20
