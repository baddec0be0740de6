"""The report's section on comparison: the numbers of `mmeval compare --json`, and samples behind the 2x2 table."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mmeval.cli.compare import compare
from mmeval.core.errors import UsageError
from mmeval.reports.build import build_report
from mmeval.runs.folder import Run, open_run
from tests.analysis.conftest import write_run
from tests.reports.test_perception import percent, points, tables

MODELS = ("a", "b <i>", "c", "step-100", "step-200", "step-300")


def three_run(folder: Path, models: tuple[str, ...], items: int = 40) -> Run:
    draw = np.random.default_rng(5)
    rows = [
        {"model": model, "id": str(number), "right": bool(draw.random() < 0.3 + 0.2 * place % 0.6), "subsets": {"kind": "odd" if number % 2 else "even"}}
        for number in range(items)
        for place, model in enumerate(models)
    ]  # fmt: skip
    write_run(folder, rows, models, name="t", chance=0.25, subset_columns=["kind"])
    return open_run(folder)


def compared(run: Run, *models: str, by: str = "all") -> dict[str, Any]:
    done = CliRunner().invoke(compare, [*(f"{run.path}#{name}" for name in models), "--by", by, "--json"], standalone_mode=False)  # fmt: skip
    assert done.exception is None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return three_run(tmp_path_factory.mktemp("three") / "run", MODELS[:3])


@pytest.fixture(scope="module")
def page_file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "report.html"
    build_report([run], path)
    return path


def test_every_number_is_the_one_of_compare(run: Run, page_file: Path) -> None:
    found, told = tables(page_file.read_text()), compared(run, *MODELS[:3])
    rows = iter(found["comparison"])
    squares = iter(found["squares"])
    subsets = iter(found["subsets-t"])
    for one in told["comparisons"]:
        row = next(rows if one["subset"] is None else subsets)
        assert row["Model"] == one["candidate_model"]
        assert (row["Baseline"], row["Candidate"]) == (percent(one["base"]), percent(one["candidate"]))
        mark = "" if one["p_adjusted"] >= 0.05 else "▲ " if one["delta"] > 0 else "▼ "
        assert row["Difference"] == mark + points(one["delta"], one["ci"])
        assert (row["Lost"], row["Gained"]) == (str(len(one["lost"])), str(len(one["gained"])))
        if one["p_adjusted"] >= 0.001:
            assert row["p adjusted"] == f"{one['p_adjusted']:.3f}"
        if one["subset"] is None:
            assert list(next(squares).values())[2:] == [str(one["table"][name]) for name in ("both_right", "base_only", "candidate_only", "both_wrong")]  # fmt: skip
    assert next(subsets, None) is None
    wins = {row["Model"]: row for row in found["wins"]}
    for pair in told["rankings"][0]["pairs"]:
        sign = 0 if pair["p_adjusted"] >= 0.05 else 1 if pair["delta"] > 0 else -1
        assert (
            wins[pair["candidate_model"]][pair["base_model"]] == {1: "1 / 0 / 0", 0: "0 / 1 / 0", -1: "0 / 0 / 1"}[sign]
        )


def test_footnotes_name_tests_in_words(run: Run) -> None:
    done = CliRunner().invoke(compare, [f"{run.path}#a", f"{run.path}#c"], standalone_mode=False)
    assert "tests, two-sided: McNemar's mid-p test\n" in done.stdout
    assert "intervals: Tango score intervals\n" in done.stdout


def test_another_baseline_and_checkpoints_as_a_curve(tmp_path: Path) -> None:
    run = three_run(tmp_path / "run", MODELS[3:])
    build_report([run], tmp_path / "report.html", baseline="step-200", margin=0.05)
    page = (tmp_path / "report.html").read_text()
    assert "Is a model better than the baseline <strong>step-200</strong>" in page
    assert "± 5 points" in page
    assert [row["Model"] for row in tables(page)["comparison"]] == ["step-100", "step-300"]
    assert "over the steps of step-N, with intervals" in page
    with pytest.raises(UsageError, match="step-20"):
        build_report([run], tmp_path / "x.html", baseline="step-20")


def test_what_cannot_be_compared_is_said_and_the_rest_is_compared(run: Run, tmp_path: Path) -> None:
    changed = [task.model_copy(update={"ask_digest": "9" * 64}) for task in run.manifest.tasks]
    altered = Run(run.path, run.manifest.model_copy(update={"tasks": changed, "name": "altered"}), "a")
    build_report([run, altered], tmp_path / "two.html")
    page = (tmp_path / "two.html").read_text()
    assert "altered#a is not compared with run#a on t: task t: the two runs were asked in different ways" in page
    assert [row["Model"] for row in tables(page)["comparison"]] == ["b <i>", "c"]


def test_one_model_has_no_comparison(run: Run, tmp_path: Path) -> None:
    build_report([open_run(f"{run.path}#a")], tmp_path / "one.html")
    assert 'id="comparison"' not in (tmp_path / "one.html").read_text()


@pytest.mark.browser
def test_samples_that_broke_are_two_clicks_away(chromium: Any, run: Run, page_file: Path) -> None:
    broken = next(one for one in compared(run, "a", "c")["comparisons"] if one["subset"] is None)["lost"]

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(page_file.as_uri())
            await page.until("!document.getElementById('browser').hidden")
            await page.run("document.querySelector('nav a[href=\"#comparison\"]').click()")
            await page.run("document.querySelectorAll('#sheet-squares tbody tr')[1].querySelectorAll('a')[1].click()")
            await page.until(f"document.getElementById('matches').textContent === '{len(broken)} of 40 samples'")
            shown = "[...document.querySelectorAll('#list .rowid')].map((node) => node.textContent)"
            assert set(await page.run(shown)) <= set(broken)
            chosen = await page.run("document.querySelector('#pairs [aria-pressed=true]').getAttribute('aria-label')")
            assert chosen == f"broke {len(broken)}: a right, c wrong"
            await page.until("Math.abs(document.getElementById('samples').getBoundingClientRect().top) < 120")
            link = await page.run("location.href")
            await page.open("about:blank")
            await page.open(link)
            await page.until("!document.getElementById('browser').hidden")
            assert await page.run("document.getElementById('matches').textContent") == f"{len(broken)} of 40 samples"
            assert page.problems == []

    asyncio.run(check())
