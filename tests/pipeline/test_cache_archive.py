"""Archives of answers, and caches that are joined: nothing harmed comes in, nothing that is there is replaced."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_archive import Taken, import_archive, merge_cache, read_archive, write_archive

FULL = Response("ok", text="ä\n\u2028<b>", reasoning="because", finish_reason="stop", prompt_tokens=7, latency_s=0.5)


def filled(path: Path, count: int = 3, text: str = "answer", latency: float = 1.0) -> Path:
    with ResponseCache(path) as cache:
        for number in range(count):
            response = Response("ok", text=f"{text} {number}", latency_s=latency)
            cache.put(digest(number), response, engine="e", model=f"m{number % 2}").result(30)
    return path


def archive(source: Path, path: Path) -> Path:
    with ResponseCache(source) as cache:
        write_archive(path, cache.answers(), {"runs": []})
    return path


def test_answers_come_through_field_by_field(tmp_path: Path) -> None:
    for number, response in enumerate((FULL, Response("refused", error="no"), Response("ok", text=""))):
        with ResponseCache(tmp_path / "a.sqlite") as cache:
            cache.put(digest(number), response, engine="e", model="m").result(30)
    path = archive(tmp_path / "a.sqlite", tmp_path / "x.gz")
    with ResponseCache(tmp_path / "b.sqlite") as cache:
        assert import_archive(cache, path) == Taken(added=3)
        assert cache.get(digest(0)) == FULL
        assert import_archive(cache, path) == Taken(known=3)
        assert not list(cache.damaged())
    again = archive(tmp_path / "b.sqlite", tmp_path / "y.gz")
    assert path.read_bytes() == again.read_bytes(), "the same answers give the same bytes"


def test_what_is_there_stays_and_measured_time_is_no_difference(tmp_path: Path) -> None:
    filled(tmp_path / "a.sqlite", 2, latency=1.0)
    filled(tmp_path / "b.sqlite", 3, latency=2.0)
    filled(tmp_path / "c.sqlite", 3, text="another")
    with ResponseCache(tmp_path / "a.sqlite") as cache:
        assert merge_cache(cache, tmp_path / "b.sqlite") == Taken(added=1, known=2)
        assert merge_cache(cache, tmp_path / "c.sqlite") == Taken(different=3)
        stored = cache.get(digest(0))
        assert stored is not None
        assert (stored.text, stored.latency_s) == ("answer 0", 1.0)
        with pytest.raises(DataError, match="the cache itself"):
            merge_cache(cache, tmp_path / "a.sqlite")


def test_damaged_answers_are_left_out_and_damaged_own_ones_healed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        filled(tmp_path / f"{name}.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as database:
        database.execute("UPDATE responses SET response = 'x' WHERE key = ?", (digest(0),))
    with sqlite3.connect(tmp_path / "b.sqlite") as database:
        database.execute("UPDATE responses SET response = 'x' WHERE key = ?", (digest(1),))
    with ResponseCache(tmp_path / "a.sqlite") as cache:
        assert merge_cache(cache, tmp_path / "b.sqlite") == Taken(added=1, known=1, damaged=1)
        assert not list(cache.damaged())


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def changed(line: bytes, **values: object) -> bytes:
    return json.dumps({**json.loads(line), **values}).encode() + b"\n"


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [*lines, lines[1]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0], changed(lines[1], response='{"status":"ok","text":"forged"}'), *lines[2:]],
        lambda lines: [lines[0], changed(lines[1], response='{"status":"error","error":"x"}'), *lines[2:]],
        lambda lines: [lines[0], changed(lines[1], key="../../x"), *lines[2:]],
        lambda lines: [lines[0], changed(lines[1], created="soon"), *lines[2:]],
        lambda lines: [changed(lines[0], version=2), *lines[1:]],
        lambda lines: [b"[]\n", *lines[1:]],
        lambda lines: [b"\x80\x04\x95pickle", *lines[1:]],
        lambda lines: [],
    ],
)
def test_a_harmed_archive_is_refused_whole(tmp_path: Path, harm: Callable[[list[bytes]], list[bytes]]) -> None:
    path = archive(filled(tmp_path / "a.sqlite"), tmp_path / "x.gz")
    path.write_bytes(gzip.compress(b"".join(harm(lines_of(path)))))
    with ResponseCache(tmp_path / "b.sqlite") as cache:
        with pytest.raises(DataError, match="archive"):
            import_archive(cache, path)
        assert cache.stats().responses == 0


@pytest.mark.parametrize("line", [2, 3])
def test_the_line_that_is_harmed_is_named(tmp_path: Path, line: int) -> None:
    path = archive(filled(tmp_path / "a.sqlite"), tmp_path / "x.gz")
    lines = lines_of(path)
    for broken, said in (
        (changed(lines[line - 1], created="soon"), f"line {line} is no answer"),
        (b"[]\n", f"line {line} is no object"),
    ):
        path.write_bytes(gzip.compress(b"".join([*lines[: line - 1], broken, *lines[line:]])))
        with pytest.raises(DataError, match=said):
            list(read_archive(path))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bytes_make_an_archive_of_something_else(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "whole.gz"
    if not path.exists():
        archive(filled(tmp_path / "a.sqlite"), path)
    whole = path.read_bytes()
    at = data.draw(st.integers(10, len(whole) - 1))
    other = tmp_path / "harmed.gz"
    cut = data.draw(st.booleans())
    other.write_bytes(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
    with pytest.raises(DataError):
        list(read_archive(other))
