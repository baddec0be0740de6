"""Results as reports: HTML and the terminal."""

from __future__ import annotations
