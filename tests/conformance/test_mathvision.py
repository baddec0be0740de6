"""MATH-Vision's official scores, reproduced from the published responses: every verdict and every sub-score."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate, estimate_subsets
from mmeval.metrics.summary import Estimate
from mmeval.verifiers.mathvision import MathVisionVerifier, official_answer
from tests.conformance.support import expectations, json_lines, responses, table_row

OTHER_ANSWER = {("outputs/closed-source/Qwen/Qwen-VL-Plus.jsonl", "2394")}
"""The stored answer is not what the stored response says ("B")."""


def printed(found: Estimate) -> str:
    """Return a score as the official script prints it."""
    assert found.value is not None
    right = round(found.value * found.n)
    return f"{right}/{found.n}={round(right / found.n * 100, 2)}%"


def official_keys(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the official sub-scores under the official names."""
    found = {"-all": printed(estimate("accuracy", rows))}
    subsets = estimate_subsets("accuracy", rows)
    for column, name in (
        ("subject", "{}"),
        ("level", "-level{}"),
        ("subject_level", "{}"),
        ("level_subject", "-level{}"),
    ):
        found |= {name.format(label): printed(value) for label, value in subsets[column].items()}
    return found


def scored(rows: list[dict[str, Any]], questions: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    verifier = MathVisionVerifier()
    table = []
    for row in rows:
        question = questions[row["id"]]
        subject, level = question["subject"], str(question["level"])
        subsets = {
            "subject": subject, "level": level, "subject_level": f"{subject}_level{level}",
            "level_subject": f"{level}_{subject}",
        }  # fmt: skip
        context = AnswerContext(choices=tuple(question["options"]))
        table.append(table_row(verifier, row["id"], row["response"], question["answer"], context, subsets))
    return table


@pytest.mark.realdata
def test_every_file_gets_its_official_scores(published: Callable[[str], Path]) -> None:
    folder = published("mathvision")
    questions = {row["id"]: row for row in json_lines(folder / "data" / "test.jsonl")}
    expected = expectations(folder)
    assert len(expected) == 8
    for name, entry in expected.items():
        rows = json_lines(folder / name)
        table = scored(rows, questions)
        for row, found in zip(rows, table, strict=True):
            assert found["correct"] == row["correct"], (name, row["id"])
            if (name, row["id"]) not in OTHER_ANSWER:
                assert official_answer(row["response"]) == row["model_answer"], (name, row["id"])
        keys = official_keys(table)
        assert keys["-all"] == entry["official"]
        official = json.loads((folder / name.replace(".jsonl", "_result.json")).read_text(encoding="utf-8"))
        assert keys == official
        assert len(keys) == 178


@pytest.mark.realdata
def test_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("mathvision")
    name = "outputs/open-source/Internlm/InternLM-XComposer2-VL.jsonl"
    found = command(
        "import", "jsonl", responses(tmp_path / "p.jsonl", json_lines(folder / name)), "-t", "mathvision@official", "--model", "internlm",
        "--data-dir", str(folder), "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    official = json.loads((folder / name.replace(".jsonl", "_result.json")).read_text(encoding="utf-8"))
    assert f"{round(cell['value'] * cell['n'])}/{cell['n']}" == official["-all"].split("=")[0]
    subsets = {tuple(row["subset"]): row for row in found["subsets"]}
    for (column, label), row in subsets.items():
        key = f"-level{label}" if column == "level" else label
        assert f"{round(row['value'] * row['n'])}/{row['n']}" == official[key].split("=")[0], key
    assert len(subsets) == 16 + 5 + 78
