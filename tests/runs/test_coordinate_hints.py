"""The hint on another space of coordinates: given where boxes are well formed and lie elsewhere, and only there."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmeval.runs.coordinate_hints import coordinate_hints
from mmeval.runs.folder import Run


def hints(verifier: str, pairs: list[tuple[Any, Any]], outcome: str = "scored", engine: str = "hf") -> list[str]:
    rows = [
        {
            "model": "m", "task": "boxes", "protocol": "default", "condition": "standard", "sample_id": "s", "repeat": 0, "outcome": outcome,
            "verifier": f"{verifier}/1", "extracted": json.dumps(said), "target": json.dumps(gold),
        }
        for said, gold in pairs
    ]  # fmt: skip
    with TemporaryDirectory() as name:
        pq.write_table(pa.Table.from_pylist(rows), Path(name) / "results.parquet")
        manifest = SimpleNamespace(models=[SimpleNamespace(name="m", engine=engine)])
        return coordinate_hints(cast(Run, SimpleNamespace(path=Path(name), model=None, manifest=manifest)))


GOLD = [100, 200, 300, 400]
NEAR, FAR = [110, 210, 310, 390], [0.1, 0.2, 0.3, 0.4]
CASES = [
    ("box", NEAR, FAR, GOLD),
    ("refcoco", NEAR, FAR, GOLD),
    ("boxes", [NEAR], [FAR], [GOLD]),
    ("detections", [{"box": NEAR, "label": "cat", "score": 1.0}], [{"box": FAR, "label": "dog", "score": 1.0}], [{"box": GOLD, "label": "dog"}]),
    ("point", [150, 250], [0.15, 0.25], {"box": GOLD}),
    ("screenspot", [150, 250], [0.15, 0.25], {"box": GOLD}),
]  # fmt: skip


@pytest.mark.parametrize(("verifier", "near", "far", "gold"), CASES)
def test_given_where_nearly_all_lie_elsewhere(verifier: str, near: Any, far: Any, gold: Any) -> None:
    (found,) = hints(verifier, [(far, gold)] * 39 + [(near, gold)])
    assert found.startswith("hint: boxes, m: the ")
    assert "39 of 40 rows are well formed" in found
    assert hints(verifier, [(near, gold)] * 3 + [(far, gold)] * 37) == []
    assert hints(verifier, [(far, gold)] * 19) == []
    assert hints("text", [(far, gold)] * 40) == []
    assert hints(verifier, [(far, gold)] * 40, "no_answer") == []
    assert hints(verifier, [(far, gold)] * 40, engine="chance") == []


def test_it_says_how_far_both_reach() -> None:
    (found,) = hints("box", [(FAR, GOLD)] * 20)
    assert "they reach to (0.3, 0.4), the gold boxes to (300, 400)" in found


def test_rows_without_boxes_on_both_sides_say_nothing() -> None:
    assert hints("detections", [([], [{"box": GOLD, "label": "cat"}])] * 40) == []
    assert hints("detections", [([{"box": FAR, "label": "cat"}], [])] * 40) == []
    assert hints("box", [("nonsense", GOLD)] * 40) == []
