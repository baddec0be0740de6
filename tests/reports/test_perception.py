"""The report's section on perception: the numbers of `mmeval diagnose --json`, and what is missing."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmeval.cli.diagnose import diagnose
from mmeval.reports.build import build_report
from mmeval.reports.names import name_runs
from mmeval.reports.perception_sheets import TITLES
from mmeval.reports.tables import build_tables
from mmeval.runs.folder import Run
from tests.reports.diagnosed import MODELS, TOKEN, diagnosed_run, plain_run, repeated_run


class Sheets(HTMLParser):
    """Tables by their id without `sheet-`: rows of texts, heads first."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] | None = None
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("id") or ""
        if tag == "table" and name.startswith("sheet-"):
            self._rows = self.found[name.removeprefix("sheet-")] = []
        elif self._rows is not None and tag == "tr":
            self._rows.append([])
        elif self._rows is not None and tag in ("td", "th"):
            self._rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = None
        elif tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._rows is not None and self._cell:
            self._rows[-1][-1] += data


def tables(page: str) -> dict[str, list[dict[str, str]]]:
    """Every table of the section: a row is a mapping from its head."""
    parser = Sheets()
    parser.feed(page)
    return {name: [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] for name, rows in parser.found.items()}


def percent(value: float | None, ci: list[float] | None = None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + (f" [{100 * ci[0]:.1f}, {100 * ci[1]:.1f}]" if ci else "")


def share(one: dict[str, Any]) -> str:
    return percent(one["estimate"], one["ci"])


def points(value: float, ci: list[float] | None) -> str:
    return f"{100 * value:+.1f}" + (f" [{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}]" if ci else "")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return diagnosed_run(tmp_path_factory.mktemp("diagnosed") / "run")


@pytest.fixture(scope="module")
def page_file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("perception") / "report.html"
    build_report([run], path)
    return path


@pytest.fixture(scope="module")
def told(run: Run) -> list[dict[str, Any]]:
    """Findings of the later model against the earlier one."""
    addresses = [f"{run.path}#{MODELS[1]}", "--against", f"{run.path}#{MODELS[0]}"]
    done = CliRunner().invoke(diagnose, [*addresses, "--json"], standalone_mode=False)
    assert done.exception is None
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return findings


def test_every_number_is_the_one_of_diagnose(page_file: Path, told: list[dict[str, Any]]) -> None:
    found = tables(page_file.read_text())
    by: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        by.setdefault(one["analysis"], []).append(one)
    assert set(by) == {
        "no-answer", "perception", "error-types", "ablation", "masking", "shortcut", "text-solvable", "shuffled", "regions", "captions", "texts",
        "dependency", "answers", "perception-change", "split", "transitions", "error-changes",
    }  # fmt: skip

    def rows(name: str, who: str) -> list[dict[str, str]]:
        chosen = [row for row in found[name] if next(iter(row.values())) == who]
        assert chosen, name
        return chosen

    late, both = MODELS[1], f"{MODELS[0]} → {MODELS[1]}"
    shown = iter(rows("perception-t-rates", late))
    counts = iter(rows("perception-t-counts", late))
    for one in by["perception"]:
        row = next(shown)
        assert row["Source"] == one["source"]
        assert [row[name] for name in ("p", "r", "l", "Lucky")] == [
            share(one[name]) for name in ("p", "r", "l", "lucky")
        ]
        assert row["Failures without perception"] == share(one["failures_without_perception"])
        if one.get("corrected"):
            row = next(shown)
            assert [row[name] for name in ("p", "r", "l")] == [
                share(one["corrected"][name]) for name in ("p", "r", "l")
            ]
        assert list(next(counts).values())[2:] == [str(count) for count in one["counts"].values()]
    assert next(shown, None) is None

    for row, one in zip(rows("ablation-t-ablation", late), by["ablation"], strict=True):
        assert row["Gain of the picture"] == points(one["delta"], one["ci"])
        assert (row["With the picture"], row["Without"]) == (percent(one["standard"]), percent(one["ablated"]))
    (row,), (one,) = rows("masking-t-masking", late), by["masking"]
    assert [row[f"{100 * step['p']:g} % masked"] for step in one["steps"]] == [
        percent(step["accuracy"], step["ci"]) for step in one["steps"]
    ]
    assert row["Slope"] == points(one["slope"], one["ci"])
    for name in ("shuffled", "regions", "captions"):
        (one,) = by[name]
        for row, each in zip(rows(f"{name}-t-contrasts", late), one["contrasts"], strict=True):
            assert row["Contrast"] == f"{each['second']} over {each['first']}"
            assert row["Difference"] == points(each["delta"], each["ci"])
            assert [row["First"], row["Second"]] == [percent(each["means"][each[side]]) for side in ("first", "second")]
    for one in by["error-types"]:
        mine = [row for row in rows("error-types-t-kinds", late) if row["Source"] == one["source"]]
        assert [mine[0][kind] for kind in one["shares"]] == [share(value) for value in one["shares"].values()]
        if one["corrected"]:
            assert mine[1]["Shares"].startswith(f"corrected by {one['corrected']['labels']} labels")
            assert [mine[1][kind] for kind in one["corrected"]["shares"]] == [
                share(value) for value in one["corrected"]["shares"].values()
            ]
    (row,), (one,) = rows("dependency-t-dependency", late), by["dependency"]
    low, high = one["k3"]["ci"]
    assert row["k3 per token"] == f"{one['k3']['mean']:.3f} [{low:.3f}, {high:.3f}]"
    assert rows("dependency-t-tokens", late)[0]["Token"] == repr(TOKEN)

    for name in ("answers", "perception-change"):
        for row, one in zip(rows(f"{name}-t-change", both), by[name], strict=True):
            assert row["Difference"] == points(one["delta"], one["ci"])
            assert [row["Lost"], row["Gained"]] == [str(count) for count in one["table"][1:3]]
            assert row["MDE"] == percent(one["mde"])
            assert float(row["p Holm"].lstrip("<")) == pytest.approx(one["p_holm"], abs=6e-4)
            assert row["p"] == (
                "<0.0001" if one["p"] < 0.0001 else f"{one['p']:.4f}" if one["p"] < 0.001 else f"{one['p']:.3f}"
            )
    for row, one in zip(rows("split-t-split", both), by["split"], strict=True):
        for name, head in (
            ("perception", "Perception"),
            ("reasoning", "Reasoning"),
            ("luck", "Luck"),
            ("delta", "Difference"),
        ):
            assert row[head] == points(one["terms"][name]["estimate"], one["terms"][name]["ci"])
    for number, one in enumerate(by["transitions"]):
        mine = rows("transitions-t-transitions", both)[4 * number : 4 * number + 4]
        assert [list(row.values())[3:] for row in mine] == [[str(count) for count in counts] for counts in one["table"]]
    for number, one in enumerate(by["error-changes"], 1):
        matrix = found[f"error-changes-t-kinds-table-{number}"]
        assert [list(row.values())[1:] for row in matrix] == [
            [str(count) for count in counts] for counts in one["table"]
        ]


def test_each_finding_says_what_it_shows_and_what_not(page_file: Path, told: list[dict[str, Any]]) -> None:
    text = page_file.read_text()
    section = text.split('<section id="perception"')[1].split('<section id="samples"')[0]
    blocks = section.split('<section class="finding">')[1:]
    assert len(blocks) == len({one["analysis"] for one in told})
    order = [TITLES[one] for one in TITLES if any(finding["analysis"] == one for finding in told)]
    assert [block.split("<h4>")[1].split("</h4>")[0] for block in blocks] == order
    assert all("Not shown:" in block and "<li><strong>" in block for block in blocks)
    assert section.count("<svg") == 6  # ablation, masking, shuffled, regions, captions, split
    assert "What is missing" in section
    assert "--repeats 8" in section
    assert "--condition blind to" not in section, "was run"


def test_a_run_without_a_diagnosis_has_no_such_section(tmp_path: Path) -> None:
    build_report([plain_run(tmp_path / "run")], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="perception"' not in page
    assert 'href="#perception"' not in page


def test_repeats_are_curves(tmp_path: Path) -> None:
    run = repeated_run(tmp_path / "run")
    build_report([run], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    done = CliRunner().invoke(diagnose, [str(run.path), "--json", "--only", "repeats"], standalone_mode=False)
    (one,) = json.loads(done.stdout)["findings"]
    for row, curve in zip(tables(page)["repeats-t-curves"], one["curves"].values(), strict=True):
        assert list(row.values())[2:] == [share(point) for point in curve]
    assert page.split('id="perception"')[1].count("<svg") == 1


def test_runs_that_cannot_be_set_against_each_other_say_so(run: Run, tmp_path: Path) -> None:
    other = diagnosed_run(tmp_path / "other", items=30)
    build_report([run, other], tmp_path / "two.html")
    page = (tmp_path / "two.html").read_text()
    assert "is not set against run#early: task t: 30 items are in one run only" in page
    assert page.count("<h4>Perceived, and answered</h4>") == 1


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_the_section_renders_in_a_browser(chromium: Any, page_file: Path, width: int, dark: bool) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(width, 800, phone=width < 500, dark=dark)
            await page.open(page_file.as_uri())
            await page.until("!document.getElementById('browser').hidden")
            assert await page.run("document.documentElement.scrollWidth") <= width
            assert await page.run("document.querySelectorAll('#perception table:not(:has(caption))').length") == 0
            assert (
                await page.run(
                    "document.querySelectorAll('#perception :is(thead th:not([scope]), tbody th:not([scope]))').length"
                )
                == 0
            )
            assert (
                await page.run("document.querySelectorAll('#perception svg:not([role=img][aria-label])').length") == 0
            )
            assert (
                await page.run(
                    "document.querySelectorAll('#perception .scroll:not([tabindex][role=region][aria-label])').length"
                )
                == 0
            )
            names = "[...document.querySelectorAll('[role=region]')].map((node) => node.getAttribute('aria-label'))"
            assert await page.run(f"new Set({names}).size === {names}.length"), "regions have names of their own"
            ids = "[...document.querySelectorAll('[id]')].map((node) => node.id)"
            assert await page.run(f"new Set({ids}).size === {ids}.length")
            assert TOKEN in await page.run("document.getElementById('perception').textContent")
            assert page.problems == []
            assert page.requests == [page_file.as_uri()]

    asyncio.run(check())


def test_chance_is_that_of_what_was_asked(tmp_path: Path) -> None:
    """A checklist asks other questions than the task, so that the task's best guess is none of its own."""
    run = diagnosed_run(tmp_path / "run", items=12)
    cells = [cell for family in build_tables(name_runs([run])).families for row in family.rows for cell in row.present]
    chance = {cell.column.condition: cell.chance for cell in cells}
    assert (chance["standard"], chance["blind"], chance["checklist"]) == ("25.0", "25.0", "–")
    build_report([run], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    measured: dict[str, list[str]] = {}
    for row in rows:
        if len(row) > 9 and row[0] == MODELS[0] and row[1] in chance:
            measured.setdefault(row[1], row)
    # Behind value, interval, n and coverage.
    assert "25.0" in measured["blind"][-8:]
    assert "25.0" not in measured["checklist"][-8:]
