"""Foreign words inside LaTeX, Markdown and CSV: they stay words there."""

from __future__ import annotations

import re

from mmeval.reports.format import visible_text

LATEX_UNICODE = r"\providecommand{\mmevalchar}[2]{\ifdefined\Umathchar#2\else{[}U+#1{]}\fi}%"
"""Line before a table: characters that pdfLaTeX does not know are shown by XeLaTeX and LuaLaTeX, elsewhere by their code point."""
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}",
    '"': r"{\ttfamily\char34}", "`": r"\textasciigrave{}", "\n": " ", "\t": " ", "\u00a0": "~", "\u2009": r"\,", "\u202f": r"\,",
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}", "−": "$-$", "→": r"$\rightarrow$", "≤": r"$\leq$", "≥": r"$\geq$",
    "▲": r"$\uparrow$", "▼": r"$\downarrow$", "↑": r"\textuparrow{}", "↓": r"\textdownarrow{}", "·": r"$\cdot$", "×": r"$\times$", "±": r"$\pm$", "°": r"$^\circ$", "µ": r"$\mu$", "⚠": "!",
}  # fmt: skip
_LIGATURES = "-,'"
"""Two of a kind would become another sign."""
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßĆćČčĎďĚěŁłŃńŇňŐőŒœŘřŚśŠšŤťŮůŰűŸŹźŻżŽž")
"""Letters that pdfLaTeX has in every encoding of its fonts."""
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def latex_text(text: str, longest: int | None = None) -> str:
    """Text in which nothing is a command, an option or a ligature; one line, cut behind `longest` characters.

    Other characters than those that pdfLaTeX knows become `\\mmevalchar{CODE}{CHARACTER}`, see `LATEX_UNICODE`.
    """
    parts: list[str] = []
    previous = ""
    shown = visible_text(text)
    if longest is not None and len(shown) > longest:
        shown = shown[:longest] + "…"
    for character in shown:
        if character in _LATEX:
            parts.append(_LATEX[character])
        elif character in _LIGATURES and character == previous:
            parts.append("{}" + character)
        elif character.isascii() or character in _LETTERS:
            parts.append(character)
        else:
            parts.append(rf"\mmevalchar{{{ord(character):04X}}}{{{character}}}")
        previous = character
    return "".join(parts)


def latex_comment(text: str) -> str:
    """Text behind a percent sign: one line."""
    return re.sub(r"\s+", " ", visible_text(text))


def markdown_text(text: str) -> str:
    """Text that no renderer takes for markup, HTML, a link or a mention; one line."""
    plain = re.sub(r"\s*[\r\n\t]\s*", " ", visible_text(text))
    escaped = re.sub(r"([\\`*_\[\]<>|#~$!])", r"\\\1", plain.replace("&", "&amp;"))
    return re.sub(r"(?<!\w)@(?=\w)", "&#64;", escaped).replace("://", ":\\//")


def csv_cell(text: str) -> str:
    """Words that a spreadsheet would take for a formula get a leading apostrophe."""
    shown = visible_text(text)
    return f"'{shown}" if shown.startswith(_FORMULA) or shown.lstrip().startswith(_FORMULA) else shown
