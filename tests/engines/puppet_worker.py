"""A worker without a model, for tests of the parent: it echoes, and does what the text of a request tells it.

Usage: PYTHON puppet_worker.py ADDRESS [MODE]; modes: `normal`, `silent-exit`, `refuse`, `core-fails`, `die-loading`, `no-hello`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmeval.engines.worker.link import end
from mmeval.engines.worker.wire import TOKEN_VARIABLE, Channel


def obey(text: str) -> None:
    """Do what the text says: `die`, `die-once FILE`, `spawn FILE` (a process that holds the output open), `socket FILE` (one as vLLM leaves them)."""
    word, _, rest = text.partition(" ")
    if word == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(os.environ["VLLM_RPC_BASE_PATH"], f"{uuid.uuid4()}_lmcache"))
        Path(rest).write_text(os.environ["VLLM_RPC_BASE_PATH"])
    if word == "spawn":
        Path(rest).write_text(str(subprocess.Popen(["sleep", "600"]).pid))
    if word == "die" or (word == "die-once" and not Path(rest).exists()):
        if word == "die-once":
            Path(rest).touch()
        print("about to die", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    mode = sys.argv[2] if len(sys.argv) > 2 else "normal"
    if mode == "silent-exit":
        print("cannot import anything", file=sys.stderr)
        return 7
    channel = Channel.connect(sys.argv[1])
    channel.send({"type": "hello", "token": os.environ[TOKEN_VARIABLE] if mode != "no-hello" else "guess"})
    first = channel.receive()
    assert first is not None
    if mode == "die-loading":
        print("loading weights", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "core-fails":
        print("(EngineCore) ValueError: Free memory on device (3.1/79.1 GiB) is less than desired", flush=True)
        print("RuntimeError: Engine core initialization failed. See root cause above.", flush=True)
        message = "vLLM does not start: RuntimeError: Engine core initialization failed. See root cause above."
        channel.send({"type": "failed", "message": message, "remedy": "look above"})
        return 1
    if mode == "refuse":
        channel.send({"type": "failed", "message": "no weights", "remedy": "add them"})
        return 1
    channel.send({"type": "ready", "facts": {"settings": first[0]["settings"]}})
    inbox: list[tuple[dict[str, Any], list[bytes]]] = []
    arrived = threading.Condition()

    def work() -> None:
        while True:
            with arrived:
                while not inbox:
                    arrived.wait()
                header, blobs = inbox.pop(0)
            time.sleep(float(header.get("seconds", 0)))
            obey(header["text"])
            size = sum(len(blob) for blob in blobs)
            channel.send(
                {"type": "answer", "key": header["key"], "status": "ok", "text": header["text"], "bytes": size}
            )

    threading.Thread(target=work, daemon=True).start()
    while True:
        message = channel.receive()
        if message is None:
            end()
        elif message[0]["type"] == "close":
            os._exit(0)
        elif message[0]["type"] == "ask":
            with arrived:
                inbox.append(message)
                arrived.notify()


if __name__ == "__main__":
    sys.exit(main())
