"""Tables from rows of JSON: Arrow's own reader must give what the rows hold, bit for bit."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.runs import tables
from mmeval.runs.folder import stream_batches
from mmeval.runs.schema import results_schema
from mmeval.runs.tables import TableWriter, json_row

MAPS = ("scores", "subsets")
TEXT = st.none() | st.text()
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
MEDIA = {"sha256": "a", "width": 1, "height": 2, "kind": None, "format": "jpeg", "frame": None}


def value(field: pa.Field) -> st.SearchStrategy[Any]:
    if field.name == "scores":
        return st.none() | st.dictionaries(st.text(), NUMBER, max_size=3)
    if field.name == "subsets":
        return st.none() | st.dictionaries(st.text(), TEXT, max_size=3)
    if field.name == "extracted_span":
        return st.sampled_from([None, [], [0, 7]])
    if field.name == "media":
        return st.sampled_from([None, [], [MEDIA, None]])
    if pa.types.is_floating(field.type):
        return NUMBER
    if pa.types.is_boolean(field.type):
        return st.none() | st.booleans()
    if pa.types.is_integer(field.type):
        return st.none() | st.integers(-(2**31), 2**31 - 1)
    return TEXT


ROWS = st.lists(st.fixed_dictionaries({field.name: value(field) for field in results_schema()}), min_size=1, max_size=4)


@given(ROWS)
@settings(max_examples=60)
def test_json_rows_give_the_same_table_as_python_objects(rows: list[dict[str, Any]]) -> None:
    schema = results_schema()
    plain = orjson.loads(orjson.dumps(rows))
    entries = [
        {**row, **{name: None if row[name] is None else list(row[name].items()) for name in MAPS}} for row in plain
    ]
    expected = pa.Table.from_pylist(entries, schema=schema)
    found = tables._parsed([json_row(row, MAPS) for row in rows], schema)
    found.validate(full=True)
    assert found.equals(expected)


def test_many_bytes_are_parsed_in_pieces_and_written_as_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "JSON_BLOCK", 1000)
    schema = pa.schema([("text", pa.string()), ("named", pa.map_(pa.string(), pa.float64()))])
    rows: list[dict[str, Any]] = [
        {"text": "ab" * (number * 7), "named": {"score": number / 3} if number % 3 else None} for number in range(90)
    ]
    with TableWriter(tmp_path / "t.parquet", schema) as writer:
        writer.add_json(json_row({**row, "more": 1}, ["named"]) for row in rows)
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert file.num_row_groups == 1
    found = file.read().to_pylist()
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert [row["named"] and dict(row["named"]) for row in found] == [row["named"] for row in rows]


def test_no_rows_give_an_empty_table_or_none(tmp_path: Path) -> None:
    schema = pa.schema([("text", pa.string())])
    with TableWriter(tmp_path / "t.parquet", schema) as writer:
        writer.add_json([])
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0
    with TableWriter(tmp_path / "t.parquet", schema, optional=True) as writer:
        writer.add_json([])
    assert not (tmp_path / "t.parquet").exists()


def test_a_table_that_is_given_up_leaves_nothing_and_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = pa.schema([("number", pa.int64())])

    def rows() -> Iterator[dict[str, Any]]:
        yield {"number": 1}
        raise ValueError("stop")

    def write() -> None:
        with TableWriter(tmp_path / "t.parquet", schema) as table:
            table.add(rows())

    with pytest.raises(ValueError, match="stop"):
        write()
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_table_that_is_given_up_leaves_nothing_and_says_nothing_more(tmp_path: Path) -> None:
    def broken() -> None:
        with TableWriter(tmp_path / "results.parquet", results_schema()) as table:
            table.add([{"model": "m"}])
            raise RuntimeError("given up")

    with pytest.raises(RuntimeError, match="given up"):
        broken()
    gc.collect()  # Arrow's writer would complain of its closed file here
    assert not list(tmp_path.iterdir())


def test_a_flipped_bit_of_a_table_is_never_read_as_another_value(tmp_path: Path) -> None:
    """Compression alone has no checksum: a flipped bit of the answer A was the answer Q."""
    schema = pa.schema([("response", pa.string()), ("score", pa.float64())])
    path = tmp_path / "t.parquet"
    rows = [{"response": f"answer {number}", "score": number / 64} for number in range(64)]
    with TableWriter(path, schema) as writer:
        writer.add(rows)
    kept = path.read_bytes()
    chunk = pq.read_metadata(path).row_group(0).column(1)
    pages = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size
    for place in range(4, pages, 3):
        path.write_bytes(kept[:place] + bytes([kept[place] ^ 16]) + kept[place + 1 :])
        try:
            found = [row for batch in stream_batches(path) for row in batch.to_pylist()]
        except DataError:
            continue
        assert found == rows, place
