"""`mmeval judge label`: labels of a judge and of people in a run, and the diagnosis that reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.test_judge_run import judging

RUN = (
    "run",
    "-m",
    "fake",
    "--engine-arg",
    "answer=There are 2 of them, so 2.",
    "-t",
    "synthetic/count",
    "--limit",
    "24",
    "--no-report",
)


def replying(**answer: object) -> Callable[[str], str]:
    """Says the same of every row, with its id."""
    return lambda text: json.dumps({"id": re.findall(r'"id": "(r[0-9a-f]+)"', text)[-1], **answer})


@pytest.fixture
def run(mmeval: Callable, tmp_path: Path) -> Path:
    done = mmeval(*RUN, "-o", "runs/r")
    assert done.code == 0, done.err
    return tmp_path / "runs" / "r"


def judge(endpoint: object) -> tuple[str, ...]:
    return ("--judge", "openai:echo", "--judge-base-url", endpoint.url, "--judge-model-id", "j")  # type: ignore[attr-defined]


def test_kinds_of_error_are_stored_resumed_and_corrected_by_people(mmeval: Callable, run: Path, tmp_path: Path) -> None:
    says = replying(step="There are 2", reason="There are more.", label="perception/count", also=[])
    with judging(says) as endpoint:
        first = mmeval("judge", "label", "runs/r", "error-type", *judge(endpoint))
        assert first.code == 0, first.err
        assert "24 perception/count" in first.out
        asked = len(endpoint.bodies)
        assert asked == 24
        assert any(part["type"] == "image_url" for part in endpoint.bodies[0]["messages"][-1]["content"])
        again = mmeval("judge", "label", "runs/r", "error-type", *judge(endpoint), "--json")
        assert len(endpoint.bodies) == asked
        assert again.json["cached"] == 24
    labels = pd.read_parquet(run / "labels.parquet")
    assert len(labels) == 24
    assert set(labels["label"]) == {"perception/count"}
    assert set(labels["judge_model"]) == {"echo"}
    results = pd.read_parquet(run / "results.parquet").set_index("sample_id")
    wrong = [name for name in results.index if not results.loc[name, "correct"]]
    found = mmeval("diagnose", "runs/r", "--json")
    types = {one["source"]: one for one in found.json["findings"] if one["analysis"] == "error-types"}
    assert types["error-type"]["shares"]["perception"]["estimate"] == 1.0
    assert types["error-type"]["calibrated"] is False
    people = tmp_path / "people.csv"
    people.write_text(
        "task,id,label\n"
        + "".join(
            f"synthetic/count,{name},{'reasoning' if place % 2 else 'perception/count'}\n"
            for place, name in enumerate(wrong)
        )
    )
    told = mmeval("judge", "label", "runs/r", "--human", "people.csv")
    assert told.code == 0, told.err
    assert len(pd.read_parquet(run / "labels.parquet")) == 24 + len(wrong)
    found = mmeval("diagnose", "runs/r", "--json")
    types = {one["source"]: one for one in found.json["findings"] if one["analysis"] == "error-types"}
    assert types["error-type"]["calibrated"] is True
    assert types["error-type"]["corrected"]["shares"]["perception"]["estimate"] == pytest.approx(0.5, abs=0.1)


def test_annotation_recall_is_a_source_of_perception(mmeval: Callable, run: Path) -> None:
    def says(text: str) -> str:
        numbers = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
        steps = [{"number": int(number), "present": int(number) % 2 == 1} for number in numbers]
        return json.dumps({"id": re.findall(r'"id": "(r[0-9a-f]+)"', text)[-1], "steps": steps})

    with judging(says) as endpoint:
        done = mmeval("judge", "label", "runs/r", "perception-consistency", *judge(endpoint))
        assert done.code == 0, done.out + done.err
        assert "Is there" in json.dumps(endpoint.bodies[0]) or "?" in json.dumps(endpoint.bodies[0])
    labels = pd.read_parquet(run / "labels.parquet")
    assert labels["value"].between(0, 1).all()
    strict, loose = (
        mmeval("diagnose", "runs/r", "--only", "perception", "--threshold", value, "--json") for value in ("1", "0.4")
    )
    shares = [found.json["findings"][0]["p"]["estimate"] for found in (strict, loose)]
    assert found_source(strict) == "perception-consistency"
    assert shares[0] < shares[1]


def found_source(found: object) -> str:
    return str(found.json["findings"][0]["source"])  # type: ignore[attr-defined]


def test_a_judge_without_verdicts_labels_nothing_and_says_so(mmeval: Callable, run: Path) -> None:
    with judging(lambda text: "perception, I think") as endpoint:
        done = mmeval("judge", "label", "runs/r", "error-type", *judge(endpoint))
    assert done.code == 6
    assert "0 of 24 answers labelled" in done.err
    labels = pd.read_parquet(run / "labels.parquet")
    assert set(labels["status"]) == {"fault"}
    assert labels["label"].isna().all()
    found = mmeval("diagnose", "runs/r", "--json")
    assert not [one for one in found.json["findings"] if one["analysis"] == "error-types"]


def test_a_judge_that_fails_later_takes_no_label_away(mmeval: Callable, run: Path) -> None:
    says = replying(step="There are 2", reason="", label="perception/count", also=[])
    with judging(says) as endpoint:
        assert mmeval("judge", "label", "runs/r", "error-type", *judge(endpoint)).code == 0
    with judging(lambda text: "no idea") as endpoint:
        again = mmeval("judge", "label", "runs/r", "error-type", *judge(endpoint), "--cache", "other.sqlite")
    assert again.code == 6
    assert set(pd.read_parquet(run / "labels.parquet")["label"]) == {"perception/count"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("task,id\nsynthetic/count,1\n", "column 'label' is missing"),
        ("task,id,perceived\nsynthetic/count,{id},maybe\n", "line 2: column perceived: 'maybe'"),
        ("task,id,label\nsynthetic/count,nothere,reasoning\n", "line 2: the run has no answer"),
        ("task,id,label\nother,{id},reasoning\n", "line 2: the run has no answer"),
        ("task,id,label\nsynthetic/count,{id},a\nsynthetic/count,{id},b\n", "line 3: task 'synthetic/count'"),
        ("task,id,label\nsynthetic/count,{id},\n", "no label"),
        ("task,id,label,repeat\nsynthetic/count,{id},a,x\n", "column repeat: 'x'"),
    ],
)
def test_labels_of_people_that_do_not_fit_are_refused(
    mmeval: Callable, run: Path, tmp_path: Path, text: str, says: str
) -> None:
    name = pd.read_parquet(run / "results.parquet")["sample_id"].iloc[0]
    (tmp_path / "people.csv").write_text(text.replace("{id}", name))
    done = mmeval("judge", "label", "runs/r", "--human", "people.csv")
    assert done.code == 2
    assert says in done.err
    assert not (run / "labels.parquet").exists()


def test_usage(mmeval: Callable, run: Path) -> None:
    for arguments, says in (
        (("runs/r",), "give a judge card"),
        (("runs/r", "error-type"), "there is no judge"),
        (("runs/r", "error-typ", "--judge", "tiny"), "error-type"),
        (("runs/r", "equivalence", "--judge", "tiny"), "gives no label"),
        (("runs/none", "error-type", "--judge", "tiny"), "runs/none"),
    ):
        done = mmeval("judge", "label", *arguments)
        assert done.code == 2, arguments
        assert says in done.err
