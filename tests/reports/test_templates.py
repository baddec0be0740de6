"""A folder of templates of one's own: what it lacks is the packaged file, what it breaks is named with its line."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest
from click.testing import CliRunner
from jinja2.sandbox import SandboxedEnvironment

from mmeval.cli.main import cli
from mmeval.core.errors import UsageError
from mmeval.core.resources import resource_dir
from mmeval.reports.build import build_report
from mmeval.runs.folder import Run


@pytest.fixture(scope="module")
def small(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("templates") / "small", count=4, box=0, hostile=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def built(run: Run, own: Path) -> str:
    path = own.parent / "report.html"
    build_report([run], path, template_dir=own)
    return path.read_text(encoding="utf-8")


def test_a_logo_and_colours_replace_two_files_and_the_policy_follows(small: Run, own: Path) -> None:
    masthead = (resource_dir("reports") / "masthead.html.j2").read_text(encoding="utf-8")
    logo = '<img alt="Our lab" src="data:image/svg+xml;base64,PHN2Zy8+">'
    (own / "masthead.html.j2").write_text(masthead.replace("<div>", f"<div>{logo}", 1))
    (own / "custom.css").write_text(":root { --accent: #7a1fa2; }\n")
    page = built(small, own)
    assert logo in page
    assert '<section id="leaderboard"' in page, "every other section is the packaged one"
    style = page.split("<style>")[1].split("</style>")[0]
    assert style.endswith(":root { --accent: #7a1fa2; }\n")
    assert "--paper" in style
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = html.unescape(found.group(1))
    for body in (style, page.split('<script type="module">')[1].split("</script>")[0]):
        assert base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() in policy


def test_a_template_may_bring_parts_of_its_own(small: Run, own: Path) -> None:
    (own / "provenance.html.j2").write_text('{% include "address.html.j2" %}\n')
    (own / "address.html.j2").write_text("<p>Room {{ 40 + 2 }}</p>\n")
    assert "<p>Room 42</p>" in built(small, own)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("samples.html.j2", "<p>\n{{ nothing }}\n", r"samples\.html\.j2, line 2: 'nothing' is undefined"),
        ("samples.html.j2", "<p>\n{% if %}\n", r"samples\.html\.j2, line 2: "),
        ("samples.html.j2", "<p>\n\n{{ 1 / 0 }}\n", r"samples\.html\.j2, line 3: division by zero"),
        ("samples.html.j2", "\n{{ ''.__class__.__mro__ }}\n", r"samples\.html\.j2, line 2: .*unsafe"),
        ("report.html.j2", '\n{% include "gone.html.j2" %}\n', r"report\.html\.j2, line 2: there is no template gone\.html\.j2"),
        ("text.js", "const a = 1;\nexport default a;\n", r"text\.js, line 2: cannot be inlined: export default a;"),
        ("custom.css", "a {}\n\n</style><script>\n", r"custom\.css, line 3: a style sheet cannot hold </style"),
        ("leaderbord.html.j2", "<p>\n", r"leaderbord\.html\.j2: no file of the report has this name[\s\S]*call it leaderboard\.html\.j2"),
        ("more.css", "a {}\n", r"more\.css: no file of the report"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(small: Run, own: Path, name: str, text: str, said: str) -> None:
    (own / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        built(small, own)
    assert not (own.parent / "report.html").exists()


def test_text_that_is_not_utf8_is_named_with_its_line(small: Run, own: Path) -> None:
    (own / "custom.css").write_bytes(b"a {}\n/* caf\xe9 */\n")
    with pytest.raises(UsageError, match=r"custom\.css, line 2: not UTF-8"):
        built(small, own)


def test_other_files_of_the_folder_are_nobodys_business(small: Run, own: Path) -> None:
    (own / "README.md").write_text("ours\n")
    (own / ".git").mkdir()
    built(small, own)


def test_the_command_line_takes_the_folder_and_opens_the_page(
    small: Run, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    (own / "custom.css").write_text("/* ours */\n")
    path = own.parent / "a b.html"
    result = CliRunner().invoke(
        cli, ["report", str(small.path), "-o", str(path), "--template-dir", str(own), "--open"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "/* ours */" in path.read_text()
    assert opened == [path.resolve().as_uri()]
    missing = CliRunner().invoke(cli, ["report", str(small.path), "--template-dir", str(own / "none")])
    assert missing.exit_code == 2


def test_opening_where_nothing_can_be_opened_is_no_failure(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("a text browser would take the terminal"))
    command = ["report", str(small.path), "-o", str(tmp_path / "x.html"), "--open"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0
    assert "not opened: this machine has no display; open file://" in result.output
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0
    assert "not opened: no browser was found" in result.output


def test_a_template_is_compiled_once_and_again_when_its_text_changes(
    small: Run, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    compile_ = SandboxedEnvironment.compile

    def counting(self: SandboxedEnvironment, source: str, name: str, filename: str) -> CodeType:
        compiled.append(name)
        return compile_(self, source, name, filename)

    monkeypatch.setattr(SandboxedEnvironment, "compile", counting)
    (own / "provenance.html.j2").write_text("<p>First</p>\n")
    assert "<p>First</p>" in built(small, own)
    compiled.clear()
    assert "<p>First</p>" in built(small, own)
    assert compiled == []
    (own / "provenance.html.j2").write_text("<p>Second</p>\n")
    assert "<p>Second</p>" in built(small, own)
    assert compiled == ["provenance.html.j2"]
    (own / "provenance.html.j2").unlink()
    page = built(small, own)
    assert "<p>First</p>" not in page, "the packaged file again"
    assert "<p>Second</p>" not in page
