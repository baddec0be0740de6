"""Addresses of servers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def checked_host(url: str) -> str:
    """Return the host of an address.

    Raises:
        ValueError: when it has none, or one that no name can be, or a port beyond 65535.
    """
    parts = urlsplit(url)
    _ = parts.port
    if not parts.hostname:
        raise ValueError("it names no host")
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise ValueError("no host can have such a name") from error
    return parts.hostname


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine, so that no proxy of the environment is asked."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # 0.0.0.0 is where servers say that they listen, and reaches this machine.
    return address.is_loopback or address.is_unspecified
