"""Settings of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Tests never ask the hub; what a fixture lacks fails at once, and not after retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A loaded machine is slow, and that is no failure. CI draws the same examples every time; new ones are for developers.
settings.register_profile("mmeval", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("mmeval")


@pytest.fixture(autouse=True)
def _modules_of_the_current_folder() -> Iterator[None]:
    """The command line, called inside of a test, must not change where children of later tests look for modules."""
    before = os.environ.get("PYTHONSAFEPATH")
    yield
    if before is None:
        os.environ.pop("PYTHONSAFEPATH", None)
    else:
        os.environ["PYTHONSAFEPATH"] = before
