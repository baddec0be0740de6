"""The `hf` backend: a transformers model in a managed worker process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.core.types import Request, Response, TokenContrast
from mmeval.engines.base import NO_SCORES, SCORE_INDEX, EngineInfo, ModelSpec, score_text
from mmeval.engines.checkpoint_engine import CheckpointEngine, scored
from mmeval.engines.identity import read_json
from mmeval.engines.options import one_of, refuse_unknown, whole
from mmeval.engines.registry import sees_gpu

ARGUMENTS = frozenset(
    {"dtype", "device", "batch_size", "max_pixels", "min_pixels", "attn_implementation", "max_model_len", SCORE_INDEX}
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
        on_gpu = sees_gpu(spec) if self._device == "auto" else self._device != "cpu"
        self._on_gpu = on_gpu
        dtype = one_of(args, "dtype", DTYPES, "auto")
        self._dtype = ("bfloat16" if on_gpu else "float32") if dtype == "auto" else dtype
        self._batch_size = whole(args, "batch_size", DEFAULT_BATCH_GPU if on_gpu else DEFAULT_BATCH_CPU) or 1
        self._limits = {name: whole(args, name) for name in ("max_pixels", "min_pixels", "max_model_len")}
        self._score_index = whole(args, SCORE_INDEX, least=0)
        self._scores_only = False
        """A head that scores stands where others have one that writes."""
        attention = args.get("attn_implementation")
        self._attention = None if attention is None else str(attention)

    def _identity_arguments(self) -> dict[str, Any]:
        index = {} if self._score_index is None else {SCORE_INDEX: self._score_index}
        return {**self._arguments(), **index}

    def _arguments(self) -> dict[str, Any]:
        return {"dtype": self._dtype, "attn_implementation": self._attention, **self._limits}

    async def describe(self) -> EngineInfo:
        """See `CheckpointEngine.describe`."""
        info = await super().describe()
        assert self._folder is not None
        self._scores_only = scores_answers(await asyncio.to_thread(read_json, self._folder / "config.json"))
        return info

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        if self._scores_only:
            error = "this checkpoint scores answers and writes none: ask a task that wants scores (protocol scalar)"
            return Response("unsupported", error=error)
        return await super().generate(request)

    async def score(self, request: Request) -> Response:
        """See `base.ScoresAnswers`."""
        await self.describe()
        if not self._scores_only:
            return Response("unsupported", error=NO_SCORES)
        answer = await self._ask(request, {"want": "score"})
        if answer["status"] != "ok":
            return Response(answer["status"], error=str(answer.get("error")))
        try:
            text = score_text(answer["values"], self._score_index)
        except ValueError as error:
            return Response("error", error=str(error))
        return Response(
            "ok", text=text, finish_reason="stop", prompt_tokens=answer["prompt_tokens"], completion_tokens=0
        )

    def _worker_settings(self) -> dict[str, Any]:
        return {
            **self._arguments(),
            "scores": self._scores_only,
            "device": self._device,
            "batch_size": self._batch_size,
        }

    def _slots(self) -> int:
        return 2 * self._batch_size

    def _gpus(self) -> int:
        return int(self._on_gpu)

    async def contrast(self, request: Request, other: Request, continuation: str) -> TokenContrast:
        """See `base.ContrastsTokens`."""
        second, blobs = self._message(other)
        answer = await self._ask(request, {"want": "contrast", "continuation": continuation, "other": second}, blobs)
        if answer["status"] != "ok":
            return TokenContrast(answer["status"], error=str(answer.get("error")))
        first = scored(answer)
        return TokenContrast(
            "ok", first, replace(first, logprobs=tuple(answer["other_logprobs"])), tuple(answer["divergence"])
        )


def scores_answers(config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's configuration names an architecture with a head that scores instead of one that writes."""
    return any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ())
