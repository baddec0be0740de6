"""Token visual dependency in a diagnosis: right against wrong, tokens by dependency, pairing with the standard answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.diagnose_tokens import dependency
from mmeval.runs.folder import open_run
from mmeval.runs.manifest import read_manifest, write_manifest
from mmeval.verifiers.dependency import k3
from tests.analysis.conftest import write_run


def scores(*ratios: float) -> dict[str, Any]:
    """A row whose tokens lose this much log-probability with the other picture."""
    text = json.dumps(
        {
            "tokens": [f"t{place}" for place in range(len(ratios))],
            "with": [-1.0] * len(ratios),
            "without": [-1.0 - ratio for ratio in ratios],
        }
    )
    each = [k3(0, -ratio) for ratio in ratios]
    return {
        "condition": "dependency:mask:0.5", "response": text, "right": None,
        "scores": {"k3": sum(each) / len(each), "log_ratio": sum(ratios) / len(ratios), "top_share": 0.5, "gini": 0.1},
    }  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for number in range(40):
        rows.append({"id": str(number), "right": number < 30})
        rows.append({"id": str(number), **scores(*((2.0, 0.0) if number < 30 else (0.5, 0.0)))})
    folder = Path(write_run(tmp_path / "run", rows))
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"conditions": ["standard", "dependency:mask:0.5"]}))
    (one,) = dependency(open_run(folder))
    return dict(one.numbers)


def test_right_and_wrong_answers_are_told_apart(found: dict[str, Any]) -> None:
    right, wrong = k3(0, -2.0) / 2, k3(0, -0.5) / 2
    assert found["right"] == pytest.approx(right)
    assert found["wrong"] == pytest.approx(wrong)
    assert found["k3"]["mean"] == pytest.approx(0.75 * right + 0.25 * wrong)
    difference = found["right_minus_wrong"]
    assert difference["estimate"] == pytest.approx(right - wrong)
    assert found["kl"] is None


def test_tokens_are_listed_by_dependency(found: dict[str, Any]) -> None:
    assert [(entry["token"], entry["n"]) for entry in found["tokens"]] == [("t0", 40), ("t1", 40)]
    assert found["tokens"][1]["k3"] == 0.0


def test_a_run_without_such_rows_has_no_finding(tmp_path: Path) -> None:
    assert list(dependency(open_run(write_run(tmp_path / "run", [{"id": "1", "right": True}])))) == []
