"""The report's Gate section: from a stored gate, from a policy, refused for other runs, and its links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mmeval.cli.gate import gate
from mmeval.cli.report import report
from mmeval.core.errors import ComparisonError, DataError, MmevalError, UsageError
from mmeval.runs.manifest import read_manifest, write_manifest
from tests.analysis.conftest import write_run

POLICY = """\
version: 1
defaults: {min_n: 20}
rules:
  - {id: "drop<b>", task: quiz, kind: no_regression, margin: 0.05, min_effect: 0.01}
  - {id: hard, task: quiz, subset: "kind=a", kind: no_regression, min_effect: 0.01}
  - {id: floor, task: quiz, kind: floor, value: 0.2}
  - {id: watch, task: quiz, kind: equivalence, margin: 0.02, informational: true}
waivers:
  - {rule: hard, until: 2999-01-01, reason: "known label error", by: alice}
"""


def made(folder: Path, share: float, model: str, seed: int = 5) -> Path:
    draw = np.random.default_rng(seed)
    level = draw.random(80)
    rows = [
        {"model": model, "id": f"q{n}", "right": bool(level[n] < share), "subsets": {"kind": "a" if n % 2 else "b"}}
        for n in range(80)
    ]
    write_run(folder, rows, (model,), name="quiz", subset_columns=["kind"])
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate")
    made(folder / "base", 0.9, "base")
    made(folder / "cand", 0.5, "cand")
    (folder / "gate.yaml").write_text(POLICY)
    done = called(gate, "--baseline", folder / "base", "--candidate", folder / "cand", "--policy", folder / "gate.yaml", "--out", folder / "out", "--report")  # fmt: skip
    assert done.return_value == 3, done.output
    return folder


def called(command: Any, *arguments: object) -> Any:
    done = CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def section(page: Path) -> str:
    found = re.search(r'<section id="gate".*?</section>', page.read_text(), re.DOTALL)
    assert found is not None
    return found.group()


def test_stored_verdicts_a_policy_and_the_gates_own_report_show_the_same_section(place: Path) -> None:
    runs = (place / "base", place / "cand")
    called(report, *runs, "--gate", place / "out" / "gate.json", "-o", place / "stored.html")
    called(report, *runs, "--gate", place / "out", "-o", place / "folder.html")
    called(report, *runs, "--gate", place / "gate.yaml", "-o", place / "policy.html")
    shown = section(place / "stored.html")
    assert (place / "stored.html").read_bytes() == (place / "policy.html").read_bytes()
    assert (place / "stored.html").read_bytes() == (place / "folder.html").read_bytes()
    assert section(place / "out" / "report.html") == shown
    page = (place / "stored.html").read_text()
    assert page.index('<section id="gate"') < page.index('<section id="leaderboard"')
    assert '<a href="#gate">Gate</a>' in page
    assert "<strong>FAIL</strong>" in shown
    assert "drop&lt;b&gt;" in shown
    assert "known label error" in shown
    assert "FAIL (informational)" in shown
    assert "a drop is shown" in shown
    assert shown.count("<caption>") == 1
    assert 'scope="col"' in shown
    assert 'scope="row"' in shown


def test_without_a_gate_there_is_no_section(place: Path) -> None:
    called(report, place / "base", place / "cand", "-o", place / "none.html")
    assert 'id="gate"' not in (place / "none.html").read_text()


def test_links_open_the_cells_of_the_browser(place: Path) -> None:
    shown = section(place / "out" / "report.html")
    assert '<a href="#pair=0-1-0-rw&amp;task=0">' in shown
    assert '<a href="#pair=0-1-0-rw&amp;task=0&amp;subset=kind%00a">' in shown
    assert '<a href="#model=1&amp;correct=wrong&amp;task=0">' in shown
    assert re.search(r'<a href="#s=[0-9a-f]{12}">q\d+</a>', shown)
    page = (place / "out" / "report.html").read_text()
    assert '"pairs":[[0,1,0]]' in page


def test_the_baseline_of_the_gate_leads_the_report(place: Path) -> None:
    called(report, place / "cand", place / "base", "--gate", place / "out", "-o", place / "turned.html")
    page = (place / "turned.html").read_text()
    assert "better than the baseline <strong>base</strong>" in page
    assert '<a href="#pair=1-0-0-rw&amp;task=0">' in section(place / "turned.html")


def test_exports_hold_numbers_and_reasons(place: Path) -> None:
    done = called(report, place / "base", place / "cand", "--gate", place / "out", "--json")
    tables = {table["name"]: table for table in json.loads(done.stdout)["tables"]}
    stored = {rule["id"]: rule for rule in json.loads((place / "out" / "gate.json").read_bytes())["rules"]}
    rows = {row[1]["text"]: dict(zip(tables["gate"]["columns"], row, strict=True)) for row in tables["gate"]["rows"]}
    drop, evidence = rows["drop<b>"], stored["drop<b>"]["evidence"]
    assert drop["Verdict"]["text"] == "FAIL"
    assert drop["Difference"]["value"] == evidence["delta"]
    assert drop["Difference"]["ci"] == evidence["interval"]
    assert drop["p"]["value"] == evidence["p"]
    assert drop["Bound"]["value"] == 0.05
    assert drop["Lost"]["value"] == evidence["table"]["base_only"] == stored["drop<b>"]["lost"]["count"]
    assert rows["hard (kind=a)"]["Verdict"]["text"] == "WAIVED"
    reasons = {row[1]["text"]: [cell["text"] for cell in row] for row in tables["gate-reasons"]["rows"]}
    assert reasons["drop<b>"][3] == stored["drop<b>"]["message"]
    for form in ("--csv", "--markdown"):
        assert (
            "known label error" in called(report, place / "base", place / "cand", "--gate", place / "out", form).stdout
        )


def refused(place: Path, *runs: Path, file: Path | None = None) -> MmevalError:
    with pytest.raises(MmevalError) as caught:
        called(report, *runs, "--gate", file or place / "out", "-o", place / "refused.html")
    assert not (place / "refused.html").exists()
    return caught.value


def test_a_gate_of_other_runs_is_refused(place: Path, tmp_path: Path) -> None:
    error = refused(place, place / "base")
    assert isinstance(error, ComparisonError)
    assert "cand" in str(error)
    changed = made(tmp_path / "cand", 0.5, "cand")
    manifest = read_manifest(changed)
    for update, word in (
        ({"config_digest": "f" * 64}, "config digest"),
        ({"status": "interrupted"}, "was complete then and is interrupted now"),
        ({"tasks": [manifest.tasks[0].model_copy(update={"score_digest": "e" * 64})]}, "score digest"),
        ({"models": [manifest.models[0].model_copy(update={"identity_digest": "d" * 64})]}, "other weights"),
    ):
        write_manifest(changed, manifest.model_copy(update=update))
        error = refused(place, place / "base", changed)
        assert error.exit_code == 5
        assert word in str(error)


def test_two_runs_that_only_their_folder_tells_apart(place: Path, tmp_path: Path) -> None:
    first, second = made(tmp_path / "one" / "base", 0.9, "base"), made(tmp_path / "again", 0.9, "base")
    called(report, first, second, place / "cand", "--gate", place / "out", "-o", tmp_path / "a.html")
    third = made(tmp_path / "two" / "base", 0.9, "base")
    assert "may be any of" in str(refused(place, first, third, place / "cand"))


def test_files_that_are_no_gate_are_refused_with_a_remedy(place: Path, tmp_path: Path) -> None:
    stored = json.loads((place / "out" / "gate.json").read_bytes())
    runs = (place / "base", place / "cand")
    for content, kind, word in (
        ("{", DataError, "not JSON"),
        ("[]", UsageError, "no verdicts"),
        (json.dumps({"kind": "gate-plan"}), UsageError, "gate-plan"),
        (json.dumps({**stored, "schema": 9}), DataError, "schema"),
        (json.dumps({**stored, "rules": [{**stored["rules"][0], "metric": "nonsense"}]}), DataError, "rules.0.metric"),
        (json.dumps({**stored, "rules": [{**stored["rules"][0], "verdict": "MAYBE"}]}), DataError, "rules.0.verdict"),
    ):
        (tmp_path / "gate.json").write_text(content)
        error = refused(place, *runs, file=tmp_path / "gate.json")
        assert isinstance(error, kind)
        assert word in str(error)
        assert error.remedy
    assert "cannot read" in str(refused(place, *runs, file=tmp_path / "missing.json"))
    assert "one candidate" in str(refused(place, place / "base", file=place / "gate.yaml"))


def test_report_of_a_gate_needs_a_folder(place: Path) -> None:
    with pytest.raises(UsageError, match="--report needs --out"):
        called(gate, "--baseline", place / "base", "--candidate", place / "cand", "--policy", place / "gate.yaml", "--report")  # fmt: skip
