"""The server of `mmeval view`: who gets what, and what it says of itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from mmeval.cli.view import _open
from mmeval.core.errors import UsageError
from mmeval.reports import live_build
from mmeval.reports.live_build import Builder, BuildOptions
from mmeval.reports.live_page import duration, live_part, live_values
from mmeval.reports.live_server import CONNECTIONS, Viewer, bind
from mmeval.runs.folder import Run
from mmeval.runs.watch import Live, Sight
from tests.reports.live_serving import served

HOSTILE = "<script>alert(1)</script>\u202e<!--live-->"


def test_only_this_machine_only_the_token_only_get(tmp_path: Path) -> None:
    async def check(url: str, viewer: Viewer) -> None:
        base, token = url[:-1].rsplit("/", 1)
        port = base.rsplit(":", 1)[1]
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                assert answer.status == 200
                text = await answer.text()
                assert "Waiting: there is no run folder yet" in text
                assert "connect-src &#39;self&#39;" in text
                headers = answer.headers
            assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Server"] == "mmeval"
            assert not [name for name in headers if name.lower().startswith("access-control")]
            async with session.get(url + "state") as answer:
                assert set(await answer.json()) == {"report", "wait_s", "html"}
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            paths = [
                "/", "/state", f"/{token}", f"/{token[:-1]}/", f"/{token}x/state", f"/{token}/run.json", f"/{token}/state/",
                f"/{token}/../../etc/passwd", f"/{token}/%2e%2e/%2e%2e/etc/passwd", f"/{token}/%00", "//etc/passwd", "/favicon.ico",
                f"/{token}/static/report.css", "/%F0%9F%92%A5/",
            ]  # fmt: skip
            from yarl import URL

            for path in paths:
                async with session.get(
                    URL(base + path, encoded=True), headers={"Origin": "http://evil.test"}
                ) as answer:
                    assert answer.status == 404, path
                    assert token not in await answer.text()
                    assert "Access-Control-Allow-Origin" not in answer.headers
                    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
                async with session.request(method, url) as answer:
                    assert (answer.status, answer.headers["Allow"]) == (405, "GET"), method
            for host in (
                "evil.test",
                f"evil.test:{port}",
                "127.0.0.1",
                f"127.0.0.1:{port}.evil.test",
                f"[::1]:{port}",
                "",
            ):
                async with session.get(url, headers={"Host": host}) as answer:
                    assert answer.status == 403, host
            async with session.get(url, headers={"Host": f"LOCALHOST:{port}"}) as answer:
                assert answer.status == 200

        for line in (
            b"GET /\xff\xfe/ HTTP/1.1",
            b"GET http://evil.test/ HTTP/1.1",
            b"nothing",
            b"GET /" + 9000 * b"a" + b" HTTP/1.1",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.write(line + b"\r\nHost: 127.0.0.1:" + port.encode() + b"\r\nConnection: close\r\n\r\n")
            status = (await reader.read()).split()[1]
            assert status in (b"400", b"403", b"404"), (line[:20], status)
            writer.close()

    served(tmp_path / "own", [str(tmp_path / "none")], check)


def test_the_socket_is_bound_to_the_loopback_and_a_taken_port_says_so() -> None:
    first = bind(0)
    try:
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(UsageError, match=f"--port {port}"):
            bind(port)
    finally:
        first.close()


def test_a_finished_run_is_its_report_without_script_too(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_build, "REST", 0.0)
    make_run(tmp_path / "demo", count=4, box=0, hostile=False, models=("tiny-late",))
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/custom.css").write_text(":root { --accent: #123456; }")

    async def check(url: str, viewer: Viewer) -> None:
        async with aiohttp.ClientSession() as session:

            async def state() -> dict[str, Any]:
                async with session.get(url + "state") as answer:
                    found: dict[str, Any] = await answer.json()
                    return found

            async def until(name: str) -> dict[str, Any]:
                while (found := await state())["report"] != name:
                    await asyncio.sleep(0.1)
                return found

            found = await asyncio.wait_for(until("1"), 120)
            assert "has ended with status complete" in found["html"]
            async with session.get(url) as answer:
                page = await answer.text()
            assert page.count('id="live"') == page.count('id="leaderboard"') == 1
            assert "count-0001" not in page  # samples are packed
            assert "--accent: #123456;" in page  # the lab's own style sheet
            assert 'http-equiv="refresh"' in page.partition("<noscript>")[2].partition("</noscript>")[0]
            # A damaged table: the page goes on with what it has, and says why.
            (tmp_path / "demo/results.parquet").write_bytes(b"no table")
            while "cannot be built" not in (found := await state())["html"]:
                await asyncio.sleep(0.1)
            assert found["report"] == "1"
            assert "results.parquet" in found["html"]
            shutil.rmtree(tmp_path / "demo")
            while "it stays as it was last built" not in (await state())["html"]:
                await asyncio.sleep(0.1)

    served(tmp_path / "own", [str(tmp_path / "demo")], check, template_dir=tmp_path / "ours")


def live(**fields: Any) -> Live:
    sums = {"n": 10, "shift": 0.0, "total": 4.0, "clusters": 10, "squares": 4.0, "cross": 4.0, "sizes": 10.0}
    record: dict[str, Any] = {
        "schema": 1, "run_id": "1", "pid": 1, "born": None, "machine": None, "beat": 1, "phase": "asking", "elapsed_s": 200.0, "failed": 2,
        "models": [{"model": HOSTILE, "judge": False, "state": "running", "total": 20, "done": 12, "in_flight": 3, "failed": 2, "answered": 10,
                    "cached": 1, "asked": 15, "retries": 4, "tokens_per_s": 1234.5, "rows_per_s": 1.5, "left_s": 5400.0, "waiting_s": 9}],
        "cells": [{"model": HOSTILE, "task": "t", "protocol": "default", "condition": "standard", "total": 20, "done": 12,
                   "outcomes": {"scored": 10, "error": 2}, "metric": "accuracy", "sums": sums, "no_value": ""}],
        "failures": [{"model": HOSTILE, "task": "t", "condition": "blind", "sample_id": HOSTILE, "repeat": 1, "outcome": "error", "reason": HOSTILE, "ago_s": 3}],
    }  # fmt: skip
    return Live.model_validate({**record, **fields})


def part(*sights: Sight) -> str:
    return live_part(live_values(sights, "", False, "", False))


def test_texts_of_strangers_stay_texts() -> None:
    html = part(Sight("r", Path("r"), "", "running", None, live()))
    assert "<script" not in html
    assert "<!--" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "U+202E" in html


def test_running_values_say_what_they_stand_on() -> None:
    html = part(Sight("r", Path("r"), "", "running", None, live()))
    assert "40.0" in html
    assert "16.8 – 68.7" in html  # Wilson, 4 of 10
    assert "so far, 10 of 20" in html
    assert "no random draw" in html
    for text in (
        "Running for 3 min, 2 failed",
        "12 of 20 (60 %)",
        "3 in flight",
        "1,234 tokens/s",
        "about 1 h 30 min left",
        "⚠ 2 failed",
    ):
        assert text in html, text
    ended = {
        **orjson.loads(orjson.dumps(live().model_dump(by_alias=True)))["cells"][0],
        "sums": None,
        "no_value": "no mean over rows",
    }
    html = part(Sight("r", Path("r"), "", "stopped", None, live(cells=[ended])))
    assert "no mean over rows" in html
    assert "its process is gone" in html
    assert "min left" not in html


def test_of_many_cells_those_that_move_come_first() -> None:
    cell = live().cells[0].model_dump()
    cells = [
        {**cell, "task": f"t{place}", "done": 20 if place < 50 else 3 if place < 55 else 0} for place in range(100)
    ]
    moving, _, finished = part(Sight("r", Path("r"), "", "running", None, live(cells=cells))).partition("<details")
    assert "Under way" in moving
    assert all(f">t{place}<" in moving for place in range(50, 55))
    assert ">t49<" not in moving
    assert ">t49<" in finished
    assert ">t55<" not in moving + finished
    assert "45 tasks (by model and condition) not begun" in moving
    few = part(Sight("r", Path("r"), "", "running", None, live(cells=cells[48:55])))
    assert "<details" not in few
    assert ">t49<" in few


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5300, "88 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_several_runs_are_told_apart(run: Run) -> None:
    ended = Sight("runs/a", Path("runs/a"), "", "ended", run.manifest.model_copy(update={"status": "interrupted"}))
    html = part(
        Sight("runs/b", Path("runs/b"), "", "stopped", None, live()), ended, Sight("c#m", Path("c"), "m", "waiting")
    )
    assert "3 runs: 1 stopped, 1 ended (interrupted), 1 waiting" in html
    assert html.count("The same command goes on with it") == 1  # of the other one it is not known
    assert "3 s before its last sign" in html
    assert "c#m" in html


def test_the_browser_gets_the_address_in_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("mmeval.cli.browser.open_in_browser", given.append)
    _open("http://127.0.0.1:1/secret/", tmp_path)
    assert given == [(tmp_path / "open.html").as_uri()]
    assert (tmp_path / "open.html").stat().st_mode & 0o077 == 0
    assert "url=http://127.0.0.1:1/secret/" in (tmp_path / "open.html").read_text()


def test_half_an_answer_of_the_building_process_is_no_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder(tmp_path, BuildOptions())

    async def build() -> None:
        builder._task = asyncio.create_task(builder._build((("r", ()),)))
        await builder._task

    async def ended(process: object) -> None:
        (tmp_path / "answer.json").write_bytes(b"")

    monkeypatch.setattr(live_build, "_started", lambda spec: None)
    monkeypatch.setattr(live_build, "_ended", ended)
    asyncio.run(build())
    assert "cannot be read" in builder.problem
    assert builder._key == (("r", ()),)


def test_sums_that_no_rows_can_have_are_shown_as_none() -> None:
    strange = live()
    cell = strange.cells[0]
    assert cell.sums is not None
    sums = replace(cell.sums, shift=1e308)
    strange = strange.model_copy(update={"cells": [cell.model_copy(update={"sums": sums})]})
    assert "sums that no rows can have" in part(Sight("r", Path("r"), "", "running", None, strange))


def test_who_opens_many_connections_keeps_nobody_out(tmp_path: Path) -> None:
    async def check(url: str, viewer: Viewer) -> None:
        port = int(url.split(":")[2].split("/")[0])
        idle = []
        for _ in range(3 * CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nX: ")  # and no more, for ever
            idle.append((reader, writer))
        async with aiohttp.ClientSession() as session, session.get(url + "state") as answer:
            assert answer.status == 200
        closed = 0
        for reader, writer in idle:
            try:
                await asyncio.wait_for(reader.read(), 0.01)
                closed += 1
            except TimeoutError:
                writer.close()
            except ConnectionError:
                closed += 1
        assert closed >= CONNECTIONS

    served(tmp_path / "own", [str(tmp_path / "none")], check)
