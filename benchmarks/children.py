"""What the benchmarks share: a simulated server, child processes with their own CPU seconds and peak memory, and sample files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Child:
    """A process that has ended."""

    began: float
    """Monotonic time of its start."""
    wall_s: float
    cpu_s: float
    """User and system, of the process and of the children it has waited for."""
    peak_mb: float
    """High-water mark of the resident memory of the process alone."""
    output: bytes


def run_child(command: Sequence[str], environment: dict[str, str] | None = None) -> Child:
    """Run a command to its end.

    Raises:
        SystemExit: when it fails, with what it wrote on stderr.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=ROOT, env={**kept_environment(), **(environment or {})}
        )
        peaks: list[float] = [0.0]
        over = threading.Event()
        # rusage of a child also counts what the parent held before exec, so the kernel's own mark is read instead.
        watching = threading.Thread(target=_watch, args=(process.pid, peaks, over))
        watching.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        over.set()
        watching.join()
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{err.read().decode()[-4000:]}")
        return Child(began, wall, usage.ru_utime + usage.ru_stime, max(peaks), out.read())


def kept_environment() -> dict[str, str]:
    """That of this process, with compiled modules kept: a variable that forbids it would make every start compile all anew."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "mmeval-benchmark-pyc"),
        **kept,
        "PYTHONPATH": str(ROOT),
    }


def _watch(process: int, peaks: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            return
        peaks.append(max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=0.0))


@contextmanager
def server(port: int, slots: int, service_s: float, script: Path | None = None, *more: str) -> Iterator[str]:
    """A simulated server on this machine; yields its base address."""
    script = script or HERE / "simulated_server.py"
    process = subprocess.Popen(
        [sys.executable, str(script), "--port", str(port), "--slots", str(slots), "--service", str(service_s), *more]
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{base}/v1/models", timeout=1).read()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise SystemExit(f"{script} did not start on port {port}")
        yield base
    finally:
        process.terminate()
        process.wait()


def stats(base: str) -> dict[str, Any]:
    """What the server says of itself; `first` and `last` are monotonic times, `efficiency` the shortest possible time / the one it took."""
    found: dict[str, Any] = json.load(urllib.request.urlopen(f"{base}/stats"))
    return found


def mmeval(*arguments: str, environment: dict[str, str] | None = None) -> tuple[Child, dict[str, Any]]:
    """Run the command line, and return its process and the JSON that it prints."""
    child = run_child([sys.executable, "-m", "mmeval", *arguments], environment)
    return child, json.loads(child.output)


def load() -> str:
    """How busy the machine is, for the heading of a table."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}"
