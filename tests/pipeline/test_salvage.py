"""Damaged caches: whatever pages are spoilt, the sound answers on all others come out, and nothing else does."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmeval.core.errors import StorageError, UsageError
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.salvage import PAGE_SIZE, salvage

ANSWERS = 300


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def text_of(number: int) -> str:
    """Every seventh answer needs overflow pages."""
    return f"answer {number} " * (1500 if number % 7 == 0 else 1 + number % 40)


def fill(cache: ResponseCache) -> None:
    for future in [
        cache.put(key_of(n), Response("ok", text=text_of(n)), engine="e", model="m") for n in range(ANSWERS)
    ]:
        future.result(30)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "cache.sqlite"
    with ResponseCache(path) as cache:
        fill(cache)
    return path


def kept_of(path: Path) -> int:
    """How many answers the new cache holds; every one must be the right one."""
    with ResponseCache(path) as cache:
        found = [(number, cache.get(key_of(number))) for number in range(ANSWERS)]
        assert list(cache.damaged()) == []
        assert cache.stats().responses == sum(response is not None for _, response in found)
    for number, response in found:
        assert response is None or response == Response("ok", text=text_of(number))
    return sum(response is not None for _, response in found)


def spoil(sound: Path, folder: Path, pages: list[int], seed: int = 0) -> Path:
    path = folder / "spoilt.sqlite"
    data = bytearray(sound.read_bytes())
    for page in pages:
        data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = random.Random(seed + page).randbytes(PAGE_SIZE)
    path.write_bytes(data)
    return path


def test_a_sound_cache_comes_out_whole(sound: Path, tmp_path: Path) -> None:
    found = salvage(sound, tmp_path / "new.sqlite")
    assert (found.kept, found.damaged, found.complete) == (ANSWERS, 0, True)
    assert kept_of(tmp_path / "new.sqlite") == ANSWERS


def test_without_header_and_tables_every_answer_is_found(sound: Path, tmp_path: Path) -> None:
    spoilt = spoil(sound, tmp_path, [0])
    before = spoilt.read_bytes()
    with pytest.raises(StorageError, match="salvage"):
        ResponseCache(spoilt)
    assert salvage(spoilt, tmp_path / "new.sqlite").kept == ANSWERS
    assert kept_of(tmp_path / "new.sqlite") == ANSWERS
    assert spoilt.read_bytes() == before


def test_without_the_root_of_the_table_only_its_own_entries_are_gone(sound: Path, tmp_path: Path) -> None:
    with sqlite3.connect(sound) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'responses'").fetchone()
    cells = int.from_bytes(sound.read_bytes()[(root - 1) * PAGE_SIZE :][3:5], "big")
    spoilt = spoil(sound, tmp_path, [root - 1])
    found = salvage(spoilt, tmp_path / "new.sqlite")
    assert not found.complete
    assert kept_of(tmp_path / "new.sqlite") >= ANSWERS - cells > 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 400), min_size=1, max_size=6), st.integers(0, 2**20))
def test_any_pages_may_be_spoilt(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, pages: list[int], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    total = sound.stat().st_size // PAGE_SIZE
    spoilt = spoil(sound, folder, [page % total for page in pages], seed)
    found = salvage(spoilt, folder / "new.sqlite")
    # A page holds a part of at most so many entries: the smallest takes about 150 bytes.
    assert found.kept == kept_of(folder / "new.sqlite") >= ANSWERS - len(pages) * (PAGE_SIZE // 150)


@pytest.mark.parametrize("header", [True, False])
def test_answers_that_stand_in_the_log_alone_are_found(tmp_path: Path, header: bool) -> None:
    """As after a power cut: the log was never merged, with or without a usable database beside it."""
    with ResponseCache(tmp_path / "live.sqlite") as cache:
        fill(cache)
        for name in ("live.sqlite", "live.sqlite-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / name.replace("live", "dead"))
    dead = tmp_path / "dead.sqlite"
    assert dead.with_name("dead.sqlite-wal").stat().st_size > PAGE_SIZE
    if not header:
        data = bytearray(dead.read_bytes())
        data[:PAGE_SIZE] = bytes(PAGE_SIZE)
        dead.write_bytes(data)
    assert salvage(dead, tmp_path / "new.sqlite").kept == ANSWERS
    assert kept_of(tmp_path / "new.sqlite") == ANSWERS


def test_garbage_gives_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.sqlite").write_bytes(random.Random(3).randbytes(50_000))
    with pytest.raises(StorageError, match="no sound answer"):
        salvage(tmp_path / "bad.sqlite", tmp_path / "new.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.sqlite"]


def test_an_existing_file_is_never_overwritten(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UsageError, match="already"):
        salvage(sound, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name in ("pipe", "endless"):
        with pytest.raises(StorageError, match="no ordinary file"):
            salvage(tmp_path / name, tmp_path / "new.sqlite")
        with pytest.raises(StorageError, match="no ordinary file"):
            ResponseCache(tmp_path / name)
    assert not (tmp_path / "new.sqlite").exists()
