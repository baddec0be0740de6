"""Scoring the tokens of an answer after two prompts that differ in the picture."""

from __future__ import annotations

from mmeval.core.hashing import digest
from mmeval.core.types import Request, Response, TokenContrast, TokenLogprobs
from mmeval.engines.base import ContrastsTokens, Engine, EngineInfo, ScoresTokens
from mmeval.pipeline.identity import request_hash
from mmeval.verifiers.dependency import written

CANNOT = "this engine cannot score given tokens (hf, vllm and lmdeploy with backend=pytorch can)"


def scores_hash(first: Request, second: Request, text: str, info: EngineInfo) -> str:
    """Hash of what is scored: both prompts, the answer, the model."""
    return digest(["token scores", request_hash(first, info), request_hash(second, info), text])


async def token_scores(engine: Engine, first: Request, second: Request, text: str) -> Response:
    """Return the scores as the text of a response (see `verifiers.dependency`): over the whole vocabulary where the engine can.

    An engine that cannot score, and an answer without text, are `unsupported`: a permanent fact, never a value.
    """
    if not text.strip():
        return Response("unsupported", error="the answer has no text whose tokens could be scored")
    if isinstance(engine, ContrastsTokens):
        return _response(await engine.contrast(first, second, text))
    if not isinstance(engine, ScoresTokens):
        return Response("unsupported", error=CANNOT)
    scored: list[TokenLogprobs] = []
    for request in (first, second):
        found = await engine.logprobs(request, text)
        if found.status != "ok":
            return Response(found.status, error=found.error)
        scored.append(found)
    if scored[0].tokens != scored[1].tokens:
        return Response("error", error="the engine cut the answer into other tokens after the other prompt")
    return _response(TokenContrast("ok", scored[0], scored[1]))


def _response(found: TokenContrast) -> Response:
    if found.status != "ok" or found.first is None:
        return Response(found.status if found.status != "ok" else "error", error=found.error)
    return Response("ok", text=written(found), finish_reason="stop", completion_tokens=len(found.first.tokens))
