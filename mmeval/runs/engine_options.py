"""Options that only some engines read: given where none of them does, they are most often meant for another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from mmeval.core.errors import UsageError
from mmeval.engines.base import ModelSpec
from mmeval.engines.registry import BUILT_IN, CHECKPOINT_BACKENDS

Reader: TypeAlias = Literal["endpoint", "loaded"]
"""Who reads an option: models behind an address, or checkpoints that mmeval loads."""
_SAID: Mapping[Reader, tuple[str, str]] = {
    "endpoint": ("served at an address", "name a served model, e.g. openai:NAME"),
    "loaded": ("loaded by mmeval", "name a checkpoint (hf:, vllm: or lmdeploy: without an address)"),
}


def _reads(spec: ModelSpec) -> frozenset[Reader]:
    """What the engine of a model reads; one of another package may read anything."""
    if spec.backend == "openai":
        return frozenset({"endpoint"})
    if spec.backend in CHECKPOINT_BACKENDS:
        return frozenset({"endpoint" if spec.base_urls and spec.backend != "hf" else "loaded"})
    return frozenset() if spec.backend in BUILT_IN else frozenset(_SAID)


def check_used(options: Mapping[Reader, Mapping[str, Any]], specs: Sequence[ModelSpec], *, judge: bool = False) -> None:
    """Refuse options that no engine reads.

    Args:
        options: reader -> option -> its value; None and empty ones are not given.
        specs: the models of the run, or its judge.
        judge: whether it is the judge, for the message.

    Raises:
        UsageError: naming the first of them.
    """
    readers = {reader for spec in specs for reader in _reads(spec)}
    for reader, given in options.items():
        option = next((name for name, value in given.items() if value), None)
        if option is not None and reader not in readers:
            kind, remedy = _SAID[reader]
            subject = "the judge is not" if judge else "no model of this run is"
            raise UsageError(
                f"{option}: {subject} {kind}, so nothing would read it", remedy=f"{remedy}, or leave {option} out"
            )
