"""What a row's first picture is told by."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.pictures import Picture
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

CARD: dict[str, Any] = {
    "name": "demo/one",
    "family": "demo",
    "title": "A demonstration",
    "dataset": {"local": {"files": ["rows.*"]}},
    "fields": {"id": "id", "images": ["image"]},
    "answer": {"kind": "text"},
}


def _told(folder: Path) -> list[Picture | None]:
    task = Task.load(CardFile("demo/one", Path("demo.yaml"), CARD))
    return [draft.picture for _, draft in task.open(DataOptions(folder)).samples(AskStyle())]


def _lines(folder: Path, cells: list[Any]) -> None:
    rows = ({"id": str(n), "question": "?", "answer": "A", "image": cell} for n, cell in enumerate(cells))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _keys(told: list[Picture | None]) -> list[Any]:
    return [None if picture is None else picture.key for picture in told]


def test_paths_mappings_and_lists_are_told_by_the_first_picture(tmp_path: Path) -> None:
    _lines(tmp_path, ["a.png", {"path": "a.png"}, ["a.png", "b.png"], "b.png", None, "", 3, []])
    first, mapping, several, other, *none = _keys(_told(tmp_path))
    assert first == mapping == several != other
    assert none == [None] * 4


def test_pictures_inside_a_table_are_told_apart_without_being_read(tmp_path: Path) -> None:
    def encoded(seed: int) -> str:
        buffer = io.BytesIO()
        Image.effect_noise((80, 80), 40 + seed).save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()

    cells = [encoded(0), encoded(30)]
    with (tmp_path / "rows.tsv").open("w", newline="") as stream:
        table = csv.writer(stream, delimiter="\t")
        table.writerow(["id", "question", "answer", "image"])
        table.writerows([n, "?", "A", cells[n % 2]] for n in range(4))
    told = _told(tmp_path)
    first, second, third, fourth = _keys(told)
    assert first == third != second == fourth
    assert all(picture is not None and picture.size < 1000 for picture in told)  # the pictures stay in their file


def test_bytes_that_a_row_holds_are_counted(tmp_path: Path) -> None:
    _lines(tmp_path, ["iVBORw0KGgo" + "A" * 20_000, "a.png"])
    large, small = _told(tmp_path)
    assert large is not None
    assert small is not None
    assert large.size > 20_000 > small.size
