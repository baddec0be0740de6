"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Tests never ask the hub; what a fixture lacks fails at once, and not after retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A loaded machine is slow, and that is no failure. CI draws the same examples every time; new ones are for developers.
settings.register_profile("mmeval", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("mmeval")
