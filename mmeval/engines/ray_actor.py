"""What runs on the nodes of a Ray cluster: one replica, which starts the managed worker of its engine as a child.

Ray looks this class up by name on the node, so mmeval must be installed there. All that goes through Ray is bytes: JSON, and
the wire format of `mmeval.engines.worker.wire`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import orjson

from mmeval import __version__
from mmeval.core.errors import MmevalError
from mmeval.engines.base import ModelSpec
from mmeval.engines.worker.wire import head_of, unpack

FORWARDED = (
    "backend", "target", "revision", "engine_args", "trust_remote_code", "timeout_s", "engine_python", "tensor_parallel",
    "data_parallel",
)  # fmt: skip
"""Fields of a `ModelSpec` that a replica is told."""


@functools.cache
def code_digest() -> str:
    """Hash of the source of `mmeval.engines`: what decides how a model is asked."""
    folder = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def own_version() -> str:
    """Version of mmeval here, and the hash of its engines."""
    return f"{__version__} ({code_digest()})"


def failure_of(error: MmevalError) -> bytes:
    """An error as a message."""
    return orjson.dumps({"failed": error.message, "remedy": error.remedy})


class ReplicaActor:
    """One replica."""

    def __init__(self) -> None:
        self._engine: Any = None

    async def hello(self) -> bytes:
        """Say who is here: `mmeval`, `host`, `pid`."""
        return orjson.dumps({"mmeval": own_version(), "host": platform.node(), "pid": os.getpid()})

    async def load(self, order: bytes) -> bytes:
        """Describe the model as the driver did, compare, and load it.

        Args:
            order: JSON with `spec` (fields of `FORWARDED`), and the driver's `identity` and `version`.

        Returns:
            JSON: `facts`, or `differs` (what another answer would come from), or `failed` and `remedy`.
        """
        from mmeval.engines.registry import CHECKPOINT_DIR, create_engine

        wanted = orjson.loads(order)
        told = wanted["spec"]
        if wanted["shipped"]:
            told["target"] = str(CHECKPOINT_DIR / told["target"])
        try:
            engine: Any = create_engine(ModelSpec(**told))
            info = await engine.describe()
            differs = _difference({"version": info.version, **info.identity}, wanted)
            if differs:
                return orjson.dumps({"differs": differs})
            started = await engine.start()
        except MmevalError as error:
            return failure_of(error)
        self._engine = engine
        return orjson.dumps({"facts": dict(started.details)}, default=str)

    async def ask(self, head: bytes, *pieces: bytes) -> bytes:
        """Answer one request of the wire format; `dead` in the answer says that the replica is of no use any more."""
        header, blobs = unpack(head, b"".join(pieces))
        worker = self._engine.worker
        answer = await worker.ask(header, blobs)
        if worker.dead is not None:
            answer = {**answer, "dead": worker.dead}
        return head_of(answer)

    async def close(self) -> None:
        """End the worker."""
        if self._engine is not None:
            await self._engine.close()


def _difference(own: dict[str, Any], wanted: dict[str, Any]) -> str:
    """What differs between a model here and the driver's, empty where nothing does."""
    theirs = {"version": wanted["version"], **wanted["identity"]}
    # Both through JSON, so that tuples and lists are the same.
    here, there = json.loads(json.dumps(own, default=str)), json.loads(json.dumps(theirs, default=str))
    names = [name for name in {**there, **here} if here.get(name) != there.get(name)]
    parts = []
    for name in names:
        mine, other = here.get(name), there.get(name)
        if isinstance(mine, dict) and isinstance(other, dict):
            inner = _first_difference(mine, other)
            parts.append(f"{name} ({inner})")
        else:
            parts.append(f"{name} ({mine} instead of {other})")
    return ", ".join(parts)


def _first_difference(mine: dict[str, Any], other: dict[str, Any]) -> str:
    """The innermost key at which two mappings differ first."""
    for name in sorted({*mine, *other}, key=str):
        one, two = mine.get(name), other.get(name)
        if one != two:
            if isinstance(one, dict) and isinstance(two, dict):
                return f"{name}: {_first_difference(one, two)}"
            return f"{name}: {one} instead of {two}"
    return ""
