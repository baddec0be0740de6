"""axe-core finds no serious or critical issue: light and dark, wide and on a phone, with a sample, its overlay and all folds open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from mmeval.runs.folder import Run
from tests.reports.axe import axe_source, serious_issues
from tests.reports.diagnosed import diagnosed_run

pytestmark = pytest.mark.browser

READY = "!document.getElementById('browser').hidden"
OPEN = "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
BOX = (
    "(() => { const select = document.getElementById('f-task'); select.value = [...select.options].find((option) => option.text.startsWith('synthetic/box')).value;"
    " select.dispatchEvent(new Event('change')); })()"
)


@pytest.fixture(scope="module")
def whole_page(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All sections: leaderboard, subsets, comparison, perception, samples with boxes and hostile texts, provenance."""
    folder = tmp_path_factory.mktemp("axe")
    runs = [make_run(folder / "demo", count=6, box=2), diagnosed_run(folder / "diagnosed", 24)]
    build_report(runs, folder / "report.html")
    return folder / "report.html"


long = pytest.mark.skipif("MMEVAL_LONG_TESTS" not in os.environ, reason="long: make test-long")


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        pytest.param(1280, False, id="1280-light"),
        pytest.param(1280, True, id="1280-dark", marks=long),
        pytest.param(390, False, id="390-light", marks=long),
        pytest.param(390, True, id="390-dark"),
    ],
)
def test_no_serious_issue(chromium: Any, whole_page: Path, width: int, dark: bool) -> None:
    source = axe_source()

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(width, 860, phone=width < 600, dark=dark)
            await page.open(whole_page.as_uri())
            await page.until(READY)
            sections = await page.run("[...document.querySelectorAll('main > section')].map((section) => section.id)")
            assert {"leaderboard", "subsets", "comparison", "perception", "samples", "provenance"} <= set(sections)
            await page.run(OPEN)
            await page.run(BOX)
            assert await page.run("document.querySelectorAll('.overlay rect').length") > 0
            await page.run(OPEN)
            assert await serious_issues(page, source) == []
            for key in ("z", "?"):  # the picture alone, the list of keys
                await page.press(key)
                await page.until("document.querySelector('dialog[open]') !== null")
                assert await serious_issues(page, source) == []
                await page.run("document.querySelector('dialog[open]').close()")
            await page.run("location.hash = 'text=' + encodeURIComponent('no such sample anywhere')")
            await page.until("document.getElementById('matches').textContent.startsWith('0 of')")
            assert await serious_issues(page, source) == []

    asyncio.run(check())
