"""Gate and methods in a real browser: links open the samples behind, buttons give the text."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmeval.cli.gate import gate
from tests.reports.test_gate_section import POLICY, made

pytestmark = pytest.mark.browser


def test_counts_open_their_samples_and_the_bibliography_can_be_copied(chromium: Any, tmp_path: Path) -> None:
    base, candidate = made(tmp_path / "base", 0.9, "base"), made(tmp_path / "cand", 0.5, "cand")
    (tmp_path / "gate.yaml").write_text(POLICY)
    arguments = ["--baseline", base, "--candidate", candidate, "--policy", tmp_path / "gate.yaml", "--out", tmp_path / "out", "--report"]  # fmt: skip
    done = CliRunner().invoke(gate, [str(one) for one in arguments], standalone_mode=False)
    assert done.exception is None

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(390, 844, phone=True)
            await page.open((tmp_path / "out" / "report.html").as_uri())
            await page.until("!document.getElementById('browser').hidden")
            assert await page.run("document.documentElement.scrollWidth") <= 390
            link = "document.querySelector('#sheet-gate a[href*=\"-rw\"]')"
            lost = await page.run(f"{link}.textContent")
            await page.run(f"{link}.click()")
            await page.until(f"document.getElementById('matches').textContent.startsWith('{lost} of ')")
            item = "document.querySelector('#gate .items a')"
            name = await page.run(f"{item}.textContent")
            await page.run(f"{item}.click()")
            await page.until(f"document.querySelector('#detail h3').textContent === '{name}'")
            await page.run("document.querySelector('[data-copy=methods-bibtex]').click()")
            await page.until("document.getElementById('copied').textContent")

    asyncio.run(check())
