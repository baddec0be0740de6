"""BLINK and CV-Bench: official scores from stored extractions and verdicts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate
from mmeval.verifiers.blink import BlinkVerifier
from mmeval.verifiers.vlmevalkit import VLMEvalKitChoiceVerifier
from tests.conformance.support import expectations, table_row

MODELS = (
    "GPT4Turbo", "GPT4V", "GeminiProVision", "Yi_VL_6B", "cogvlm-chat", "instructblip_7b", "flamingov2", "llava_v1.5_7b",
    "llava-internlm2-7b", "MiniGPT-4-v2",
)  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize("model", MODELS)
def test_blink_gets_the_official_mean_over_tasks(model: str, published: Callable[[str], Path]) -> None:
    folder = published("blink")
    official = expectations(folder)[model]
    answers = json.loads((folder / "val_answers.json").read_text(encoding="utf-8"))
    predicted = json.loads((folder / f"saved_val_predictions/{model}.json").read_text(encoding="utf-8"))
    rows = [
        table_row(BlinkVerifier(), name, predicted[name], gold, AnswerContext(), {"task": name.rsplit("_", 1)[0]})
        for name, gold in answers.items()
    ]
    assert len(rows) == 1901
    assert all(bool(row["correct"]) == (predicted[row["sample_id"]] == answers[row["sample_id"]]) for row in rows)
    macro, micro = (100 * (estimate(metric, rows).value or 0) for metric in ("macro:task", "accuracy"))
    assert macro == pytest.approx(official["recomputed"]["macro_over_14_tasks"], abs=5e-5)
    assert micro == pytest.approx(official["recomputed"]["micro"], abs=5e-5)
    assert round(macro, 1) == official["official"]["README_val"]


@pytest.mark.realdata
def test_blink_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("blink")
    rows = [
        row
        for path in sorted((folder / "saved_outputs/GPT4Turbo").glob("*.json"))
        for row in json.loads(path.read_text("utf-8"))["val"]
    ]
    assert len(rows) == 1901
    write_rows(tmp_path / "BLINK/val.parquet", rows)
    lines = [{"id": row["idx"], "response": row["full_prediction"], "extraction": row["prediction"]} for row in rows]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = command(
        "import", "jsonl", str(tmp_path / "answers.jsonl"), "-t", "blink@official", "--model", "GPT4Turbo", "-o", "run",
        "--data-dir", str(tmp_path / "BLINK"),
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cells = {cell["metric"]: cell["value"] for cell in found["leaderboard"]}
    assert round(100 * cells["macro:task"], 1) == expectations(folder)["GPT4Turbo"]["official"]["README_val"]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the data set's rows as far as the outputs say what they are: ids, tasks, golds, four options, a dot for an image."""
    import io

    import pandas as pd
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    dot = {"bytes": buffer.getvalue(), "path": None}
    options = ["first", "second", "third", "fourth"]
    made = [
        {"idx": row["idx"], "question": "?", "prompt": "?", "sub_task": row["idx"][4:].rsplit("_", 1)[0], "image_1": dot,
         "image_2": None, "image_3": None, "image_4": None, "choices": options, "answer": row["answer"], "explanation": ""}
        for row in rows
    ]  # fmt: skip
    path.parent.mkdir()
    pd.DataFrame(made).to_parquet(path.with_name("val-00000-of-00001.parquet"))


def cvbench(folder: Path) -> tuple[list[dict[str, Any]], dict[int, bool]]:
    """Predictions, and the stored verdict by index."""
    import pandas as pd

    rows: list[dict[str, Any]] = pd.read_excel(folder / "gpt-4.1_CV-Bench-3D.xlsx").to_dict("records")
    with (folder / "gpt-4.1_CV-Bench-3D_hits.csv").open(encoding="utf-8", newline="") as handle:
        return rows, {int(row["index"]): row["hit"] == "1" for row in csv.DictReader(handle)}


@pytest.mark.realdata
def test_cvbench_stored_verdicts_give_the_stored_scores(published: Callable[[str], Path]) -> None:
    folder = published("cvbench")
    predictions, hits = cvbench(folder)
    official = expectations(folder)["3D"]["official"]
    rows = [
        {"sample_id": str(row["index"]), "repeat": 0, "cluster": row["source_filename"], "outcome": "scored", "correct": hits[row["index"]],
         "score": float(hits[row["index"]]), "scores": {}, "subsets": {"type": "3D", "source": row["source"], "task": row["category"]}}
        for row in predictions
    ]  # fmt: skip
    assert len(rows) == 1200
    assert estimate("macro:type/source", rows).value == pytest.approx(official["Overall"], abs=1e-12)
    for task in ("Depth", "Distance"):
        part = [row for row in rows if row["subsets"]["task"] == task]
        assert estimate("accuracy", part).value == pytest.approx(official[task], abs=1e-12)


@pytest.mark.realdata
def test_cvbench_what_rules_say_agrees_with_the_judge(published: Callable[[str], Path]) -> None:
    predictions, hits = cvbench(published("cvbench"))
    decided = agree = 0
    for row in predictions:
        context = AnswerContext(choices=tuple(row[letter] for letter in "ABCDEF" if isinstance(row.get(letter), str)))
        found = table_row(VLMEvalKitChoiceVerifier(), str(row["index"]), row["prediction"], row["answer"], context)
        if found["outcome"] == "scored":
            decided += 1
            agree += bool(found["correct"]) == hits[row["index"]]
    assert (decided, agree) == (269, 269)  # the other 931 were a judge's
