"""An hf worker without a model: every request takes a fixed time on one of a few places, and its answer follows from its text.

A worker imports this file instead of transformers when MMEVAL_WORKER_PRELOAD names it. `SERVICE_S` is the time, `SERVICE_PLACES` how many
requests are served at once, `SERVICE_LOG` a file to which each answered request is appended.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Server:
    """Stands where `hf_serve.Worker` stands."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._seconds = float(os.environ.get("SERVICE_S", "0.2"))
        self._pool = ThreadPoolExecutor(int(os.environ.get("SERVICE_PLACES", "8")))
        self._log = os.environ.get("SERVICE_LOG")

    def facts(self) -> dict[str, Any]:
        """See `link.Server.facts`."""
        return {"reads_images": True, "device": "none"}

    def accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """See `link.Server.accept`."""
        if header["type"] == "ask":
            self._pool.submit(self._answer, header, blobs)

    def _answer(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        said = json.dumps(header["messages"], sort_keys=True)
        poison = os.environ.get("SERVICE_POISON")
        if poison and poison in said:
            # Takes the replica with it, not only the worker.
            os.kill(os.getppid(), 9)
            time.sleep(60)
        time.sleep(self._seconds)
        key = hashlib.sha256(said.encode() + str(header["sampling"]["seed"]).encode() + b"".join(blobs)).hexdigest()
        if self._log:
            with open(self._log, "a") as handle:
                handle.write(f"{key} {os.getppid()} {time.time():.3f}\n")
        self._channel.send(
            {"type": "answer", "key": header["key"], "status": "ok", "text": key[:8], "finish_reason": "stop",
             "prompt_tokens": 1, "completion_tokens": 1}
        )  # fmt: skip

    def run(self) -> None:
        """See `link.Server.run`."""
        threading.Event().wait()

    def close(self) -> None:
        """See `link.Server.close`."""


module = types.ModuleType("mmeval_worker.hf_serve")
module.build = lambda channel, settings: Server(channel)  # type: ignore[attr-defined]
sys.modules[module.__name__] = module
