"""HallusionBench and POPE: official scores from raw responses, by the verifiers and through the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.pope import PopeVerifier
from mmeval.verifiers.registry import get_verifier
from tests.conformance.support import expectations, json_lines, table_row

SPLITS = ("random", "popular", "adversarial")


def sheet(path: Path) -> list[dict[str, Any]]:
    import pandas as pd

    found: list[dict[str, Any]] = pd.read_excel(path).to_dict("records")
    return found


def score_file(path: Path) -> dict[str, dict[str, float]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return {row.pop("split"): {key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)}


def answered(verifier: Verifier, name: str, text: str, gold: str, split: str) -> dict[str, Any]:
    row = table_row(verifier, name, text, gold, AnswerContext(), {"split": split})
    return row | {"target": gold, "extracted": verifier.parse(text, AnswerContext()).value}


def counts(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The numbers of POPE in percent."""
    return {
        name: 100 * (estimate(name, rows).value or 0) for name in ("f1", "accuracy", "precision", "recall", "yes_rate")
    }


@pytest.mark.realdata
def test_hallusionbench_through_the_verifier(published: Callable[[str], Path]) -> None:
    folder = published("hallusionbench")
    official = score_file(folder / "vila_8b/vila_8b_HallusionBench_score.csv")
    verifier = get_verifier("vlmevalkit-yes-no")
    rows = []
    for row in sheet(folder / "vila_8b/vila_8b_HallusionBench.xlsx"):
        category, kind, _, number, figure, question = row["index"].split("_")
        keys = {
            "category": category, "subcategory": f"{category}_{kind}", "figure": f"{category}_{kind}_{number}_{figure}",
            "question": f"{category}_{kind}_{number}_{question}",
        }  # fmt: skip
        rows.append(table_row(verifier, row["index"], row["prediction"], row["answer"], AnswerContext(), keys))
    assert (len(rows), len(official)) == (951, 12)
    assert official["Overall"] == expectations(folder)["vila_8b"]["official"]
    for split, expected in official.items():
        part = [row for row in rows if split in ("Overall", row["subsets"]["category"], row["subsets"]["subcategory"])]
        for metric, name in (("accuracy", "aAcc"), ("all:figure", "fAcc"), ("all:question", "qAcc")):
            assert 100 * (estimate(metric, part).value or 0) == pytest.approx(expected[name], abs=1e-9), (split, name)
    assert (estimate("all:figure", rows).n, estimate("all:question", rows).n) == (346, 455)


@pytest.mark.realdata
def test_the_repositorys_rows_are_the_951(published: Callable[[str], Path]) -> None:
    folder = published("hallusionbench")
    rows = json.loads((folder / "HallusionBench.json").read_text(encoding="utf-8"))
    keys = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")
    golds = {"_".join(row[key] for key in keys): {"1": "Yes", "0": "No"}[row["gt_answer"]] for row in rows}
    assert len(golds) == len(rows) == 1129
    predicted = sheet(folder / "vila_8b/vila_8b_HallusionBench.xlsx")
    assert all(golds[row["index"]] == row["answer"] for row in predicted)


@pytest.mark.realdata
def test_hallusionbench_through_the_command_line(published: Callable[[str], Path], command: Callable[..., Any]) -> None:
    folder = published("hallusionbench")
    found = command(
        "import", "vlmevalkit", str(folder / "vila_8b/vila_8b_HallusionBench.xlsx"), "-t", "hallusionbench@vlmevalkit",
        "--model", "VILA-8B", "-o", "run",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cells = {cell["metric"]: cell for cell in found["leaderboard"]}
    official = expectations(folder)["vila_8b"]["official"]
    for metric, name in (("accuracy", "aAcc"), ("all:figure", "fAcc"), ("all:question", "qAcc")):
        assert 100 * cells[metric]["value"] == pytest.approx(official[name], abs=1e-9)


@pytest.mark.realdata
def test_pope_of_vlmevalkit(published: Callable[[str], Path]) -> None:
    folder = published("pope")
    official = score_file(folder / "vlmevalkit/vila_8b/vila_8b_POPE_score.csv")
    verifier = get_verifier("vlmevalkit-yes-no")
    rows = [
        answered(verifier, f"{row['index']}_{split}", row["prediction"], row["answer"], split)
        for row in sheet(folder / "vlmevalkit/vila_8b/vila_8b_POPE.xlsx")
        for split in row["category"].split(",")
    ]
    assert (len(rows), len(official)) == (9000, 4)
    for split, expected in official.items():
        found = counts([row for row in rows if split in ("Overall", row["subsets"]["split"])])
        assert found["f1"] == pytest.approx(expected["Overall"], abs=1e-9)
        assert found["accuracy"] == pytest.approx(expected["acc"], abs=1e-9)
        assert (found["precision"], found["recall"]) == pytest.approx(
            (expected["precision"], expected["recall"]), abs=1e-9
        )


@pytest.mark.realdata
def test_pope_of_vlmevalkit_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any]
) -> None:
    folder = published("pope")
    official = score_file(folder / "vlmevalkit/vila_8b/vila_8b_POPE_score.csv")
    found = command(
        "import", "vlmevalkit", str(folder / "vlmevalkit/vila_8b/vila_8b_POPE.xlsx"), "-t", "pope@vlmevalkit",
        "--model", "VILA-8B", "-o", "run",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cells = {cell["subset"][1]: cell for cell in found["subsets"] if cell["metric"] == "f1"}
    for split in SPLITS:
        assert 100 * cells[split]["value"] == pytest.approx(official[split]["Overall"], abs=1e-9)


def _answers(folder: Path) -> Iterator[tuple[str, str, list[tuple[dict[str, Any], str]]]]:
    """Yield the key in expected.json, the split, and (question with label, answer)."""
    for name in ("answers_smoothguard/llava-Instruct-new.jsonl", "answers_smoothguard/llava-Instruct-normal.jsonl"):
        asked = json_lines(folder / "llava_pope_test.jsonl")
        texts = [row["text"] for row in json_lines(folder / name)]
        for split in SPLITS:
            golds = json_lines(folder / f"gt_e3e39262/coco_pope_{split}.json")
            said = [text for row, text in zip(asked, texts, strict=True) if row["category"] == split]
            yield name, split, list(zip(golds, said, strict=True))
    for mode in ("greedy", "sample"):
        for split in SPLITS:
            golds = json_lines(folder / f"gt_vcd_3000/coco_pope_{split}.json")
            path = folder / f"cd_rethink_llava-v1.5-7b/llava-7b-coco-{split}-{mode}.jsonl"
            yield (
                f"cd_rethink_llava-v1.5-7b/{mode}",
                split,
                list(zip(golds, (row["text"] for row in json_lines(path)), strict=True)),
            )


@pytest.mark.realdata
def test_pope_by_the_official_rule_with_both_versions_of_the_questions(published: Callable[[str], Path]) -> None:
    folder = published("pope")
    expected = expectations(folder)
    seen = set()
    for name, split, pairs in _answers(folder):
        official = expected[name]["recomputed"][split]
        rows = [
            answered(PopeVerifier(), str(index), text, row["label"], split) for index, (row, text) in enumerate(pairs)
        ]
        assert len(rows) == official["n"]
        said = [(row["extracted"], row["target"]) for row in rows]
        hits = (
            said.count(("yes", "yes")),
            said.count(("yes", "no")),
            said.count(("no", "no")),
            said.count(("no", "yes")),
        )
        assert hits == tuple(official[key] for key in ("TP", "FP", "TN", "FN")), (name, split)
        keys = {"f1": "F1", "accuracy": "acc", "precision": "precision", "recall": "recall", "yes_rate": "yes_ratio"}
        for metric, value in counts(rows).items():
            assert value == pytest.approx(100 * official[keys[metric]], abs=1e-9), (name, split, metric)
        seen.add((name, split))
    assert len(seen) == 12


@pytest.mark.realdata
def test_pope_of_the_authors_files_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("pope")
    official = expectations(folder)["cd_rethink_llava-v1.5-7b/greedy"]["recomputed"]
    answers = [
        {"id": f"{split}_{row['question_id']}", "response": text}
        for name, split, pairs in _answers(folder)
        if name.endswith("greedy")
        for row, text in pairs
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    found = command(
        "import", "jsonl", str(tmp_path / "answers.jsonl"), "-t", "pope@official", "--model", "LLaVA-1.5-7B", "-o", "run",
        "--data-dir", str(folder / "gt_vcd_3000"),
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    cells = {tuple(cell["subset"]): cell["value"] for cell in found["subsets"] if cell["metric"] == "f1"}
    for split in SPLITS:
        assert cells["split", split] == pytest.approx(official[split]["F1"], abs=1e-12)
