"""MMMU's and MMMU-Pro's official scores, reproduced from the published outputs up to what the official script draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.literals import read_literal
from mmeval.core.types import AnswerContext
from mmeval.verifiers.mmmu import MMMUProVerifier, MMMUVerifier
from tests.conformance.support import expectations, guesses, image_cells, json_lines, responses, right, table_row


def mmmu_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the published responses of all subjects, with gold answers as the separate answer file has them."""
    answers = json.loads((folder / "answer_dict_val.json").read_text(encoding="utf-8"))
    files = sorted(folder.glob("example_outputs/llava1.5_13b/*/output.json"))
    rows = [row for path in files for row in json.loads(path.read_text(encoding="utf-8"))]
    return [row | {"gold": answers[row["id"]]["ground_truth"]} for row in rows]


@pytest.mark.realdata
def test_mmmu_by_the_official_rule(published: Callable[[str], Path]) -> None:
    folder = published("mmmu")
    (entry,) = expectations(folder).values()
    rows = mmmu_rows(folder)
    assert len(rows) == entry["official"]["rows"]
    verifier = MMMUVerifier()
    table = []
    for row in rows:
        choices = tuple(row["index2ans"].values()) if row["question_type"] == "multiple-choice" else ()
        context = AnswerContext(choices=choices, options={"question_type": row["question_type"]})
        table.append(table_row(verifier, row["id"], row["response"], row["gold"], context))
    official = round(entry["official"]["official_script_overall"] * len(rows))
    assert guesses(table) == 2
    assert right(table) == 329
    assert right(table) <= official <= right(table) + guesses(table)


@pytest.mark.realdata
def test_mmmu_answers_that_were_parsed_by_the_official_script(published: Callable[[str], Path]) -> None:
    """The flat output file holds the letters that the official parser found, or drew."""
    folder = published("mmmu")
    parsed = json.loads((folder / "example_outputs/llava1.5_13b/total_val_output.json").read_text(encoding="utf-8"))
    verifier = MMMUVerifier()
    differing = []
    for row in mmmu_rows(folder):
        if row["question_type"] == "multiple-choice":
            found = verifier.parse(row["response"], AnswerContext(choices=tuple(row["index2ans"].values())))
            if found.value != parsed[row["id"]]:
                differing.append((row["id"], found.value))
    assert [value for _, value in differing] == [None, None], differing


def pro_question(name: str, row: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return options and gold; early files hold the ten options in columns of their own."""
    shuffled = "temp_output" in name and "4opts" not in name
    options = row["shuffled_options" if shuffled else "options"]
    options = read_literal(options) if isinstance(options, str) else options
    return tuple(map(str, options)), row["shuffled_options_answer" if shuffled else "answer"]


@pytest.mark.realdata
def test_mmmu_pro_by_the_official_rule(published: Callable[[str], Path]) -> None:
    folder = published("mmmu_pro")
    verifier = MMMUProVerifier()
    expected = expectations(folder)
    assert len(expected) == 10
    for name, entry in expected.items():
        table = []
        for row in json_lines(folder / name):
            choices, gold = pro_question(name, row)
            found = table_row(verifier, row["id"], row["response"], gold, AnswerContext(choices=choices))
            if "if_right" in row and not guesses([found]):
                assert found["correct"] == row["if_right"], (name, row["id"])
            table.append(found)
        assert len(table) == entry["official"]["total"]
        assert right(table) == entry["recomputed"]["deterministic"], name
        assert guesses(table) == entry["recomputed"]["random_fallback_rows"], name
        assert right(table) <= entry["official"]["correct"] <= right(table) + guesses(table), name


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)


@pytest.mark.realdata
def test_mmmu_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    """The data set's own columns, as far as the published output has them, and the responses by id."""
    rows = mmmu_rows(published("mmmu"))
    common = {"topic_difficulty": "Easy", "question": "?"}
    data = [
        {
            "id": row["id"], "question_type": row["question_type"],
            "options": repr(list(row.get("index2ans", {}).values())),
            "answer": row["gold"] if isinstance(row["gold"], str) else repr(row["gold"]),
        } | common
        for row in rows
    ]  # fmt: skip
    data = [row | image_cells(row) for row in data]
    write_parquet(tmp_path / "data" / "mmmu" / "validation-00000-of-00001.parquet", data)
    found = command(
        "import", "jsonl", responses(tmp_path / "p.jsonl", rows), "-t", "mmmu@official", "--model", "llava",
        "--data-dir", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    assert (cell["n"], round(cell["value"] * 900)) == (900, 329)
    assert cell["outcomes"]["no_answer"] >= 2
    subsets = {tuple(row["subset"]): row for row in found["subsets"]}
    subjects = {label for column, label in subsets if column == "subject"}
    disciplines = {label: row["n"] for (column, label), row in subsets.items() if column == "discipline"}
    assert len(subjects) == 30
    assert disciplines == {
        "Art and Design": 120, "Business": 150, "Science": 150, "Health and Medicine": 150,
        "Humanities and Social Science": 120, "Tech and Engineering": 210,
    }  # fmt: skip


@pytest.mark.realdata
def test_mmmu_pro_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    name = "output_head/gpt-4o_standard(10 options)_direct.jsonl"
    rows = json_lines(published("mmmu_pro") / name)
    columns = ("id", "question", "options", "answer", "subject", "topic_difficulty")
    data = [{column: row[column] for column in columns} | image_cells(row) for row in rows]
    write_parquet(tmp_path / "data" / "standard (10 options)" / "test-00000-of-00001.parquet", data)
    found = command(
        "import", "jsonl", responses(tmp_path / "p.jsonl", rows), "-t", "mmmu-pro@official", "--model", "gpt-4o",
        "--data-dir", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    assert round(found["leaderboard"][0]["value"] * 1730) == 694


@pytest.mark.realdata
def test_the_official_output_folder_is_read_as_it_is(
    published: Callable[[str], Path], command: Callable[..., Any]
) -> None:
    folder = published("mmmu") / "example_outputs" / "llava1.5_13b"
    found = command("import", "mmmu", str(folder), "-t", "mmmu@official", "--model", "llava", "--no-report")
    assert found["returned"] == 0, found["stderr"]
    cell = found["leaderboard"][0]
    assert (cell["n"], round(cell["value"] * 900), found["read"]) == (900, 329, 900)
    assert len({row["subset"][1] for row in found["subsets"] if row["subset"][0] == "subject"}) == 30


@pytest.mark.realdata
def test_the_official_output_files_of_mmmu_pro_are_read_as_they_are(
    published: Callable[[str], Path], command: Callable[..., Any]
) -> None:
    folder = published("mmmu_pro")
    tasks = {"4opts": "mmmu-pro-4", "Vision": "mmmu-pro-vision"}
    for name, entry in expectations(folder).items():
        task = next((task for part, task in tasks.items() if part in name), "mmmu-pro")
        found = command(
            "import", "mmmu", str(folder / name), "-t", f"{task}@official", "--model", "m", "--no-report", "--overwrite"
        )
        assert found["returned"] == 0, found["stderr"]
        cell = found["leaderboard"][0]
        assert (round(cell["value"] * cell["n"]), cell["n"]) == (
            entry["recomputed"]["deterministic"], entry["official"]["total"],
        ), name  # fmt: skip
        if found["agreement"] is not None:
            drawn = entry["recomputed"]["random_fallback_rows"]
            assert found["agreement"]["equal"] >= found["agreement"]["verdicts"] - drawn, name
