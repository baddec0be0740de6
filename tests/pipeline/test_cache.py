"""The response cache: durability, damage, sharing, and clear errors."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmeval.core.errors import StorageError
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_errors import storage_error
from mmeval.pipeline.media import ImageFacts

WAIT_S = 30.0
FULL = Response(
    "ok",
    text="ä\n\u2028<b>",
    reasoning="because",
    finish_reason="stop",
    prompt_tokens=7,
    completion_tokens=0,
    reasoning_tokens=0,
    latency_s=0.0,
    model="served",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def put(cache: ResponseCache, key: str, text: str = "x") -> None:
    cache.put(key, Response("ok", text=text), engine="e", model="m").result(WAIT_S)


@pytest.mark.parametrize(
    "response",
    [FULL, Response("ok", text=""), Response("refused", error="no"), Response("too_long", error="9 > 8")],
)
def test_an_answer_comes_back_field_by_field(path: Path, response: Response) -> None:
    with ResponseCache(path) as cache:
        assert cache.get("k") is None
        cache.put("k", response, engine="e", model="m").result(WAIT_S)
        assert cache.get("k") == response
        assert cache.get("K") is None
    with ResponseCache(path) as again:
        assert again.get("k") == response


@pytest.mark.parametrize("status", ["timeout", "error"])
def test_a_passing_failure_is_never_stored(path: Path, status: str) -> None:
    with ResponseCache(path) as cache:
        with pytest.raises(ValueError, match=status):
            cache.put("k", Response(status, error="x"), engine="e", model="m")  # type: ignore[arg-type]
        assert cache.get("k") is None


def test_the_first_answer_under_a_key_stands_and_later_ones_are_told(path: Path) -> None:
    def stored(text: str, *, replace: bool = False) -> str | None:
        given = Response("ok", text=text)
        return cache.put("k", given, engine="e", model="m", replace=replace).result(WAIT_S).text

    with ResponseCache(path) as cache:
        assert stored("first") == "first"
        assert stored("second") == "first"
        found = cache.get("k")
        assert found is not None
        assert found.text == "first"
        assert cache.stats().by_model == {"m": 1}
        assert stored("third", replace=True) == "third"
        with sqlite3.connect(path) as database:
            database.execute("UPDATE responses SET response = '{}'")
        assert stored("fourth") == "fourth", "a damaged entry stands for nothing"


def test_many_answers_share_commits(path: Path) -> None:
    with ResponseCache(path) as cache:
        commits: list[str] = []
        cache._writer_connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        futures = [cache.put(str(n), Response("ok", text=str(n)), engine="e", model="m") for n in range(400)]
        for future in futures:
            future.result(WAIT_S)
        assert 1 <= len(commits) <= 20
        assert cache.stats().responses == 400


def test_closing_commits_what_is_queued_and_may_be_repeated(path: Path) -> None:
    cache = ResponseCache(path)
    futures = [cache.put(str(n), Response("ok", text=str(n)), engine="e", model="m") for n in range(100)]
    cache.close()
    cache.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with ResponseCache(path) as again:
        assert again.stats().responses == 100


def test_a_closed_cache_refuses_at_once(path: Path) -> None:
    cache = ResponseCache(path)
    cache.close()
    late = cache.put("k", Response("ok", text="x"), engine="e", model="m")
    with pytest.raises(StorageError, match="closed"):
        late.result(2)
    with pytest.raises(StorageError):
        cache.get("k")


CHILD = """
import os, signal, sys
from pathlib import Path
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_errors import storage_error
cache = ResponseCache(Path(sys.argv[1]))
cache.put("before", Response("ok", text="kept"), engine="e", model="m").result(30)
cache.put("after", Response("ok", text="perhaps"), engine="e", model="m")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_committed_answer_survives_sigkill(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", CHILD, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with ResponseCache(path) as cache:
        kept = cache.get("before")
        assert kept is not None
        assert kept.text == "kept"
        lost = cache.get("after")
        assert lost is None or lost.text == "perhaps"
        assert list(cache.damaged()) == []


SHARING = """
import sys
from pathlib import Path
from mmeval.core.types import Response
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.cache_errors import storage_error
cache = ResponseCache(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
mine = sys.argv[2]
for turn in range(3):
    for future in [cache.put(f"{mine}-{turn}-{n}", Response("ok", text=mine), engine="e", model=mine) for n in range(150)]:
        future.result(60)
cache.close()
"""


def test_two_processes_write_one_cache_at_once(path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SHARING, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    with ResponseCache(path) as cache:
        assert cache.stats().by_model == {"a": 450, "b": 450}
        assert list(cache.damaged()) == []


def test_a_new_file_that_another_process_is_opening_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite answers "locked" at once when two connections switch a new file to WAL."""
    refusals = iter([True, True, False])

    class Contended(sqlite3.Connection):
        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
            if "journal_mode" in statement and next(refusals, False):
                raise sqlite3.OperationalError("database is locked")
            return super().execute(statement, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *place, **options: connect(*place, factory=Contended, **options))
    with ResponseCache(path) as cache:
        assert cache.stats().by_model == {}


def test_readers_of_many_threads_see_what_is_committed(path: Path) -> None:
    with ResponseCache(path) as cache:
        seen: list[str | None] = []

        def read() -> None:
            found = cache.get("k")
            seen.append(found.text if found else None)

        put(cache, "k", "x")
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["x"] * 8


def edit(path: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("response", b'{"status":"ok","text":"yes"}'),
        ("response", '{"status":"ok","text":"yes"}'),
        ("checksum", b"0" * 12),
    ],
)
def test_a_damaged_entry_is_absent_reported_and_overwritten(path: Path, column: str, value: object) -> None:
    with ResponseCache(path) as cache:
        put(cache, "good")
        put(cache, "bad")
        assert list(cache.damaged()) == []
        edit(path, f"UPDATE responses SET {column} = ? WHERE key = 'bad'", value)
        assert cache.get("bad") is None
        assert cache.get("good") is not None
        assert list(cache.damaged()) == ["bad"]
        put(cache, "bad", "asked again")
        assert list(cache.damaged()) == []


def test_an_answer_moved_to_another_key_is_damage(path: Path) -> None:
    with ResponseCache(path) as cache:
        put(cache, "a", "answer to a")
        edit(path, "UPDATE responses SET key = 'b'")
        assert cache.get("b") is None
        assert list(cache.damaged()) == ["b"]


def test_a_corrupt_database_is_named(path: Path) -> None:
    with ResponseCache(path) as cache:
        for number in range(300):
            cache.put(str(number), Response("ok", text="x" * 400), engine="e", model="m")
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))

    def use() -> None:
        with ResponseCache(path) as damaged:
            list(damaged.damaged())

    with pytest.raises(StorageError, match=r"cache\.sqlite.*corrupt"):
        use()


@pytest.mark.parametrize("content", [b"this is a text file, no database\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(5000)])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"no cache.*\n.*--cache"):
        ResponseCache(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    edit(path, "CREATE TABLE orders (id INT)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"no response cache.*orders"):
        ResponseCache(path)
    assert path.read_bytes() == before


def test_a_table_of_the_same_name_is_no_cache_either(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE responses (user TEXT, mood TEXT)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"no response cache.*responses"):
        ResponseCache(path)
    assert path.read_bytes() == before


def test_a_later_format_is_refused(path: Path) -> None:
    ResponseCache(path).close()
    edit(path, "PRAGMA user_version = 7")
    with pytest.raises(StorageError, match="format 7"):
        ResponseCache(path)


def test_a_folder_or_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"is a folder, and the cache is one file\n.*--cache .*responses\.sqlite"):
        ResponseCache(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"file/a/cache\.sqlite cannot be written: .*/file is a file(.|\n)*--cache"):
        ResponseCache(tmp_path / "file" / "a" / "cache.sqlite")
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(StorageError, match=rf"{tmp_path} is not writable for you\n"):
        ResponseCache(tmp_path / "cache.sqlite")


def in_child(work: Callable[[], None]) -> str:
    """Run `work` in a forked child without root's rights and return the message of its StorageError."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
            message = "no error"
        except StorageError as error:
            message = f"StorageError: {error}"
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
        os.write(writing, message.encode()[:4000])
        os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + WAIT_S
    with os.fdopen(reading, "rb") as pipe:
        message = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    assert time.monotonic() < deadline
    return message


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder below /tmp that a user without rights can reach."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_a_read_only_file_is_refused_before_the_first_request(public: Path) -> None:
    path = public / "cache.sqlite"
    ResponseCache(path).close()
    path.chmod(0o444)
    message = in_child(lambda: ResponseCache(path).close())
    assert message.startswith("StorageError")
    assert "cannot be written" in message
    assert "--cache" in message


@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_folder_is_refused_before_the_first_request(public: Path, exists: bool) -> None:
    path = public / "sub" / "cache.sqlite"
    path.parent.mkdir()
    if exists:
        ResponseCache(path).close()
        path.chmod(0o666)
    path.parent.chmod(0o555)
    message = in_child(lambda: ResponseCache(path).close())
    assert message.startswith("StorageError")
    assert "cannot be written" in message


def test_a_full_disk_fails_the_answer_in_hand_and_keeps_the_rest(public: Path) -> None:
    path = public / "cache.sqlite"
    with ResponseCache(path) as cache:
        put(cache, "kept")
    for file in public.iterdir():
        file.chmod(0o666)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        cache = ResponseCache(path)
        small = cache.put("small", Response("ok", text="x"), engine="e", model="m")
        small.result(WAIT_S)
        large = cache.put("large", Response("ok", text="x" * 1_000_000), engine="e", model="m")
        failure = large.exception(WAIT_S)
        later = cache.put("later", Response("ok", text="x"), engine="e", model="m").exception(5)
        cache.close()
        assert isinstance(later, StorageError)
        assert failure is not None
        raise failure

    message = in_child(fill)
    assert message.startswith("StorageError"), message
    assert str(path) in message
    with ResponseCache(path) as cache:
        assert cache.get("kept") is not None
        assert cache.get("small") is not None
        assert cache.get("large") is None
        assert list(cache.damaged()) == []


def test_no_space_left_is_said_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ResponseCache(path) as cache:

        class Full:
            in_transaction = False

            def execute(self, *_: object) -> None:
                raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(cache, "_commit", lambda connection, batch: ResponseCache._commit(cache, Full(), batch))  # type: ignore[arg-type]
        failed = cache.put("k", Response("ok", text="x"), engine="e", model="m")
        with pytest.raises(StorageError, match=r"disk is full(.|\n)*every committed answer is kept"):
            failed.result(WAIT_S)


def test_verdicts_on_images_are_kept(path: Path) -> None:
    facts = ImageFacts("JPEG", 3, 4, False)
    with ResponseCache(path) as cache:
        assert cache.image_facts("a" * 64) is None
        cache.remember_image("a" * 64, facts)
    with ResponseCache(path) as cache:
        assert cache.image_facts("a" * 64) == facts
        assert cache.image_facts("b" * 64) is None
        assert cache.stats().images == 1


def test_verdicts_of_an_older_validation_are_not_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ResponseCache(path) as cache:
        cache.remember_image("a" * 64, ImageFacts("JPEG", 3, 4, True))
    monkeypatch.setattr("mmeval.pipeline.cache.FACTS_VERSION", -1)
    with ResponseCache(path) as cache:
        assert cache.image_facts("a" * 64) is None


def test_a_damaged_verdict_on_an_image_is_absent_and_reported(path: Path) -> None:
    """Another size would send coordinates into another frame, without any sign of it."""
    facts = ImageFacts("PNG", 30, 20, True)
    with ResponseCache(path) as cache:
        cache.remember_image("a", facts)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE facts SET facts = replace(facts, '30', '31')")
    with ResponseCache(path) as cache:
        assert cache.image_facts("a") is None
        assert len(list(cache.damaged())) == 1
        cache.remember_image("a", facts)
    with ResponseCache(path) as cache:
        assert cache.image_facts("a") == facts


def test_a_schema_whose_bytes_are_no_text_is_a_corrupt_cache(path: Path) -> None:
    """SQLite quotes the damaged name in its message, and Python cannot decode that."""
    with ResponseCache(path) as cache:
        put(cache, "k")
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE responses", b"CREATE T\xce\xff responses"))
    with pytest.raises(StorageError, match="corrupt"):
        ResponseCache(path)
    path.write_bytes(path.read_bytes().replace(b"responsesresponses", b"\xce\xffsponsesresponses"))
    with pytest.raises(StorageError):
        ResponseCache(path)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON responses BEGIN DELETE FROM facts; END",
        "CREATE VIEW v AS WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a FROM r) SELECT a FROM r",
        "DROP TABLE facts; CREATE VIEW facts AS WITH RECURSIVE r(a, b, c) AS (SELECT 1, 2, 3 UNION ALL SELECT a, b, c FROM r) SELECT a, b, c FROM r",
    ],
)
def test_a_cache_that_acts_by_itself_is_refused(tmp_path: Path, sql: str) -> None:
    """A database may bring triggers that change what is written, and views that never end."""
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)
    with pytest.raises(StorageError, match="which runs when it is used"):
        ResponseCache(path)


@pytest.mark.parametrize("text", ["disk I/O error", "attempt to write a readonly database"])
def test_answers_in_a_cache_that_cannot_be_used_as_it_is_are_not_given_up(path: Path, text: str) -> None:
    ResponseCache(path).close()
    error = storage_error(path, sqlite3.OperationalError(text))
    assert "mmeval cache salvage" in error.remedy
    absent = storage_error(path.with_name("new.sqlite"), sqlite3.OperationalError("unable to open database file"))
    assert "salvage" not in absent.remedy
