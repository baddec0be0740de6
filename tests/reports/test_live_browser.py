"""`mmeval view` beside a real run, in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from mmeval.reports import live_build, live_server
from mmeval.reports.live_server import Viewer
from mmeval.runs.folder import Run
from tests.reports.live_serving import served

PICTURES = os.environ.get("MMEVAL_TEST_PICTURES")
"""Folder for screenshots, for a person to look at."""
RUN = [
    "run", "-m", "fake:fixed", "-t", "synthetic/existence,synthetic/attribute", "--limit", "60", "--engine-arg", "latency_s=0.3",
    "--engine-arg", "failure_share=0.15", "--concurrency", "6", "--attempts", "1", "--no-report", "-o", "runs/live", "--cache", "c.sqlite",
]  # fmt: skip
LIVE = "document.getElementById('live').innerText"
DONE = "Number(document.querySelector('.livemodel progress')?.getAttribute('value') ?? 0)"


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MMEVAL_", "OPENAI_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "mmeval", *arguments],
        cwd=folder, env={**kept, "XDG_STATE_HOME": str(folder / "state")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextmanager
def viewer(folder: Path, *runs: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start(folder, "view", *runs, "--json")
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def picture(page: Any, name: str) -> None:
    if PICTURES is None:
        return
    for width, dark in ((1280, False), (1280, True), (390, False)):
        await page.resize(width, 860, phone=width == 390, dark=dark)
        await asyncio.sleep(0.3)
        await page.picture(Path(PICTURES) / f"{name}-{width}{'-dark' if dark else ''}.png", whole=False)
    await page.resize(1280, 860)


@pytest.mark.browser
def test_a_run_is_followed_from_before_its_start_to_its_report(chromium: Any, tmp_path: Path) -> None:
    async def check() -> None:
        with viewer(tmp_path, "runs/live") as (process, url):
            async with chromium.browser() as page:
                await page.resize(1280, 860)
                await page.open(url)
                await page.until(f"{LIVE}.includes('Waiting')")
                run = start(tmp_path, *RUN)
                try:
                    await page.until(f"{DONE} > 5")
                    before = await page.run(DONE)
                    await page.until(f"{DONE} > {before}")
                    await page.until(f"{LIVE}.includes('so far, ') && {LIVE}.includes('injected error')")
                    assert "no random draw" in await page.run(LIVE)
                    await picture(page, "running")
                    assert await page.run("document.getElementById('leaderboard')") is None
                    await page.resize(390, 844, phone=True)
                    assert await page.run("document.documentElement.scrollWidth") <= 390
                    await page.resize(1280, 860)
                    await page.until("document.getElementById('leaderboard') !== null")
                    await page.until("!document.getElementById('browser').hidden")
                finally:
                    run.kill()
                    run.communicate()
                assert "has ended with status incomplete: 120 rows" in await page.run(LIVE)
                await picture(page, "ended")
                place = urlsplit(url)
                elsewhere = [asked for asked in page.requests if urlsplit(asked)[:2] != place[:2]]
                assert not elsewhere
                assert not page.problems

                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=20) == 0
                await page.until(f"{LIVE}.includes('does not answer')")
                assert process.stderr is not None
                assert "ended" in process.stderr.read()

    asyncio.run(check())


KEPT = (
    "[location.hash, document.querySelector('#list [aria-selected=true] .rowid')?.textContent, document.documentElement.dataset.theme,"
    " document.getElementById('list').scrollTop, Math.round(document.getElementById('samples').getBoundingClientRect().top)]"
)


HIDE = (
    "(hidden) => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
    " document.dispatchEvent(new Event('visibilitychange')); }"
)


@pytest.mark.browser
def test_a_new_report_leaves_the_reader_where_he_is(
    chromium: Any, make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_build, "REST", 0.0)
    monkeypatch.setattr(live_server, "WAIT_ENDED_S", 0.3)
    folder = make_run(tmp_path / "demo", count=30, box=1, hostile=False, models=("tiny-late",)).path

    async def check(url: str, viewer: Viewer) -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(url)
            await page.until("document.getElementById('browser')?.hidden === false")
            await page.run("document.getElementById('theme').click()")
            await page.run("document.getElementById('f-text').value = 'count'")
            await page.run("document.getElementById('f-text').dispatchEvent(new Event('input'))")
            await page.until("location.hash.includes('text=count')")
            for _ in range(20):
                await page.press("j")
            await page.run("window.scrollTo({ top: 500, behavior: 'instant' })")
            await asyncio.sleep(0.5)  # the address follows many keys a little later
            was = await page.run(KEPT)
            assert was[1] == "count-0020"
            assert was[3] > 0
            await page.run("document.getElementById('f-task').focus({ preventScroll: true })")
            os.utime(folder / "results.parquet")
            await page.until(f"{LIVE}.includes('when you leave the field')")
            await page.run("document.activeElement.blur()")
            await page.until("document.getElementById('live')?.dataset.report === '2'")
            await page.until("document.getElementById('browser')?.hidden === false")
            await page.until(f"JSON.stringify({KEPT}) === {json.dumps(json.dumps(was, separators=(',', ':')))}")
            assert not page.problems
            # Hidden, it asks for nothing.
            await page.run(f"({HIDE})(true)")
            await asyncio.sleep(0.7)
            asked = len(page.requests)
            await asyncio.sleep(1.0)
            assert len(page.requests) == asked
            shutil.rmtree(folder)
            await page.run(f"({HIDE})(false)")
            await page.until(f"{LIVE}.includes('no run folder') && {LIVE}.includes('as it was last built')")
            assert not page.problems

    served(tmp_path / "own", [str(folder)], check)


def test_a_run_that_was_killed_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    run = start(tmp_path, *RUN)
    try:
        with viewer(tmp_path, "runs/live") as (process, url):
            wait_for(url, "Running for")
            run.send_signal(signal.SIGKILL)
            run.wait()
            text = wait_for(url, "its process is gone")
            assert "mmeval run -m fake:fixed" in text
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    finally:
        run.kill()
        run.communicate()


def wait_for(url: str, text: str) -> str:
    """Ask for the page as a program does, until it holds a text."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with urlopen(url) as answer:
            page: str = answer.read().decode()
        if text in page:
            return page
        time.sleep(0.2)
    raise AssertionError(f"never there: {text}")
