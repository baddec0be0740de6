"""Opening a page in the user's browser, where there is one."""

from __future__ import annotations

import os
import sys

from mmeval.cli.terminal import echo


def open_in_browser(address: str) -> bool:
    """Open an address, and say so where that cannot be done; never an error, since the page itself is there.

    Returns:
        Whether a browser took it.
    """
    import webbrowser

    reason = _no_browser()
    if not reason:
        try:
            if webbrowser.open(address):
                return True
            reason = "no browser was found"
        except (webbrowser.Error, OSError) as error:
            reason = str(error)
    echo(f"not opened: {reason}; open {address} yourself", err=True)
    return False


def _no_browser() -> str:
    """Why there can be none. A text browser would take over this terminal, so a machine without a display has none."""
    if os.environ.get("BROWSER") or sys.platform in ("darwin", "win32", "cygwin"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return "this machine has no display"
