"""Content hashes: canonical JSON in, lower-case hexadecimal SHA-256 out."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """Serialise `value` to JSON with sorted keys, so that equal values give equal bytes.

    Raises:
        TypeError: for values that JSON cannot hold (bytes, arbitrary objects).
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value` as 64 hexadecimal digits."""
    return sha256_bytes(canonical_json(value))


def derived_seed(*parts: Any) -> int:
    """Return a seed in [0, 2**31) hashed from `parts`.

    Consecutive repeats must not use consecutive seeds: vLLM and LMDeploy derive the seeds of parallel samples by
    counting up, so neighbours would share samples.
    """
    return int.from_bytes(hashlib.sha256(canonical_json(list(parts))).digest()[:4], "big") & 0x7FFFFFFF
