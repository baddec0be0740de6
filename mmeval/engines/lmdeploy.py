"""The `lmdeploy` backend: LMDeploy's pipeline in a managed worker process, or a running `lmdeploy serve api_server`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.base import ModelSpec, slots_for
from mmeval.engines.checkpoint_engine import CheckpointEngine, adapter_folder
from mmeval.engines.options import one_of, whole
from mmeval.engines.registry import sees_gpu
from mmeval.engines.served import ServedEngine

OWN_ARGUMENTS = frozenset({"adapter", "backend", "min_pixels", "max_pixels"})
"""Arguments that mmeval translates; every other one goes to LMDeploy under its own name."""
AUTO = "auto"
BACKENDS = (AUTO, "turbomind", "pytorch")
TRANSPORT_ARGUMENTS = frozenset(
    {
        "tp",
        "dp",
        "cache_max_entry_count",
        "devices",
        "download_dir",
        "enable_metrics",
        "num_cpu_blocks",
        "num_gpu_blocks",
    }
)
"""LMDeploy's arguments that change no answer."""
SLOTS_GPU = 512
"""LMDeploy takes 128 to 1024 sequences at once, by the card; it prepares the images of further requests meanwhile."""
SLOTS_CPU = 64


def lmdeploy_engine(spec: ModelSpec) -> LmdeployEngine | ServedLmdeploy:
    """The engine of an `lmdeploy:` model: a server's client with `--base-url`, a managed worker otherwise."""
    return ServedLmdeploy(spec) if spec.base_urls else LmdeployEngine(spec)


class ServedLmdeploy(ServedEngine):
    """A running `lmdeploy serve api_server`, joined by its address."""

    server = "lmdeploy"


class LmdeployEngine(CheckpointEngine):
    """Answers with LMDeploy; it batches by itself."""

    backend = "lmdeploy"
    packages = ("lmdeploy",)
    extra = "lmdeploy"
    forces_schema = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        args = dict(spec.engine_args)
        self._pixels = {name: whole(args, name) for name in ("min_pixels", "max_pixels")}
        low, high = self._pixels["min_pixels"], self._pixels["max_pixels"]
        if low is not None and high is not None and low > high:
            raise EngineError(f"min_pixels={low} is above max_pixels={high}", remedy="swap them, or leave one out")
        choice = one_of(args, "backend", BACKENDS, AUTO)
        self._backend = None if choice == AUTO else choice
        self._adapter = adapter_folder(args)
        if spec.ray is not None and max(spec.data_parallel or 1, whole(args, "dp", 1) or 1) > 1:
            raise EngineError(
                "LMDeploy spreads data-parallel copies with a Ray of its own, which does not go inside a replica",
                remedy="leave --data-parallel out: with --workers ray the replicas share the requests (--replicas N)",
            )
        parallel = {"tp": spec.tensor_parallel, "dp": spec.data_parallel}
        self._arguments = {name: value for name, value in parallel.items() if value is not None}
        self._arguments |= {name: value for name, value in args.items() if name not in OWN_ARGUMENTS}

    def _identity_arguments(self) -> dict[str, Any]:
        stable = {name: value for name, value in self._arguments.items() if name not in TRANSPORT_ARGUMENTS}
        return {"backend": self._backend, **self._pixels, **stable}

    def _worker_settings(self) -> dict[str, Any]:
        adapter = None if self._adapter is None else str(self._adapter)
        return {**self._pixels, "backend": self._backend, "adapter": adapter, "arguments": self._arguments}

    def _slots(self) -> int:
        sequences = whole(self._arguments, "max_batch_size")
        if sequences is not None:
            return slots_for(sequences)
        return SLOTS_GPU if sees_gpu(self._spec) else SLOTS_CPU

    def _loaded_slots(self, facts: Mapping[str, Any]) -> int:
        sequences = facts.get("max_batch_size")
        return slots_for(sequences) if sequences else self._slots()

    def _gpus(self) -> int:
        return (whole(self._arguments, "tp", 1) or 1) if sees_gpu(self._spec) else 0
