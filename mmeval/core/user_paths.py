"""Paths as users write them: `~` stands for a home folder, where there is one."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(text: str | Path) -> Path:
    """Return a path with `~` or `~name` before it replaced; a name that nobody has stays as it is, as in a shell."""
    return Path(os.path.expanduser(text))


def home_folder() -> Path | None:
    """Return the user's home folder; None where nobody knows it: no $HOME, and a user id without an entry."""
    home = user_path("~")
    return home if home.is_absolute() else None
