"""Where the files of a card are looked for, and that they are the ones that it was made for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmeval.core.errors import DataError
from mmeval.tasks import local_files
from mmeval.tasks.card import Dataset, LocalSource
from mmeval.tasks.local_files import GLANCED_TOGETHER, find_local_files, local_source
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.sources import open_dataset
from mmeval.tasks.task import Task


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without an LMUData folder of the developer's own."""
    monkeypatch.delenv("LMUData", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def table(path: Path, question: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"index\tquestion\tanswer\n0\t{question}\tyes\n")
    return path


def dataset(*files: str, **options: Any) -> Dataset:
    return Dataset.model_validate({"local": {"files": list(files), **options}})


def question(found: Dataset, data_dir: Path | None = None) -> str:
    (row,) = open_dataset(found, "family/t", data_dir).rows()
    return str(row.values["question"])


def test_a_named_table_is_found_in_the_lmudata_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = dataset("MathVista_MINI.tsv", "*.jsonl")
    with pytest.raises(DataError, match=r"reads local files \(MathVista_MINI\.tsv(.|\n)*--data-dir"):
        question(named)
    table(home / "LMUData" / "MathVista_MINI.tsv", "home")
    assert question(named) == "home"
    table(tmp_path / "lmu" / "MathVista_MINI.tsv", "variable")
    monkeypatch.setenv("LMUData", str(tmp_path / "lmu"))
    assert question(named) == "variable"
    table(tmp_path / "data" / "MathVista_MINI.tsv", "data-dir")
    assert question(named, tmp_path / "data") == "data-dir"
    (tmp_path / "empty").mkdir()
    assert question(named, tmp_path / "empty") == "variable"
    monkeypatch.setenv("LMUData", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"\$LMUData names .*absent: no such folder"):
        question(named)


def test_only_tables_that_are_named_in_full_are_looked_for_there(home: Path) -> None:
    table(home / "LMUData" / "other.tsv", "x")
    (home / "LMUData" / "own.jsonl").write_text("{}\n")
    assert find_local_files(LocalSource(files=["*.tsv", "own.jsonl", "?ther.tsv"]), "t", None) == []


def test_a_card_may_name_the_folder_of_its_files(tmp_path: Path) -> None:
    table(tmp_path / "cards" / "data" / "x.tsv", "beside")
    raw = {
        "name": "own",
        "family": "custom",
        "title": "Own",
        "dataset": {"local": {"files": ["x.tsv"], "folder": "data"}},
        "fields": {"id": "index"},
        "answer": {"kind": "yes-no"},
    }
    task = Task.load(CardFile("own", tmp_path / "cards" / "own.yaml", raw))
    ((_, build),) = task.open(DataOptions()).samples(AskStyle())
    assert build().item["question"] == "beside"
    table(tmp_path / "other" / "x.tsv", "data-dir")
    ((_, build),) = task.open(DataOptions(tmp_path / "other")).samples(AskStyle())
    assert build().item["question"] == "data-dir"
    (tmp_path / "cards" / "data" / "x.tsv").unlink()
    with pytest.raises(DataError, match=r"reads local files \(x\.tsv\), and there are none in .*cards/data"):
        task.open(DataOptions())


def test_an_absolute_path_is_that_file_alone(tmp_path: Path) -> None:
    path = table(tmp_path / "a" / "[x].tsv", "named")
    table(tmp_path / "b" / "[x].tsv", "other")
    assert question(dataset(str(path)), tmp_path / "b") == "named"
    path.unlink()
    with pytest.raises(DataError, match="reads local files"):
        question(dataset(str(path)))


def test_another_content_than_the_cards_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", "first")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    pinned = dataset("*.tsv", sha256=sha256)
    assert question(pinned, tmp_path) == "first"
    assert open_dataset(pinned, "t", tmp_path).describe["files"][0]["sha256"] == sha256
    table(tmp_path / "y.tsv", "second")
    with pytest.raises(DataError, match=r"is of one file, and 2 match \*\.tsv"):
        open_dataset(pinned, "t", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"y\.tsv: its content is not the one that the card was made for") as caught:
        open_dataset(pinned, "t", tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
@pytest.mark.parametrize("way", ["in place", "replaced", "gone"])
def test_rows_of_a_file_that_changes_are_refused(tmp_path: Path, name: str, way: str) -> None:
    """Rows of two contents in one table would be a data set that nobody has."""
    path = tmp_path / name
    line = '{"question": "q", "answer": "a"}\n' if path.suffix == ".jsonl" else "q,a\n"
    head = "" if path.suffix == ".jsonl" else "question,answer\n"
    path.write_text(head + line * 5000)
    rows = local_source([path], LocalSource(files=[name])).rows()
    next(rows)
    if way == "in place":
        path.write_text(head + line * 4000)
    elif way == "replaced":
        (tmp_path / "new").write_text(head + line * 5000)
        (tmp_path / "new").replace(path)
    else:
        path.unlink()
    with pytest.raises(DataError, match=f"{name} was changed while the run read it"):
        next(rows)


def test_rows_of_some_columns_are_read_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the file after each row takes longer than reading it; a change is refused all the same."""
    path = tmp_path / "rows.parquet"
    count = 4 * GLANCED_TOGETHER
    rows = pa.table({"question": ["q"] * count, "answer": ["a"] * count, "image": [b"i"] * count})
    pq.write_table(rows, path)
    looks: list[Path] = []
    stamp = local_files._stamp
    monkeypatch.setattr(local_files, "_stamp", lambda one: (looks.append(one), stamp(one))[1])
    source = local_source([path], LocalSource(files=["rows.parquet"]))
    assert source.glance is not None
    looks.clear()
    assert sum(1 for _ in source.glance((), ["question"])) == count
    assert len(looks) == 5
    found = source.glance((), ["question"])
    next(found)
    pq.write_table(rows.slice(1), tmp_path / "new")
    (tmp_path / "new").replace(path)
    with pytest.raises(DataError, match="was changed while the run read it"):
        list(found)
