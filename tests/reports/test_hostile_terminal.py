"""No control, bidirectional or zero-width character of a stranger's name reaches a terminal, and no export obeys one."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from mmeval.cli.main import cli
from mmeval.cli.terminal import echo, echo_json
from mmeval.reports.escapes import csv_cell, markdown_text
from mmeval.reports.format import INVISIBLE, visible_text
from tests.analysis.conftest import write_run
from tests.reports.hostile import MODELS, TEXTS
from tests.reports.payloads import PAYLOADS

NAMES = ("=1+1\x1b[2J\x1b]0;t\x07", "b\u202egnp\u2066\x9b31m\u200b|@all <b>`x`</b>\n::error::x")
TASK = "t\x1b[31m\u202e /../=cmd|"
LABEL = "=1+1\x1b[H\u2069\x00"
POLICY = """
version: 1
defaults: {min_n: 5}
rules:
  - {id: r, task: "*", kind: no_regression, min_effect: 0.01, margin: 0.1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terminal")
    rows = [
        {"id": text, "right": (number * 7 + place * number) % 3 > 0, "model": name, "subsets": {LABEL: text[:40] if number < 10 else LABEL}, "error": text}
        for number, text in enumerate(TEXTS[:40])
        for place, name in enumerate(NAMES)
    ]  # fmt: skip
    write_run(path / "both", rows, NAMES, name=TASK, subset_columns=[LABEL], title=LABEL, family=LABEL)
    for place, name in enumerate(NAMES):
        write_run(
            path / f"one{place}",
            [row for row in rows if row["model"] == name],
            (name,),
            name=TASK,
            subset_columns=[LABEL],
        )
    return path


def said(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints on both streams; not a single character may act on a terminal."""
    done = CliRunner().invoke(cli, list(arguments), standalone_mode=False, terminal_width=120)
    assert done.exception is None, done.exception
    assert (done.return_value or 0) in codes
    shown = INVISIBLE.search(done.output)
    assert shown is None, (arguments, done.output[max(0, shown.start() - 80) : shown.end() + 20])
    return done.stdout


def test_commands_print_names_as_words(folder: Path) -> None:
    one, other, both = (str(folder / name) for name in ("one0", "one1", "both"))
    assert "U+001B" in said("compare", one, other, "--by", "all", "--flips")
    for form in ("--markdown", "--latex"):
        assert "::error::" not in [line[:9] for line in said("compare", one, other, form).splitlines()]
    assert "U+202E" in said("diagnose", other, "--against", one)
    for command in (("compare", one, other, "--json"), ("diagnose", one, "--json"), ("report", both, "--json")):
        json.loads(said(*command))
    said("report", both, "-o", str(folder / "out.html"))
    said("report", both, "--latex", str(folder / "paper"))
    assert all(re.fullmatch(r"[a-z0-9-]+\.(tex|pdf|svg|bib)", path.name) for path in (folder / "paper").rglob("*.*"))


@pytest.mark.parametrize("command", ["compare", "report"])
def test_spreadsheets_get_no_formula(folder: Path, command: str) -> None:
    runs = [str(folder / "one0"), str(folder / "one1")] if command == "compare" else [str(folder / "both")]
    lines = list(csv.reader(io.StringIO(said(command, *runs, "--csv"))))
    assert len(lines) >= 2
    for line in lines:
        for cell in line:
            number = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", cell)
            assert number or not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_gate_writes_names_as_words(folder: Path) -> None:
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    runs = ("--baseline", str(folder / "one0"), "--candidate", str(folder / "one1"), "--policy", str(policy))
    said("gate", *runs, "--out", str(folder / "gate"), codes=(0, 1, 3, 4))
    said("gate", *runs, "--json", codes=(0, 1, 3, 4))
    ElementTree.parse(folder / "gate" / "junit.xml")
    assert not INVISIBLE.search((folder / "gate" / "gate.md").read_text().replace("\u200b", ""))
    json.loads((folder / "gate" / "gate.json").read_bytes())


def test_errors_quote_names_as_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmeval.cli import main

    for arguments in (
        ["report", str(folder / "both") + "#\x1b[31m\u202e"],
        ["compare", "no\x1b]0;x\x07", "x"],
        ["report", str(folder / "both"), "--baseline", "\u202e"],
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["mmeval", *arguments])
            with pytest.raises(SystemExit) as end:
                main.main()
        assert end.value.code == 2
        shown = capsys.readouterr()
        assert not INVISIBLE.search(shown.err + shown.out)
        assert "U+" in shown.err


@pytest.mark.parametrize("text", PAYLOADS)
def test_every_payload_is_words_everywhere(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    echo(text)
    assert not INVISIBLE.search(capsys.readouterr().out)
    told = text.encode("utf-8", "replace").decode()
    echo_json(json.dumps({told: told}, ensure_ascii=False).encode())
    printed = capsys.readouterr().out
    assert not INVISIBLE.search(printed)
    assert json.loads(printed) == {told: told}
    assert not csv_cell(text).lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert csv_cell(text) in (visible_text(text), "'" + visible_text(text))
    shown = markdown_text(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|#~$!]", shown.replace("&#64;", ""))
    assert not re.search(r"(?<!\w)@\w", shown)
    assert "://" not in shown


def test_model_names_of_the_corpus_hold_all_kinds() -> None:
    assert sum(map(len, MODELS)) > 3000
