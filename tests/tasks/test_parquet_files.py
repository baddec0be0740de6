"""Rows of parquet files, with pictures only where they are wanted."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
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


def opened(folder: Path, **fields: Any) -> OpenTask:
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
    picked = parquet_files._Reader._picked

    def noted(reader: Any, group: int, before: int, chosen: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        asked.extend(before + number for number in chosen)
        return picked(reader, group, before, chosen)

    monkeypatch.setattr(parquet_files._Reader, "_picked", noted)
    task = opened(tmp_path)
    assert asked == [], "drawing needs no picture"
    drawn = [number for number, _ in task.samples(AskStyle())]
    assert len(drawn) == 5
    assert asked == drawn


def table(folder: Path, **columns: Any) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)), [1.5, None]),
        (pa.array([Decimal("3.00"), Decimal("0.10")], pa.decimal128(9, 2)), [3, 0.1]),
        (pa.array([Decimal(10**30), Decimal("0.12345678901234567890")], pa.decimal256(60, 20)), ["1000000000000000000000000000000.00000000000000000000", "0.12345678901234567890"]),
        (pa.array([[Decimal("1.5")]], pa.list_(pa.decimal128(9, 2))), [[1.5]]),
        (pa.array([0, 1], pa.date32()), ["1970-01-01", "1970-01-02"]),
        (pa.array([1], pa.timestamp("us", tz="UTC")), ["1970-01-01T00:00:00.000001+00:00"]),
        (pa.array([1_500_000], pa.duration("us")), [1.5]),
        (pa.array([{"when": 0, "what": b"x"}], pa.struct([("when", pa.time32("s")), ("what", pa.binary())])), [{"when": "00:00:00", "what": b"x"}]),
        (pa.array(["a"]).dictionary_encode(), ["a"]),
        (pa.array(["a"], pa.string_view()), ["a"]),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16))), ["00000000-0000-0000-0000-000000000000"]),
    ],
)  # fmt: skip
def test_cells_of_types_that_json_lacks_are_made_plain(tmp_path: Path, cells: pa.Array, read: list[Any]) -> None:
    found = [row["x"] for row in parquet_rows(table(tmp_path, x=cells))]
    assert found == read
    assert list(map(type, found)) == list(map(type, read))


@pytest.mark.parametrize(
    ("cells", "cause"),
    [
        (pa.array([0, 2**62], pa.timestamp("us")), "date value out of range"),
        (pa.array([0, 2**30], pa.date32()), "days=1073741824"),
        (pa.StringArray.from_buffers(2, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0])), pa.py_buffer(b"a\xffb")), "codec can't decode byte 0xff"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_held_is_named(tmp_path: Path, cells: pa.Array, cause: str) -> None:
    with pytest.raises(DataError, match=r"t\.parquet, row 2: column 'x' \(.*\) cannot be read") as caught:
        list(parquet_rows(table(tmp_path, id=["a", "b"], x=cells)))
    assert cause in caught.value.message


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["answer", "answer"]), path)
    with pytest.raises(DataError, match="column 'answer' is there twice"):
        list(parquet_rows(path))


def test_a_flipped_bit_is_found_where_the_file_has_checksums(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"answer": list(range(1000))}), path, write_page_checksum=True, compression="none", use_dictionary=False)  # fmt: skip
    data = bytearray(path.read_bytes())
    data[1500] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="CRC checksum verification failed"):
        list(parquet_rows(path))


def test_bytes_that_stand_for_text_are_text(tmp_path: Path) -> None:
    """Writers without a type for text leave bytes; a question, an id, a gold or a cluster is never `b'…'`."""
    octets = [pa.array([name.encode() * 2, name.encode() * 3], pa.binary()) for name in "qiak"]
    path = tmp_path / "data" / "one.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_arrays(octets, names=["question", "id", "answer", "cluster"]), path)
    task = opened(tmp_path / "data", images=[], cluster="cluster")
    ((_, draft),) = [*task.samples(AskStyle())][:1]
    sample = draft()
    assert (sample.id, sample.item["question"], sample.target, sample.cluster) == ("ii", "qq", "aa", "kk")
    assert [entry.cluster for entry in task.task._entries(task.source)] == ["kk", "kkk"]
