"""A process that has everything imported and forks a child for each `mmeval` command: a real process, ready within milliseconds.

Run as a script it reads one JSON object a line: `{"arguments", "folder", "variables", "only", "hook", "out", "err"}` starts a child and is
answered with its process id, `{"poll": PID}` with its exit code (negative: the signal that ended it) or null while it runs. Its own arguments
are further modules to import.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Child:
    """A command that runs."""

    def __init__(self, zygote: Zygote, pid: int, out: Path, err: Path) -> None:
        self.pid = pid
        self._zygote = zygote
        self._out, self._err = out, err
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self._code is None:
            self._code = self._zygote.call({"poll": self.pid})
        return self._code

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal; False when it had ended before. The zygote has not reaped it, so the id is nobody else's."""
        if self.poll() is not None:
            return False
        os.kill(self.pid, number)
        return True

    def wait(self, seconds: float = 120) -> Ended:
        """Wait for its end; a child that does not end is killed and fails the test."""
        give_up = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > give_up:
                self.kill()
                raise AssertionError(f"the command hangs; it said: {self._err.read_text()[-2000:]}")
            time.sleep(0.01)
        assert self._code is not None
        # A signal may come before the child has opened them.
        said = [place.read_text() if place.exists() else "" for place in (self._out, self._err)]
        return Ended(self._code, *said)


class Zygote:
    """Starts commands; use as a context.

    Args:
        folder: where the output of the commands is kept.
        modules: to import beside those of a run.
    """

    def __init__(self, folder: Path, modules: Iterable[str] = ()) -> None:
        self._folder = folder
        self._count = 0
        script = str(Path(__file__).resolve())
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MMEVAL_", "OPENAI_"))}
        variables = {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "HF_HUB_OFFLINE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache-home"),
        }
        self._process = subprocess.Popen(
            [sys.executable, script, *modules],
            env=variables, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def call(self, message: dict[str, Any]) -> Any:
        """Ask the process for one thing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self, folder: Path, *arguments: str, hook: str = "", variables: dict[str, str] | None = None, only: bool = False
    ) -> Child:
        """Start `mmeval ARGUMENTS…` in a folder.

        Args:
            folder: its working directory.
            arguments: of the command line.
            hook: a fault of `hooks.py`, with its arguments, parted by blanks.
            variables: further environment variables.
            only: the variables are all that the command sees.
        """
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        message = {
            "arguments": list(arguments), "folder": str(folder), "variables": variables or {}, "only": only,
            "hook": hook, "out": str(out), "err": str(err),
        }  # fmt: skip
        return Child(self, self.call(message), out, err)

    def run(self, folder: Path, *arguments: str, hook: str = "", variables: dict[str, str] | None = None) -> Ended:
        """Start a command and wait for its end; a traceback is never acceptable."""
        ended = self.start(folder, *arguments, hook=hook, variables=variables).wait()
        assert "Traceback" not in ended.err, ended.err
        assert "internal error" not in ended.err, ended.err
        return ended

    def __enter__(self) -> Zygote:
        assert self._process.stdout is not None
        self._process.stdout.readline()  # the time that it needs to import everything is no command's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def _become(message: dict[str, Any]) -> None:
    """The child: never returns."""
    for place, number in ((message["out"], 1), (message["err"], 2)):
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(message["folder"])
    if message["only"]:
        os.environ.clear()
    os.environ.update(message["variables"])
    sys.argv = ["mmeval", *message["arguments"]]
    code = 1
    try:
        from mmeval.cli.main import main
        from tests.faults.hooks import install

        install(message["hook"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:  # before `main` had begun
        code = 130
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)


def _serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        answer: int | None
        if "poll" in message:
            pid, status = os.waitpid(message["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            sys.stdout.flush()
            answer = os.fork()
            if answer == 0:
                _become(message)
        print(json.dumps(answer), flush=True)


def _preload(*more: str) -> None:
    """Import what a run imports and more modules, and start no thread."""
    import importlib

    for name in (
        "mmeval.cli.main", "mmeval.cli.run", "mmeval.cli.cache", "mmeval.cli.summary", "mmeval.cli.progress",
        "mmeval.runs.execute", "mmeval.runs.file_tasks", "mmeval.engines.fake", "mmeval.engines.openai",
        "mmeval.pipeline.salvage", "mmeval.tasks.file_task", "mmeval.tasks.local_files", "pandas", "pyarrow.parquet", "pyarrow.compute",
        "PIL.Image", "PIL.PngImagePlugin", "aiohttp", "tests.faults.hooks", *more,
    ):  # fmt: skip
        importlib.import_module(name)
    registry = importlib.import_module("mmeval.verifiers.registry")
    for name in registry.list_verifiers():
        registry.get_verifier(name)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    # As in a process of its own, which is ended by Ctrl-C until Python has begun.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _preload(*sys.argv[1:])
    _serve()
