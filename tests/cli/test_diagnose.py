"""`mmeval diagnose` from imported verdicts, and on the embedded model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def rows(path: Path, seed: int, sees: float) -> Path:
    draw = np.random.default_rng(seed)
    lines = []
    for number in range(200):
        seen = bool(draw.random() < sees)
        right = bool(draw.random() < (0.9 if seen else 0.2))
        for condition, value in (("standard", right), ("checklist", seen), ("blind", bool(draw.random() < 0.2))):
            lines.append(
                json.dumps({"id": str(number), "condition": condition, "score": float(value), "correct": value})
            )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def pair(mmeval: Callable, tmp_path: Path) -> tuple[str, str]:
    for name, sees in (("base", 0.5), ("better", 0.8)):
        path = rows(tmp_path / f"{name}.jsonl", len(name), sees)
        found = mmeval("import", "jsonl", str(path), "-t", "mine", "--model", name, "-o", f"runs/{name}", "--no-report")
        assert found.code == 0, found.err
    return "runs/base", "runs/better"


def test_a_change_of_perception_is_found_and_the_same_command_prints_the_same(
    mmeval: Callable, pair: tuple[str, str]
) -> None:
    base, better = pair
    found = mmeval("diagnose", better, "--against", base, "--json")
    assert found.code == 0, found.err
    assert found.out == mmeval("diagnose", better, "--against", base, "--json").out
    by = {one["analysis"]: one for one in found.json["findings"]}
    terms = by["split"]["terms"]
    assert sum(terms[name]["estimate"] for name in ("perception", "reasoning", "luck")) == pytest.approx(
        terms["delta"]["estimate"], abs=1e-9
    )
    assert terms["perception"]["ci"][0] > 0
    assert by["perception-change"]["table"][2] > by["perception-change"]["table"][1]
    assert any("two-hop" in text for text in found.json["missing"])
    shown = mmeval("diagnose", better)
    assert "not shown" in shown.out
    assert "NaN" not in found.out + shown.out


def test_usage(mmeval: Callable, pair: tuple[str, str]) -> None:
    assert mmeval("diagnose", pair[0], "--only", "perceptoin").code == 2
    assert mmeval("diagnose", "runs/none").code == 2
    assert mmeval("diagnose", pair[0], "--labels", "none.csv").code == 2


@pytest.mark.slow
@pytest.mark.model
def test_conditions_of_the_embedded_model_are_diagnosed(mmeval: Callable) -> None:
    found = mmeval("run", "-m", "tiny,tiny-early", "-t", "synthetic/attribute", "--limit", "40", "-o", "runs/r", "--no-report",
                   "--condition", "standard", "--condition", "blind", "--condition", "mask:0.3", "--condition", "mask:1", "--condition", "checklist", timeout=600)  # fmt: skip
    assert found.code == 0, found.err
    told = mmeval("diagnose", "runs/r#tiny", "--against", "runs/r#tiny-early", "--json")
    assert told.code == 0, told.err
    analyses = {one["analysis"] for one in told.json["findings"]}
    assert {"perception", "ablation", "masking", "answers", "split"} <= analyses
