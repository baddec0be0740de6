"""Runs that are not as one would like them: the page and every export work, or say clearly why not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmeval.cli.report import report
from mmeval.core.errors import DataError, UsageError
from mmeval.reports.build import build_report
from mmeval.reports.contents import read_contents
from mmeval.reports.exports import csv_text, json_record, markdown, write_latex
from mmeval.reports.names import name_runs
from mmeval.runs.folder import Run, open_run
from tests.analysis.conftest import quiz, write_run
from tests.reports.conftest import RunFolder, scored, task_record


def every_form(runs: list[Run], folder: Path) -> tuple[str, dict[str, Any]]:
    """The page and the JSON of a report; the other exports are written too."""
    build_report(runs, folder / "report.html")
    contents = read_contents(name_runs(runs))
    assert csv_text(contents).startswith("table,row,column,")
    assert markdown(contents).startswith("# ")
    assert (folder / "paper" / "report.tex") in write_latex(contents, folder / "paper")
    told: dict[str, Any] = json.loads(json.dumps(json_record(contents), allow_nan=False))
    return (folder / "report.html").read_text(encoding="utf-8"), told


def values(told: dict[str, Any], table: str = "measures") -> list[Any]:
    (found,) = [one for one in told["tables"] if one["name"] == table]
    place = found["columns"].index("Value")
    return [row[place].get("value") for row in found["rows"]]


def test_no_samples(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "none", ("m",), [task_record("t", "f", "T", ["accuracy"], 0)]).finish()
    page, told = every_form([run], tmp_path)
    assert "There is nothing to compare" in page
    assert [one for one in told["tables"] if one["rows"]] == []


def test_one_model_one_sample(tmp_path: Path) -> None:
    page, told = every_form([open_run(write_run(tmp_path / "one", quiz(1)))], tmp_path)
    assert values(told) == [1.0]
    assert "comparison" not in {one["name"] for one in told["tables"]}
    assert 'id="comparison"' not in page


def test_forty_models(tmp_path: Path) -> None:
    models = tuple(f"org/model-{number:02d}" for number in range(40))
    rows = [
        {"id": str(item), "model": model, "right": (item * 7 + place) % 3 > 0}
        for item in range(6)
        for place, model in enumerate(models)
    ]
    page, told = every_form([open_run(write_run(tmp_path / "many", rows, models))], tmp_path)
    assert len(values(told)) == 40
    assert "Not compared here: org/model-10" in page


def test_names_with_slashes_and_dots_stay_inside_the_folder(tmp_path: Path) -> None:
    rows = [
        {"id": f"../{number}", "right": number % 2, "model": model, "subsets": {"../..": "/etc"}}
        for number in range(8)
        for model in ("../../up", "/abs/olute")
    ]
    path = write_run(
        tmp_path / "run", rows, ("../../up", "/abs/olute"), name="../../task/../x", subset_columns=["../.."]
    )
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    _, told = every_form([open_run(path)], tmp_path / "out")
    assert len(values(told)) == 2
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts and path != tmp_path / "out"} == before


@pytest.mark.parametrize(
    ("answer", "coverage", "value"),
    [
        ({"outcome": "unscored", "score": None, "correct": None}, 0.0, None),
        ({"outcome": "error", "score": None, "correct": None, "error": "x", "response": None}, 0.0, None),
        ({"outcome": "no_answer", "score": 0.0, "correct": False, "response": ""}, 1.0, 0.0),
    ],
)
def test_a_model_that_answered_nothing(
    tmp_path: Path, answer: dict[str, Any], coverage: float, value: float | None
) -> None:
    rows = [{"id": str(number), "model": "good", "right": number % 2} for number in range(8)]
    rows += [{"id": str(number), "model": "none", **answer} for number in range(8)]
    page, told = every_form([open_run(write_run(tmp_path / "run", rows, ("good", "none")))], tmp_path)
    assert values(told) == [0.5, value]
    (measures,) = [one for one in told["tables"] if one["name"] == "measures"]
    assert measures["rows"][1][measures["columns"].index("Coverage")]["value"] == coverage
    assert "NaN" not in page.split("<script")[0]
    alone = write_run(tmp_path / "alone", [row for row in rows if row["model"] == "none"], ("none",))
    assert values(every_form([open_run(alone)], tmp_path / "more")[1]) == [value]


def test_one_repeat_is_missing(tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "right": number % 2, "repeat": repeat}
        for number in range(6)
        for repeat in range(3)
        if (number, repeat) != (2, 1)
    ]
    every_form([open_run(write_run(tmp_path / "run", rows))], tmp_path)


def test_pictures_that_are_gone(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", count=3, box=1, hostile=False)
    shutil.rmtree(run.path / "media")
    page, _ = every_form([open_run(str(run.path))], tmp_path)
    assert "RIFF" not in page


def test_an_answer_of_ten_megabytes_is_cut(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", ("m",), [task_record("t", "f", "T", ["accuracy"], 1)])
    long = "<b>\u202e" * 2_000_000
    run.add(
        0,
        {"id": "long", "question": long, "target": "needle"},
        {("m", 0): scored(True, "needle", f"{long}needle{long}")},
    )
    build_report([run.finish()], tmp_path / "report.html", max_mb=1)
    assert (tmp_path / "report.html").stat().st_size < 1e6


@pytest.mark.parametrize("change", [{"schema_version": 999}, {"models": "x"}, {"tasks": None}, {"conditions": 3}])
def test_another_manifest_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = Path(write_run(tmp_path / "run", quiz(1, 0)))
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(DataError, match=r"run\.json"):
        open_run(str(path))


def test_a_run_without_its_table(tmp_path: Path) -> None:
    path = Path(write_run(tmp_path / "run", quiz(1, 0)))
    (path / "results.parquet").unlink()
    with pytest.raises(DataError, match="results"):
        every_form([open_run(str(path))], tmp_path)


def test_the_chance_engine_is_no_baseline(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", count=2, box=1, hostile=False)
    with pytest.raises(UsageError, match="chance engine is no baseline"):
        build_report([run], tmp_path / "page.html", baseline="chance")


def test_one_form_at_a_time_on_stdout(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", quiz(1, 0))
    result = CliRunner().invoke(report, [path, "--csv", "--json"])
    assert isinstance(result.exception, UsageError)
    assert "--csv and --json" in str(result.exception)


def test_tables_beyond_the_limit_are_said_to_be(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", quiz(1, 0))
    made = build_report([open_run(path)], tmp_path / "page.html", max_mb=0.001)
    assert made.oversize
    assert "because tables and charts leave no room below" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not build_report([open_run(path)], tmp_path / "page.html").oversize
