"""The `hf` backend: a transformers model in a managed worker process."""

from __future__ import annotations

from typing import Any

from mmeval.core.errors import EngineError
from mmeval.engines.base import ModelSpec
from mmeval.engines.checkpoint_engine import CheckpointEngine
from mmeval.engines.options import one_of, refuse_unknown, whole
from mmeval.engines.registry import has_gpu

ARGUMENTS = frozenset(
    {"dtype", "device", "batch_size", "max_pixels", "min_pixels", "attn_implementation", "max_model_len"}
)
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_BATCH_CPU = 16
DEFAULT_BATCH_GPU = 32


class HfEngine(CheckpointEngine):
    """Answers with transformers, batched; the model lives in a child process."""

    backend = "hf"
    packages = ("transformers",)
    requires = ("torch",)
    extra = "hf"

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        args = spec.engine_args
        refuse_unknown("hf", args, ARGUMENTS)
        if (spec.tensor_parallel or 1) > 1 or (spec.data_parallel or 1) > 1:
            raise EngineError(
                "the hf engine runs one copy of the model on one device",
                remedy="leave --tensor-parallel and --data-parallel out, or use vllm: or lmdeploy:",
            )
        self._device = str(args.get("device", "auto"))
        on_gpu = has_gpu() if self._device == "auto" else self._device != "cpu"
        dtype = one_of(args, "dtype", DTYPES, "auto")
        self._dtype = ("bfloat16" if on_gpu else "float32") if dtype == "auto" else dtype
        self._batch_size = whole(args, "batch_size", DEFAULT_BATCH_GPU if on_gpu else DEFAULT_BATCH_CPU) or 1
        self._limits = {name: whole(args, name) for name in ("max_pixels", "min_pixels", "max_model_len")}
        attention = args.get("attn_implementation")
        self._attention = None if attention is None else str(attention)

    def _identity_arguments(self) -> dict[str, Any]:
        return {"dtype": self._dtype, "attn_implementation": self._attention, **self._limits}

    def _worker_settings(self) -> dict[str, Any]:
        return {**self._identity_arguments(), "device": self._device, "batch_size": self._batch_size}

    def _slots(self) -> int:
        return 2 * self._batch_size
