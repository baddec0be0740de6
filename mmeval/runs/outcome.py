"""What a command that writes a run folder came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmeval.core.errors import MmevalError
from mmeval.runs.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    folder: Path
    manifest: Manifest
    exit_code: int
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failure reasons with their number of rows, most frequent first."""
    at_fault: int = 0
    """Rows that asking again does not help, because their own data are at fault."""
    problem: MmevalError | None = None
    """Why the run stopped early."""
    unchanged: bool = False
    """The run was already there, complete; nothing was written."""
