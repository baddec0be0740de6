"""Finding the declarative folders (`tasks/`, `judges/`, `reports/`) in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mmeval.core.errors import StorageError

ResourceName = Literal["tasks", "judges", "reports"]

_PACKAGE = Path(__file__).resolve().parent.parent


def resource_dir(name: ResourceName) -> Path:
    """Return the folder of that name: beside the package in a checkout or editable install, else the wheel's copy.

    A checkout is known by its `pyproject.toml`: a folder that happens to be called `tasks` in site-packages is not ours.

    Raises:
        StorageError: when neither place has it, because the installation is damaged.
    """
    checkout = _PACKAGE.parent
    candidates = [_PACKAGE / "_data" / name]
    if (checkout / "pyproject.toml").is_file():
        candidates.insert(0, checkout / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise StorageError(
        f"mmeval's own folder {name!r} is missing (looked at {', '.join(map(str, candidates))})",
        remedy="reinstall mmeval-harness",
    )
