"""Decoding options and seeds of a plan."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.conditions.base import get_condition
from mmeval.core.errors import UsageError
from mmeval.pipeline.plan import RunPlan, check_sampling, parse_sampling
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task


def task(**decoding: Any) -> Task:
    raw = {
        "name": "t",
        "family": "f",
        "title": "T",
        "dataset": {"synthetic": {"generator": "count", "size": 10}},
        "answer": {"kind": "number"},
        "decoding": decoding,
    }
    return Task.load(CardFile("t", Path("t.yaml"), raw))


def test_options_are_read_by_type() -> None:
    pairs = ["temperature=0.7", "top_k=5", "max_tokens=64", "min_p=none", "top_p=NULL", "stop=\\n\\n|。"]
    assert parse_sampling(pairs) == {
        "temperature": 0.7, "top_k": 5, "max_tokens": 64, "min_p": None, "top_p": None, "stop": ("\n\n", "。"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("temperature", "key=value"),
        ("temprature=1", "did you mean temperature"),
        ("seed=1", "--seed"),
        ("temperature=warm", "not a number"),
        ("temperature=-1", "out of range"),
        ("temperature=nan", "out of range"),
        ("temperature=inf", "out of range"),
        ("top_k=1.5", "not a whole number"),
        ("max_tokens=none", "not a whole number"),
        ("max_tokens=0", "out of range(.|\n)*from 1"),
        ("top_p=0", "out of range"),
        ("top_p=1.01", "out of range"),
        ("stop=a\\", "backslash"),
    ],
)
def test_a_wrong_option_is_explained(pair: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_sampling([pair])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"temprature": 1}, "temperature"),
        ({"temperature": "warm"}, "not a number"),
        ({"temperature": True}, "not a number"),
        ({"temperature": [1]}, "not a number"),
        ({"max_tokens": None}, "not a whole number"),
        ({"max_tokens": 1e30}, "out of range"),
        ({"max_tokens": math.inf}, "not a whole number"),
        ({"top_k": 2.5}, "not a whole number"),
        ({"stop": [1]}, "list of texts"),
        ({"seed": 4}, "--seed"),
    ],
)
def test_a_wrong_value_in_a_file_is_explained(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_sampling(values)


@given(st.floats(0, 100), st.integers(1, 10**7))
def test_the_command_line_and_a_file_agree(temperature: float, tokens: int) -> None:
    line = parse_sampling([f"temperature={temperature!r}", f"max_tokens={tokens}"])
    assert line == check_sampling({"temperature": temperature, "max_tokens": tokens})


def test_overrides_win_over_the_card_and_the_rest_stays() -> None:
    plan = RunPlan((), (), sampling={"temperature": 1.0, "stop": ("x",)})
    found = plan.sampling_for(task(temperature=0.2, top_p=0.9, stop=["a"]))
    assert (found.temperature, found.top_p, found.stop, found.seed) == (1.0, 0.9, ("x",), None)


def test_repeats_come_from_the_user_or_the_card() -> None:
    card = task(repeats=8)
    assert RunPlan((), ()).repeats_for(card) == 8
    assert RunPlan((), (), repeats=1).repeats_for(card) == 1


def test_the_total_counts_samples_conditions_and_repeats() -> None:
    opened = [task(repeats=2).open(DataOptions()), task().open(DataOptions(limit=4))]
    conditions = [get_condition("standard"), get_condition("blind")]
    assert RunPlan(opened, conditions).total == (10 * 2 + 4) * 2
    assert RunPlan(opened, conditions, repeats=3).total == 14 * 3 * 2


def test_each_request_has_its_own_seed() -> None:
    plan, other = RunPlan((), (), seed=0), RunPlan((), (), seed=1)
    seeds = {plan.seed_for(t, s, r) for t in ("a", "b") for s in ("1", "2") for r in range(3)}
    assert len(seeds) == 12
    assert plan.seed_for("a", "1", 0) != other.seed_for("a", "1", 0)


def asked_of(tmp_path: Path, name: str, kind: str = "text", **more: Any) -> Any:
    raw = {
        "name": name, "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}}, "fields": {"question": "question", "answer": "answer"},
        "answer": {"kind": kind}, **more,
    }  # fmt: skip
    (tmp_path / "rows.jsonl").write_text('{"question": "Which?", "answer": "2"}\n')
    return Task.load(CardFile(name, tmp_path / f"{name}.yaml", raw)).open(DataOptions(tmp_path))


def test_tasks_with_more_to_do_after_an_answer_are_asked_first(tmp_path: Path) -> None:
    judges = {"judges": [{"card": "equivalence", "when": "always"}]}
    tasks = [
        asked_of(tmp_path, "words"),
        asked_of(tmp_path, "formulas", "expression"),
        asked_of(tmp_path, "judged", **judges),
        asked_of(tmp_path, "more-words"),
        asked_of(tmp_path, "looking", strategy={"name": "visual-cot"}),
    ]
    names = [opened.task.name for opened in tasks]
    plan = RunPlan(tasks, [get_condition("standard")])
    asked = ["looking", "judged", "formulas", "words", "more-words"]
    assert [names[index] for index in plan.queue(judged=True)] == asked
    assert [names[index] for index in plan.queue(judged=False)] == [
        "looking",
        "formulas",
        "words",
        "judged",
        "more-words",
    ]
