"""One row of the response cache: an answer as it is stored, and the checksum beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from mmeval.core.types import Response

COLUMNS = "key, created, engine, model, response, checksum"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One row of the cache as it is stored; `data` is JSON."""

    key: str
    created: float
    """Seconds since 1970."""
    engine: str
    model: str
    data: bytes
    checksum: bytes

    @property
    def sound(self) -> bool:
        """Whether the checksum fits."""
        return checksum_of(self.key, self.data) == self.checksum

    @property
    def row(self) -> tuple[str, float, str, str, bytes, bytes]:
        """The values of the table's columns."""
        return self.key, self.created, self.engine, self.model, self.data, self.checksum


def stored_answer(row: tuple[Any, ...]) -> StoredAnswer:
    """Return a row of `COLUMNS` as the database gives it."""
    key, created, engine, model, data, checksum = row
    return StoredAnswer(key, created, engine, model, data.encode() if isinstance(data, str) else data, checksum)


def checksum_of(key: str, data: bytes | str) -> bytes:
    """The checksum that is stored beside an entry."""
    if isinstance(data, str):  # SQLite gives text where something else has written the cell
        data = data.encode()
    return hashlib.blake2b(key.encode() + data, digest_size=12).digest()


def encode_response(response: Response) -> bytes:
    """Return an answer as JSON, without what it does not say."""
    # Zero is a value: an endpoint that counts no reasoning tokens says 0.
    fields = ((name, getattr(response, name)) for name in Response.__dataclass_fields__)
    return orjson.dumps({name: value for name, value in fields if value is not None and value is not False})


def decode_response(data: bytes) -> Response:
    """Return the answer that `encode_response` has written."""
    return Response(**orjson.loads(data))
