"""Addresses of servers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine, so that no proxy of the environment is asked."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # 0.0.0.0 is where servers say that they listen, and reaches this machine.
    return address.is_loopback or address.is_unspecified
