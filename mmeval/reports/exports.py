"""A report as LaTeX (booktabs), Markdown, CSV and JSON, and its charts as files: the cells of the page, escaped for each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import StorageError
from mmeval.reports.contents import Contents
from mmeval.reports.escapes import LATEX_UNICODE, csv_cell, latex_comment, latex_text, markdown_text
from mmeval.reports.format import visible_text
from mmeval.reports.sheets import Entry, Sheet

SCHEMA = 1
_LONGEST_HEAD, _LONGEST_CELL = 40, 160
"""Characters; TeX knows no length beyond 5.7 metres, and longer names are cut."""
_LETTER, _COLUMN_GAP = 10.0, 12.0
"""Points of a wide letter, and between two columns."""
_WIDEST = 15_000.0
"""Points of a table; TeX gives up at 16,383."""
_FIT = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
"""Width of what is made smaller only where it is too wide."""


def json_record(contents: Contents) -> dict[str, Any]:
    """Every table: what people read, and the unrounded number with its interval (shares of 1)."""
    return {
        "schema": SCHEMA,
        "title": contents.title,
        "methods": {
            "paragraphs": contents.methods.plain(),
            "latex": contents.methods.latex(),
            "bibtex": contents.methods.bibtex(),
        },
        "tables": [
            {
                "name": sheet.name,
                "caption": sheet.caption,
                "columns": list(sheet.head),
                "labels": sheet.labels,
                "rows": [[_cell_json(cell) for cell in row] for row in sheet.rows],
            }
            for sheet in contents.sheets
        ],
    }


def _cell_json(cell: Entry) -> dict[str, Any]:
    record: dict[str, Any] = {"text": cell.text}
    if cell.value is not None:
        record["value"] = cell.value
    if cell.low is not None:
        record["ci"] = [cell.low, cell.high]
    return record


def csv_text(contents: Contents) -> str:
    """One line per cell; numbers unrounded, words only where there is no number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["table", "row", "column", "value", "low", "high", "text"])
    for sheet in contents.sheets:
        for row in sheet.rows:
            label = " | ".join(cell.text for cell in row[: sheet.labels])
            for column, cell in zip(sheet.head[sheet.labels :], row[sheet.labels :], strict=True):
                numbers = ["" if number is None else number for number in (cell.value, cell.low, cell.high)]
                words = cell.text if cell.value is None else ""
                writer.writerow([*map(csv_cell, (sheet.name, label, column)), *numbers, csv_cell(words)])
    return stream.getvalue()


def markdown(contents: Contents) -> str:
    """One heading and one table each."""
    return (
        "\n\n".join(
            [f"# {markdown_text(contents.title)}", *map(_markdown_sheet, contents.sheets), *_markdown_methods(contents)]
        )
        + "\n"
    )


def _markdown_methods(contents: Contents) -> list[str]:
    # BibTeX values are escaped for LaTeX: none holds a tilde, so that none can end the fence.
    return ["## methods", contents.methods.markdown(), f"~~~~bibtex\n{contents.methods.bibtex()}~~~~"]


def _markdown_sheet(sheet: Sheet) -> str:
    rule = "|" + "|".join(" --- " if place < sheet.labels else " ---: " for place in range(len(sheet.head))) + "|"
    lines = ["| " + " | ".join(map(markdown_text, sheet.head)) + " |", rule]
    lines += ["| " + " | ".join(markdown_text(cell.text) for cell in row) + " |" for row in sheet.rows]
    return "\n".join([f"## {markdown_text(sheet.name)}", "", markdown_text(sheet.caption), "", *lines])


def write_latex(contents: Contents, folder: Path) -> list[Path]:
    """Write one booktabs table per sheet, each chart as PDF and SVG, and `report.tex` that shows all of them.

    Raises:
        StorageError: when a file cannot be written, or a chart not be drawn.
    """
    tables = _file_names([sheet.name for sheet in contents.sheets])
    charts = _file_names([figure.name for figure in contents.figures])
    written = []
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for sheet, name in zip(contents.sheets, tables, strict=True):
            written.append(folder / f"{name}.tex")
            written[-1].write_text(_latex_sheet(sheet), encoding="utf-8")
        for figure, name in zip(contents.figures, charts, strict=True):
            written += [folder / "figures" / f"{name}.svg", folder / "figures" / f"{name}.pdf"]
            written[-2].write_text(str(figure.drawn()), encoding="utf-8")
            written[-1].write_bytes(figure.pdf())
        for name, text in (("methods.tex", contents.methods.latex()), ("references.bib", contents.methods.bibtex())):
            written.append(folder / name)
            written[-1].write_text(text, encoding="utf-8")
        written.append(folder / "report.tex")
        written[-1].write_text(_document(contents, tables, charts), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write into {folder}: {error.strerror or error}", remedy="free some space or name another folder"
        ) from error
    return written


def _file_names(names: Sequence[str]) -> list[str]:
    """Names of files: letters, digits and dashes, each once."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:80] or "table"
        number = 1
        while (chosen := plain if number == 1 else f"{plain}-{number}") in found:
            number += 1
        found.append(chosen)
    return found


def _latex_sheet(sheet: Sheet) -> str:
    """A booktabs table; one too wide for TeX in parts below each other, each with the labels of the rows."""
    heads = [latex_text(name, _LONGEST_HEAD) for name in sheet.head]
    rows = [[latex_text(cell.text, _LONGEST_CELL) for cell in row] for row in sheet.rows]
    widths = [
        _COLUMN_GAP + _LETTER * max(min(len(visible_text(text)), longest) for text, longest in texts)
        for texts in zip(
            [(name, _LONGEST_HEAD) for name in sheet.head],
            *([(cell.text, _LONGEST_CELL) for cell in row] for row in sheet.rows),
            strict=True,
        )
    ]
    parts = _parts(widths, sheet.labels)
    tables = [_tabular([[row[place] for place in part] for row in (heads, *rows)], sheet.labels) for part in parts]
    if len(tables) > 1:
        joined = "\\\\[2ex]\n".join(tables)
        tables = [f"\\begin{{tabular}}{{@{{}}l@{{}}}}\n{joined}\n\\end{{tabular}}"]
    return f"% {latex_comment(sheet.caption)}; needs \\usepackage{{booktabs}}\n{LATEX_UNICODE}\n{tables[0]}\n"


def _parts(widths: Sequence[float], labels: int) -> list[list[int]]:
    """Columns of the parts of a table: the labels, and as many others as the width allows, at least one."""
    label_columns = list(range(labels))
    start = sum(widths[:labels])
    parts, spent = [list(label_columns)], start
    for place in range(labels, len(widths)):
        if len(parts[-1]) > labels and spent + widths[place] > _WIDEST:
            parts.append(list(label_columns))
            spent = start
        parts[-1].append(place)
        spent += widths[place]
    return parts


def _tabular(rows: Sequence[Sequence[str]], labels: int) -> str:
    columns = "l" * labels + "r" * (len(rows[0]) - labels)
    head, *others = (" & ".join(row) + r" \\" for row in rows)
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *others,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _document(contents: Contents, tables: Sequence[str], charts: Sequence[str]) -> str:
    lines = [
        r"\documentclass{article}", r"\ifdefined\Umathchar\else\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\fi", r"\usepackage{textcomp,booktabs,graphicx}",
        r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}", r"\usepackage[margin=2cm]{geometry}", LATEX_UNICODE,
        rf"\newcommand{{\fitted}}[1]{{\noindent\resizebox{{{_FIT}}}{{!}}{{#1}}\par}}", r"\begin{document}", rf"\section*{{{latex_text(contents.title, _LONGEST_CELL)}}}",
    ]  # fmt: skip
    for sheet, name in zip(contents.sheets, tables, strict=True):
        lines += [
            rf"\paragraph{{{latex_text(sheet.caption, _LONGEST_CELL)}}}\mbox{{}}\par",
            rf"\fitted{{\input{{{name}}}}}",
            "",
        ]
    lines += [rf"\fitted{{\includegraphics{{figures/{name}.pdf}}}}" for name in charts]
    lines += [r"\section*{Methods}", r"\input{methods}", r"\bibliographystyle{plain}", r"\bibliography{references}"]
    return "\n".join([*lines, r"\end{document}"]) + "\n"
