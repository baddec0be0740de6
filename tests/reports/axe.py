"""Accessibility of an open page by axe-core, which the development package axe-playwright-python brings."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

_RUN = """
axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations
  .filter((one) => one.impact === "serious" || one.impact === "critical")
  .map((one) => `${one.impact} ${one.id}: ${one.nodes.length} × ${one.nodes[0].html.slice(0, 160)} — ${one.nodes[0].failureSummary}`))
"""


def axe_source() -> str:
    """The script; skips where the package is not installed, but fails where CI promises it."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("CI=true but axe-playwright-python is not installed (pip install -e '.[dev]')")
        pytest.skip("axe-core is not installed (pip install -e '.[dev]')")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


async def serious_issues(page: Any, source: str) -> list[str]:
    """Serious and critical issues of the page as it stands. The script comes over DevTools, past the page's policy."""
    if not await page.run("typeof axe !== 'undefined'"):
        await page.run(source + "; true")
    issues: list[str] = await page.run(_RUN)
    return issues
