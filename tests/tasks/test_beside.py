"""JSON files beside a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.tasks.beside import with_beside
from mmeval.tasks.card import BesideSource, LocalSource
from mmeval.tasks.data import Source
from mmeval.tasks.local_files import local_source


def source(folder: Path, content: Any, **local: Any) -> Source:
    (folder / "data.json").write_text(json.dumps(content), encoding="utf-8")
    return local_source([folder / "data.json"], LocalSource(files=["data.json"], **local))


def test_a_file_by_the_columns_of_the_row_and_one_for_all(tmp_path: Path) -> None:
    (tmp_path / "stations").mkdir()
    (tmp_path / "stations/oslo.json").write_text('{"Line 1": ["a", "b"]}', encoding="utf-8")
    (tmp_path / "asked.json").write_text('{"questions": [{"id": 7, "text": "who"}]}', encoding="utf-8")
    beside = {
        "lines": BesideSource(file="stations/{{ city }}.json"),
        "asked": BesideSource(file="asked.json", rows="questions", key="id"),
    }
    rows = [{"city": "oslo"}, {"city": "rome"}]
    found = [row.values for row in with_beside(source(tmp_path, rows), beside).rows()]
    assert [row["lines"] for row in found] == [{"Line 1": ["a", "b"]}, None]
    assert found[0]["asked"] == {"7": {"id": 7, "text": "who"}}


def test_rows_under_a_key_of_the_file(tmp_path: Path) -> None:
    opened = source(tmp_path, {"licence": "own", "annotations": [{"id": 1}, {"id": 2}]}, rows="annotations")
    assert [row.values["id"] for row in opened.rows()] == [1, 2]
    with pytest.raises(DataError, match="no list of objects 'answers'"):
        list(source(tmp_path, {"annotations": []}, rows="answers").rows())


@pytest.mark.parametrize(
    ("beside", "content", "message"),
    [
        ({"file": "none.json"}, None, "no such file"), ({"file": "x.json"}, "{", "not JSON"), ({"file": "../x.json"}, "{}", "leaves the folder"),
        ({"file": "x.json", "rows": "a"}, "{}", "no list 'a'"), ({"file": "x.json", "rows": "a", "key": "id"}, '{"a": [{}]}', "key 'id'"),
        ({"file": "{{ up }}/x.json"}, "{}", "leaves the folder"), ({"file": "{{ up }}\0.json"}, None, "no file has the name"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(tmp_path: Path, beside: dict[str, str], content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.json").write_text(content, encoding="utf-8")
    opened = source(tmp_path, [{"up": ".."}, {"up": "."}])
    with pytest.raises(DataError, match=message):
        list(with_beside(opened, {"more": BesideSource(**beside)}).rows())


def test_a_column_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="would replace"):
        list(with_beside(source(tmp_path, [{"more": 1}]), {"more": BesideSource(file="x.json")}).rows())
