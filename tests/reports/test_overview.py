"""The leaderboard's measures, published numbers, marks of paired tests and heat maps, on planted rows."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from mmeval.reports.contents import Contents, read_contents
from mmeval.reports.format import shortened
from mmeval.reports.heatmaps import LABELS, MODELS, SMALL
from mmeval.reports.measures import Measure, Measured
from mmeval.reports.names import name_runs
from mmeval.reports.published import published_rows
from mmeval.reports.sheets import Sheet
from mmeval.runs.folder import Run, open_run
from mmeval.runs.leaderboard import UNREAD, LeaderboardRow, leaderboard
from mmeval.runs.manifest import write_manifest
from tests.analysis.conftest import write_run

OFFICIAL = {"model": "Somebody-7B", "value": 0.625, "metric": "accuracy", "protocol": "default", "source": "a paper"}


def planted(folder: Path, name: str = "planted", **record: Any) -> Run:
    """Two models on 40 items, with and without the picture; what is planted is in the tests."""
    rows: list[dict[str, Any]] = []
    for number in range(40):
        item = {"id": f"{number:02d}", "subsets": {"kind": "few" if number < 10 else "many"}}
        rows += [
            {**item, "model": "base", "right": number % 4 == 0},
            {**item, "model": "good", "right": number % 4 != 1},
            {**item, "model": "base", "condition": "blind", "right": number < 6},
        ]
    silent = {"outcome": "no_answer", "right": False}
    reasons = [("length", "not found"), ("length", "refusal"), ("stop", "refusal"), ("stop", "empty"), ("stop", "not found"), ("stop", "ambiguous")]  # fmt: skip
    wrong = [row for row in rows if row["model"] == "base" and "condition" not in row and not row["right"]]
    for row, (ended, reason) in zip(wrong, reasons, strict=False):
        row |= silent | {"finish_reason": ended, "reason": reason}
    wrong[-1] |= {"finish_reason": "length"}
    for place, row in enumerate(row for row in rows if row["model"] == "good"):
        row["scores"] = {"judged": float(place < 10)} if place < 30 else {}
        row |= {"completion_tokens": place, "latency_s": place / 10}
    more = {"subset_columns": ["kind"], "samples": 40, "expected": 40, **record}
    write_run(folder, rows, ("base", "good"), name=name, **more)
    return changed(open_run(folder), conditions=["standard", "blind"])


def changed(run: Run, **manifest: Any) -> Run:
    """The run with other facts in its manifest."""
    write_manifest(run.path, run.manifest.model_copy(update=manifest))
    return open_run(run.path)


def cell(run: Run, model: str, condition: str = "standard") -> LeaderboardRow:
    return next(row for row in leaderboard(run) if (row.model, row.condition) == (model, condition))


def read(*runs: Run, baseline: str | None = None) -> Contents:
    return read_contents(name_runs(runs), baseline)


def sheet(contents: Contents, name: str) -> Sheet:
    return next(one for one in contents.sheets if one.name == name)


def line(contents: Contents, model: str, condition: str = "standard") -> Measured:
    lines = [line for _, lines in contents.measures.tasks for line in lines]
    return next(
        one for one in lines if (one.cell.column.model, one.cell.row.condition) == (model, condition)
    )  # fmt: skip


def measure(contents: Contents, model: str, head: str, condition: str = "standard") -> Measure:
    return next(one for one in line(contents, model, condition).measures if one.head == head)


def test_rows_without_an_answer_are_counted_by_reason(tmp_path: Path) -> None:
    run = planted(tmp_path / "run")
    base = cell(run, "base")
    assert dict(base.unread) == {"truncated": 2, "refused": 1, "empty": 1, "unreadable": 2}
    assert sum(base.unread.values()) == base.outcomes["no_answer"] == 6
    assert base.no_answer == 6 / 40
    assert base.truncated == 3 / 40  # one more was cut off, and has an answer
    assert set(cell(run, "good").unread.values()) == {0}
    shown = [note.shown for note in measure(read(run), "base", "No answer").notes]
    assert shown == ["2 truncated", "1 refused", "1 empty", "2 unreadable"]


def test_the_judges_share_counts_rows_that_no_judge_took_part_in(tmp_path: Path) -> None:
    run = planted(tmp_path / "run")
    assert cell(run, "good").judged == 10 / 40
    assert cell(run, "base").judged is None
    contents = read(run)
    assert measure(contents, "good", "Judge").entry.text == "25 %"
    assert measure(contents, "base", "Judge").entry.value is None


def test_tokens_and_seconds_are_means_of_the_answers(tmp_path: Path) -> None:
    good = cell(planted(tmp_path / "run"), "good")
    assert good.completion_tokens == 19.5
    assert good.latency_s == pytest.approx(1.95)


def test_the_blind_floor_is_the_same_models_own_value(tmp_path: Path) -> None:
    contents = read(planted(tmp_path / "run"))
    floor = measure(contents, "base", "Blind")
    blind = line(contents, "base", "blind").cell.row.estimate
    assert blind.interval is not None
    assert (floor.entry.value, floor.entry.low, floor.entry.high) == (0.15, blind.interval.low, blind.interval.high)
    assert measure(contents, "good", "Blind").entry.value is None  # was not asked so
    assert measure(contents, "base", "Blind", "blind").entry.value is None
    assert "Blind" in contents.measures.heads


def test_nobody_is_best_without_the_picture(tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "model": model, "condition": condition, "right": number < many}
        for condition in ("standard", "blind")
        for model, many in (("base", 2), ("good", 9))
        for number in range(10)
    ]
    write_run(tmp_path / "run", rows, ("base", "good"))
    run = changed(open_run(tmp_path / "run"), conditions=["standard", "blind"])
    marks = {
        (one.cell.column.model, one.cell.row.condition): one.cell.mark
        for _, lines in read(run).measures.tasks
        for one in lines
    }
    assert marks["good", "standard"]
    assert not any(mark for (_, condition), mark in marks.items() if condition == "blind")


def test_columns_without_a_number_are_left_out_of_the_page_and_stay_in_exports(tmp_path: Path) -> None:
    rows = [{"id": str(number), "right": number % 2 == 0} for number in range(6)]
    write_run(tmp_path / "run", rows)
    contents = read(open_run(tmp_path / "run"))
    assert not {"Blind", "Judge", "Adjusted p", "Chance"} & set(contents.measures.heads)
    assert {"Blind", "Judge", "Adjusted p", "Chance"} <= set(sheet(contents, "measures").head)
    heads = sheet(contents, "measures-details").head
    assert {"Unsupported", "Unscored", "Error", *(f"No answer: {name}" for name in UNREAD)} <= set(heads)


def test_signs_are_those_of_the_comparison(tmp_path: Path) -> None:
    run = planted(tmp_path / "run")
    for baseline, model, sign, words in (("base", "good", "↑", "better than base"), ("good", "base", "↓", "worse than good")):  # fmt: skip
        contents = read(run, baseline=baseline)
        assert contents.comparison.found is not None
        one = next(one for one in contents.comparison.found.comparisons if one.subset is None)
        against = line(contents, model).cell.against
        assert against is not None
        assert one.significant
        assert (against.sign, against.p) == (sign, one.p_adjusted)
        assert against.text.startswith(words)
        assert line(contents, baseline).cell.against is None
        assert line(contents, "base", "blind").cell.against is None
        matrix = sheet(contents, "matrix")
        assert [entry.text[0] for entry in matrix.rows[0] if entry.text[0] in "↑↓"] == [sign]
        page = tmp_path / "report.html"
        build_report([run], page, baseline=baseline)
        shown = re.findall(r'<span class="hidden-text"> ((?:better|worse) than [^<]*)</span>', page.read_text())
        assert against.text in map(html.unescape, shown)


def test_subsets_carry_the_signs_of_their_own_tests(tmp_path: Path) -> None:
    contents = read(planted(tmp_path / "run"))
    assert contents.comparison.found is not None
    tested = {one.subset[1]: one for one in contents.comparison.found.comparisons if one.subset}
    rows = {row.label: row for row in contents.tables.subsets[0].groups[0].rows}
    for label, one in tested.items():
        found = next(cell for cell in rows[label].present if cell.column.model == "good").against
        assert found is not None
        assert (found.sign != "", found.p) == (one.significant, one.p_adjusted)


@pytest.mark.parametrize(
    ("number", "record", "shown"),
    [
        ({}, {}, 1),
        ({"protocol": "official"}, {}, 0),
        ({"metric": "mean"}, {}, 0),
        ({}, {"protocol": "official"}, 0),
    ],
)
def test_published_numbers_need_the_protocol_and_the_metric(
    tmp_path: Path, number: dict[str, Any], record: dict[str, Any], shown: int
) -> None:
    contents = read(planted(tmp_path / "run", published=[OFFICIAL | number], **record))
    assert sum(len(row.numbers) for row in contents.published.values()) == shown
    assert [one.name for one in contents.sheets if one.name == "published"] == ["published"] * shown
    if shown:
        texts = [entry.text for entry in sheet(contents, "published").rows[0]]
        assert texts == ["planted", "Somebody-7B", "accuracy", "62.5", "default", "a paper"]


def test_published_numbers_stand_in_the_page_as_not_measured(tmp_path: Path) -> None:
    build_report([planted(tmp_path / "run", published=[OFFICIAL])], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    found = re.search(r'<tr class="published">(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group(1)))
    assert "published, not measured here" in text
    assert "Somebody-7B 62.5 [a paper]" in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"expected": 500}, "they are of 500 samples, and 40 were asked here"),
        ({"expected": None, "available": 500}, "they are of 500 samples"),
        ({"expected": None, "available": None}, "is not known"),
        ({"changed": ["temperature"]}, "the run changed temperature"),
    ],
)
def test_numbers_of_another_set_or_setting_are_not_set_beside(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    run = planted(tmp_path / "run", published=[OFFICIAL])
    run = changed(run, tasks=[run.manifest.tasks[0].model_copy(update=change)])
    row = published_rows(name_runs([run]))["planted"]
    assert row.numbers == ()
    assert why in row.withheld
    build_report([run], tmp_path / "report.html")
    board = (
        (tmp_path / "report.html").read_text().split('<section id="subsets"')[0].split('<section id="leaderboard"')[1]
    )
    assert "Somebody-7B" not in board
    assert "They stand in Provenance" in board


def test_one_limited_run_withholds_the_numbers_of_all(tmp_path: Path) -> None:
    whole = planted(tmp_path / "whole", published=[OFFICIAL])
    part = planted(tmp_path / "part", published=[OFFICIAL])
    part = changed(part, tasks=[part.manifest.tasks[0].model_copy(update={"samples": 10})])
    row = published_rows(name_runs([whole, part]))["planted"]
    assert row.numbers == ()
    assert "part" in row.withheld


def test_families_and_tasks_have_a_stable_order(tmp_path: Path) -> None:
    names = [("b", "synthetic"), ("z", "ocr"), ("a", "synthetic"), ("c", "reasoning"), ("d", "iqa")]
    runs = []
    for name, family in names:
        write_run(tmp_path / name, [{"id": "1", "right": True}], name=name, family=family)
        runs.append(open_run(tmp_path / name))
    families = read(*runs).tables.families
    assert [(one.name, [row.label for row in one.rows]) for one in families] == [
        ("reasoning", ["c"]), ("ocr", ["z"]), ("iqa", ["d"]), ("synthetic", ["a", "b"]),
    ]  # fmt: skip


def test_maps_show_what_the_tables_say(tmp_path: Path) -> None:
    contents = read(planted(tmp_path / "run"))
    maps = contents.maps["planted"]
    assert maps.captions == ("kind: values", "kind: differences from base, points")
    values, differences = (str(figure.svg()) for figure in maps.figures)
    cells = [cell for row in contents.tables.subsets[0].groups[0].rows for cell in row.present if cell.row.condition == "standard"]  # fmt: skip
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", values)
    assert all(cell.value in texts for cell in cells)
    assert {"few", "many", "10", "30", "base", "good"} <= set(texts)
    assert contents.comparison.found is not None
    for one in (one for one in contents.comparison.found.comparisons if one.subset):
        within = one.interval is None or one.interval.low <= 0 <= one.interval.high
        shown = f"{100 * one.delta:+.1f}"
        found = re.search(rf"<text([^>]*)>(?:[↑↓] )?{re.escape(shown)}</text>", differences)
        assert found is not None
        assert ("font-weight" in found.group(1)) == (not within)
    assert SMALL == 30
    hatch = re.findall(r'<path[^>]*stroke="#606264"[^>]*>', values)
    assert len(hatch) == 2  # the two tiles with ten items
    assert [figure.name for figure in contents.figures if figure.name.startswith("map-")] == [
        "map-planted-kind", "map-differences-planted-kind",
    ]  # fmt: skip


def test_maps_have_limits_and_say_so(tmp_path: Path) -> None:
    models = tuple(f"m{place:02d}" for place in range(MODELS + 1))
    rows = [
        {"model": model, "id": str(number), "right": number % 3 == place % 3, "subsets": {"wide": f"l{number}", "slim": str(number % 2)}}
        for number in range(LABELS + 1)
        for place, model in enumerate(models)
    ]  # fmt: skip
    write_run(tmp_path / "run", rows, models, name="t", subset_columns=["wide", "slim"])
    maps = read(open_run(tmp_path / "run")).maps["t"]
    assert [caption.split(":")[0] for caption in maps.captions] == ["slim", "slim"]
    assert any(f"first {MODELS} of {MODELS + 1} models" in note for note in maps.notes)
    assert any(f"No map by wide: it has {LABELS + 1} labels" in note for note in maps.notes)
    assert models[-1] not in str(maps.figures[0].svg())


def test_one_model_has_no_map(tmp_path: Path) -> None:
    rows = [{"id": str(number), "right": True, "subsets": {"kind": "a"}} for number in range(6)]
    write_run(tmp_path / "run", rows, subset_columns=["kind"])
    assert read(open_run(tmp_path / "run")).maps == {}


def test_long_names_keep_both_ends() -> None:
    assert shortened("short", 5) == "short"
    assert shortened("org/a-long-name-v1", 9) == "org/…e-v1"
