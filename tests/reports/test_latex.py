"""What `--latex` writes compiles: all tables alone and the document, with any name in them; every chart opens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mmeval.reports.contents import read_contents
from mmeval.reports.escapes import LATEX_UNICODE, latex_text
from mmeval.reports.exports import _parts, write_latex
from mmeval.reports.names import name_runs
from tests.reports.hostile import hostile_diagnosis, hostile_run
from tests.reports.payloads import PAYLOADS

ALONE = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latex")
    runs = [hostile_run(folder / "run"), hostile_diagnosis(folder / "diagnosis")]
    write_latex(read_contents(name_runs(runs)), folder / "paper")
    return folder / "paper"


def compiled(folder: Path, name: str, source: str) -> str:
    """The log of pdfLaTeX, which must not stop at anything."""
    if shutil.which("pdflatex") is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("CI=true but no pdflatex is installed (see .ci/run)")
        pytest.skip("no pdflatex on the path (apt-get install texlive-latex-recommended)")
    (folder / f"{name}.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-file-line-error", f"{name}.tex"]
    environment = {**os.environ, "openin_any": "p", "openout_any": "p", "max_print_line": "1000"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=240, check=False)
    log = done.stdout.decode("utf-8", "replace")
    stops = [
        line
        for line in log.splitlines()
        if line.startswith("! ") or (".tex:" in line and ": " in line and "error" in line.lower())
    ]
    assert done.returncode == 0, log[-3000:]
    assert stops == []
    return log


def test_the_document_and_every_table_alone_compile(paper: Path) -> None:
    log = compiled(paper, "report", (paper / "report.tex").read_text(encoding="utf-8"))
    assert "Output written on report.pdf" in log
    tables = [path for path in sorted(paper.glob("*.tex")) if path.stem not in ("report", "alone", "methods")]
    assert len(tables) > 20
    for path in tables:
        text = path.read_text(encoding="utf-8")
        begun, ended = (len(re.findall(rf"^\\{word}\{{tabular\}}", text, re.MULTILINE)) for word in ("begin", "end"))
        parts = text.count("\\toprule")
        assert begun == ended == (1 if parts == 1 else parts + 1)  # a table in parts stands in one of one column
    # One document for all of them, each in a group of its own: nothing but booktabs is loaded, in the standard encoding.
    parts = [rf"\begingroup\setbox0\hbox{{\input{{{path.stem}}}}}\endgroup" for path in tables]
    compiled(paper, "alone", "\n".join([ALONE, *parts, r"x\end{document}"]))
    assert not [
        path
        for path in paper.iterdir()
        if path.suffix not in (".tex", ".bib", ".aux", ".log", ".pdf") and path.name != "figures"
    ]


def test_every_payload_is_words_for_latex(tmp_path: Path) -> None:
    lines = [rf"\typeout{{<{number}>}}\noindent {latex_text(text)}\par" for number, text in enumerate(PAYLOADS)]
    source = [
        r"\documentclass{article}\usepackage{booktabs}",
        LATEX_UNICODE,
        r"\begin{document}",
        *lines,
        r"\end{document}",
    ]
    log = compiled(tmp_path, "words", "\n".join(source))
    assert f"<{len(PAYLOADS) - 1}>" in log
    pypdf = pytest.importorskip("pypdf")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "words.pdf").pages)
    for said in ("input{/etc/passwd}", "write18{id}", "cinput{x}", "U+4E2D"):
        assert said in text.replace("\n", "")
    assert "root:x:" not in text


def test_every_chart_opens(paper: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    charts = sorted((paper / "figures").glob("*.pdf"))
    assert len(charts) >= 10
    for path in charts:
        (page,) = pypdf.PdfReader(path).pages
        assert float(page.mediabox.width) > 50
        assert float(page.mediabox.height) > 20
        assert page.extract_text().strip()
        root = ElementTree.parse(path.with_suffix(".svg")).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.get("width", "0")) > 50
        assert not [
            name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name
        ]


def test_a_table_too_wide_for_tex_is_parted_with_its_labels() -> None:
    assert _parts([50.0, *[100.0] * 4], 1) == [[0, 1, 2, 3, 4]]
    parts = _parts([50.0, 50.0, *[1_000.0] * 40], 2)
    assert all(part[:2] == [0, 1] and len(part) > 2 for part in parts)
    assert [place for part in parts for place in part[2:]] == list(range(2, 42))
    assert _parts([20_000.0, 20_000.0, 20_000.0], 1) == [[0, 1], [0, 2]]
