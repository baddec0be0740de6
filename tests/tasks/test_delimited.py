"""CSV and TSV as they come: every cell whole, images left in the file, references found, faults named."""

from __future__ import annotations

import base64
import csv
import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import Media
from mmeval.tasks import delimited
from mmeval.tasks.card import LocalSource
from mmeval.tasks.data import Row, read_rows
from mmeval.tasks.delimited import DelimitedFile
from mmeval.tasks.gold import field_value
from mmeval.tasks.images import media_from_cell
from mmeval.tasks.local_files import local_source
from mmeval.tasks.stored import STORED_FROM, StoredText


def png(colour: str = "red", size: int = 9, noise: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture = Image.new("RGB", (size, size), colour)
    if noise:
        picture = Image.frombytes("RGB", (noise, noise), os.urandom(3 * noise * noise))
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


SMALL, LARGE, OTHER = png(), png(noise=60), png(noise=50)


def table(path: Path, rows: list[list[Any]], quoting: int = csv.QUOTE_MINIMAL, **dialect: Any) -> Path:
    with path.open("w", newline="", encoding=dialect.pop("encoding", "utf-8")) as handle:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        csv.writer(handle, delimiter=delimiter, quoting=quoting, **{"lineterminator": "\n", **dialect}).writerows(rows)
    return path


def rows_of(path: Path) -> list[Row]:
    return list(local_source([path], LocalSource(files=[path.name])).rows())


def media_of(row: Row, column: str = "image") -> list[Media]:
    return media_from_cell(row.values[column], row, column)


def images_of(path: Path) -> list[list[bytes]]:
    return [[media.read() for media in media_of(row)] for row in rows_of(path)]


@pytest.mark.parametrize("name", ["x.tsv", "x.csv"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_cells_come_back_as_they_were_written(
    tmp_path: Path, name: str, quoting: int, ending: str, encoding: str
) -> None:
    cells = [
        ["index", "question", "a b", "image"],
        ["0", 'He said "no"\tand, then\nleft\r\n.', "", b64(LARGE)],
        ["1", "纯文本 €", '"', b64(SMALL)],
        ["2", '""', "'", ""],
    ]
    path = table(tmp_path / name, cells, quoting, lineterminator=ending, encoding=encoding)
    plain = [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    assert list(read_rows(path)) == plain
    assert [{key: str(cell) for key, cell in row.values.items()} for row in rows_of(path)] == plain
    assert images_of(path) == [[LARGE], [SMALL], []]


@settings(max_examples=300, deadline=None)
@example([["", '"', "\r\r"]], csv.QUOTE_MINIMAL, 9)
@given(
    st.lists(
        st.lists(st.text(alphabet='ab"\t,\n\r é\0[]', max_size=6), min_size=3, max_size=3), min_size=1, max_size=5
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 9),
)
def test_any_cells_survive_any_buffer(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], quoting: int, chunk: int
) -> None:
    path = table(tmp_path_factory.mktemp("t") / "x.tsv", [["x", "y", "z"], *cells], quoting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "CHUNK", chunk)
        found = [list(row.values()) for row in DelimitedFile(path).rows()]
    if quoting == csv.QUOTE_MINIMAL:
        # Python's writer leaves a lone CR unquoted, so before the line end it cannot be told from CR LF.
        found, cells = ([[*row[:2], row[2].rstrip("\r")] for row in rows] for rows in (found, cells))
    assert found == cells


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text(alphabet='ab"\t\n\r,', max_size=40).map(str.encode), st.integers(1, 50))
def test_any_bytes_are_rows_or_a_named_fault(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "x.tsv"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "CHUNK", chunk)
        try:
            found = [tuple(row) for row in DelimitedFile(path).rows()]
            fault = None
        except DataError as error:
            found, fault = [], error
    assert len(set(found)) <= 1
    assert fault is None or (str(path) in fault.message and fault.remedy)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'a\tb\n1\t"2\n', "line 2: cell 2: the file ends before its quote is closed"),
        (b'a\tb\n1\t2\n3\t"4"5\n', "line 3: cell 2: text behind the closing quote ('5')"),
        (b'a\tb\n1\t"2\n\n"\n3\t"4" \n', "line 5: cell 2: text behind the closing quote (' ')"),
        (b"a\tb\n1\t2\t3\n", "line 2: more cells than the 2 columns"),
        (b"a,b\n1\t2\n", "line 2: more cells than the 1 columns"),
        (b"a\ta\n1\t2\n", "line 1: column 'a' is there twice"),
        (b"a\tb\r1\t2\r", "line 1: a carriage return inside the name of a column"),
        (b"a\tb\n1\t\xe4\n", "line 2: column 'b' is not UTF-8 at byte 6 of the file"),
        ("a\tb\n1\t2\n".encode("utf-16"), "not UTF-8 at byte 0"),
        ("a\tb\n1\t2\n".encode("utf-16-le"), "not UTF-8 at byte 0"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert f"{path}" in caught.value.message
    assert says in caught.value.message
    assert caught.value.remedy


def test_a_comma_file_called_tsv_is_explained(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("a,b\n1,2\n1\t2\n")
    with pytest.raises(DataError, match=r"commas separate a \.csv, tabs a \.tsv"):
        list(read_rows(tmp_path / "x.tsv"))


def test_short_rows_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"a,b,c\n\n1,2\r\n\r\n,,\n4")
    assert list(read_rows(tmp_path / "x.csv")) == [
        {"a": "1", "b": "2", "c": None},
        {"a": "", "b": "", "c": ""},
        {"a": "4", "b": None, "c": None},
    ]


@pytest.mark.parametrize("content", [b"", b"a\tb\n", b"a\tb", b"\n\n"])
def test_a_file_without_rows_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    assert list(read_rows(tmp_path / "x.tsv")) == []


def test_a_quote_that_is_never_closed_does_not_swallow_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "LARGEST_CELL", 1 << 16)
    monkeypatch.setattr(delimited, "CHUNK", 1 << 12)
    (tmp_path / "x.tsv").write_text('a\tb\n1\t"2\n' + "3\t4\n" * 100_000)
    with pytest.raises(DataError, match=r"line 2: a row of more than 0 MiB(.|\n)*never closed"):
        list(read_rows(tmp_path / "x.tsv"))


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_images_stay_in_the_file_until_they_are_read(tmp_path: Path, quoting: int) -> None:
    wide = "\n".join(b64(LARGE)[start : start + 76] for start in range(0, len(b64(LARGE)), 76))
    path = table(
        tmp_path / "x.tsv",
        [
            ["image", "question"],
            [b64(LARGE), "word " * 2000],
            [f"data:image/png;base64,{b64(LARGE)}", "q"],
            [wide, "q"],
            [str([b64(LARGE), b64(OTHER)]), "q"],
            [f'["{b64(LARGE)}", "{b64(SMALL)}"]', "q"],
            [str([f"data:image/png;base64,{b64(OTHER)}"]), "q"],
            [b64(LARGE).replace("+", "-").replace("/", "_"), "q"],
        ],
        quoting,
    )
    rows = rows_of(path)
    assert all(isinstance(row.values["image"], StoredText) for row in rows)
    assert rows[0].values["question"] == "word " * 2000
    kept = [media for row in rows for media in media_of(row)]
    assert all(media.data is None and media.loader is not None for media in kept)
    assert images_of(path) == [[LARGE], [LARGE], [LARGE], [LARGE, OTHER], [LARGE, SMALL], [OTHER], [LARGE]]


def test_a_cell_of_ten_megabytes_is_read_in_bounded_memory(tmp_path: Path) -> None:
    data = os.urandom(10 << 20)
    path = table(tmp_path / "x.tsv", [["index", "image"], *([str(number), b64(data)] for number in range(6))])
    tracemalloc.start()
    try:
        rows = rows_of(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        assert media_of(rows[3])[0].read() == data
    finally:
        tracemalloc.stop()


def test_a_file_that_changes_under_the_run_is_not_misread(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", [["image"], [b64(LARGE)]])
    (row,) = rows_of(path)
    (media,) = media_of(row)
    path.write_bytes(b"image\n\n" + b64(LARGE).encode() + b"\n")
    with pytest.raises(MediaError, match=r"x\.tsv was changed while the run read it"):
        media.read()


LMU = ["index", "question", "image"]


def lmu(path: Path, *cells: str) -> Path:
    return table(path, [LMU, *([str(number), "q", cell] for number, cell in enumerate(cells))])


def test_a_row_may_name_the_row_that_owns_its_image(tmp_path: Path) -> None:
    cells = (b64(SMALL), "0", "4", "0", b64(LARGE), "4", str(["0", "4"]), " 0 ", str([b64(LARGE), b64(OTHER)]), "8")
    assert images_of(lmu(tmp_path / "x.tsv", *cells)) == [
        [SMALL], [SMALL], [LARGE], [SMALL], [LARGE], [LARGE], [SMALL, LARGE], [SMALL], [LARGE, OTHER], [LARGE, OTHER],
    ]  # fmt: skip


def test_a_reference_is_found_in_any_pass_and_from_any_row(tmp_path: Path) -> None:
    source = local_source(
        [lmu(tmp_path / "x.tsv", "5", "5", b64(SMALL), "2", "5", b64(LARGE))], LocalSource(files=["x"])
    )
    first = next(iter(source.rows()))
    assert media_of(first)[0].read() == LARGE
    assert [media_of(row)[0].read() for row in source.rows()] == [LARGE, LARGE, SMALL, SMALL, LARGE, LARGE]


def test_each_file_has_references_of_its_own(tmp_path: Path) -> None:
    files = [lmu(tmp_path / "a.tsv", b64(SMALL), "0"), lmu(tmp_path / "b.tsv", b64(LARGE), "0")]
    rows = local_source(files, LocalSource(files=["*.tsv"])).rows()
    assert [media_of(row)[0].read() for row in rows] == [SMALL, SMALL, LARGE, LARGE]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("17", r"row 2, column image: '17' names no image: no row has that index"),
        ("2", r"row 2, column image: row '2', whose image this row names, has no image either \('0'\)"),
        ("1", r"row 2, column image: row '1', whose image this row names, has no image either \('1'\)"),
        ("nan", r"row 2, column image: 'nan' names no image"),
        ("['0', 5]", r"row 2, column image: a cell of type int is no image"),
        ("[oops]", r"row 2, column image: '\[oops\]' is no list"),
        ("https://host/a.png", "is a web address"),
    ],
)
def test_a_reference_to_no_image_is_named(tmp_path: Path, cell: str, says: str) -> None:
    rows = rows_of(lmu(tmp_path / "x.tsv", b64(SMALL), cell, "0"))
    assert media_of(rows[0])[0].read() == SMALL
    with pytest.raises(DataError, match=says) as caught:
        media_of(rows[1])
    assert caught.value.remedy


@pytest.mark.parametrize("cell", ["picture.png", "sub/0", "deep/picture.JPG"])
def test_a_path_is_no_reference(tmp_path: Path, cell: str) -> None:
    place = tmp_path / cell
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(LARGE)
    assert images_of(lmu(tmp_path / "x.tsv", cell, b64(SMALL))) == [[LARGE], [SMALL]]


def test_without_an_index_column_nothing_is_a_reference(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", [["id", "image"], ["0", b64(SMALL)], ["1", "0"]])
    assert media_of(rows_of(path)[1])[0].path == tmp_path / "0"


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t[:-3],
        lambda t: t[:70] + "?" + t[71:],
        lambda t: t[:80] + "é" + t[80:],
        lambda t: t[:70] + "=" + t[70:],
    ],
)
@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_damaged_base64_is_named(tmp_path: Path, damage: Any, data: bytes) -> None:
    path = lmu(tmp_path / "x.tsv", damage(b64(data)))
    with pytest.raises((MediaError, DataError), match=r"row 1, column image"):
        images_of(path)


def test_a_list_whose_entries_are_no_base64_is_still_a_list(tmp_path: Path) -> None:
    (tmp_path / "é.png").write_bytes(SMALL)
    long = str([b64(LARGE), "é.png"])
    assert len(long) > STORED_FROM
    assert images_of(lmu(tmp_path / "x.tsv", long)) == [[LARGE, SMALL]]
    broken = f"['{b64(LARGE)}', '{b64(LARGE)}' 'x']"
    with pytest.raises(DataError, match="side by side without a comma"):
        images_of(lmu(tmp_path / "y.tsv", broken))


def test_expressions_of_cards_hand_stored_images_on(tmp_path: Path) -> None:
    (row,) = rows_of(table(tmp_path / "x.tsv", [["index", "image"], ["0", b64(LARGE)]]))
    for column in (
        "= decoded_image if decoded_image is defined and decoded_image else image",
        "= [image, row.get('image')] | first",
    ):
        (media,) = media_from_cell(field_value(column, row), row, column)
        assert media.read() == LARGE
    assert field_value("= image is filled", row) is True


def test_long_text_that_looks_encoded_is_still_text(tmp_path: Path) -> None:
    text = "A" * 10_000
    path = table(tmp_path / "x.tsv", [["question"], [text]])
    assert str(rows_of(path)[0].values["question"]) == text
    assert list(read_rows(path)) == [{"question": text}]
