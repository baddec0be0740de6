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
from mmeval.reports.format import visible_text
from mmeval.reports.sheets import Entry, Sheet

SCHEMA = 1
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "–": "--", "\u2009": r"\,", "→": r"$\rightarrow$",
    "▲": r"$\uparrow$", "▼": r"$\downarrow$", "·": r"$\cdot$", "×": r"$\times$", "±": r"$\pm$", "’": "'", "⚠": "!", "\n": " ", "\t": " ",
    "[": "{[}", "]": "{]}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def json_record(contents: Contents) -> dict[str, Any]:
    """Every table: what people read, and the unrounded number with its interval (shares of 1)."""
    return {
        "schema": SCHEMA,
        "title": contents.title,
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
                writer.writerow([*map(_csv, (sheet.name, label, column)), *numbers, _csv(words)])
    return stream.getvalue()


def _csv(text: str) -> str:
    """Words that a spreadsheet would take for a formula get a leading apostrophe."""
    shown = visible_text(text)
    return f"'{shown}" if shown.lstrip(" ").startswith(_FORMULA) else shown


def markdown(contents: Contents) -> str:
    """One heading and one table each."""
    return "\n\n".join([f"# {_markdown(contents.title)}", *map(_markdown_sheet, contents.sheets)]) + "\n"


def _markdown_sheet(sheet: Sheet) -> str:
    rule = "|" + "|".join(" --- " if place < sheet.labels else " ---: " for place in range(len(sheet.head))) + "|"
    lines = ["| " + " | ".join(map(_markdown, sheet.head)) + " |", rule]
    lines += ["| " + " | ".join(_markdown(cell.text) for cell in row) + " |" for row in sheet.rows]
    return "\n".join([f"## {_markdown(sheet.name)}", "", _markdown(sheet.caption), "", *lines])


def _markdown(text: str) -> str:
    """Text that no renderer takes for markup, HTML, a link or a mention."""
    plain = re.sub(r"\s*[\r\n\t]\s*", " ", visible_text(text))
    escaped = re.sub(r"([\\`*_\[\]<>|#~$!])", r"\\\1", plain.replace("&", "&amp;"))
    return re.sub(r"(?<!\w)@(?=\w)", "&#64;", escaped).replace("://", ":\\//")


def write_latex(contents: Contents, folder: Path) -> list[Path]:
    """Write one booktabs table per sheet, each chart as PDF and SVG, and `report.tex` that shows all of them.

    Raises:
        StorageError: when a file cannot be written.
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
            written[-2].write_text(str(figure.svg()), encoding="utf-8")
            written[-1].write_bytes(figure.pdf())
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
    columns = "l" * sheet.labels + "r" * (len(sheet.head) - sheet.labels)
    lines = [
        f"% {_comment(sheet.caption)}; needs \\usepackage{{booktabs}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(_latex, sheet.head)) + r" \\",
        r"\midrule",
        *(" & ".join(_latex(cell.text) for cell in row) + r" \\" for row in sheet.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _document(contents: Contents, tables: Sequence[str], charts: Sequence[str]) -> str:
    lines = [
        r"\documentclass{article}", r"\usepackage[T1]{fontenc}", r"\usepackage[utf8]{inputenc}", r"\usepackage{textcomp}", r"\usepackage{booktabs,graphicx,adjustbox}",
        r"\usepackage[margin=2cm]{geometry}", r"\begin{document}", rf"\section*{{{_latex(contents.title)}}}",
    ]  # fmt: skip
    for sheet, name in zip(contents.sheets, tables, strict=True):
        fit = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
        lines += [rf"\paragraph{{{_latex(sheet.caption)}}}\mbox{{}}\par\noindent", rf"{fit}{{\input{{{name}}}}}", ""]
    lines += [rf"\noindent\adjincludegraphics[max width=\linewidth]{{figures/{name}.pdf}}\par" for name in charts]
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def _comment(text: str) -> str:
    return re.sub(r"\s+", " ", visible_text(text))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in visible_text(text))
