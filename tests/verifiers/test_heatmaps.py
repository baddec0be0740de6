"""Heat maps against the formulas of AGD20K's scripts, written out in numpy, and how answers are read."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.types import AnswerContext, Response, Verdict
from mmeval.metrics import estimate
from mmeval.verifiers.base import verify
from mmeval.verifiers.heatmap import HeatMapVerifier
from mmeval.verifiers.heatmaps import divergence, drawn, scanpath_saliency, similarity
from mmeval.verifiers.masks import encode_runs, from_boxes

SIZE = (32, 24)
GOLD = drawn([[8, 8]], [], SIZE, 0.1)
CONTEXT = AnswerContext(image_size=SIZE)


def judged(text: str, target: Any = None, context: AnswerContext = CONTEXT) -> Verdict:
    return verify(
        HeatMapVerifier({"sigma": 0.1}), Response("ok", text), GOLD.tolist() if target is None else target, context
    )


def test_formulas() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        first, gold = generator.random((9, 7)) * 255, generator.random((9, 7)) * 255
        p, q = first / first.sum(), gold / gold.sum()
        assert divergence(first, gold) == pytest.approx((q * np.log(q / p)).sum(), abs=1e-7)
        assert similarity(first, gold) == pytest.approx(np.minimum(p, q).sum(), abs=1e-7)
        fixed = (gold - gold.min()) / (gold.max() - gold.min()) > 0.1
        assert scanpath_saliency(first, gold) == pytest.approx(
            ((first - first.mean()) / first.std())[fixed].mean(), abs=1e-9
        )
    assert (divergence(gold, gold), similarity(gold, gold)) == (pytest.approx(0, abs=1e-7), pytest.approx(1))
    assert scanpath_saliency(np.ones((3, 3)), np.eye(3)) == 0.0
    # Nothing of the gold is covered: as far as the added 1e-12 allows.
    apart = divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert apart == pytest.approx(np.log(1e12), abs=1e-6)


def picture(values: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray((values / values.max() * 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (json.dumps({"heatmap": GOLD.tolist()}), 0.999),
        (json.dumps({"heatmap": picture(GOLD)}), 0.98),
        (json.dumps({"heatmap": "data:image/png;base64," + picture(GOLD)}), 0.98),
        ("<think>x</think>[8, 8]", 0.999),
        ('[{"bbox_2d": [1, 1, 15, 15], "point_2d": [8, 8]}]', 0.999),
        ("[7, 7, 10, 10]", 0.9),
        (json.dumps({"heatmap": GOLD[::2, ::2].tolist()}), 0.9),
        (json.dumps(encode_runs(from_boxes([[5, 5, 12, 12]], SIZE))), 0.5),
    ],
)
def test_answers(text: str, least: float) -> None:
    verdict = judged(text)
    assert verdict.outcome == "scored"
    assert verdict.scores["sim"] == verdict.score
    assert verdict.scores["sim"] > least
    assert verdict.scores["kld"] < 12
    assert verdict.scores["nss"] > 1
    flat = judged("?")
    assert (flat.outcome, flat.score) == ("no_answer", 0.0)
    assert flat.scores["sim"] < verdict.scores["sim"]
    assert flat.scores["nss"] == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"heatmap": [[0, 0]]}', "the heat map is 0 everywhere"),
        ('{"heatmap": [[1, NaN]]}', "a heat map has only finite numbers of at least 0"),
        ('{"heatmap": [[1, -1]]}', "a heat map has only finite numbers of at least 0"),
        ('{"heatmap": [[1], [1, 2]]}', "a heat map is rows of numbers of one length"),
        ('{"heatmap": "%%%"}', "not base64: Invalid base64 alphabet character"),
        ("[400, 400]", "outside the image"),
        ("nothing", "not found"),
    ],
)
def test_no_answers(text: str, reason: str) -> None:
    verdict = judged(text)
    assert verdict.outcome == "no_answer"
    assert verdict.reason.startswith(reason.partition(":")[0])


@pytest.mark.parametrize("target", [[[0, 0]], [[1, float("nan")]], {"png": "AAAA"}, {"points": []}, "x", {}, None])
def test_gold_that_is_none(target: Any) -> None:
    found = verify(HeatMapVerifier({"sigma": 0.1}), Response("ok", "[8, 8]"), target, CONTEXT)
    assert found.outcome == "unscored"


def test_gold_points_are_drawn() -> None:
    assert judged("[8, 8]", {"points": [[8, 8]]}).score == pytest.approx(1.0)


def test_the_means_count_flat_maps() -> None:
    rows = []
    for number, text in enumerate(("[8, 8]", "[9, 9]", "?")):
        verdict = judged(text)
        rows.append(
            {
                "sample_id": str(number),
                "outcome": verdict.outcome,
                "score": verdict.score,
                "correct": None,
                "scores": dict(verdict.scores),
            }
        )
    for name in ("kld", "sim", "nss"):
        found = estimate(name, rows)
        assert found.value == pytest.approx(np.mean([row["scores"][name] for row in rows]))
        assert found.n == 3


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    assert judged(text).outcome in ("scored", "no_answer")
