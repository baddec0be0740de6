"""GPT-4o on ScreenSpot-v2's items, and three published output files of ScreenSpot-Pro."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext
from mmeval.verifiers.point import PointVerifier
from mmeval.verifiers.screenspot import ScreenSpotVerifier
from tests.conformance.support import expectations, json_lines, right, table_row

PARTS = ("mobile_text_low", "mobile_icon_low", "pc_text_low", "pc_icon_low", "web_text_low", "web_icon_low")
PLATFORMS = {"mobile": "mobile", "pc": "desktop", "web": "web"}


def gold_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ScreenSpot-v2's rows (boxes as corners in pixels) by picture and instruction, as the requests are named."""
    found: dict[str, dict[str, Any]] = {}
    for platform in PLATFORMS.values():
        path = folder / f"gui_actor_screenspot_{platform}_v2_with_img_size.json"
        for row in json.loads(path.read_text(encoding="utf-8")):
            found.setdefault(f"{row['img_filename']}_{row['instruction'].replace(' ', '_')}", row)
    return found


def answers(folder: Path, part: str) -> list[tuple[dict[str, Any] | None, str]]:
    """Return gold row and answer of each request of a part."""
    golds = gold_rows(folder)
    found = []
    for row in json_lines(folder / "output" / f"{part}.jsonl"):
        key = re.sub(r"^low_(mobile|pc|web)_(text|icon)_[0-9]+_", "", row["custom_id"])
        found.append((golds.get(key), row["response"]["body"]["choices"][0]["message"]["content"]))
    return found


@pytest.mark.realdata
@pytest.mark.parametrize("part", PARTS)
def test_gpt_4o_by_the_declared_space(part: str, published: Callable[[str], Path]) -> None:
    folder = published("screenspot_v1_gpt4o")
    entry = expectations(folder)[part]
    rows = answers(folder, part)
    assert len(rows) == entry["rows"]
    assert sum(gold is None for gold, _ in rows) == entry["rows_without_gt"]
    verifier = PointVerifier({"accept_box": True})
    table = [
        table_row(
            verifier, str(number), text, {"box": gold["bbox"]},
            AnswerContext(image_size=tuple(gold["img_size"]), coordinates="thousand"),
        )
        for number, (gold, text) in enumerate(rows)
        if gold is not None
    ]  # fmt: skip
    assert right(table) == entry["official"]


@pytest.mark.realdata
def test_gpt_4o_through_the_command_line(
    published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    from PIL import Image

    folder = published("screenspot_v1_gpt4o")
    (tmp_path / "data" / "screenspotv2_image").mkdir(parents=True)
    lines, number = [], 0
    for platform in sorted(PLATFORMS):
        rows = []
        for part in (name for name in PARTS if name.startswith(platform)):
            for gold, text in answers(folder, part):
                if gold is None:
                    continue
                name = gold["img_filename"]
                Image.new("1", tuple(gold["img_size"])).save(
                    tmp_path / "data" / "screenspotv2_image" / name,
                    "PNG" if name.endswith("png") else "JPEG",
                )
                left, top, right_, bottom = gold["bbox"]
                rows.append({
                    "img_filename": name, "instruction": gold["instruction"], "bbox": [left, top, right_ - left, bottom - top],
                    "data_type": gold["ui_type"], "data_source": gold["platform"],
                })  # fmt: skip
                lines.append(json.dumps({"id": str(number), "response": text}))
                number += 1
        (tmp_path / "data" / f"screenspot_{platform}_v2.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "p.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = command(
        "import", "jsonl", str(tmp_path / "p.jsonl"), "-t", "screenspot-v2", "--model", "gpt-4o", "--coordinates", "thousand",
        "--data-dir", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-report",
    )  # fmt: skip
    assert found["returned"] == 6, found["stderr"]  # 599 of 1,272 samples were asked
    cell = found["leaderboard"][0]
    assert (cell["n"], round(cell["value"] * cell["n"])) == (599, 58)
    subsets = {tuple(row["subset"]): row for row in found["subsets"]}
    by_part = {label: round(row["value"] * row["n"]) for (name, label), row in subsets.items() if name == "platform"}
    assert by_part == {"mobile": 28, "desktop": 23, "web": 7}


def screen(row: Mapping[str, Any]) -> str:
    """Return the picture's name below the folder of images."""
    return str(row["img_path"]).split("/images/")[1]


def details(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))["details"]
    return found


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size of each picture, which no file states: Aguvis' pixels over its fractions."""
    found = {}
    for row in details(folder, "zeonlap_aguvis.json"):
        numbers = re.search(r"x=([0-9.]+), y=([0-9.]+)", row["raw_response"])
        assert numbers is not None
        found[screen(row)] = (round(row["pred"][0] / float(numbers[1])), round(row["pred"][1] / float(numbers[2])))
    return found


def resized(width: int, height: int, budget: int) -> tuple[int, int]:
    """Return the size after Qwen's processor: sides in multiples of 28, at most `budget` pixels."""
    columns, rows = round(width / 28) * 28, round(height / 28) * 28
    if columns * rows > budget:
        shrink = (width * height / budget) ** 0.5
        columns, rows = int(width / shrink / 28) * 28, int(height / shrink / 28) * 28
    return columns, rows


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("zeonlap_aguvis.json", "pyautogui"),
        ("wood_qwen2vl.json", "qwen2-vl"),
        ("wood_qwen25vldevice.json", "tool-call"),
    ],
)
def test_screenspot_pro(name: str, form: str, published: Callable[[str], Path]) -> None:
    """Every point, every verdict and all official numbers."""
    folder = published("screenspot_pro")
    official = expectations(folder)[name]["official"]
    size_of = sizes(folder)
    verifier = ScreenSpotVerifier({"form": form})
    table = []
    for number, row in enumerate(details(folder, name)):
        size = size_of[screen(row)]
        context = AnswerContext(image_size=size, sent_size=resized(*size, 12845056))
        found = verifier.parse(row["raw_response"], context).value
        assert found == (None if row["pred"] is None else pytest.approx(row["pred"])), row
        scored = table_row(
            verifier, str(number), row["raw_response"], {"box": row["bbox"]}, context, {"type": row["ui_type"]}
        )
        outcome = "wrong_format" if found is None else "correct" if scored["correct"] else "wrong"
        assert outcome == row["correctness"]
        table.append(scored)
    assert (len(table), right(table)) == (official["num_total"], official["num_correct_action"])
    assert sum(row["outcome"] == "no_answer" for row in table) == official["wrong_format_num"]
    for kind in ("text", "icon"):
        part = [row for row in table if row["subsets"]["type"] == kind]
        assert right(part) / len(part) == pytest.approx(official[f"{kind}_acc"])


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["zeonlap_aguvis.json", "wood_qwen2vl.json", "wood_qwen25vldevice.json"])
def test_screenspot_pro_through_the_command_line(
    name: str, published: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    folder = published("screenspot_pro")
    official = expectations(folder)[name]["official"]
    found = command(
        "import", "screenspot-pro", str(folder / name), "-t", "screenspot-pro@official", "--model", name, "-o", str(tmp_path / "run"),
        "--no-report",
    )  # fmt: skip
    assert found["returned"] == 0, found["stderr"]
    assert found["agreement"] == {"equal": 1581, "verdicts": 1581}
    cell = found["leaderboard"][0]
    assert (cell["n"], round(cell["value"] * cell["n"])) == (official["num_total"], official["num_correct_action"])
    rows = [row for row in found["subsets"] if row["subset"][0] == "type" and row["metric"] == "accuracy"]
    types = {row["subset"][1]: row["value"] for row in rows}
    assert types == {kind: pytest.approx(official[f"{kind}_acc"]) for kind in ("text", "icon")}
