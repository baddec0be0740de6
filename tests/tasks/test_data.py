"""Rows from every format in which benchmarks lie on disk."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import FrameSampling
from mmeval.tasks.card import Dataset
from mmeval.tasks.data import Row, lookup, read_rows
from mmeval.tasks.images import media_from_cell
from mmeval.tasks.sources import open_dataset
from mmeval.tasks.videos import videos_from_cell

ROWS = [{"id": "1", "q": "Wo?"}, {"id": "2", "q": "Where\nto?"}]


def png(colour: str = "red", size: int = 9) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "PNG")
    return buffer.getvalue()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows) + b"\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(ROWS).encode()),
        ("b.json", lines(ROWS)),
        ("c.jsonl", lines(ROWS)),
        ("blank.jsonl", lines(ROWS).replace(b"\n", b"\n\n  \n")),
        ("d.ndjson", lines(ROWS)),
        ("e.csv", b'id,q\n1,Wo?\n2,"Where\nto?"\n'),
        ("f.tsv", b'id\tq\n1\tWo?\n2\t"Where\nto?"\n'),
        ("mark.csv", b'\xef\xbb\xbfid,q\r\n1,Wo?\r\n2,"Where\nto?"\r\n'),
        ("mark.json", b"\xef\xbb\xbf" + json.dumps(ROWS).encode()),
        ("mark.jsonl", b"\xef\xbb\xbf" + lines(ROWS)),
    ],
)
def test_the_same_rows_in_every_text_format(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert list(read_rows(path)) == ROWS


def test_an_object_of_objects_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"7": {"q": "x"}, "8": {"q": "y"}}')
    assert list(read_rows(path)) == [{"_key": "7", "q": "x"}, {"_key": "8", "q": "y"}]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_whole_numbers_beyond_64_bits_keep_their_digits(tmp_path: Path, name: str) -> None:
    """As floats two ids would be one, and a gold answer another number."""
    path = tmp_path / name
    path.write_text(
        '{"id": 1000000000000000000000000000001, "answer": [-9223372036854775809], "same": [18446744073709551615, 1e300]}'
    )
    (found,) = read_rows(path)
    assert found == {
        "id": "1000000000000000000000000000001",
        "answer": ["-9223372036854775809"],
        "same": [2**64 - 1, 1e300],
    }
    path.write_text('{"id": 1' + "0" * 5000 + ', "missing": NaN}')
    assert list(read_rows(path)) == [{"id": "1" + "0" * 5000, "missing": None}]


def test_a_key_that_stands_twice_in_a_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "text": "\\"id\\"", "more": {"id": 2}}\n{"id": 2, "answer": "A", "answer": "B"}\n')
    found = read_rows(path)
    assert next(found)["more"] == {"id": 2}
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: the key 'answer' is there twice"):
        next(found)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_missing_numbers_as_python_writes_them_are_null(tmp_path: Path, name: str) -> None:
    row = '{"id": "1", "gt_score": NaN, "note": "NaN"}'
    (tmp_path / name).write_text(f"[{row}]" if name == "a.json" else f"{row}\n", encoding="utf-8")
    assert list(read_rows(tmp_path / name)) == [{"id": "1", "gt_score": None, "note": "NaN"}]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("b.jsonl", b'{"a": 1}\n[1]\n', "line 2: one JSON object per line"),
        ("c.jsonl", b'{"a": "\xff"}\n', "line 1: not JSON"),
        ("d.json", b"[1, 2]", "list of objects"),
        ("e.json", b"", "not JSON"),
        ("f.json", b"<html>404</html>", "not JSON"),
        ("g.csv", b"a,b\n1,2\n1,2,3\n", "line 3: more cells than the 2 columns"),
        ("h.csv", b"a,b\n\xff\xfe,1\n", "line 2: column .a. is not UTF-8 at byte 4"),
        ("i.parquet", b"PAR1 broken PAR1", "not a readable parquet file"),
        ("j.xlsx", b"x", r"unknown data format '\.xlsx'(.|\n)*\.jsonl"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        list(read_rows(path))
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.csv: No such file"):
        list(read_rows(tmp_path / "absent.csv"))


def row(cell: Any, root: Path | None = None) -> Row:
    return Row(0, {"image": cell}, "data.tsv, row 1", root)


def read(cell: Any, root: Path | None = None) -> list[bytes]:
    return [media.read() for media in media_from_cell(cell, row(cell, root), "image")]


def test_image_cells_of_every_form(tmp_path: Path) -> None:
    small, large = png(size=1), png(size=700)
    (tmp_path / "a b.png").write_bytes(small)
    text = base64.b64encode(small).decode()
    assert len(text) < 200
    assert read(small) == [small]
    assert read({"bytes": small, "path": "x.png"}) == [small]
    assert read({"bytes": None, "path": "a b.png"}, tmp_path) == [small]
    assert read("a b.png", tmp_path) == [small]
    assert read(text, tmp_path) == [small]
    assert read(base64.b64encode(large).decode(), tmp_path) == [large]
    assert read("data:image/png;base64," + text) == [small]
    assert read([small, None, "", {"bytes": large}, {"bytes": None, "path": None}]) == [small, large]
    assert read("DATA:image/PNG;BASE64," + text.replace("+", "%2B").replace("=", "%3D")) == [small]
    assert read("data:image/png," + "".join(f"%{byte:02x}" for byte in small)) == [small]
    assert read({"url": "data:image/png;base64," + text}) == [small]
    assert read(str(tmp_path / "a b.png")) == [small]
    assert read(None) == read("") == []


@pytest.mark.parametrize(
    "cell",
    [
        {"bytes": base64.b64encode(png()).decode()},
        {"bytes": base64.encodebytes(png()).decode(), "path": "a.png"},
        {"bytes": list(png())},
        "\n" + base64.encodebytes(png()).decode(),
        " data:image/png;base64," + base64.b64encode(png()).decode(),
    ],
)
def test_image_cells_as_json_has_them(tmp_path: Path, cell: Any) -> None:
    assert read(cell, tmp_path) == [png()]


@pytest.mark.parametrize("held", [5, 10**12, True, 0.5, [-1], [256], [True], ["a"], {"a": 1}])
def test_bytes_of_an_image_that_are_none_are_named(tmp_path: Path, held: Any) -> None:
    with pytest.raises(DataError, match=r"column image: bytes of an image are of type"):
        read({"bytes": held, "path": None}, tmp_path)


def test_text_in_brackets_that_is_no_list_of_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'\[a\.png, b\.png\]' is no list") as caught:
        read("[a.png, b.png]", tmp_path)
    assert "choices" not in caught.value.remedy


@pytest.mark.parametrize("name", ["a" * 900 + ".png", "a\0.png"])
def test_a_name_that_no_file_can_have_is_its_rows_fault(tmp_path: Path, name: str) -> None:
    row_ = Row(0, {}, "x, row 1", tmp_path, (tmp_path / "images",))
    (media,) = media_from_cell(name, row_, "image")
    with pytest.raises(MediaError, match="cannot read"):
        media.read()
    (video,) = videos_from_cell(name.replace("png", "mp4"), row_, "video", FrameSampling())
    assert video.kind == "video"


def test_an_image_cell_that_is_none_of_these_is_named() -> None:
    with pytest.raises(DataError, match=r"data\.tsv, row 1, column image: a cell of type int(.|\n)*fields\.images"):
        read(5)
    with pytest.raises(MediaError, match=r"row 1, column image: not base64"):
        read("data:image/png;base64,abc")
    with pytest.raises(MediaError, match=r"row 1, column image: a data URL without data"):
        read("data:image/png;base64")
    with pytest.raises(DataError, match=r"row 1, column image: a mapping with height, width is no image"):
        read({"width": 5, "height": 4})


@pytest.mark.parametrize("cell", ["https://host/a.png", "HTTP://host/a.png", "s3://bucket/a.png", "file:///a.png"])
@pytest.mark.parametrize("wrap", [str, lambda url: {"url": url}, lambda url: [url], lambda url: {"path": url}])
def test_a_web_address_is_refused_and_never_fetched(tmp_path: Path, cell: str, wrap: Any) -> None:
    with pytest.raises(DataError, match=r"row 1, column image: .* is a web address(.|\n)*download.*--data-dir"):
        read(wrap(cell), tmp_path)


def test_a_relative_path_without_a_folder_is_not_looked_for_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=r"row 1, column image: the path 'a\.png' is relative(.|\n)*--data-dir"):
        read("a.png")


@pytest.mark.parametrize("cell", ["../secret.png", "a/../../secret.png", "a/b/../../../x"])
def test_a_relative_path_stays_in_the_data_folder(tmp_path: Path, cell: str) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    with pytest.raises(DataError, match=r"row 1: image path .* leaves the data folder"):
        read(cell, root)
    with pytest.raises(DataError, match="leaves the data folder"):
        read({"bytes": None, "path": cell}, root)


def test_links_inside_the_data_folder_are_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "data", tmp_path / "blobs"
    root.mkdir()
    elsewhere.mkdir()
    (elsewhere / "0a1b").write_bytes(png())
    (root / "x.png").symlink_to(elsewhere / "0a1b")
    (root / "images").symlink_to(elsewhere)
    assert read("x.png", root) == read("images/0a1b", root) == [png()]


def test_lookup_finds_names_before_paths() -> None:
    found = Row(0, {"a.b": 1, "a": {"b": 2, "c": {"d": 3}}}, "p")
    assert lookup("a.b", found) == 1
    assert lookup("a.c.d", found) == 3


def local(**options: Any) -> Dataset:
    return Dataset.model_validate({"local": {"files": ["data/*.jsonl", "*.jsonl", "*.tsv", "*.parquet"], **options}})


def test_the_first_pattern_and_the_tasks_own_folder_win(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "own.jsonl").write_bytes(lines([{"a": "own"}]))
    (tmp_path / "common.jsonl").write_bytes(lines([{"a": "common"}]))
    source = open_dataset(local(), "family/t", tmp_path)
    assert [found.values for found in source.rows()] == [{"_file": "own.jsonl", "_folder": "t", "a": "own"}]
    assert source.describe == {"kind": "local", "files": [{"file": "own.jsonl", "bytes": 13}], "file_count": 1}
    assert [found.values["a"] for found in open_dataset(local(), "u", tmp_path).rows()] == ["common"]


def test_several_files_are_one_data_set_and_can_be_read_again(tmp_path: Path) -> None:
    for number in range(3):
        pq.write_table(pa.table({"n": [2 * number, 2 * number + 1]}), tmp_path / f"part-{number}.parquet")
    source = open_dataset(local(), "t", tmp_path)
    assert source.total == 6
    for _ in range(2):
        assert [(found.position, found.values["n"]) for found in source.rows()] == [(n, n) for n in range(6)]
    assert [found.place.rsplit("/", 1)[1] for found in source.rows()][2] == "part-1.parquet, row 1"


def test_a_file_that_is_not_there_is_said_to_be_so_whatever_its_name(tmp_path: Path) -> None:
    for name in ("rows.jsonl", "MISSING"):
        with pytest.raises(DataError, match=rf"{name}: No such file"):
            list(read_rows(tmp_path / name))


def test_a_broken_parquet_file_is_named_on_opening(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(DataError, match=r"a\.parquet: not a readable parquet"):
        open_dataset(local(), "t", tmp_path)


def test_base64_images_of_a_tsv(tmp_path: Path) -> None:
    encoded = base64.b64encode(png(size=400)).decode()
    (tmp_path / "x.tsv").write_text(f"index\timage\tquestion\n0\t{encoded * 1}\tq\n")
    found = next(iter(open_dataset(local(), "t", tmp_path).rows()))
    assert media_from_cell(found.values["image"], found, "image")[0].read() == png(size=400)


def test_image_structs_of_parquet(tmp_path: Path) -> None:
    table = pa.table({"image": [{"bytes": png(), "path": None}], "images": [[{"bytes": png("blue"), "path": "b.png"}]]})
    pq.write_table(table, tmp_path / "x.parquet")
    found = next(iter(open_dataset(local(), "t", tmp_path).rows()))
    assert media_from_cell(found.values["image"], found, "image")[0].read() == png()
    assert media_from_cell(found.values["images"], found, "images")[0].read() == png("blue")


def test_rows_are_kept_by_value(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines([{"a": 1, "k": "x"}, {"a": 2, "k": "y"}, {"a": 3, "k": "x"}]))
    dataset = local().model_copy(update={"where": {"k": ["x"]}})
    source = open_dataset(dataset, "t", tmp_path)
    assert [(found.position, found.values["a"]) for found in source.rows()] == [(0, 1), (2, 3)]
    assert source.total is None
    missing = local().model_copy(update={"where": {"kind": ["x"]}})
    with pytest.raises(DataError, match=r"x\.jsonl, row 1: column 'kind' is missing(.|\n)*a, k"):
        list(open_dataset(missing, "t", tmp_path).rows())


@pytest.mark.parametrize("folder", [None, "empty", "absent"])
def test_missing_data_say_what_was_looked_for(tmp_path: Path, folder: str | None) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"--data-dir|data/\*\.jsonl") as caught:
        open_dataset(local(), "t", tmp_path / folder if folder else None)
    assert caught.value.remedy


def hub(name: str = "org/pictures", **options: Any) -> Dataset:
    return Dataset.model_validate({"hub": {"id": name, "split": "test", **options}})


def hub_folder(folder: Path, count: int = 3) -> None:
    """A data set as the hub lays it out: parquet shards with image features, metadata in the schema."""
    import datasets

    features = datasets.Features({"q": datasets.Value("string"), "image": datasets.Image(), "more": [datasets.Image()]})
    cells = [{"bytes": png(size=number + 1), "path": f"{number}.png"} for number in range(count)]
    data = {"q": [str(number) for number in range(count)], "image": cells, "more": [cells[:2]] * count}
    (folder / "data").mkdir(parents=True)
    datasets.Dataset.from_dict(data, features=features).to_parquet(str(folder / "data" / "test-00000-of-00001.parquet"))


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub-cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.parametrize("place", ["org/pictures", "pictures", "t", "."])
def test_a_hub_data_set_is_read_with_its_images_undecoded(hub_home: Path, place: str) -> None:
    hub_folder(hub_home / "copy" / place)
    source = open_dataset(hub(), "t", hub_home / "copy")
    rows = list(source.rows())
    assert [found.values["q"] for found in rows] == ["0", "1", "2"]
    for number, found in enumerate(rows):
        assert media_from_cell(found.values["image"], found, "image")[0].read() == png(size=number + 1)
        assert [media.read() for media in media_from_cell(found.values["more"], found, "more")] == [
            png(size=1),
            png(size=2),
        ]
        assert found.place == f"org/pictures[test], row {number}"
    assert source.describe["kind"] == "hub"
    assert [found.values["q"] for found in source.rows()] == ["0", "1", "2"]


def test_another_data_set_in_the_folder_is_not_taken_for_it(hub_home: Path) -> None:
    hub_folder(hub_home / "copy" / "others")
    with pytest.raises(DataError, match=r"org/pictures \(test\) cannot be loaded"):
        open_dataset(hub(), "t", hub_home / "copy")


COLUMNS = ("q", "image")


def shard(path: Path, **columns: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_only_fitting_files_of_the_folder_are_the_copy(hub_home: Path) -> None:
    folder = hub_home / "copy"
    shard(folder / "other.parquet", id=[1], text=["x"])
    shard(folder / "train-00000-of-00001.parquet", q=["train"], image=[None])
    shard(folder / "data" / "test-00001-of-00002.parquet", id=[1], text=["x"])
    (folder / "broken.parquet").write_bytes(b"PAR1 PAR1")
    with pytest.raises(DataError) as caught:
        open_dataset(hub(), "t", folder, COLUMNS)
    said = str(caught.value)
    assert "other.parquet (no column image, q)" in said
    assert "train-00000-of-00001.parquet (not of split 'test')" in said
    assert "data/test-00001-of-00002.parquet (no column image, q)" in said
    assert "broken.parquet (not a readable parquet file)" in said
    shard(folder / "my-download.parquet", q=["unnamed"], image=[None])
    assert [row.values["q"] for row in open_dataset(hub(), "t", folder, COLUMNS).rows()] == ["unnamed"]
    shard(folder / "data" / "test-00000-of-00002.parquet", q=["named"], image=[None])
    rows = list(open_dataset(hub(), "t", folder, COLUMNS).rows())
    assert [row.values["q"] for row in rows] == ["named"]
    assert rows[0].image_root == folder.resolve()


def test_files_without_declared_columns_need_the_split_in_their_name(hub_home: Path) -> None:
    shard(hub_home / "copy" / "my-download.parquet", q=["x"])
    with pytest.raises(DataError, match=r"my-download\.parquet \(not of split 'test'\)"):
        open_dataset(hub(), "t", hub_home / "copy")
    shard(hub_home / "copy" / "evaluation.parquet", q=["y"])
    assert [row.values["q"] for row in open_dataset(hub(), "t", hub_home / "copy").rows()] == ["y"]


def test_refused_files_are_named_where_the_card_reads_files_too(tmp_path: Path) -> None:
    shard(tmp_path / "other.parquet", id=[1])
    dataset = Dataset.model_validate(
        {"local": {"files": ["mine.jsonl"]}, "hub": {"id": "org/pictures", "split": "test"}}
    )
    with pytest.raises(DataError, match=r"no file that matches mine\.jsonl .*other\.parquet \(no column q\)"):
        open_dataset(dataset, "t", tmp_path, ("q",))


def test_a_split_that_is_not_there_is_named(hub_home: Path) -> None:
    hub_folder(hub_home / "copy")
    with pytest.raises(DataError, match=r"org/pictures \(train\)(.|\n)*--data-dir"):
        open_dataset(Dataset.model_validate({"hub": {"id": "org/pictures", "split": "train"}}), "t", hub_home / "copy")


def test_a_hub_that_cannot_be_reached_is_said_so(hub_home: Path) -> None:
    with pytest.raises(DataError, match=r"org/pictures(.|\n)*connect to the hub once"):
        open_dataset(hub(), "t", None)


def test_a_stream_that_breaks_off_is_a_data_error(hub_home: Path) -> None:
    hub_folder(hub_home / "copy")
    source = open_dataset(hub(), "t", hub_home / "copy")
    shard = next((hub_home / "copy").rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(DataError, match=r"org/pictures \(test\) cannot be read"):
        list(source.rows())


def test_reading_parquet_does_not_keep_the_file_in_memory(tmp_path: Path) -> None:
    import os

    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(tmp_path / "big.parquet", pa.schema([("image", pa.binary())])) as writer:
        for _ in range(8):
            writer.write_table(pa.table({"image": [os.urandom(1 << 18) for _ in range(16)]}))
    before = pa.total_allocated_bytes()
    most = 0
    for _ in read_rows(tmp_path / "big.parquet"):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 20 * 2**20, "the file has 32 MiB, a row group 4 MiB"


def test_the_commit_of_the_hub_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    commit = "0123456789abcdef0123456789abcdef01234567"
    asked: list[Any] = []

    class Builder:
        class config:
            data_files: ClassVar[dict[str, list[str]]] = {
                "test": [f"hf://datasets/org/pictures@{commit}/data/test-00000-of-00001.parquet"]
            }

        def as_streaming_dataset(self, split: str) -> Any:
            return datasets.IterableDataset.from_generator(lambda: iter([{"q": "x"}]), split=split)

    def build(*arguments: Any, **options: Any) -> Builder:
        asked.append((arguments, options))
        return Builder()

    monkeypatch.setattr("datasets.load_dataset_builder", build)
    for revision in (None, "v1.0"):
        dataset = Dataset.model_validate({"hub": {"id": "org/pictures", "split": "test", "revision": revision}})
        source = open_dataset(dataset, "t", None)
        assert (source.describe["revision"], source.describe["commit"]) == (revision, commit)
        assert [found.values for found in source.rows()] == [{"q": "x"}]
        assert asked[-1] == (("org/pictures", None), {"revision": revision})


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_rows_nested_beyond_pythons_stack(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    deep = '{"id": 1, "deep": ' + "[" * 1000 + "]" * 1000
    path.write_text(deep + "}")
    assert [row["id"] for row in read_rows(path)] == [1]
    path.write_text(deep + ', "big": 1000000000000000000000000000001}')
    with pytest.raises(DataError, match=rf"{name}.*nested too deeply"):
        list(read_rows(path))
