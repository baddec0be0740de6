"""Metrics that are no mean over samples, on stored verdicts and answers of published runs.

The rows carry the verdicts that the authors stored (HallusionBench and POPE: the answers of the whole-word rule), so that
the aggregation alone is under test.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from mmeval.metrics import estimate, estimate_subsets

pytestmark = pytest.mark.realdata
Published = Callable[[str], Path]


def row(name: str, score: float, cluster: str = "", *, outcome: str = "scored", **labels: Any) -> dict[str, Any]:
    return {
        "sample_id": name, "repeat": 0, "cluster": cluster, "outcome": outcome, "score": score, "correct": score == 1.0,
        "scores": {}, "subsets": labels,
    }  # fmt: skip


def word(text: str) -> str | None:
    """Yes or no by the whole-word rule; None where both or neither occur."""
    words = set(re.sub(r"[^a-z\s]", " ", text.lower()).split())
    said = [one for one in ("yes", "no") if one in words]
    return said[0] if len(said) == 1 else None


def sheet(path: Path) -> Iterable[dict[str, Any]]:
    import pandas as pd

    pytest.importorskip("openpyxl")
    return pd.read_excel(path).to_dict("records")  # type: ignore[return-value]


def percent(value: float | None) -> float:
    assert value is not None
    return 100 * value


def test_hallusionbench_figures_and_questions(published: Published) -> None:
    """346 figures and 455 questions: grouped by category, subcategory, set and figure or question."""
    folder = published("hallusionbench")
    rows = []
    for entry in sheet(folder / "vila_8b" / "vila_8b_HallusionBench.xlsx"):
        category, topic, _, number, figure, question = str(entry["index"]).split("_")  # VD_illusion_1_0_0_0
        kind, place = f"{category}_{topic}", f"{category}_{topic}_{number}"
        said = word(str(entry["prediction"]))
        score = float(said == str(entry["answer"]).lower())
        rows.append(
            row(
                str(entry["index"]), score, place, outcome="scored" if said else "no_answer", category=entry["category"],
                kind=kind, figure=f"{place}/{figure}", question=f"{place}/{question}",
            )
        )  # fmt: skip
    names = {"aAcc": "accuracy", "fAcc": "all:figure", "qAcc": "all:question"}
    expected = json.loads((folder / "expected.json").read_text())["vila_8b"]
    found = {name: estimate(metric, rows) for name, metric in names.items()}
    assert {name: percent(one.value) for name, one in found.items()} == pytest.approx(expected["official"])
    assert (found["fAcc"].n, found["qAcc"].n, found["aAcc"].n) == (346, 455, expected["rows"])
    splits = {
        line["split"]: line for line in csv.DictReader((folder / "vila_8b/vila_8b_HallusionBench_score.csv").open())
    }
    for name, metric in names.items():
        by = estimate_subsets(metric, rows, ["category", "kind"])
        parts = {**by["category"], **by["kind"]}
        assert len(parts) == expected["splits"] - 1
        for label, one in parts.items():
            assert percent(one.value) == pytest.approx(float(splits[label][name])), (label, name)


def test_dynamath_average_and_worst_case(published: Published) -> None:
    folder = published("dynamath")
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        (path,) = folder.glob(f"**/{name}")
        rows = []
        with path.open(encoding="utf-8-sig") as handle:
            for line in csv.DictReader(handle):
                question = line["Question ID"]
                if not re.fullmatch(r"Q\d+", question):
                    continue
                rows += [
                    row(f"{question}-{v}", float(line[f"Variant {v}"] == "correct"), question, question=question)
                    for v in range(1, 11)
                ]
        average, worst = estimate("accuracy", rows), estimate("all:question", rows)
        known = expected["recomputed"]
        assert round(percent(average.value), 2) == known["average_case"]
        assert round(percent(worst.value), 2) == known["worst_case"]
        assert (worst.n, average.n) == (known["seeds"], 5010)
        assert worst.value is not None
        assert average.value is not None
        robustness = estimate("robustness:question", rows)
        assert robustness.value == pytest.approx(worst.value / average.value)
        assert robustness.interval is not None
        assert robustness.interval.low < robustness.value < robustness.interval.high


def test_megabench_core_is_a_mean_of_tasks(published: Published) -> None:
    """One row per task with the task's score: the weights of tasks in the macro mean do not depend on their samples."""
    folder = published("megabench")
    official = json.loads((folder / "expected.json").read_text())["Qwen2_VL_7B"]["official"]
    (path,) = folder.glob("**/task_results.json")
    rows = []
    for entry in json.loads(path.read_text()):
        part = "core" if entry["eval_type"] == "rule" else "open"
        # A task's samples as copies of its mean: as many rows as the task has samples.
        rows += [
            row(f"{entry['name']}-{i}", entry["score"], part=part, task=entry["name"])
            for i in range(entry["num_query"])
        ]
    by = estimate_subsets("macro:task", rows, ["part"])["part"]
    assert by["core"].value == pytest.approx(official[0])
    assert by["open"].value == pytest.approx(official[1])
    assert estimate("macro:task", rows).value == pytest.approx(official[2])
    assert estimate("mean", rows).value != pytest.approx(official[2], abs=5e-4)


def test_blink_is_a_mean_of_tasks(published: Published) -> None:
    folder = published("blink")
    gold = json.loads((folder / "val_answers.json").read_text())
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        said = json.loads((folder / "saved_val_predictions" / f"{name}.json").read_text())
        rows = [
            row(sample, float(said[sample] == answer), task=re.sub(r"^val_|_\d+$", "", sample)) for sample, answer in gold.items()
        ]  # fmt: skip
        macro, micro = estimate("macro:task", rows), estimate("accuracy", rows)
        assert round(percent(macro.value), 4) == expected["recomputed"]["macro_over_14_tasks"]
        assert round(percent(micro.value), 4) == expected["recomputed"]["micro"]
        assert round(percent(macro.value), 1) == pytest.approx(expected["official"]["README_val"], abs=0.051)
        assert macro.interval is not None
        assert macro.interval.low < macro.value < macro.interval.high


def test_pope_f1_precision_recall(published: Published) -> None:
    """VLMEvalKit lists a question once with all its splits; each split counts it."""
    folder = published("pope")
    expected = json.loads((folder / "expected.json").read_text())["vlmevalkit/vila_8b"]
    rows = []
    for entry in sheet(folder / "vlmevalkit/vila_8b/vila_8b_POPE.xlsx"):
        for split in str(entry["category"]).split(","):
            said, gold = word(str(entry["prediction"])), str(entry["answer"])
            made = row(f"{entry['index']}-{split}", float(said == gold.lower()), str(entry["image_path"]), split=split)
            rows.append(
                made
                | {
                    "outcome": "scored" if said else "no_answer",
                    "extracted": json.dumps(said),
                    "target": json.dumps(gold),
                }
            )
    assert len(rows) == expected["rows_after_category_explode"]
    names = {"Overall": "f1", "acc": "accuracy", "precision": "precision", "recall": "recall"}
    for name, metric in names.items():
        assert percent(estimate(metric, rows).value) == pytest.approx(expected["official"]["Overall"][name])
        for split, one in estimate_subsets(metric, rows, ["split"])["split"].items():
            assert percent(one.value) == pytest.approx(expected["official"][split][name]), (split, name)
    interval = estimate("f1", rows).interval
    assert interval is not None
    assert interval.method == "cluster-bootstrap-bca-t"
