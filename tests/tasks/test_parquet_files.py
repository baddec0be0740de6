"""Rows of parquet files, with pictures only where they are wanted."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import DataError
from mmeval.tasks import parquet_files
from mmeval.tasks.opened import OpenTask
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.parquet_files import parquet_rows
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("id", pa.string()), ("question", pa.string()), ("image", PICTURE), ("more", pa.list_(PICTURE)), ("mask", pa.binary()), ("answer", pa.string())]
)  # fmt: skip


def row(number: int) -> dict[str, Any]:
    picture = {"bytes": b"picture %d" % number, "path": f"{number}.png"}
    return {
        "id": f"r{number}",
        "question": "Which?",
        "image": picture,
        "more": [picture],
        "mask": b"m",
        "answer": "red",
    }


def light(number: int) -> dict[str, Any]:
    found = row(number)
    del found["mask"]
    return {**found, "image": {"path": f"{number}.png"}, "more": [{"path": f"{number}.png"}]}


def write(path: Path, rows: list[dict[str, Any]], group: int = 7) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=group)
    return path


@given(count=st.integers(0, 40), group=st.integers(1, 15), first=st.integers(0, 50), data=st.data())
def test_wanted_rows_are_whole_and_others_lack_only_bytes(
    tmp_path_factory: pytest.TempPathFactory, count: int, group: int, first: int, data: st.DataObject
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "rows.parquet", [row(number) for number in range(count)], group)
    wanted = data.draw(st.sets(st.integers(first, first + 45)))
    found = list(parquet_rows(path, wanted, first))
    assert found == [row(number) if first + number in wanted else light(number) for number in range(count)]
    assert list(parquet_rows(path)) == [row(number) for number in range(count)]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ([], {}),
        (["id"], {"id": "a"}),
        (["image.path", "gone"], {"image": {"path": "a.png"}}),
        (["a.b"], {"a.b": 1, "a": 2}),
        (["a"], {"a": 2, "a.b": 1}),
    ],
)
def test_other_rows_need_some_columns_alone(tmp_path: Path, columns: list[str], found: dict[str, Any]) -> None:
    path = tmp_path / "rows.parquet"
    whole = {"id": "a", "image": {"bytes": b"png", "path": "a.png"}, "a.b": 1, "a": 2, "text": "long"}
    pq.write_table(pa.Table.from_pylist([whole, whole]), path)
    assert list(parquet_rows(path, {1}, columns=columns)) == [found, whole]
    pq.write_table(pa.Table.from_pylist([{"id": "a", "text": "long"}]), path)  # no bytes
    assert list(parquet_rows(path, (), columns=["id"])) == [{"id": "a"}]


def test_a_file_without_bytes_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "size": [1, 2]}), path)
    assert list(parquet_rows(path, set())) == [{"id": "a", "size": 1}, {"id": "b", "size": 2}]


def test_a_file_of_bytes_alone_still_counts_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"image": [b"a", b"b", b"c"]}), path)
    assert list(parquet_rows(path, {1})) == [{}, {"image": b"b"}, {}]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 no table")
    with pytest.raises(DataError, match=r"rows\.parquet: not a readable parquet file"):
        list(parquet_rows(path, set()))


def opened(folder: Path, **fields: str) -> OpenTask:
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.parquet"]}},
        "fields": {"id": "id", "question": "question", "images": ["image"], "answer": "answer", **fields}, "answer": {"kind": "text"},
    }  # fmt: skip
    return Task.load(CardFile("t", folder / "t.yaml", raw)).open(DataOptions(folder, limit=5))


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "fields", [{}, {"cluster": "image.path"}, {"cluster": "id"}, {"id": "=image.path"}, {"cluster": "=id"}]
)
def test_drawn_samples_are_those_of_a_full_pass(tmp_path: Path, fields: dict[str, str]) -> None:
    pictures = [png(shade) for shade in range(40)]
    rows = [{**row(at), "image": {"bytes": data, "path": f"{at}.png"}} for at, data in enumerate(pictures)]
    write(tmp_path / "one.parquet", rows[:23])
    write(tmp_path / "two.parquet", rows[23:], 3)
    task = opened(tmp_path, **fields)
    found = {number: draft() for number, draft in task.samples(AskStyle())}
    assert len(found) == 5
    assert found.keys() == task.selected
    assert [sample.media[0].data for sample in found.values()] == [pictures[number] for number in found]
    whole = task.task._drawn(replace(task.source, glance=None), DataOptions(tmp_path, limit=5))
    assert whole.selected == task.selected
    assert {number: draft() for number, draft in whole.samples(AskStyle())} == found


def test_an_id_that_an_earlier_row_has_is_found_though_that_row_is_not_drawn(tmp_path: Path) -> None:
    rows = [{**row(at), "id": "same", "image": {"bytes": png(at), "path": None}} for at in range(40)]
    write(tmp_path / "one.parquet", rows)
    problems = [draft.problem is not None for number, draft in opened(tmp_path).samples(AskStyle()) if number]
    assert problems
    assert all(problems)


def test_pictures_of_rows_that_are_not_drawn_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**row(at), "image": {"bytes": png(at), "path": None}} for at in range(40)]
    write(tmp_path / "one.parquet", rows)
    asked: list[int] = []
    picked = parquet_files._picked

    def noted(file: Any, group: int, chosen: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        asked.extend(7 * group + number for number in chosen)
        return picked(file, group, chosen)

    monkeypatch.setattr(parquet_files, "_picked", noted)
    task = opened(tmp_path)
    assert asked == [], "drawing needs no picture"
    drawn = [number for number, _ in task.samples(AskStyle())]
    assert len(drawn) == 5
    assert asked == drawn
