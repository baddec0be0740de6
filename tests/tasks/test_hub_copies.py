"""Copies of hub data sets on disk, whole or in part, and files in other folders than the usual ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmeval.core.errors import DataError
from mmeval.tasks.card import Dataset
from mmeval.tasks.data import Row
from mmeval.tasks.images import inside
from mmeval.tasks.sources import open_dataset

COLUMNS = ("q", "image")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub-cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def hub(**keys: str) -> Dataset:
    return Dataset.model_validate({"hub": {"id": "org/pictures", "split": "test", **keys}})


def shard(path: Path, *questions: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"q": list(questions), "image": ["a.png"] * len(questions)}), path)


def lines(path: Path, *questions: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"q": question, "image": "a.png"}) + "\n" for question in questions))


def asked(dataset: Dataset, folder: Path) -> list[Any]:
    return [row.values["q"] for row in open_dataset(dataset, "t", folder, COLUMNS).rows()]


def test_a_configuration_is_a_folder_of_the_copy(tmp_path: Path) -> None:
    copy = tmp_path / "org/pictures"
    shard(copy / "maps/test-00000-of-00001.parquet", "map")
    shard(copy / "maps/train-00000-of-00001.parquet", "map of train")
    shard(copy / "photos/test-00000-of-00001.parquet", "photo")
    assert asked(hub(config="maps"), tmp_path) == ["map"]
    assert asked(hub(config="photos"), tmp_path) == ["photo"]
    with pytest.raises(DataError, match="charts"):
        asked(hub(config="charts"), tmp_path)


@pytest.mark.parametrize("split", ["validation", "dev", "val"])
def test_another_word_for_the_split_counts_only_where_its_own_is_missing(tmp_path: Path, split: str) -> None:
    """MMMU has the splits dev, validation and test."""
    copy, tables = tmp_path / "copies/org/pictures", tmp_path / "tables"
    for name in ("dev", "validation", "test"):
        shard(copy / f"{name}-00000-of-00001.parquet", name)
        lines(tables / f"{name}.jsonl", name)
    expected = ["validation"] if split == "val" else [split]
    assert asked(hub(split=split), tmp_path / "copies") == expected
    assert asked(hub(split=split), tables) == expected


def test_tables_of_several_data_sets_are_not_joined(tmp_path: Path) -> None:
    for name in ("pictures-1.jsonl", "pictures-2.jsonl"):
        lines(tmp_path / name, name)
    assert asked(hub(), tmp_path) == ["pictures-1.jsonl", "pictures-2.jsonl"]
    lines(tmp_path / "other.jsonl", "other")
    with pytest.raises(DataError, match=r"other\.jsonl \(others have its columns too: a folder t/ would tell\)"):
        asked(hub(), tmp_path)
    lines(tmp_path / "t/mine.jsonl", "mine")
    assert asked(hub(), tmp_path) == ["mine"]


def test_a_configuration_may_stand_in_the_name_of_the_file(tmp_path: Path) -> None:
    shard(tmp_path / "pictures/maps.parquet", "map")
    shard(tmp_path / "pictures/photos.parquet", "photo")
    assert asked(hub(config="maps"), tmp_path) == ["map"]


def test_a_split_of_a_name_of_its_own(tmp_path: Path) -> None:
    shard(tmp_path / "pictures/data/dev-00000-of-00001.parquet", "dev")
    shard(tmp_path / "pictures/data/test-00000-of-00001.parquet", "test")
    assert asked(hub(split="dev"), tmp_path) == ["dev"]
    assert asked(hub(split="val"), tmp_path) == ["dev"]


def test_a_file_without_a_split_in_its_name_is_the_split(tmp_path: Path) -> None:
    shard(tmp_path / "pictures/all.parquet", "one", "two")
    assert asked(hub(), tmp_path) == ["one", "two"]


def test_what_the_readme_says_of_splits_counts(tmp_path: Path) -> None:
    copy = tmp_path / "pictures"
    shard(copy / "data/part.parquet", "told")
    shard(copy / "data/test-other.parquet", "not told")
    (copy / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: test\n    path: data/part.parquet\n---\n"
    )
    assert asked(hub(), tmp_path) == ["told"]
    (copy / "README.md").write_text("# Pictures\n")
    assert asked(hub(), tmp_path) == ["not told"]


@pytest.mark.parametrize("place", ["org/pictures/test.jsonl", "pictures/data/test.jsonl", "t/rows.jsonl", "test.jsonl"])
def test_json_lines_hold_a_copy_too(tmp_path: Path, place: str) -> None:
    lines(tmp_path / place, "one", "two")
    lines(tmp_path / place.replace("test", "train"), "no") if "test" in place else None
    assert asked(hub(), tmp_path) == ["one", "two"]


def test_tables_without_the_cards_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"other\.csv \(no column image, q\)"):
        asked(hub(), tmp_path)


def test_files_of_a_card_lie_in_the_folder_of_its_hub_data_set_too(tmp_path: Path) -> None:
    dataset = Dataset.model_validate(
        {"local": {"files": ["mine.jsonl"]}, "hub": {"id": "org/pictures", "split": "test"}}
    )
    lines(tmp_path / "org/pictures/mine.jsonl", "one")
    assert asked(dataset, tmp_path) == ["one"]
    lines(tmp_path / "t/mine.jsonl", "of the task")
    assert asked(dataset, tmp_path) == ["of the task"]


@pytest.mark.parametrize("place", ["up/a.png", "up/data/a.png", "up/images/a.png", "up/data/images/a.png", "a.png"])
def test_pictures_lie_beside_their_file_or_below_the_data_folder(tmp_path: Path, place: str) -> None:
    lines(tmp_path / "up/data/rows.jsonl", "one")
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(b"picture")
    dataset = Dataset.model_validate({"local": {"files": ["up/data/rows.jsonl"], "image_root": ".."}})
    row = next(iter(open_dataset(dataset, "t", tmp_path).rows()))
    assert inside("a.png", row) == (tmp_path / place).resolve()


def test_the_cards_own_folder_of_pictures_wins_and_none_is_left(tmp_path: Path) -> None:
    for place in ("up/a.png", "up/data/a.png", "secret.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"picture")
    row = Row(0, {}, "rows.jsonl, row 1", tmp_path / "up", (tmp_path / "up/data",))
    assert inside("a.png", row) == tmp_path / "up/a.png"
    assert inside("b.png", row) == tmp_path / "up/b.png"
    with pytest.raises(DataError, match="leaves the data folder"):
        inside("../secret.png", row)
