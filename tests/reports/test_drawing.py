"""Charts where the address space is limited: a child draws them, and its end is not the report's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmeval.core.errors import StorageError, UsageError
from mmeval.reports import drawing
from mmeval.reports.figures import Figure

SPEC = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a", "type": "quantitative"}}}


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The process that draws under a limit, not started yet."""
    monkeypatch.setattr(drawing, "address_space_limited", lambda: True)
    found = drawing._Child()
    monkeypatch.setattr(drawing, "_CHILD", found)
    yield found
    found.close()


def figure(name: str) -> Figure:
    return Figure(name, f"a point of {name} & more", json.dumps({**SPEC, "title": name}))


def test_a_child_draws_the_same_and_tells_what_is_wrong_with_a_chart(
    child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = drawing.draw(json.dumps(SPEC), "svg")
    assert drawing.draw(json.dumps(SPEC), "pdf").startswith(b"%PDF")
    with pytest.raises(ValueError, match="conversion failed"):
        drawing.draw('{"mark": "nonsense"}', "svg")
    assert drawing.undrawn() == ""
    monkeypatch.setattr(drawing, "address_space_limited", lambda: False)
    assert drawing.draw(json.dumps(SPEC), "svg") == limited


def test_a_child_that_is_ended_leaves_a_sentence_in_the_page_and_no_file(
    child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_SCRIPT", "import os; os.abort()")
    shown = figure("ended").svg()
    assert shown.startswith('<p class="notice">Not drawn: a point of ended &amp; more (')
    assert "<svg" not in shown
    assert "ulimit -v" in drawing.undrawn()
    with pytest.raises(drawing.DrawingError) as caught:
        figure("ended").pdf()
    assert "mmeval report" in caught.value.remedy
    monkeypatch.setattr(drawing, "_SCRIPT", "never started again")
    with pytest.raises(drawing.DrawingError):
        figure("ended too").drawn()


def test_a_child_that_cannot_be_started_is_no_bug(child: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(drawing.DrawingError, match="No such file"):
        drawing.draw(json.dumps(SPEC), "svg")


def test_an_interpreter_without_docstrings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing.require_docstrings()
    monkeypatch.setattr(drawing, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with pytest.raises(UsageError, match="PYTHONOPTIMIZE"):
        drawing.require_docstrings()


@pytest.mark.parametrize("fails", [True, False])
def test_a_run_whose_report_fails_is_shown_all_the_same(
    fails: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mmeval.cli.summary import written_report
    from mmeval.reports import build

    def build_report(runs: Any, path: Path) -> Any:
        if fails:
            raise StorageError("no space left", remedy="free some")
        return SimpleNamespace(path=path)

    monkeypatch.setattr(build, "build_report", build_report)
    path = tmp_path / "report.html"
    assert written_report([], path) == ((None, 2) if fails else (path, 0))
    assert ("has no report: no space left" in capsys.readouterr().err) == fails
