"""Real inference servers as child processes, for tests of the engines that join them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

START_LIMIT_S = 300.0
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


def engine_python(name: str) -> str:
    """Interpreter of the environment that `make test-engines` makes; skips the test where there is none."""
    variable = f"MMEVAL_{name.upper()}_PYTHON"
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no interpreter: run `make test-engines`")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, log: Path, environment: dict[str, str] | None = None) -> Iterator[str]:
    """Run a server until the block ends; yields its base URL once it is healthy."""
    # vLLM leaves its sockets behind, and their paths must be short.
    sockets = tempfile.mkdtemp(prefix="mmeval-")
    with log.open("wb") as stream:
        child = subprocess.Popen(
            list(command),
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VLLM_RPC_BASE_PATH": sockets, **ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )
    try:
        _wait_until_healthy(child, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        shutil.rmtree(sockets)


def _wait_until_healthy(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if child.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the server did not start: {tail}")


def vllm_command(python: str, checkpoint: Path, port: int, *arguments: str) -> list[str]:
    """`vllm serve` without the console script, which the CPU build lacks the metadata for."""
    return [
        python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint), "--served-model-name", "tiny",
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", *arguments,
    ]  # fmt: skip
