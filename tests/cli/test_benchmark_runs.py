"""The cards of published benchmarks, run on their fixtures from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

DATA = str(Path(__file__).parents[1] / "data")
TASKS = (
    "mathverse,geometry3k,mmk12,olympiadbench,emma,mmlu-pro,scienceqa,ai2d,realworldqa,"
    "docvqa,infovqa,textvqa,chartqa,charxiv-reasoning,charxiv-descriptive,ocrbench,ocrbench-v2"
)


def test_all_of_them_run_to_the_end(mmeval: Callable, tmp_path: Path) -> None:
    done = mmeval("run", "-m", "chance", "-t", TASKS, "--data-dir", DATA, "--no-report", "--json", "-o", "runs/r")
    assert done.code == 0, done.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert set(rows["task"]) == set(TASKS.split(","))
    assert set(rows["outcome"]) == {"scored", "no_answer"}
    cells = {cell["task"]: cell for cell in done.json["leaderboard"] if cell["subset"] is None}
    assert set(cells) == set(TASKS.split(","))
    assert rows["score"].between(0, 1).all()


def test_a_data_set_with_another_number_of_rows_is_named_on_the_screen(mmeval: Callable) -> None:
    done = mmeval(
        "run", "-m", "chance", "-t", "cv-bench", "--data-dir", DATA, "--limit", "2", "--no-report", "-o", "runs/r"
    )
    assert done.code == 0, done.err
    assert "cv-bench: the data set has " in done.err
    assert "rows, the card expects 2638" in done.err


def test_questions_without_published_answers_are_asked_for_export(mmeval: Callable, tmp_path: Path) -> None:
    done = mmeval("run", "-m", "chance", "-t", "mathvista-test,docvqa@test,infovqa@test,textvqa@test", "--data-dir", DATA, "--no-report", "-o", "runs/r")  # fmt: skip
    assert done.code == 6, done.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert len(rows) == 9
    assert set(rows["outcome"]) == {"unscored"}
    assert rows["response"].notna().all()


def test_official_results_of_ocrbench_v2_are_imported(mmeval: Callable, tmp_path: Path) -> None:
    """As the card's description says, from the file that the official script writes."""
    lines = [f'{{"id": "{number}", "score": {score}}}\n' for number, score in enumerate((1, 0.5, 1, 0, 0.25, 0, 0.9))]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    done = mmeval("import", "jsonl", "rows.jsonl", "-t", "ocrbench-v2", "--model", "m", "--data-dir", DATA, "--no-report", "-o", "runs/r")  # fmt: skip
    assert done.code == 6, done.err  # seven of 10,000
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet").set_index("sample_id")
    assert rows.loc["6", "score"] == 0.9
    assert set(rows["outcome"]) == {"scored"}
    assert dict(rows.loc["6", "subsets"])["ability"] == "element parsing"


@pytest.mark.model
@pytest.mark.slow
def test_the_embedded_model_answers_and_judges_some_of_them(mmeval: Callable, tmp_path: Path) -> None:
    tasks = "mathverse@vision-only,geometry3k,scienceqa,docvqa,chartqa@official,charxiv-descriptive"
    done = mmeval(
        "run", "-m", "tiny", "-t", tasks, "--judge", "tiny", "--data-dir", DATA, "--limit", "4", "--no-report", "-o", "runs/r", timeout=600
    )  # fmt: skip
    assert done.code in (0, 6), done.err  # `tiny` is no judge: where it says nothing usable, rows stay unscored
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert rows["task"].nunique() == 6
    assert rows["response"].notna().all()
    assert not (rows["outcome"] == "error").any()


def test_the_mean_of_a_suite_is_shown_where_all_its_tasks_are(mmeval: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "suites"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "tasks: [ai2d, scienceqa]\naggregates: [{name: Mean of both, mean: [ai2d, scienceqa]}]\n"
    )
    common = ("run", "-m", "chance", "--data-dir", DATA, "--task-path", "own", "-o", "runs/r")
    done = mmeval(*common, "-t", "mine", "--json")
    assert done.code == 0, done.err
    (mean,) = done.json["suites"]
    values = [cell["value"] for cell in done.json["leaderboard"] if cell["metric"] == "accuracy"]
    assert mean["tasks"] == ["ai2d", "scienceqa"]
    assert mean["value"] == pytest.approx(sum(values) / 2)
    assert mean["ci"][0] < mean["value"] < mean["ci"][1]
    assert "mine: Mean of both" in (tmp_path / "runs/r/report.html").read_text()
    table = mmeval(*common, "-t", "mine")
    assert f"suite mine, Mean of both: chance {mean['value'] * 100:.1f} (" in table.out
    alone = mmeval(*common[:-1], "runs/s", "-t", "ai2d", "--json", "--no-report")
    assert alone.json["suites"] == []
