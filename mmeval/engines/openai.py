"""The `openai` backend: any OpenAI-compatible endpoint over aiohttp, one or several replicas."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from mmeval.core.errors import EngineError
from mmeval.core.types import Request, Response
from mmeval.engines.base import NO_SCORES, SAMPLING_FIELDS, EngineInfo, Load, ModelSpec
from mmeval.engines.endpoints import Endpoint, Endpoints
from mmeval.engines.load import MOST_BYTES, read_load, together
from mmeval.engines.openai_body import BodyStyle, chat_body
from mmeval.engines.openai_http import HttpClient, UnreachableError, checked_url, found_key
from mmeval.engines.openai_models import Served, ask_served
from mmeval.engines.openai_reply import reply
from mmeval.engines.openai_score import OWN_ARGUMENTS, ScoreStyle, lacks_route
from mmeval.engines.options import one_of
from mmeval.engines.profiles import choose_profile

DEFAULT_BASE_URL = "https://api.openai.com/v1"
OPENAI_HOSTS = ("api.openai.com",)
BEYOND_OPENAI = frozenset({"top_k", "min_p", "repetition_penalty"})
"""Sampling fields that vLLM, LMDeploy and SGLang know and the OpenAI API refuses."""
RESERVED = frozenset({"model", "messages", "stream", "stream_options", "n", "response_format", "max_completion_tokens"})
"""Body fields that mmeval sets itself."""
DEFAULT_SLOTS = 64
"""Requests in flight per endpoint when the user names no number."""
LOAD_TIMEOUT_S = 5.0


class OpenAIEngine:
    """Any compatible endpoint. `--engine-arg` fields go into the request body under the server's own names.

    Some arguments are mmeval's own: `video` = `frames` (a video is sent as several images, the default) or `video_url`;
    `score_route` = `pooling` (default), `classify`, `score` or `sign` and `score_index`, for reward models (`openai_score`).
    """

    modalities = frozenset({"text", "image", "images", "video"})
    exclusive = False

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        urls = spec.base_urls or (os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL,)
        bases = list(dict.fromkeys(checked_url(url) for url in urls))
        self._strict = any(urlsplit(base).hostname in OPENAI_HOSTS for base in bases)
        self.supported_sampling = SAMPLING_FIELDS - BEYOND_OPENAI if self._strict else SAMPLING_FIELDS
        key = found_key(spec.api_key)
        own = {"video", *OWN_ARGUMENTS}
        extra = {name: value for name, value in spec.engine_args.items() if name not in own}
        self._scoring = ScoreStyle.of(spec.engine_args)
        for name in extra:
            if name in RESERVED or name in SAMPLING_FIELDS:
                remedy = "use --sampling" if name in SAMPLING_FIELDS else "repeats are separate requests: --repeats"
                raise EngineError(f"engine argument {name!r} is set by mmeval itself", remedy=remedy)
        self._style = BodyStyle(
            spec.target,
            max_tokens_field="max_completion_tokens" if self._strict else "max_tokens",
            video_as_frames=one_of(spec.engine_args, "video", ("frames", "video_url"), "frames") == "frames",
            extra=extra,
        )
        self._concurrency = spec.concurrency or DEFAULT_SLOTS * len(bases)
        self._endpoints = Endpoints(bases, self._concurrency)
        self._cuts_stops = False
        """The server is LMDeploy, which takes a stop string for every token that contains it, drops those tokens whole, and
        ignores a string of several tokens; so it is sent none, and an answer may cost more tokens than it shows."""
        self._http = HttpClient(key, spec.timeout_s)
        self._info: EngineInfo | None = None
        self._served = Served({})
        """What the first endpoint serves."""

    async def describe(self) -> EngineInfo:
        """Ask every endpoint which models it serves. Of several, those that are not there yet are asked again later.

        Raises:
            EngineError: all endpoints down, wrong key, unknown model, no OpenAI-compatible endpoint, or several that serve
                other things under one name.
        """
        if self._info is None:
            found = await asyncio.gather(*map(self._ask_served, self._endpoints.all), return_exceptions=True)
            there: list[tuple[Endpoint, Served]] = []
            for endpoint, served in zip(self._endpoints.all, found, strict=True):
                if isinstance(served, BaseException):
                    if not isinstance(served, UnreachableError) or all(isinstance(one, BaseException) for one in found):
                        raise served
                    endpoint.known = False
                else:
                    there.append((endpoint, served))
            first, self._served = there[0]
            for endpoint, served in there[1:]:
                if difference := self._differs(served):
                    raise EngineError(
                        f"{first.base} and {endpoint.base} do not serve the same: {difference}",
                        remedy="serve one model with one engine on all; --model-id says which weights they are",
                    )
            self._cuts_stops = self._served.engine == "lmdeploy"
            self._info = self._describe([served for _, served in there])
        return self._info

    async def _ask_served(self, endpoint: Endpoint) -> Served:
        return await ask_served(self._http, endpoint.base, self._spec.target)

    def _differs(self, served: Served) -> str:
        """What another endpoint serves than the first one, or nothing. With `--model-id` the weights are the user's word."""
        return self._served.difference(served, entries=self._spec.model_id is None)

    async def _is_alike(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint that was not there at the start serves what the others do."""
        return not self._differs(await self._ask_served(endpoint))

    async def start(self) -> EngineInfo:
        """See `Engine.start`; there is nothing to load."""
        return await self.describe()

    def _describe(self, all_served: Sequence[Served]) -> EngineInfo:
        spec, first = self._spec, all_served[0]
        identity: dict[str, Any] = {"model_id": spec.model_id}
        if spec.model_id is None:
            # All endpoints serve the same, so their number is no part of it.
            identity = {"served": spec.target, "models": [first.stable]}
        identity |= self._scoring.identity
        if self._style.extra or not self._style.video_as_frames:
            identity["arguments"] = {**self._style.extra, "video_as_frames": self._style.video_as_frames}
        return EngineInfo(
            "openai",
            f"{first.engine} {first.version}".strip(),
            identity,
            shared_identity=spec.model_id is not None,
            slots=self._concurrency,
            details={
                "server": first.engine or "unknown",
                "server_version": first.version or "unknown",
                "base_urls": [endpoint.base for endpoint in self._endpoints.all],
                "unreachable": [endpoint.base for endpoint in self._endpoints.all if not endpoint.known],
                "models": [served.entry for served in all_served],
                "timeout_s": spec.timeout_s,
            },
            profile=choose_profile(spec.profile, first.local_config, spec.target),
        )

    @property
    def servers(self) -> frozenset[str]:
        """See `base.Remote`."""
        return frozenset(endpoint.base for endpoint in self._endpoints.all)

    def resize(self, slots: int) -> None:
        """See `base.Remote`."""
        self._endpoints.resize(slots)

    async def load(self) -> Load | None:
        """See `base.Remote`; the hosted API is not asked."""
        if self._strict or not self._http.is_open:
            return None
        known = [endpoint.base for endpoint in self._endpoints.all if endpoint.known]
        found = [load for load in await asyncio.gather(*map(self._load_of, known)) if load is not None]
        return together(found) if len(found) == len(known) and found else None

    async def _load_of(self, base: str) -> Load | None:
        url = f"{base.removesuffix('/v1')}/metrics"
        page = await self._http.page(url, timeout_s=LOAD_TIMEOUT_S, most=MOST_BYTES)
        return None if page is None else read_load(page.decode("utf-8", "replace"), self._spec.target)

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        unsupported = [name for name in BEYOND_OPENAI if getattr(request.sampling, name) is not None]
        if self._strict and unsupported:
            return Response("error", error=f"{', '.join(sorted(unsupported))}: unknown to the OpenAI API")
        stops = request.sampling.stop if self._cuts_stops else ()
        if stops:
            request = replace(request, sampling=replace(request.sampling, stop=()))
        self._endpoints.admit(self._is_alike)
        async with self._endpoints.one(_picture(request)) as endpoint:
            started = time.perf_counter()
            address = f"{endpoint.base}/chat/completions"
            response = await self._ask(endpoint, address, chat_body(request, self._style), reply)
        return self._timed(_cut(response, stops), started)

    async def score(self, request: Request) -> Response:
        """See `base.ScoresAnswers`: asks the route `score_route`."""
        self._endpoints.admit(self._is_alike)
        async with self._endpoints.one(_picture(request)) as endpoint:
            started = time.perf_counter()
            body = self._scoring.body(request, self._style)
            response = await self._ask(endpoint, self._scoring.address(endpoint.base), body, self._scoring.reply)
        if lacks_route(response):
            response = Response("unsupported", error=f"{NO_SCORES} ({self._scoring.route}: {response.error})")
        return self._timed(response, started)

    def _timed(self, response: Response, started: float) -> Response:
        if response.error is not None:
            response = replace(response, error=self._http.redact(response.error))
        return replace(response, latency_s=time.perf_counter() - started)

    async def _ask(
        self, endpoint: Endpoint, address: str, body: bytes, read: Callable[[str, bytes], Response]
    ) -> Response:
        response, unreachable = await self._http.post(endpoint.base, address, body, read)
        return self._endpoints.noted(endpoint, response, unreachable)

    async def close(self) -> None:
        """See `Engine.close`."""
        await self._endpoints.close()
        await self._http.close()


def _picture(request: Request) -> str | None:
    """Hash of the first picture as sent."""
    return next((image.sha256 for media in request.media for image in media.images), None)


def _cut(response: Response, stops: Sequence[str]) -> Response:
    """The answer up to the first stop string in it."""
    text = response.text
    places = [place for stop in stops if stop and text is not None and (place := text.find(stop)) >= 0]
    return (
        replace(response, text=text[: min(places)], finish_reason="stop") if places and text is not None else response
    )
