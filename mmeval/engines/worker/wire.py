"""Messages between mmeval and a worker: a JSON header and raw blobs, each length-prefixed. Standard library only.

Frame: big-endian `uint32` header length, `uint64` payload length, the header (UTF-8 JSON object whose `sizes` lists
the blob lengths), the blobs. Nothing is pickled.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any

PREFIX = struct.Struct(">IQ")
HEADER_LIMIT = 64 * 1024 * 1024
PAYLOAD_LIMIT = 4 * 1024 * 1024 * 1024
TOKEN_VARIABLE = "MMEVAL_WORKER_TOKEN"
"""Environment variable through which the worker gets the secret that it must say first."""
FOLDER_VARIABLE = "MMEVAL_WORKER_FOLDER"
"""Environment variable that names the worker's own folder, which it removes when its parent is gone."""


class WireError(Exception):
    """A frame that is not of the documented form."""


def head_of(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Return the header of a frame as bytes; `unpack` reads it."""
    sizes = [len(blob) for blob in blobs]
    text = json.dumps({**header, "sizes": sizes}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def pack(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Return one frame."""
    head = head_of(header, blobs)
    return b"".join((PREFIX.pack(len(head), sum(map(len, blobs))), head, *blobs))


def lengths(prefix: bytes) -> tuple[int, int]:
    """Return (header length, payload length) of a frame's prefix.

    Raises:
        WireError: beyond the limits, as when something else than a worker talks here.
    """
    head, payload = PREFIX.unpack(prefix)
    if head > HEADER_LIMIT or payload > PAYLOAD_LIMIT:
        raise WireError(f"a frame of {head} + {payload} bytes")
    return head, payload


def unpack(head: bytes, payload: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return header and blobs of a frame.

    Raises:
        WireError: when the header is no JSON object or its sizes do not add up.
    """
    try:
        header = json.loads(head.decode("utf-8", "surrogatepass"))
        sizes = [int(size) for size in header["sizes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"broken header: {error}") from error
    if sum(sizes) != len(payload):
        raise WireError("blob sizes do not add up")
    blobs, start = [], 0
    for size in sizes:
        blobs.append(payload[start : start + size])
        start += size
    return header, blobs


class Channel:
    """The worker's blocking end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def connect(cls, address: str) -> Channel:
        """Connect to `unix:PATH` or `tcp:HOST:PORT`."""
        kind, _, rest = address.partition(":")
        if kind == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            connection = socket.create_connection((host, int(port)))
        return cls(connection)

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        """Send one message; safe from several threads."""
        frame = pack(header, blobs)
        with self._lock:
            self._connection.sendall(frame)

    def receive(self) -> tuple[dict[str, Any], list[bytes]] | None:
        """Wait for the next message; None when the other end is gone."""
        prefix = self._exactly(PREFIX.size)
        if prefix is None:
            return None
        head_size, payload_size = lengths(prefix)
        head = self._exactly(head_size)
        payload = self._exactly(payload_size)
        if head is None or payload is None:
            return None
        return unpack(head, payload)

    def _exactly(self, count: int) -> bytes | None:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while len(view):
            try:
                got = self._connection.recv_into(view)
            except ConnectionError:
                return None
            if got == 0:
                return None
            view = view[got:]
        return bytes(buffer)
