"""The `lmdeploy` backend: LMDeploy's pipeline in a managed worker process, or a running `lmdeploy serve api_server`."""

from __future__ import annotations

from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.base import ModelSpec
from mmeval.engines.batching_engine import BatchingEngine
from mmeval.engines.options import one_of, whole
from mmeval.engines.registry import sees_gpu
from mmeval.engines.served import ServedEngine

AUTO = "auto"
BACKENDS = (AUTO, "turbomind", "pytorch")


def lmdeploy_engine(spec: ModelSpec) -> LmdeployEngine | ServedLmdeploy:
    """The engine of an `lmdeploy:` model: a server's client with `--base-url`, a managed worker otherwise."""
    return ServedLmdeploy(spec) if spec.base_urls else LmdeployEngine(spec)


class ServedLmdeploy(ServedEngine):
    """A running `lmdeploy serve api_server`, joined by its address."""

    server = "lmdeploy"


class LmdeployEngine(BatchingEngine):
    """Answers with LMDeploy; it batches by itself."""

    backend = "lmdeploy"
    packages = ("lmdeploy",)
    extra = "lmdeploy"
    translated = BatchingEngine.translated | {"backend"}
    transport = frozenset(
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
    parallel = ("tp", "dp")
    sequences = "max_batch_size"

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        low, high = self._pixels["min_pixels"], self._pixels["max_pixels"]
        if low is not None and high is not None and low > high:
            raise EngineError(f"min_pixels={low} is above max_pixels={high}", remedy="swap them, or leave one out")
        choice = one_of(spec.engine_args, "backend", BACKENDS, AUTO)
        self._backend = None if choice == AUTO else choice
        if spec.ray is not None and max(spec.data_parallel or 1, whole(spec.engine_args, "dp", 1) or 1) > 1:
            raise EngineError(
                "LMDeploy spreads data-parallel copies with a Ray of its own, which does not go inside a replica",
                remedy="leave --data-parallel out: with --workers ray the replicas share the requests (--replicas N)",
            )

    def _identity_arguments(self) -> dict[str, Any]:
        return {"backend": self._backend, **super()._identity_arguments()}

    def _worker_settings(self) -> dict[str, Any]:
        return {"backend": self._backend, **super()._worker_settings()}

    def _gpus(self) -> int:
        return (whole(self._arguments, "tp", 1) or 1) if sees_gpu(self._spec) else 0
