"""`mmeval gate` as a CI job meets it: files, exit codes, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

POLICY = """\
version: 1
defaults: {min_n: 30, on_inconclusive: %s}
rules:
  - {id: no-worse, task: '%s', kind: no_regression, margin: %s, min_effect: 0.01}
"""


def imported(mmeval: Callable, tmp_path: Path, name: str, right: list[Any], **columns: Any) -> str:
    rows = [{"id": f"q{n}", "score": float(value), "correct": bool(value), **columns} for n, value in enumerate(right)]
    (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    done = mmeval(
        "import", "jsonl", f"{name}.jsonl", "-t", "quiz", "--model", name, "-o", f"runs/{name}", "--no-report",
    )  # fmt: skip
    assert done.code == 0, done.err
    return f"runs/{name}"


def policy(tmp_path: Path, task: str = "quiz", margin: float = 0.1, inconclusive: str = "fail") -> str:
    (tmp_path / "gate.yaml").write_text(POLICY % (inconclusive, task, margin))
    return "gate.yaml"


def test_every_exit_code_and_the_files(mmeval: Callable, tmp_path: Path) -> None:
    base = imported(mmeval, tmp_path, "base", [1, 1, 1, 0] * 50)
    same = imported(mmeval, tmp_path, "same", [1, 1, 1, 0] * 49 + [1, 1, 0, 1])
    worse = imported(mmeval, tmp_path, "worse", [1, 1, 0, 0] * 50)
    unsure = imported(mmeval, tmp_path, "unsure", [1, 1, 1, 0] * 30 + [1, 1, 0, 1] * 20)
    short = imported(mmeval, tmp_path, "short", [1, 1, 1, 0] * 40)
    rules = policy(tmp_path, margin=0.05)
    for candidate, code, word in (
        (same, 0, "PASS"),
        (worse, 3, "FAIL"),
        (unsure, 4, "INCONCLUSIVE"),
        (short, 5, "INVALID"),
    ):
        out = tmp_path / "out" / word
        arguments = ("gate", "--baseline", base, "--candidate", candidate, "--policy", rules, "--out", str(out))
        done = mmeval(*arguments)
        assert done.code == code, done.out + done.err
        assert f"gate: {word} (exit code {code})" in done.err
        assert word in done.out
        found = json.loads((out / "gate.json").read_bytes())
        assert (found["verdict"], found["exit_code"]) == (word, code)
        assert ElementTree.parse(out / "junit.xml").getroot().get("tests") == "1"
        assert word in (out / "gate.md").read_text()
        before = (out / "gate.json").read_bytes()
        assert mmeval(*arguments, "--json").out.encode() == before
    planned = mmeval("gate", "--baseline", base, "--policy", policy(tmp_path, margin=0.02), "--plan")
    assert planned.code == 2
    assert "cannot pass" in planned.out
    assert mmeval("gate", "--baseline", base, "--policy", policy(tmp_path, margin=0.2), "--plan").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--policy is missing"),
        (("--policy", "gate.yaml"), "--baseline is missing"),
        (("--policy", "gate.yaml", "--baseline", "runs/no"), "--candidate is missing"),
        (("--policy", "nowhere.yaml", "--baseline", "runs/no", "--candidate", "runs/no2"), "nowhere.yaml"),
        (("--policy", "gate.yaml", "--baseline", "runs/no", "--candidate", "runs/no2"), "runs/no"),
        (
            ("--policy", "gate.yaml", "--baseline", "runs/no", "--candidate", "runs/no2", "--plan"),
            "--plan needs no candidate",
        ),
        (("--calibrate", "runs/no", "--plan"), "--calibrate takes no"),
        (("--calibrate", "runs/no"), "runs/no"),
    ],
)
def test_wrong_usage_ends_with_code_2(mmeval: Callable, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    policy(tmp_path)
    done = mmeval("gate", *arguments)
    assert done.code == 2
    assert said in done.err


def test_a_rule_that_matches_nothing_is_no_silent_pass(mmeval: Callable, tmp_path: Path) -> None:
    base, same = (imported(mmeval, tmp_path, name, [1, 0] * 50) for name in ("a", "b"))
    done = mmeval("gate", "--baseline", base, "--candidate", same, "--policy", policy(tmp_path, "quizz"))
    assert done.code == 2
    assert "rule 'no-worse' matches nothing" in done.err
    assert "did you mean quiz" in done.err


def test_calibration_from_repeats_bounds_the_margins(mmeval: Callable, tmp_path: Path) -> None:
    rows = [
        {"id": f"q{n}", "repeat": repeat, "score": float(value), "correct": bool(value)}
        for n in range(200)
        for repeat in range(2)
        for value in [(n + repeat * (n % 5 == 0)) % 2]
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    done = mmeval("import", "jsonl", "r.jsonl", "-t", "quiz", "--model", "m", "-o", "runs/r", "--no-report")
    assert done.code == 0, done.err
    measured = mmeval("gate", "--calibrate", "runs/r", "--out", "cal")
    assert measured.code == 0, measured.err
    entries = json.loads((tmp_path / "cal" / "calibration.json").read_bytes())["entries"]
    assert entries[0]["flip_rate"] == 0.2
    base = imported(mmeval, tmp_path, "base", [1, 0] * 100)
    (tmp_path / "gate.yaml").write_text("calibration: cal/calibration.json\n" + POLICY % ("warn", "quiz", 0.02))
    refused = mmeval("gate", "--baseline", base, "--policy", "gate.yaml", "--plan")
    assert refused.code == 2
    assert "below the noise" in refused.err


@pytest.mark.model
def test_the_embedded_checkpoints_give_every_verdict(mmeval: Callable, tmp_path: Path) -> None:
    done = mmeval(
        "run", "-m", "tiny,tiny-early", "-t", "synthetic/attribute", "--limit", "60", "-o", "runs/r", "--no-report",
        timeout=600,
    )  # fmt: skip
    assert done.code == 0, done.err
    fewer = mmeval(
        "run", "-m", "tiny", "-t", "synthetic/attribute", "--limit", "40", "-o", "runs/s", "--no-report", timeout=600,
    )  # fmt: skip
    assert fewer.code == 0, fewer.err
    good, early, other = "runs/r#tiny", "runs/r#tiny-early", "runs/s"

    def code(base: str, candidate: str, rule: str) -> int:
        (tmp_path / "gate.yaml").write_text(f"version: 1\ndefaults: {{on_inconclusive: fail}}\nrules: [{rule}]")
        result: int = mmeval("gate", "--baseline", base, "--candidate", candidate, "--policy", "gate.yaml").code
        return result

    drop = "{id: a, kind: no_regression, min_effect: 0.05}"
    assert code(good, early, drop) == 3
    assert code(early, good, drop) == 0
    assert code(good, early, "{id: a, kind: floor, metric: coverage, value: 0.99}") == 4
    assert code(good, other, drop) == 5
    assert mmeval("compare", good, early).code == 0
