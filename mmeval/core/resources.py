"""Finding the declarative folders (`tasks/`, `judges/`, `reports/`): in a checkout, in an installed wheel, in other packages."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mmeval.core.errors import StorageError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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


def package_folders(group: str, holds: str) -> list[Path]:
    """Return the folders of the installed packages that the entry points of `group` name.

    Args:
        group: of entry points, each of which names a package.
        holds: what such a package holds, in words, for the message.

    Raises:
        UsageError: when an entry point names no package.
    """
    from importlib.util import find_spec

    folders: list[Path] = []
    for point in _entry_points(group, tuple(sys.path)):
        try:
            spec = find_spec(point.value)
        except (ImportError, ValueError):  # a package above it is missing, or it is no dotted name
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise UsageError(
                f"entry point {group}:{point.name} names {point.value!r}, which is no package with {holds}",
                remedy="reinstall the package that provides it",
            )
        folders.extend(Path(location) for location in spec.submodule_search_locations)
    return folders


@lru_cache(maxsize=16)
def _entry_points(group: str, places: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of the packages in `places`, which is `sys.path`: finding them reads the metadata of every installed package."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))
