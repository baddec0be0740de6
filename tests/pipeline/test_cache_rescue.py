"""The cache's file is deleted, moved or replaced under a process that uses it: every answer is on the disk afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mmeval.core.errors import StorageError
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_archive import merge_cache

ANSWERS = 5


def files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def delete(path: Path) -> None:
    for part in files(path):
        part.unlink(missing_ok=True)


def delete_alone(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    for part in files(path):
        if part.exists():
            part.rename(part.with_name("moved-" + part.name))


def put(cache: ResponseCache, number: int) -> None:
    cache.put(f"{number:064x}", Response("ok", text=f"answer {number}"), engine="e", model="m").result(30)


def held(path: Path) -> set[str]:
    with ResponseCache(path) as cache:
        assert list(cache.damaged()) == []
        return {answer.key for answer in cache.answers()}


@pytest.mark.parametrize("harm", [delete, delete_alone, move])
def test_a_cache_that_vanishes_is_written_anew(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        for number in range(ANSWERS):
            put(cache, number)
        harm(path)
        put(cache, ANSWERS)  # its commit is what notices, and loses nothing
        with pytest.raises(StorageError, match="deleted or moved"):
            put(cache, ANSWERS + 1)
        assert cache.get(f"{0:064x}") is not None
    assert held(path) == {f"{number:064x}" for number in range(ANSWERS + 1)}
    assert not list(tmp_path.glob("*.rescued*"))


def test_another_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path, other = tmp_path / "cache.sqlite", tmp_path / "other.sqlite"
    with ResponseCache(other) as cache:
        put(cache, 99)
    with ResponseCache(path) as cache:
        for number in range(ANSWERS):
            put(cache, number)
        move(path)
        shutil.copyfile(other, path)
        put(cache, ANSWERS)
        with pytest.raises(StorageError, match="cache merge"):
            put(cache, ANSWERS + 1)
    assert held(path) == {f"{99:064x}"}
    (rescued,) = [place for place in tmp_path.glob("*.rescued*") if not place.name.endswith(("-wal", "-shm"))]
    with ResponseCache(path) as cache:
        assert merge_cache(cache, rescued).added == ANSWERS + 1


def test_a_cache_that_vanishes_with_its_folder_is_written_anew_too(tmp_path: Path) -> None:
    path = tmp_path / "store" / "cache.sqlite"
    with ResponseCache(path) as cache:
        put(cache, 0)
        shutil.rmtree(path.parent)
        put(cache, 1)
        with pytest.raises(StorageError, match="deleted or moved"):
            put(cache, 2)
    assert len(held(path)) == 2


def test_what_vanishes_after_the_last_commit_is_written_anew_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        put(cache, 0)
        delete(path)
    assert len(held(path)) == 1
    with ResponseCache(path):
        delete(path)  # nothing was written: whoever deletes a cache meant it
    assert not path.exists()


def test_where_nothing_can_be_written_the_commit_fails(tmp_path: Path) -> None:
    path = tmp_path / "store" / "cache.sqlite"
    with ResponseCache(path) as cache:
        put(cache, 0)
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        with pytest.raises(StorageError, match="is a file, not a folder"):
            put(cache, 1)
