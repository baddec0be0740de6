"""Every number in a table of the page is in the exports, and every text of the exports is its unrounded number, rounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from mmeval.reports.contents import read_contents
from mmeval.reports.exports import json_record
from mmeval.reports.format import INVISIBLE
from mmeval.reports.names import name_runs
from mmeval.runs.folder import Run
from tests.reports.diagnosed import diagnosed_run, repeated_run
from tests.reports.test_exports import hostile_run

NUMBER = re.compile(r"[+-]?\d+(?:[\u202f,]\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


class Tables(HTMLParser):
    """Rows of every table in front of the samples: the text of the row's heading, and the texts of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str, list[str]]] = []
        self._place = self._table = ""
        self._cell: list[str] | None = None
        self._head = False
        self._aside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._place = given.get("id") or self._place
        elif tag == "table":
            self._table = given.get("id") or given.get("class") or ""
        elif tag == "tr":
            self.rows.append((f"{self._place}/{self._table}", "", []))
        elif tag in ("td", "th") and self.rows:
            self._head = tag == "th" and given.get("scope") != "col"
            if tag == "td":
                self.rows[-1][2].append("")
            self._cell = [] if tag == "td" or self._head else None
        elif tag == "span" and (given.get("class") or "").startswith("hidden-text"):
            self._aside = True  # says in words what a sign shows; its p-value is that of Comparison
        elif tag == "small" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._aside = self._aside and tag != "span"
        if tag in ("td", "th") and self._cell is not None:
            text = "".join(self._cell)
            place, _head, cells = self.rows[-1]
            if self._head:
                self.rows[-1] = (place, text, cells)
            else:
                cells[-1] = text
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._aside:
            self._cell.append(data)


def numbers(text: str) -> set[str]:
    return set(NUMBER.findall(re.sub(r"U\+[0-9A-F]{4,6}", " ", text)))


@pytest.fixture(scope="module", params=["leaderboard", "hostile", "diagnosed", "repeats"])
def both(
    request: pytest.FixtureRequest, make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("equal")
    makers: dict[str, Callable[[Path], Run]] = {
        "leaderboard": lambda path: make_run(path, count=12, box=6), "hostile": hostile_run, "diagnosed": diagnosed_run, "repeats": repeated_run,
    }  # fmt: skip
    run = makers[request.param](folder / "run")
    build_report([run], folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8"), json_record(read_contents(name_runs([run])))


def test_every_number_of_the_page_is_in_the_exports(both: tuple[str, dict[str, Any]]) -> None:
    page, told = both
    parser = Tables()
    parser.feed(page.split('<section id="samples"')[0])
    assert len(parser.rows) > 3
    sheets = {f"sheet-{table['name']}": table for table in told["tables"]}
    rows = [
        (
            [shown(cell["text"]).split(": ")[-1] for cell in row[: table["labels"]]],
            " ".join(cell["text"] for cell in row),
        )
        for table in told["tables"]
        for row in table["rows"]
    ]
    for place, head, cells in parser.rows:
        if place.rpartition("/")[2] in sheets:  # compared cell by cell in test_exports.py
            continue
        # Rows of the exports that say the same task, model or subset.
        known = numbers(
            " ".join(
                text
                for labels, text in rows
                if any(all(part in head for part in label.split(" · ")) for label in labels)
            )
        )
        for cell in cells:
            assert numbers(cell) <= known, (place, head, cell)


def shown(text: str) -> str:
    return INVISIBLE.sub(lambda match: f"U+{ord(match.group()):04X}", text)


def test_every_text_of_the_exports_is_its_number_rounded(both: tuple[str, dict[str, Any]]) -> None:
    checked = 0
    for table in both[1]["tables"]:
        for row in table["rows"]:
            for cell in row:
                if cell.get("value") is None:
                    continue
                found = NUMBER.findall(cell["text"].replace("\u202f", ""))
                # The interval may stand in a column of its own.
                given = [cell["value"], *(cell.get("ci", []) if "[" in cell["text"] else [])]
                assert len(found) >= len(given) or "<" in cell["text"], (table["name"], cell)
                if "<" in cell["text"]:
                    continue
                for shown, value in zip(found, given, strict=False):
                    step = 10.0 ** -len(shown.partition(".")[2]) if "." in shown else 1.0
                    close = [abs(float(shown) - scale * value) <= 0.5001 * step for scale in (1.0, 100.0)]
                    # A share below 1 is never rounded up to 100, nor a positive one down to 0.
                    near = abs(float(shown) - 100 * value) <= step and 0 < value < 1
                    digits = f"{value:.4g}" == f"{float(shown):.4g}"
                    assert any(close) or near or digits, (table["name"], cell)
                checked += 1
    assert checked > 5
