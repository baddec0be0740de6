"""Checkpoints under an engine of its own package that batches by itself and takes arguments under its own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mmeval.engines.base import ModelSpec, slots_for
from mmeval.engines.checkpoint_engine import CheckpointEngine, adapter_folder
from mmeval.engines.options import whole
from mmeval.engines.registry import sees_gpu

SLOTS_GPU = 512
"""Of an engine that has not said yet how many sequences it takes at once: vLLM mostly 256, LMDeploy 128 to 1024, by the card."""
SLOTS_CPU = 64
PIXELS = ("min_pixels", "max_pixels")


class BatchingEngine(CheckpointEngine):
    """Hands the arguments of `-m` and `--engine-arg` to the package's engine, except those that mmeval translates."""

    forces_schema = True
    translated: ClassVar[frozenset[str]] = frozenset({"adapter", *PIXELS})
    """Arguments that mmeval translates; every other one goes to the engine under its own name."""
    transport: ClassVar[frozenset[str]]
    """The engine's arguments that change no answer."""
    parallel: ClassVar[tuple[str, str]]
    """The engine's names of `--tensor-parallel` and `--data-parallel`."""
    sequences: ClassVar[str]
    """The engine's name for how many sequences it takes at once."""

    def __init__(self, spec: ModelSpec) -> None:
        """See `checkpoint_engine.CheckpointEngine`.

        Raises:
            EngineError: as there, or when an argument that mmeval translates is not what it should be.
        """
        super().__init__(spec)
        self._pixels = {name: whole(spec.engine_args, name) for name in PIXELS}
        self._adapter = adapter_folder(spec.engine_args)
        parallel = zip(self.parallel, (spec.tensor_parallel, spec.data_parallel), strict=True)
        self._arguments = {name: value for name, value in parallel if value is not None}
        self._arguments |= {name: value for name, value in spec.engine_args.items() if name not in self.translated}

    def _identity_arguments(self) -> dict[str, Any]:
        stable = {name: value for name, value in self._arguments.items() if name not in self.transport}
        return {**self._pixels, **stable}

    def _worker_settings(self) -> dict[str, Any]:
        adapter = None if self._adapter is None else str(self._adapter)
        return {**self._pixels, "adapter": adapter, "arguments": self._arguments}

    def _slots(self) -> int:
        sequences = whole(self._arguments, self.sequences)
        if sequences is not None:
            return slots_for(sequences)
        return SLOTS_GPU if sees_gpu(self._spec) else SLOTS_CPU

    def _loaded_slots(self, facts: Mapping[str, Any]) -> int:
        sequences = facts.get(self.sequences)
        return slots_for(sequences) if sequences else self._slots()
