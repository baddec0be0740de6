"""What a gate leaves behind: gate.json, junit.xml, gate.md, annotations; hostile names and size limits."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.analysis.gate import GateReport, run_gate
from mmeval.analysis.gate_policy import Policy
from mmeval.analysis.pairing import open_sides
from mmeval.cli.main import cli
from mmeval.core.errors import StorageError
from mmeval.reports import gate_files as files
from tests.analysis.conftest import pair_of, write_run

HOSTILE = "<script>alert(1)</script> | `x` @everyone \x00\x1b[31m ]]> & \"q\" 'p' %0A::error::\u202e\ufffe 名前"
RULES: list[dict[str, Any]] = [
    {"id": "ni", "kind": "non_inferiority", "margin": 0.05},
    {"id": "near", "kind": "floor", "value": 0.54},
    {"id": "watch", "kind": "no_regression", "min_effect": 0.01, "informational": True},
    {"id": "fine", "kind": "floor", "value": 0.1},
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("runs")
    base, candidate = pair_of(200, 90, 10, 100)
    return write_run(folder / "b", base, models=("b",)), write_run(folder / "c", candidate, models=("c",))


@pytest.fixture(scope="module")
def report(pair: tuple[str, str]) -> GateReport:
    return judged(pair, RULES)


def judged(pair: tuple[str, str], rules: list[dict[str, Any]], **more: Any) -> GateReport:
    base, candidate = open_sides(pair)
    policy = Policy.model_validate({"version": 1, "rules": rules, **more})
    return run_gate(base, candidate, policy, datetime.date(2026, 6, 1))


def renamed(report: GateReport, name: str, copies: int = 1) -> GateReport:
    """The report with every task and rule called `name`, and every rule several times."""
    findings = []
    for number in range(copies):
        for one in report.findings:
            rule = one.check.rule.model_copy(update={"id": f"{name}{number}"})
            target = dataclasses.replace(one.check.target, task=name)
            check = dataclasses.replace(one.check, rule=rule, target=target)
            message, lost = f"{name}: {one.message}", tuple(f"{name}{item}" for item in one.lost)
            findings.append(dataclasses.replace(one, check=check, message=message, notes=(name,), lost=lost))
    return dataclasses.replace(report, findings=tuple(findings))


def test_the_files_say_the_same(report: GateReport, tmp_path: Path) -> None:
    paths = files.write_gate(report, tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["gate.json", "junit.xml", "gate.md"]
    data = orjson.loads(paths[0].read_bytes())
    assert (data["schema"], data["verdict"], data["exit_code"]) == (1, "FAIL", 3)
    verdicts = {one["id"]: one["verdict"] for one in data["rules"]}
    assert verdicts == {"ni": "FAIL", "near": "INCONCLUSIVE", "watch": "FAIL", "fine": "PASS"}
    first = data["rules"][0]
    assert first["evidence"]["table"] == {"both_right": 200, "base_only": 90, "candidate_only": 10, "both_wrong": 100}
    assert first["lost"]["count"] == 90
    assert data["candidate"]["tasks"][0]["ask_digest"] == "2" * 64
    suite = ElementTree.parse(paths[1]).getroot()[0]
    assert suite.get("name") == "quiz"
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "0", "skipped": "2",
    }  # fmt: skip
    cases = {str(case.get("name")): case for case in suite}
    failure = cases["ni"].find("failure")
    assert failure is not None
    assert failure.get("type") == "regression"
    assert cases["near"].find("skipped") is not None
    assert cases["fine"].find("failure") is None
    properties = {p.get("name"): p.get("value") for p in cases["ni"].iter("property")}
    assert (properties["b"], properties["c"], properties["n"], properties["delta"]) == ("90", "10", "400", "-0.2")
    written = paths[2].read_text()
    assert written.startswith(files.MARKER)
    assert written.index("`ni`") < written.index("`near`") < written.index("`fine`")
    assert "-20.00 points" in written


def test_equal_inputs_give_equal_bytes(pair: tuple[str, str], report: GateReport, tmp_path: Path) -> None:
    again = judged(pair, RULES)
    for folder, one in (("a", report), ("b", again)):
        files.write_gate(one, tmp_path / folder)
    for name in ("gate.json", "junit.xml", "gate.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_invalid_and_infrastructure_are_errors_in_junit(pair: tuple[str, str]) -> None:
    found = judged(pair, RULES, defaults={"min_n": 500})
    suite = ElementTree.fromstring(files.junit(found))[0]
    assert [suite.get(key) for key in ("failures", "errors", "skipped")] == ["0", "3", "1"]
    kinds = {error.get("type") for error in suite.iter("error")}
    assert kinds == {"invalid"}


def test_inconclusive_is_a_failure_where_the_policy_says_so(pair: tuple[str, str]) -> None:
    found = judged(pair, RULES, defaults={"on_inconclusive": "fail"})
    assert ElementTree.fromstring(files.junit(found)).get("failures") == "2"
    assert [line.split(" ")[0] for line in files.github_annotations(found)] == ["::error", "::error"]


@settings(deadline=None, max_examples=60)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_hostile_names_break_nothing(report: GateReport, name: str) -> None:
    check_hostile(renamed(report, name))


def test_one_very_hostile_name(report: GateReport) -> None:
    hostile = renamed(report, HOSTILE)
    check_hostile(hostile)
    written = files.markdown(hostile)
    assert "\x1b" not in written
    assert "\u202e" not in written
    outside = [line for line in written.splitlines() if line.startswith("- ")]
    assert outside
    assert all("\\<script\\>" in line for line in outside)


def check_hostile(report: GateReport) -> None:
    root = ElementTree.fromstring(files.junit(report))
    assert sum(1 for _ in root.iter("testcase")) == len(report.findings)
    rows = [line for line in files.markdown(report).splitlines() if line.startswith("| ")]
    # Pipes inside of cells are escaped, so that every row has the columns of the head.
    assert {line.replace("\\|", "").count("|") for line in rows} == {len(files.COLUMNS) + 1}
    for line in files.github_annotations(report):
        assert "\n" not in line
        assert "\r" not in line
        title = line.removeprefix("::error title=").removeprefix("::warning title=").partition("::")[0]
        assert ":" not in title
        assert "," not in title
    files.terminal_table(report)


@pytest.mark.parametrize("name", ["rule", "名" * 300, HOSTILE * 5])
def test_500_rules_fit_a_comment(report: GateReport, name: str) -> None:
    many = renamed(report, name, 125)
    assert len(many.findings) == 500
    written = files.markdown(many)
    assert len(written.encode()) < 64_000
    assert len(written) < 65_536
    assert written.count("| FAIL") >= 50
    assert "see gate.json" in written
    assert len(ElementTree.fromstring(files.junit(many))) == 1


def test_annotations_are_escaped_and_leave_out_what_does_not_count(report: GateReport) -> None:
    lines = files.github_annotations(report)
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning"]
    assert all("watch" not in line and "fine" not in line for line in lines)
    (first, *_) = files.github_annotations(renamed(report, "a,b:c%\r\nd"))
    assert first.startswith("::error title=mmeval gate FAIL%3A a%2Cb%3Ac%25%0D%0Ad0::a,b:c%25%0D%0Ad: ")


def test_a_step_summary_is_appended_until_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    assert files.append_summary("gate", str(path)) == ""
    assert path.read_text() == "before\ngate\n"
    path.write_text("x" * (2**20 - 10))
    assert "full" in files.append_summary("much more than ten bytes", str(path))
    assert path.stat().st_size == 2**20 - 10
    assert "cannot write" in files.append_summary("gate", str(tmp_path / "no" / "summary.md"))


def test_a_folder_that_cannot_be_written_is_named(report: GateReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        files.write_gate(report, tmp_path / "file")


def test_annotations_and_summary_of_the_command(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "gate.yaml"
    policy.write_text("version: 1\nrules: [{id: ni, kind: non_inferiority, margin: 0.05}]")
    arguments = ["gate", "--baseline", pair[0], "--candidate", pair[1], "--policy", str(policy)]
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    plain = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert plain.return_value == 3
    assert "::error" not in plain.stdout
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    in_ci = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert "::error title=mmeval gate FAIL%3A ni::quiz: " in in_ci.stdout
    assert (tmp_path / "summary.md").read_text().startswith(files.MARKER)
    as_json = CliRunner().invoke(cli, [*arguments, "--json"], standalone_mode=False)
    assert orjson.loads(as_json.stdout)["exit_code"] == 3
    assert "::error" in as_json.stderr
