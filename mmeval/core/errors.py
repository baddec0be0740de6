"""Errors that reach the user. Each carries the exit code of docs/cli.md and says what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MmevalError(Exception):
    """An error whose message is for the user: what is wrong, where (file, key), and the remedy.

    Attributes:
        exit_code: the process exit code when the error ends a command.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message}\n  -> {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


class UsageError(MmevalError):
    """Wrong option, unknown name, broken card or configuration (exit code 2)."""

    exit_code = 2


class DataError(UsageError):
    """A dataset, predictions file or run folder that is missing or not of the declared form (exit code 2)."""


class UndecidedError(MmevalError):
    """One answer that a rule could neither accept nor reject (a symbolic comparison that ran out of time).

    It concerns one row, which becomes `unscored`: it leaves the mean, shows as coverage, and is tried again by the next run.
    """


class NotApplicableError(MmevalError):
    """A condition that does not apply to one sample (no gold box, no caption). The row is `unsupported`, with this reason."""


class EngineError(MmevalError):
    """An engine that cannot start or cannot honour what was asked, found before the first request (exit code 2)."""

    exit_code = 2


class StorageError(MmevalError):
    """The cache or the run folder cannot be written: disk full, read-only, locked (exit code 2)."""

    exit_code = 2


class ComparisonError(MmevalError):
    """Two runs that must not be compared: other samples, another protocol, missing rows (exit code 5)."""

    exit_code = 5


class IncompleteError(MmevalError):
    """Rows or shards are missing, or too many failed for reasons outside the model; running again may complete them (exit code 6)."""

    exit_code = 6


class MediaError(MmevalError):
    """One image or video that cannot be read, is truncated, or is refused as a decompression bomb.

    It concerns one sample, so the pipeline turns it into an `error` row and goes on.
    """


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of `known` that look most like `name`, best first."""
    candidates = sorted(set(known))
    lowered = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=count, cutoff=0.4)
    contained = [c for c in candidates if name.lower() in c.lower()]
    ordered = [lowered[key] for key in close] + contained
    return list(dict.fromkeys(ordered))[:count]


def unknown(kind: str, name: str, known: Iterable[str], *, listing: str = "") -> UsageError:
    """Build the error for an unknown name, with the nearest known names and where to list them all."""
    names = sorted(set(known))
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names[:12])}"
    if listing:
        hint += f" ({listing} lists all)"
    return UsageError(f"unknown {kind} {name!r}", remedy=hint)
