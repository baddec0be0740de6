"""`-t file:PATH`: the selectors that name data files, and the names of their tasks."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from mmeval.core.errors import UsageError, nearest
from mmeval.core.user_paths import user_path
from mmeval.tasks.data import FORMATS

PREFIX = "file:"
FAMILY = "file"
PACKED = {
    ".gz": "gunzip -k",
    ".bz2": "bunzip2 -k",
    ".xz": "unxz -k",
    ".zst": "unzstd",
    ".zip": "unzip",
    ".tar": "tar -xf",
}
"""Suffix of packed files -> the command that unpacks them. They are not read: rows and images are read from places in the file."""


def is_file_selector(selector: str) -> bool:
    """Whether a `-t` selector names a data file."""
    return selector.startswith(PREFIX)


def split_selectors(values: Iterable[str]) -> list[str]:
    """Part `-t` values at their commas, except those of a file's own name, and expand patterns of files.

    Raises:
        UsageError: for a pattern that matches no file.
    """
    found: list[str] = []
    for value in values:
        whole = value.strip()
        single = [whole] if is_file_selector(whole) and _exists(selected(whole)[0]) else whole.split(",")
        for part in filter(None, (part.strip() for part in single)):
            found += _expanded(part) if is_file_selector(part) else [part]
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text too long for a path, or a folder that may not be entered
        return False


def _expanded(selector: str) -> list[str]:
    path, _ = selected(selector)
    if _exists(path) or not set(str(path)) & set("*?["):
        return [selector]
    matches = sorted(match for match in glob.glob(str(path)) if Path(match).suffix.lower() in FORMATS)
    if not matches:
        raise UsageError(f"-t {selector}: no data file matches", remedy=f"mmeval reads {', '.join(FORMATS)}")
    return [f"{PREFIX}{match}" for match in matches]


def selected(selector: str) -> tuple[Path, str]:
    """Return path and protocol; an @ in the name of a file that is there belongs to it."""
    text = selector.removeprefix(PREFIX)
    path = user_path(text)
    if "@" in text and not _exists(path):
        before, _, protocol = text.rpartition("@")
        if protocol and "/" not in protocol:
            return user_path(before), protocol
    return path, "default"


def file_path(selector: str, said: str | None = None) -> tuple[Path, str]:
    """Return the file that a selector names, and the protocol.

    Args:
        selector: `file:PATH`.
        said: how the user named the file, for messages; `-t file:PATH` when None.

    Raises:
        UsageError: no such file, or of a format that mmeval does not read.
    """
    path, protocol = selected(selector)
    said = said or f"-t {selector}"
    if selector != PREFIX and _exists(path) and path.is_dir():
        several = f", or several: -t '{PREFIX}{path}/*.jsonl'" if said.startswith("-t ") else ""
        raise UsageError(f"{said}: this is a folder", remedy=f"name one file of it{several}")
    if path.suffix.lower() in PACKED:
        raise UsageError(
            f"{said}: packed files are not read",
            remedy=f"unpack it first: {PACKED[path.suffix.lower()]} {path.name}",
        )
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{said}: {path.name!r} is of no format that mmeval reads", remedy=f"it reads {', '.join(FORMATS)}"
        )
    if _exists(path) and not path.is_file():
        raise UsageError(f"{said}: it is a pipe or a device, no regular file", remedy="save the rows as a file")
    if not _exists(path):
        beside = (
            [entry.name for entry in path.parent.iterdir()] if _exists(path.parent) and path.parent.is_dir() else []
        )
        close = nearest(path.name, beside)
        hint = f"did you mean {' or '.join(close)}?" if close else "check the path"
        raise UsageError(f"{said}: no such file", remedy=hint)
    return path, protocol


def task_name(path: Path) -> str:
    """Return the name of a file's task: `file/` and the file's name, reduced to what card names may hold."""
    stem = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._")
    if not stem:
        stem = "data-" + hashlib.sha256(path.stem.encode()).hexdigest()[:8]
    return f"{FAMILY}/{stem}"


def selector_name(selector: str) -> str:
    """Return the name of the task of a selector."""
    return task_name(selected(selector)[0])
