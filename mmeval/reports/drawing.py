"""Charts drawn by vl-convert: in this process, or in a child of it where the address space is limited.

V8, which vl-convert brings along, reserves gibibytes of addresses, and ends its process where it does not get them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from base64 import b64decode
from typing import Literal, TypeAlias

from mmeval.core.errors import StorageError, UsageError
from mmeval.core.secrets import childs_environment

Form: TypeAlias = Literal["svg", "pdf"]

_SCRIPT = """
import base64, json, sys
import vl_convert
for line in sys.stdin.buffer:
    form, spec = json.loads(line)
    try:
        made = {"svg": vl_convert.vegalite_to_svg, "pdf": vl_convert.vegalite_to_pdf}[form](spec)
        data = made.encode() if isinstance(made, str) else made
        answer = {"data": base64.b64encode(data).decode()}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""


class DrawingError(StorageError):
    """Charts cannot be drawn, because the process that draws them gets too little memory (exit code 2)."""


def draw(spec: str, form: Form) -> bytes:
    """Return a chart as a file.

    Args:
        spec: Vega-Lite, as JSON.
        form: of the file.

    Raises:
        DrawingError: the process that draws is ended, because its address space is limited.
    """
    if address_space_limited():
        return _CHILD.draw(spec, form)
    import vl_convert

    if form == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    return bytes(vl_convert.vegalite_to_pdf(spec))


def undrawn() -> str:
    """Why charts of this process were not drawn; empty when all were."""
    return _CHILD.broken


def address_space_limited() -> bool:
    """Whether the process may not have all the addresses that it asks for (`ulimit -v`, `ulimit -d`)."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    return any(resource.getrlimit(limit)[0] != resource.RLIM_INFINITY for limit in limits)


def require_docstrings() -> None:
    """Refuse an interpreter that strips docstrings: Altair makes its methods from them.

    Raises:
        UsageError: naming the switch.
    """
    if sys.flags.optimize >= 2:
        raise UsageError(
            "reports need Python's docstrings, which PYTHONOPTIMIZE=2 (python -OO) leaves out",
            remedy="unset PYTHONOPTIMIZE, then run `mmeval report RUN`; what the run has asked and scored is kept",
        )


class _Child:
    """The process that draws, started with its first chart; once it has died no further one is tried."""

    def __init__(self) -> None:
        self.broken = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def draw(self, spec: str, form: Form) -> bytes:
        """As `draw` of the module."""
        with self._lock:
            answer = {} if self.broken else self._answer(json.dumps([form, spec]).encode() + b"\n")
        if self.broken:
            raise DrawingError(
                f"charts cannot be drawn: {self.broken}",
                remedy="raise the limit (`ulimit -v`), then run `mmeval report RUN`",
            )
        if "error" in answer:
            raise ValueError(answer["error"])
        return b64decode(answer["data"])

    def _answer(self, line: bytes) -> dict[str, str]:
        try:
            process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(line)
            process.stdin.flush()
            said = process.stdout.readline()
        except OSError as error:
            said, why = b"", str(error.strerror or error)
        else:
            why = "the process that draws them was ended"
        if not said.endswith(b"\n"):
            self.broken = f"{why}; the memory of this process is limited (`ulimit -v`)"
            self.close()
            return {}
        answer: dict[str, str] = json.loads(said)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _SCRIPT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=childs_environment(),
        )  # fmt: skip
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


_CHILD = _Child()
