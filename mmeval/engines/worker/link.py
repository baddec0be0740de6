"""The worker's end of the connection: say hello, load, then hand on messages until the parent is gone."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from .failures import LoadError
from .wire import FOLDER_VARIABLE, TOKEN_VARIABLE, Channel, WireError


class Server(Protocol):
    """What answers the parent's messages."""

    def facts(self) -> dict[str, Any]:
        """What the engine says of itself once the model is loaded; JSON."""
        ...

    def accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """Take an `ask` or `cancel` message; called by the reading thread, must return at once."""
        ...

    def run(self) -> None:
        """Answer, for ever, in the main thread."""
        ...

    def close(self) -> None:
        """Release what would outlive the process; called by the reading thread, just before the end."""
        ...


def serve(address: str, build: Callable[[Channel, dict[str, Any]], Server]) -> int:
    """Run a worker; returns the process's exit code.

    Args:
        address: socket of the parent.
        build: channel and settings -> a server whose model is loaded; raises `LoadError`.
    """
    # Ctrl-C reaches the whole process group, and it is the parent's to decide what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        channel = Channel.connect(address)
    except OSError:  # the parent is gone already
        _forget_folder()
        raise
    channel.send({"type": "hello", "token": os.environ.pop(TOKEN_VARIABLE, ""), "pid": os.getpid()})
    first = channel.receive()
    if first is None or first[0].get("type") != "load":
        return 1
    # Libraries print to stdout; the parent reads both streams as the worker's log.
    os.dup2(2, 1)
    server: list[Server] = []
    threading.Thread(target=_read, args=(channel, server), name="reader", daemon=True).start()
    try:
        built = build(channel, first[0]["settings"])
    except LoadError as error:
        channel.send({"type": "failed", "message": error.message, "remedy": error.remedy})
        return 1
    server.append(built)
    channel.send({"type": "ready", "facts": built.facts()})
    built.run()
    return 0


def end() -> None:
    """End this process at once, and with it the processes that the engine has started, and the folder of their sockets.

    The parent starts a worker as the leader of a process group of its own; otherwise only this process ends.
    """
    _forget_folder()
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _forget_folder() -> None:
    if folder := os.environ.get(FOLDER_VARIABLE):
        shutil.rmtree(folder, ignore_errors=True)


def _read(channel: Channel, server: list[Server]) -> None:
    """Hand on messages; end the process at once when the parent is gone, whatever the model is doing.

    `server` is empty while the model loads; the parent asks nothing before it hears `ready`.
    """
    while True:
        try:
            message = channel.receive()
        except WireError as error:
            print(f"the parent sent a broken message: {error}", file=sys.stderr, flush=True)
            message = None
        if message is None:
            end()
        elif message[0].get("type") == "close":
            if server:
                server[0].close()
            os._exit(0)
        elif server:
            server[0].accept(*message)
