"""The parent of a worker process: start-up failures, crashes, isolation of the request that kills, restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import EngineError
from mmeval.engines import worker_process
from mmeval.engines.managed import ManagedWorker
from mmeval.engines.worker.wire import PREFIX, WireError, lengths, pack, unpack

PUPPET = Path(__file__).resolve().with_name("puppet_worker.py")
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def puppet(mode: str = "normal") -> ManagedWorker:
    return ManagedWorker("puppet", lambda address: (sys.executable, str(PUPPET), address, mode), {"answer": 42})


def run(work: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(limited())


async def ask(worker: ManagedWorker, text: str, seconds: float = 0.0, blobs: tuple[bytes, ...] = ()) -> dict[str, Any]:
    return await worker.ask({"text": text, "seconds": seconds}, blobs)


class TestWire:
    @given(
        st.dictionaries(
            st.text(max_size=8).filter(lambda key: key != "sizes"), st.text() | st.integers(-(2**53), 2**53), max_size=5
        ),
        st.lists(st.binary(max_size=50), max_size=4),
    )
    def test_frames_come_back_as_they_went(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        frame = pack(header, blobs)
        head, payload = lengths(frame[: PREFIX.size])
        rest = frame[PREFIX.size :]
        assert len(rest) == head + payload
        found, back = unpack(rest[:head], rest[head:])
        assert back == blobs
        assert {key: value for key, value in found.items() if key != "sizes"} == header

    def test_foreign_bytes_are_refused(self) -> None:
        with pytest.raises(WireError):
            lengths(b"GET / HTTP/1"[: PREFIX.size])
        with pytest.raises(WireError):
            unpack(b'{"sizes":[3]}', b"ab")
        with pytest.raises(WireError):
            unpack(b"no json", b"")


def test_answers_come_to_the_call_that_asked() -> None:
    async def go() -> None:
        worker = puppet()
        assert await worker.start() == {"settings": {"answer": 42}}
        answers = await asyncio.gather(*(ask(worker, f"text {n}", blobs=(b"x" * n, b"yy")) for n in range(30)))
        assert [(a["text"], a["bytes"]) for a in answers] == [(f"text {n}", n + 2) for n in range(30)]
        await worker.close()
        await worker.close()
        assert (await ask(worker, "late"))["status"] == "error"

    run(go())


def test_the_worker_ends_when_it_is_closed() -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        pid = worker.pid
        assert pid is not None
        await worker.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    run(go())


def test_a_worker_killed_from_outside_is_restarted_and_nothing_is_lost() -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        first = worker.pid
        assert first is not None
        calls = [asyncio.create_task(ask(worker, f"text {n}", seconds=0.02)) for n in range(20)]
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        answers = await asyncio.gather(*calls)
        assert [a["text"] for a in answers] == [f"text {n}" for n in range(20)]
        assert worker.pid != first
        assert worker.total_restarts == 1
        await worker.close()

    run(go())


def test_what_the_worker_started_ends_with_it(tmp_path: Path) -> None:
    """An engine's own processes hold the card's memory, and the output pipe."""

    async def go() -> None:
        worker = puppet()
        await worker.start()
        await ask(worker, f"spawn {tmp_path / 'first'}")
        os.kill(worker.pid or 0, signal.SIGKILL)
        assert (await ask(worker, "after"))["text"] == "after"
        await ask(worker, f"spawn {tmp_path / 'second'}")
        await worker.close()

    run(go())
    for name in ("first", "second"):
        state = Path(f"/proc/{(tmp_path / name).read_text()}/stat")
        limit = time.monotonic() + 20
        while living(state) and time.monotonic() < limit:
            time.sleep(0.02)
        assert not living(state)


def test_sockets_of_an_engine_lie_in_a_folder_that_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vLLM binds sockets named by UUIDs, and leaves them behind."""
    monkeypatch.delenv("VLLM_RPC_BASE_PATH", raising=False)
    names = [tmp_path / name for name in ("first", "second")]
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))

    async def go() -> None:
        worker = puppet()
        await worker.start()
        await ask(worker, f"socket {names[0]}")
        assert Path(names[0].read_text()).stat().st_mode & 0o777 == 0o700
        os.kill(worker.pid or 0, signal.SIGKILL)
        await ask(worker, f"socket {names[1]}")
        assert not Path(names[0].read_text()).exists()
        assert len(list(Path(names[1].read_text()).iterdir())) == 1
        await worker.close()
        for mode in ("silent-exit", "refuse", "die-loading"):
            with pytest.raises(EngineError):
                await puppet(mode).start()

    run(go())
    assert not Path(names[1].read_text()).exists()
    assert not list(long.iterdir())


def test_a_folder_for_sockets_that_the_user_names_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="own-") as own:
        monkeypatch.setenv("VLLM_RPC_BASE_PATH", own)

        async def go() -> None:
            worker = puppet()
            await worker.start()
            await ask(worker, f"socket {tmp_path / 'name'}")
            await worker.close()

        run(go())
        assert (tmp_path / "name").read_text() == own
        assert len(list(Path(own).iterdir())) == 1


def living(state: Path) -> bool:
    try:
        return not state.read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_cause_is_looked_up_where_the_worker_points_to_its_log() -> None:
    async def go() -> None:
        with pytest.raises(EngineError, match="does not start: ValueError: Free memory on device") as caught:
            await puppet("core-fails").start()
        assert "gpu_memory_utilization" in caught.value.remedy

    run(go())


def test_the_request_that_kills_is_isolated_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        answers = await asyncio.gather(*(ask(worker, text) for text in ("a", "b", "die", "c", "d")))
        assert [a["status"] for a in answers] == ["ok", "ok", "error", "ok", "ok"]
        assert "crashed twice on this request" in answers[2]["error"]
        assert "about to die" in answers[2]["error"]
        once = f"die-once {tmp_path / 'once'}"
        assert (await ask(worker, once))["text"] == once
        await worker.close()

    run(go())


def test_calls_made_during_a_restart_wait_for_it() -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        doomed = asyncio.create_task(ask(worker, "die"))
        await asyncio.sleep(0.05)
        late = await asyncio.gather(*(ask(worker, f"late {n}") for n in range(5)))
        assert [a["text"] for a in late] == [f"late {n}" for n in range(5)]
        assert (await doomed)["status"] == "error"
        await worker.close()

    run(go())


def test_a_worker_that_only_crashes_is_given_up_with_an_explanation() -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        answers = await asyncio.gather(*(ask(worker, "die") for _ in range(6)))
        assert {a["status"] for a in answers} == {"error"}
        assert "given up after 3 restarts" in answers[-1]["error"]
        assert "SIGKILL" in answers[-1]["error"]
        assert (await ask(worker, "hello?"))["status"] == "error"
        await worker.close()

    run(go())


def test_a_cancelled_call_does_not_come_back_after_a_crash() -> None:
    async def go() -> None:
        worker = puppet()
        await worker.start()
        doomed = asyncio.create_task(ask(worker, "die", seconds=0.3))
        await asyncio.sleep(0.1)
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        other = asyncio.create_task(ask(worker, "other"))
        assert (await other)["text"] == "other"
        assert worker.total_restarts == 1
        await worker.close()

    run(go())


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("silent-exit", r"ended with exit code 7(.|\n)*cannot import anything"),
        ("die-loading", r"while loading the model(.|\n)*SIGKILL(.|\n)*loading weights"),
        ("refuse", "no weights"),
    ],
)
def test_failures_to_start_are_explained(mode: str, message: str) -> None:
    async def go() -> None:
        worker = puppet(mode)
        with pytest.raises(EngineError, match=message) as caught:
            await worker.start()
        assert mode != "refuse" or caught.value.remedy == "add them"
        await worker.close()

    run(go())


def test_an_interpreter_that_is_not_there() -> None:
    worker = ManagedWorker("puppet", lambda address: ("/nowhere/python", address), {})
    with pytest.raises(EngineError, match="cannot be run"):
        run(worker.start())


def test_who_does_not_know_the_secret_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "CONNECT_TIMEOUT_S", 1.5)
    with pytest.raises(EngineError, match=r"did not connect|ended with exit code"):
        run(puppet("no-hello").start())


def test_loopback_tcp_serves_where_a_socket_path_would_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_UNIX_PATH_LIMIT", 0)

    async def go() -> None:
        worker = puppet()
        await worker.start()
        assert (await ask(worker, "over TCP"))["text"] == "over TCP"
        await worker.close()

    run(go())


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import asyncio, os, signal, sys
            sys.path.insert(0, {str(ROOT)!r})
            from mmeval.engines.managed import ManagedWorker

            async def main():
                worker = ManagedWorker("puppet", lambda a: (sys.executable, {str(PUPPET)!r}, a), {{}})
                await worker.start()
                await worker.ask({{"text": "socket {tmp_path}/folder"}}, ())
                print(worker.pid, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

            asyncio.run(main())
            """
        )
    )
    output = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    pid = int(output.stdout)
    for _ in range(200):
        if not _alive(pid):
            assert not Path((tmp_path / "folder").read_text()).exists()
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its reaper does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
