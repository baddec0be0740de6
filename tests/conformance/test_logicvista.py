"""LogicVista's official scores, from what its own extraction found in the published answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate_subsets
from mmeval.verifiers.logicvista import LogicVistaRulesVerifier, LogicVistaVerifier
from tests.conformance.support import expectations, right, table_row

MODELS = ("BLIP2", "GIT", "GPT4", "deplot", "miniGPTvicuna7B", "otter9B", "pix2struct")
AGREEMENT = {
    "BLIP2": 439,
    "GIT": 441,
    "GPT4": 446,
    "deplot": 448,
    "miniGPTvicuna7B": 421,
    "otter9B": 441,
    "pix2struct": 445,
}
"""Rows of 448 on which rules on the raw answer come to the official verdict; docs/conformance.md lists them."""


def extracted(folder: Path, model: str) -> list[dict[str, str]]:
    with (folder / "official/results" / f"{model}-accuracy-results.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.realdata
def test_every_file_gets_its_official_scores(published: Callable[[str], Path]) -> None:
    folder = published("logicvista")
    questions = json.loads((folder / "official/dataset.json").read_text(encoding="utf-8"))
    expected = expectations(folder)
    assert {f"official/{model}" for model in MODELS} == {name for name in expected if name.startswith("official/")}
    for model in MODELS:
        official = expected[f"official/{model}"]["official"]
        table, rules = [], []
        for row in extracted(folder, model):
            question = questions[row["id"]]
            subsets = {"skill": " | ".join(question["skill"])}
            text = row[f"{model} answer extracted"]
            table.append(table_row(LogicVistaVerifier(), row["id"], text, question["answer"], AnswerContext(), subsets))
            assert table[-1]["correct"] == (row["match?"] == "1"), (model, row["id"])
            raw = row[f"{model} answer raw"]
            rules.append(table_row(LogicVistaRulesVerifier(), row["id"], raw, question["answer"], AnswerContext()))
        assert (right(table), len(table)) == (official["correct"], official["total"])
        by_skill = estimate_subsets("accuracy", table)["skill"]
        assert {skill: round(100 * (found.value or 0), 2) for skill, found in by_skill.items()} == official["by_skill"]
        agree = sum(bool(a["correct"]) == bool(b["correct"]) for a, b in zip(table, rules, strict=True))
        assert agree == AGREEMENT[model], model


@pytest.mark.realdata
def test_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("logicvista")
    rows = [
        {"id": row["id"], "response": row["GPT4 answer raw"], "extraction": row["GPT4 answer extracted"]}
        for row in extracted(folder, "GPT4")
    ]
    path = tmp_path / "gpt4.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = command(
        "import", "jsonl", str(path), "-t", "logicvista@official", "--model", "gpt4",
        "--data-dir", str(folder / "official"), "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    assert (cell["n"], round(448 * cell["value"])) == (448, 146)
    skills = {row["subset"][1]: round(100 * row["value"], 2) for row in found["subsets"] if row["subset"][0] == "skill"}
    assert skills == expectations(folder)["official/GPT4"]["official"]["by_skill"]
