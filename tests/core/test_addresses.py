"""What stays on this machine."""

from __future__ import annotations

import pytest

from mmeval.core.addresses import is_loopback


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True), ("http://127.0.0.1:8000", True), ("http://[::1]:8000/v1", True), ("http://127.8.9.1/v1", True), ("http://0.0.0.0:8000/v1", True),
        ("http://localhost.example/v1", False), ("http://127.0.0.1.example/v1", False), ("https://api.example/v1", False), ("http://10.0.0.1/v1", False), ("nothing", False),
    ],
)  # fmt: skip
def test_loopback(url: str, local: bool) -> None:
    assert is_loopback(url) is local
