"""An engine for tests of everything else: fixed answers by a hash of the request, and faults on demand."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from typing import Any, cast

from mmeval.core.hashing import derived_seed, digest
from mmeval.core.types import MediaPart, Request, Response, Status, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec, score_text
from mmeval.engines.chance import uniform_answer
from mmeval.engines.options import number, one_of, refuse_unknown, whole

ARGUMENTS = frozenset(
    {
        "answer",
        "latency_s",
        "failure_share",
        "failure_seed",
        "failure_status",
        "failure_times",
        "crash_after",
        "coordinates",
        "score",
    }
)
_FAILURES = ("error", "timeout", "too_long", "refused")


def request_digest(request: Request) -> str:
    """Hash of all that may decide an answer: messages, media as sent, sampling, repeat, schema."""
    messages = [
        [m.role, [{"media": p.index} if isinstance(p, MediaPart) else {"text": p.text} for p in m.parts]]
        for m in request.messages
    ]
    sampling = {name: getattr(request.sampling, name) for name in sorted(SAMPLING_FIELDS)}
    media = [[prepared.kind, prepared.sha256] for prepared in request.media]
    schema = dict(request.schema) if request.schema is not None else None
    return digest([messages, media, sampling, request.repeat, schema])


class FakeEngine:
    """The `fake` backend.

    Engine arguments: `answer` (the text of every answer; otherwise one that fits the sample, by hash),
    `latency_s`, `failure_share` (of requests, chosen by `failure_seed` and the request's hash), `failure_status`,
    `failure_times` (how often a chosen request fails before it is answered; without it, always), `crash_after` (the
    whole process kills itself at the request after so many, as a power cut would), `coordinates` of the profile, `score` of
    an answer (`hash`, or its `length`).
    Faults and latency are no part of the identity, so that a run with faults and one without share answers.
    """

    supported_sampling = SAMPLING_FIELDS
    modalities = frozenset({"text", "image", "images", "video"})
    exclusive = False

    def __init__(self, spec: ModelSpec) -> None:
        args = spec.engine_args
        refuse_unknown("fake", args, ARGUMENTS)
        answer = args.get("answer")
        self._answer = None if answer is None else str(answer)
        self._latency = number(args, "latency_s", 0.0)
        self._failure_share = number(args, "failure_share", 0.0, high=1.0)
        self._failure_seed = whole(args, "failure_seed", 0, least=0)
        self._failure_status = cast(Status, one_of(args, "failure_status", _FAILURES, "error"))
        self._failure_times = whole(args, "failure_times")
        self._crash_after = whole(args, "crash_after", least=0)
        self._coordinates = one_of(args, "coordinates", ("pixels", "unit", "percent", "thousand"), "pixels")
        self._score = one_of(args, "score", ("hash", "length"), "hash")
        self._target = spec.target
        self._slots = spec.concurrency or 32
        self._failures: Counter[str] = Counter()
        self.asked = 0
        """Requests that reached the engine."""

    async def describe(self) -> EngineInfo:
        """See `Engine.describe`."""
        identity = {"engine": "fake", "target": self._target, "answer": self._answer}
        if self._score != "hash":
            identity["score"] = self._score
        profile: dict[str, Any] = {"name": "fake", "coordinates": self._coordinates, "coordinate_order": "xy"}
        return EngineInfo("fake", "1", identity, reads_sample=True, slots=self._slots, profile=profile)

    async def start(self) -> EngineInfo:
        """See `Engine.start`."""
        return await self.describe()

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        if self._crash_after is not None and self.asked >= self._crash_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.asked += 1
        if self._latency:
            await asyncio.sleep(self._latency)
        key = request_digest(request)
        if self._fails(key):
            return Response(
                self._failure_status,
                error=f"injected {self._failure_status}",
                retryable=self._failure_status in ("error", "timeout"),
                latency_s=self._latency,
            )
        text = self._answer
        if text is None:
            text = uniform_answer(request, random.Random(derived_seed("fake", self._target, key))) or key[:8]
        return Response(
            "ok",
            text=text,
            finish_reason="stop",
            prompt_tokens=16 + 64 * sum(len(media.images) for media in request.media),
            completion_tokens=1 + len(text) // 4,
            latency_s=self._latency,
            model="fake",
        )

    async def score(self, request: Request) -> Response:
        """See `ScoresAnswers.score`."""
        self.asked += 1
        key = request_digest(request)
        if self._fails(key):
            retryable = self._failure_status in ("error", "timeout")
            return Response(self._failure_status, error=f"injected {self._failure_status}", retryable=retryable)
        said = "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))
        value = len(said) if self._score == "length" else derived_seed("score", self._target, said) / 2**31
        return Response("ok", text=score_text([value], None), finish_reason="stop", completion_tokens=0, model="fake")

    def _fails(self, key: str) -> bool:
        if derived_seed("failure", self._failure_seed, key) / 2**31 >= self._failure_share:
            return False
        self._failures[key] += 1
        return self._failure_times is None or self._failures[key] <= self._failure_times

    async def close(self) -> None:
        """See `Engine.close`."""
