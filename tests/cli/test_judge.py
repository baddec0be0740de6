"""`mmeval judge` as a user meets it: imported verdicts, label files, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

HUMAN = [1] * 20 + [0] * 20
STRICT = [1] * 16 + [0] * 4 + [0] * 18 + [1] * 2
LENIENT = [1] * 20 + [1] * 5 + [0] * 15


@pytest.fixture
def runs(mmeval: Callable, tmp_path: Path) -> Callable:
    for name, verdicts in (("strict", STRICT), ("lenient", LENIENT), ("other", LENIENT)):
        rows = [
            {"id": f"q{n}", "correct": bool(value), "response": f"{'else' if name == 'other' else 'text'} {n}"}
            for n, value in enumerate(verdicts + [1, 0] * 30)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        done = mmeval(
            "import", "jsonl", f"{name}.jsonl", "-t", "quiz", "--model", "model", "-o", f"runs/{name}", "--no-report"
        )
        assert done.code == 0, done.err
    labels = ["id,human,by", *(f"q{n},{value},anna" for n, value in enumerate(HUMAN))]
    (tmp_path / "labels.csv").write_text("\n".join(labels), encoding="utf-8")
    return mmeval


def test_agree(runs: Callable) -> None:
    found = runs("judge", "agree", "runs/strict", "runs/lenient", "--json")
    assert found.code == 0
    (group,) = found.json["groups"]
    assert group["n"] == 100
    assert {(cell["first"], cell["second"]): cell["count"] for cell in group["confusion"]} == {
        (0, 0): 13 + 30, (0, 1): 4 + 5, (1, 0): 2, (1, 1): 16 + 30,
    }  # fmt: skip
    assert group["coefficients"]["raw"]["estimate"] == pytest.approx(0.89)
    assert found.out == runs("judge", "agree", "runs/strict", "runs/lenient", "--json").out
    shown = runs("judge", "agree", "runs/strict", "runs/lenient")
    assert "89.0" in shown.out
    assert "Gwet's AC1" in shown.out
    assert "100 answers" in shown.err
    refused = runs("judge", "agree", "runs/strict", "runs/other")
    assert refused.code == 5
    assert "the texts of the answers differ: 100" in refused.err


def test_calibrate(runs: Callable, tmp_path: Path) -> None:
    command = ("judge", "calibrate", "strict", "--labels", "labels.csv", "--run", "runs/strict")
    done = runs(*command, "--judge-correction", "ppi", "--out", "out/strict.json")
    assert done.code == 0, done.err
    for part in ("80.0 [58.4, 91.9]", "90.0 [69.9, 97.2]", "ppi++", "random sample"):
        assert part in done.out
    found = runs(*command, "--judge-correction", "ppi", "--json")
    assert found.out == (tmp_path / "out" / "strict.json").read_text(encoding="utf-8")
    assert found.json["judge"] == "strict"
    assert found.json["overall"]["counts"] == {"both_right": 16, "judge_only": 2, "human_only": 4, "both_wrong": 18}
    assert found.json["corrections"][0]["unlabelled"] == 60
    (tmp_path / "bad.csv").write_text("id,human\nq0,85\nq1,0\n", encoding="utf-8")
    for arguments, code, message in (
        (("--labels", "bad.csv"), 2, "give fractions"),
        (("--labels", "none.csv"), 2, "none.csv"),
        (("--labels", "labels.csv", "--run", "runs/strict#who"), 2, "has no model 'who'"),
        (("--labels", "labels.csv"), 2, "no row has both"),
    ):
        refused = runs("judge", "calibrate", "strict", *arguments)
        assert refused.code == code, refused.err
        assert message in refused.err
    (tmp_path / "strangers.csv").write_text("id,human\nx,1\ny,0\n", encoding="utf-8")
    assert runs("judge", "calibrate", "strict", "--labels", "strangers.csv", "--run", "runs/strict").code == 5


def test_list_names_every_card(mmeval: Callable) -> None:
    shown = mmeval("judge", "list")
    assert shown.code == 0
    assert "mathverse-cot-e" in shown.out
    listed = mmeval("judge", "list", "--json").json["judges"]
    assert "13 judge cards" in shown.err
    assert [card["name"] for card in listed] == sorted(card["name"] for card in listed)
    extraction = next(card for card in listed if card["name"] == "extract-answer")
    assert "target" not in extraction["sees"]
    assert len(extraction["digest"]) == 64
