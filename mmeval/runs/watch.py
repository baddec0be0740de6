"""Looking at run folders from outside while others write them: what state they are in, and what is known so far."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmeval.core.errors import DataError
from mmeval.runs.folder import split_address
from mmeval.runs.live import FILE, SCHEMA_VERSION, born, machine
from mmeval.runs.manifest import Manifest, read_manifest
from mmeval.stats.running import MeanSums

State: TypeAlias = Literal["waiting", "unreadable", "starting", "running", "writing", "silent", "stopped", "ended"]
"""`waiting`: no run there yet; `writing`: its tables; `silent`: nothing heard, and the process cannot be looked for from
here; `stopped`: its process is gone without an end; `ended`: as its manifest says."""
SILENT_S = 20.0
LIMIT_BYTES = 64 * 2**20
"""Of `progress.json`: that of ten thousand cells has a tenth."""
TABLES = ("results.parquet", "samples.parquet")
REBUILT_FOR = ("run.json", *TABLES, "labels.parquet", "calls.parquet")
Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of each file."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class LiveModel(_Part):
    """How far one model (or the judge) is."""

    model: str
    judge: bool = False
    state: str
    total: int | None
    done: int
    in_flight: int
    failed: int
    answered: int
    cached: int
    asked: int
    retries: int
    tokens_per_s: float | None
    rows_per_s: float | None
    left_s: float | None
    waiting_s: int


class LiveCell(_Part):
    """One model on one task under one condition so far."""

    model: str
    task: str
    protocol: str
    condition: str
    total: int | None
    done: int
    outcomes: dict[str, int]
    metric: str
    sums: MeanSums | None
    no_value: str


class LiveFailure(_Part):
    """One row that failed."""

    model: str
    task: str
    condition: str
    sample_id: str
    repeat: int
    outcome: str
    reason: str
    ago_s: int


class Live(_Part):
    """`progress.json`."""

    schema_version: int = Field(alias="schema")
    run_id: str
    pid: int
    born: int | None
    machine: str | None
    beat: int
    phase: str
    elapsed_s: float
    models: list[LiveModel]
    cells: list[LiveCell]
    failed: int
    failures: list[LiveFailure]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a run folder showed."""

    address: str
    folder: Path
    model: str
    """Of `RUN#MODEL`; empty for all."""
    state: State
    manifest: Manifest | None = None
    live: Live | None = None
    """The latest counts: of now, or of the moment a run stopped; None after an end."""
    problem: str = ""
    tables: Stamp | None = None
    """Stamp of what a report is made of; None while there are no tables."""


@dataclass(slots=True)
class Watch:
    """Watches one run. Looks only: it takes no lock, and opens no database.

    Args:
        address: `FOLDER` or `FOLDER#MODEL`; the folder need not be there yet.
    """

    address: str
    _manifest: tuple[Stamp, Manifest] | None = None
    _heard: tuple[str, int, float] = ("", -1, 0.0)
    """Run, beat, and when it was first seen, by this machine's monotonic clock."""
    _since: float = field(default_factory=time.monotonic)

    def look(self) -> Sight:
        """Look now. Never raises: what is wrong is part of what is seen."""
        name, model = split_address(self.address)
        folder = Path(name)
        try:
            if not (folder / "run.json").is_file():
                return Sight(self.address, folder, model, "waiting")
            manifest = self._read_manifest(folder)
            tables = stamp(folder, REBUILT_FOR) if all((folder / table).is_file() for table in TABLES) else None
            if manifest.status != "running":
                return Sight(self.address, folder, model, "ended", manifest, None, "", tables)
            live = read_live(folder, manifest.run_id)
        except (DataError, OSError) as error:
            text = error.message if isinstance(error, DataError) else str(error)
            return Sight(self.address, folder, model, "unreadable", problem=text)
        return Sight(self.address, folder, model, self._state(manifest, live), manifest, live, "", tables)

    def _read_manifest(self, folder: Path) -> Manifest:
        found = stamp(folder, ("run.json",))
        if self._manifest is None or self._manifest[0] != found:
            self._manifest = found, read_manifest(folder)
        return self._manifest[1]

    def _state(self, manifest: Manifest, live: Live | None) -> State:
        now = time.monotonic()
        run, beat = manifest.run_id, -1 if live is None else live.beat
        if self._heard[:2] != (run, beat):
            self._heard = run, beat, now
        lately = now - self._heard[2] < SILENT_S
        if live is None:
            return "starting" if lately else "silent"
        known = live.machine is not None and live.machine == machine()
        if known and not alive(live.pid, live.born):
            return "stopped"
        if known or lately:
            return "writing" if live.phase == "writing" else "running"
        return "silent"


@dataclass(slots=True)
class Watches:
    """Watches everything that some addresses come to: run folders, and the run folders in a folder of several (a series).

    Args:
        addresses: of the command line; nothing need be there yet.
    """

    addresses: Sequence[str]
    _watches: dict[str, Watch] = field(default_factory=dict)

    def look(self) -> list[Sight]:
        """Look at all of them now."""
        found = dict.fromkeys(run for address in self.addresses for run in _runs(address))
        return [self._watches.setdefault(run, Watch(run)).look() for run in found]


def _runs(address: str) -> list[str]:
    """The run folders that an address means: itself, or those one level below."""
    folder = Path(address)
    try:
        if (folder / "run.json").exists():
            return [address]
        below = [entry.name for entry in folder.iterdir() if (entry / "run.json").is_file()]
    except OSError:
        return [address]
    return [str(folder / name) for name in sorted(below, key=_natural)] or [address]


def _natural(name: str) -> list[tuple[int, str]]:
    """Order in which step-2 comes before step-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def read_live(folder: Path, run_id: str) -> Live | None:
    """Read `progress.json` of a run; None when there is none, or it is of another run.

    Raises:
        DataError: when it cannot be read.
    """
    path = folder / FILE
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT_BYTES:
            raise DataError(f"{path} is no file of at most {LIMIT_BYTES // 2**20} MiB, as a run writes it")
        raw = orjson.loads(path.read_bytes())
        if not isinstance(raw, dict) or raw.get("run_id") != run_id:
            return None
        if raw.get("schema") != SCHEMA_VERSION:
            raise DataError(f"{path}: schema {raw.get('schema')!r}, this mmeval reads {SCHEMA_VERSION}")
        return Live.model_validate(raw)
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError, ValidationError) as error:
        raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from error


def alive(pid: int, started: int | None) -> bool:
    """Whether the process is there, and is the one that started then (numbers are used again)."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return started is None or born(pid) == started


def stamp(folder: Path, names: tuple[str, ...]) -> Stamp:
    """Describe files so that another content has another stamp; those that are not there are left out.

    Raises:
        OSError: when the folder cannot be looked into.
    """
    found = []
    for name in names:
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            continue
        found.append((name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
