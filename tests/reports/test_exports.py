"""The same numbers in HTML, LaTeX, Markdown, CSV and JSON; hostile names are words in each of them."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mmeval.cli.report import report
from mmeval.reports.escapes import latex_text, markdown_text
from mmeval.runs.folder import Run, open_run
from tests.analysis.conftest import write_run
from tests.reports.diagnosed import diagnosed_run
from tests.reports.test_perception import Sheets

MODELS = ("=1+1", r"b\input{x}", "c")
LABEL = "@all | `x` <img src=x> **b** \\write18{ls} $x$ {}%\u202e"


def hostile_run(folder: Path) -> Run:
    draw = np.random.default_rng(2)
    rows = [
        {"model": model, "id": str(number), "right": bool(draw.random() < 0.4 + 0.2 * place), "subsets": {"kind": LABEL if number % 2 else "+plus"}}
        for number in range(30)
        for place, model in enumerate(MODELS)
    ]  # fmt: skip
    write_run(folder, rows, MODELS, name="t_1&2", subset_columns=["kind"])
    return open_run(folder)


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(report, list(arguments), standalone_mode=False)
    assert done.exception is None, done.exception
    return done.stdout


def from_latex(text: str) -> str:
    """Undo the escapes of a cell."""
    for command, plain in (
        (r"\textbackslash{}", "\x00"), (r"\textasciitilde{}", "~"), (r"\textasciicircum{}", "^"), (r"\textless{}", "<"), (r"\textgreater{}", ">"),
        (r"\textbar{}", "|"), (r"{\ttfamily\char34}", '"'), ("{*}", "*"), (r"\textasciigrave{}", "`"), (r"$\rightarrow$", "→"), (r"$\uparrow$", "▲"), (r"\textuparrow{}", "↑"), (r"\textdownarrow{}", "↓"),
        (r"$\downarrow$", "▼"), (r"$\cdot$", "·"), (r"\,", "\u202f"), ("{[}", "["), ("{]}", "]"), (r"\{", "{"), (r"\}", "}"),
    ):  # fmt: skip
        text = text.replace(command, plain)
    return re.sub(r"\\([&%$#_])", r"\1", text).replace("\x00", "\\")


def latex_rows(text: str) -> list[list[str]]:
    lines = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r"\\")]
    return [[from_latex(cell) for cell in re.split(r"(?<!\\) & ", line)] for line in lines]


def markdown_tables(text: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for block in text.split("\n## ")[1:]:
        name = from_markdown(block.splitlines()[0])
        lines = [line for line in block.splitlines() if line.startswith("| ")]
        cells = [re.split(r"(?<!\\) \| ", line[2:-2]) for line in lines]
        found[name] = [[from_markdown(cell) for cell in row] for place, row in enumerate(cells) if place != 1]
    return found


def from_markdown(text: str) -> str:
    return html.unescape(re.sub(r"\\([\\`*_\[\]<>|#~$!/])", r"\1", text))


@pytest.mark.parametrize("make", [hostile_run, diagnosed_run])
def test_numbers_are_equal_in_every_form(make: Any, tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    address = str(run.path)
    told = json.loads(printed(address, "--json"))
    tables = {table["name"]: table for table in told["tables"]}
    assert len(tables) == len(told["tables"])
    texts = {
        name: [table["columns"], *([cell["text"] for cell in row] for row in table["rows"])]
        for name, table in tables.items()
    }

    printed(address, "-o", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    parser = Sheets()
    parser.feed(page)
    names = set(parser.found)
    assert {"comparison", "squares"} <= names
    for name in names:
        assert [[re.sub(r"U\+([0-9A-F]{4})", r"[U+\1]", cell) for cell in row] for row in parser.found[name]] == [
            [cell.replace("\u202e", "[U+202E]") for cell in row] for row in texts[name]
        ]
    matrix = page.split('<table class="matrix">')[1].split("</table>")[0]
    cells = [
        re.sub(r"<[^>]*>", " ", cell) for cell in re.findall(r'<td class="estimate[^"]*">(.*?)</td>', matrix, re.DOTALL)
    ]
    values = [re.search(r"([\d.]+)\s+([\d.]+ – [\d.]+)", cell) for cell in cells]
    shown = [cell["text"] for row in tables["matrix"]["rows"] for cell in row[2:-1]]
    signs = [next((f"{sign} " for sign in "↑↓" if sign in cell), "") for cell in cells]
    assert [found and f"{sign}{found[1]} [{found[2]}]" for found, sign in zip(values, signs, strict=True)] == shown

    written = markdown_tables(printed(address, "--markdown"))
    assert written.pop("methods") == []
    assert written == {name: [[visible(cell) for cell in row] for row in rows] for name, rows in texts.items()}

    folder = tmp_path / "paper"
    printed(address, "--latex", str(folder))
    files = [path for path in sorted(folder.glob("*.tex")) if path.name not in ("report.tex", "methods.tex")]
    assert len(files) == len(tables)
    parsed = sorted(latex_rows(path.read_text()) for path in files)
    assert parsed == sorted(
        [[visible(cell).replace("–", "--") for cell in row] for row in rows] for rows in texts.values()
    )

    lines = list(csv.DictReader(io.StringIO(printed(address, "--csv"))))
    flat = [
        (name, column, cell)
        for name, table in tables.items()
        for row in table["rows"]
        for column, cell in zip(table["columns"][table["labels"] :], row[table["labels"] :], strict=True)
    ]
    assert len(lines) == len(flat)
    for line, (name, _, cell) in zip(lines, flat, strict=True):
        assert line["table"] == visible(name)
        assert (line["value"] and float(line["value"])) == (
            cell.get("value", "") if cell.get("value") is None else float(cell["value"])
        )
        assert [line["low"], line["high"]] == [
            "" if number is None else repr(number) for number in cell.get("ci", [None, None])
        ]
        assert not line["text"].startswith(("=", "+", "-", "@"))
        assert not line["row"].startswith(("=", "+", "-", "@"))


def visible(text: str) -> str:
    return text.replace("\u202e", "[U+202E]")


def test_charts_and_the_document_that_shows_them(tmp_path: Path) -> None:
    run = diagnosed_run(tmp_path / "run")
    folder = tmp_path / "paper"
    printed(str(run.path), "--latex", str(folder))
    charts = sorted((folder / "figures").glob("*.pdf"))
    assert len(charts) >= 7
    for path in charts:
        data = path.read_bytes()
        assert data.startswith(b"%PDF-")
        assert data.rstrip().endswith(b"%%EOF")
        assert path.with_suffix(".svg").read_text().startswith("<svg ")
    document = (folder / "report.tex").read_text()
    for path in [*folder.glob("*.tex")]:
        text = path.read_text()
        assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
        if path.name != "report.tex":
            assert rf"\input{{{path.stem}}}" in document
            if path.name == "methods.tex":
                continue
            assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert all(f"figures/{path.name}" in document for path in charts)


def test_hostile_words_are_words() -> None:
    assert latex_text("\\input{/etc/passwd} 5% & $x$") == r"\textbackslash{}input\{/etc/passwd\} 5\% \& \$x\$"
    assert (
        markdown_text("a|b\n<img> `x` @all [x](http://e) # - p@k")
        == r"a\|b \<img\> \`x\` &#64;all \[x\](http:\//e) \# - p@k"
    )
