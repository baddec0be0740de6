"""The `openai` backend: any OpenAI-compatible endpoint over aiohttp, one or several replicas."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from mmeval.core.addresses import is_loopback
from mmeval.core.errors import EngineError, nearest
from mmeval.core.secrets import without_key
from mmeval.core.types import Request, Response
from mmeval.engines.base import NO_SCORES, SAMPLING_FIELDS, EngineInfo, Load, ModelSpec
from mmeval.engines.endpoints import Endpoint, Endpoints
from mmeval.engines.load import MOST_BYTES, read_load, together
from mmeval.engines.openai_body import BodyStyle, chat_body
from mmeval.engines.openai_reply import error_fields, failure, reply
from mmeval.engines.openai_score import OWN_ARGUMENTS, ScoreStyle, lacks_route
from mmeval.engines.options import one_of
from mmeval.engines.profiles import choose_profile

DEFAULT_BASE_URL = "https://api.openai.com/v1"
OPENAI_HOSTS = ("api.openai.com",)
BEYOND_OPENAI = frozenset({"top_k", "min_p", "repetition_penalty"})
"""Sampling fields that vLLM, LMDeploy and SGLang know and the OpenAI API refuses."""
RESERVED = frozenset({"model", "messages", "stream", "stream_options", "n", "response_format", "max_completion_tokens"})
"""Body fields that mmeval sets itself."""
KEY_VARIABLES = ("MMEVAL_API_KEY", "OPENAI_API_KEY")
DEFAULT_SLOTS = 64
"""Requests in flight per endpoint when the user names no number."""
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; more is no answer."""
START_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 5.0


class _UnreachableError(EngineError):
    """No connection, or no answer in time: the endpoint may be there later."""


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
        bases = list(dict.fromkeys(_checked_url(url) for url in urls))
        self._strict = any(urlsplit(base).hostname in OPENAI_HOSTS for base in bases)
        self.supported_sampling = SAMPLING_FIELDS - BEYOND_OPENAI if self._strict else SAMPLING_FIELDS
        key = spec.api_key or next((v for n in KEY_VARIABLES if (v := os.environ.get(n))), None)
        self._key = key.strip() if key and key.strip() else None
        if self._key is not None and not self._key.isprintable():
            raise EngineError("the key has control characters", remedy=f"set {' or '.join(KEY_VARIABLES)} again")
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
        self._session: aiohttp.ClientSession | None = None
        self._info: EngineInfo | None = None
        self._entry: dict[str, Any] = {}
        self._server_is: tuple[str, str] = ("", "")

    async def describe(self) -> EngineInfo:
        """Ask every endpoint which models it serves. Of several, those that are not there yet are asked again later.

        Raises:
            EngineError: all endpoints down, wrong key, unknown model, no OpenAI-compatible endpoint, or several that serve
                other things under one name.
        """
        if self._info is None:
            found = await asyncio.gather(
                *(self._facts(endpoint) for endpoint in self._endpoints.all), return_exceptions=True
            )
            there: list[tuple[Endpoint, dict[str, Any], tuple[str, str]]] = []
            for endpoint, facts in zip(self._endpoints.all, found, strict=True):
                if isinstance(facts, BaseException):
                    if not isinstance(facts, _UnreachableError) or all(isinstance(one, BaseException) for one in found):
                        raise facts
                    endpoint.known = False
                else:
                    there.append((endpoint, *facts))
            first, self._entry, self._server_is = there[0]
            for endpoint, entry, server in there[1:]:
                if difference := self._differs(entry, server):
                    raise EngineError(
                        f"{first.base} and {endpoint.base} do not serve the same: {difference}",
                        remedy="serve one model with one engine on all; --model-id says which weights they are",
                    )
            engine, version = self._server_is
            self._cuts_stops = engine == "lmdeploy"
            self._info = self._describe([entry for _, entry, _ in there], engine, version)
        return self._info

    async def _facts(self, endpoint: Endpoint) -> tuple[dict[str, Any], tuple[str, str]]:
        """What an endpoint says of the model, and which engine serves it."""
        entry = await self._model_entry(endpoint.base)
        return entry, await self._server(endpoint.base, entry)

    def _differs(self, entry: dict[str, Any], server: tuple[str, str]) -> str:
        """What another endpoint serves than the first one, or nothing. With `--model-id` the weights are the user's word."""
        if self._spec.model_id is None and _stable(entry) != _stable(self._entry):
            names = sorted({*_stable(entry), *_stable(self._entry)})
            changed = [name for name in names if entry.get(name) != self._entry.get(name)]
            return ", ".join(f"{name} {self._entry.get(name)!r} and {entry.get(name)!r}" for name in changed)[:500]
        (engine, version), (other, other_version) = self._server_is, server
        if (engine and other and engine != other) or (version and other_version and version != other_version):
            return f"{engine} {version} and {other} {other_version}"
        return ""

    async def _is_alike(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint that was not there at the start serves what the others do."""
        return not self._differs(*await self._facts(endpoint))

    async def start(self) -> EngineInfo:
        """See `Engine.start`; there is nothing to load."""
        return await self.describe()

    def _describe(self, entries: list[dict[str, Any]], engine: str, version: str) -> EngineInfo:
        spec = self._spec
        identity: dict[str, Any] = {"model_id": spec.model_id}
        if spec.model_id is None:
            # All endpoints serve the same, so their number is no part of it.
            identity = {"served": spec.target, "models": [_stable(entries[0])]}
        identity |= self._scoring.identity
        if self._style.extra or not self._style.video_as_frames:
            identity["arguments"] = {**self._style.extra, "video_as_frames": self._style.video_as_frames}
        return EngineInfo(
            "openai",
            f"{engine} {version}".strip(),
            identity,
            shared_identity=spec.model_id is not None,
            slots=self._concurrency,
            details={
                "server": engine or "unknown",
                "server_version": version or "unknown",
                "base_urls": [endpoint.base for endpoint in self._endpoints.all],
                "unreachable": [endpoint.base for endpoint in self._endpoints.all if not endpoint.known],
                "models": entries,
                "timeout_s": spec.timeout_s,
            },
            profile=choose_profile(spec.profile, _local_config(entries[0]), spec.target),
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
        if self._strict or self._session is None or self._session.closed:
            return None
        known = [endpoint.base for endpoint in self._endpoints.all if endpoint.known]
        found = [load for load in await asyncio.gather(*map(self._load_of, known)) if load is not None]
        return together(found) if len(found) == len(known) and found else None

    async def _load_of(self, base: str) -> Load | None:
        timeout = aiohttp.ClientTimeout(total=LOAD_TIMEOUT_S)
        url = f"{base.removesuffix('/v1')}/metrics"
        try:
            async with self._open().get(url, timeout=timeout, allow_redirects=False) as answer:
                if answer.status != 200:
                    return None
                page = await _read(answer, MOST_BYTES)
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            return None  # what tells no load is asked without
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
            response = replace(response, error=self._redact(response.error))
        return replace(response, latency_s=time.perf_counter() - started)

    async def _ask(
        self, endpoint: Endpoint, address: str, body: bytes, read: Callable[[str, bytes], Response]
    ) -> Response:
        response, unreachable = await self._posted(endpoint, address, body, read)
        return self._endpoints.noted(endpoint, response, unreachable)

    async def _posted(
        self, endpoint: Endpoint, address: str, body: bytes, read: Callable[[str, bytes], Response]
    ) -> tuple[Response, bool]:
        """The answer, and whether the endpoint could not be reached or did not answer in time."""
        # A BytesIO is sent in chunks; plain bytes beyond 1 MB would block the event loop.
        data = body if len(body) < 1 << 20 else io.BytesIO(body)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._open().post(address, data=data, headers=headers, allow_redirects=False) as answer:
                content = await _read(answer)
                if content is None:
                    return Response("error", error=f"the answer is larger than {ANSWER_LIMIT >> 20} MiB"), False
                content = without_key(content, self._key)
                if answer.status == 200:
                    return read(answer.headers.get("Content-Type", ""), content), False
                if answer.status in (401, 403):
                    message = self._key_message(endpoint.base, answer.status, content)
                    return Response("error", error=f"{message.message} -> {message.remedy}", fatal=True), False
                return failure(answer.status, answer.headers, content), False
        except TimeoutError:
            return Response("timeout", error=f"no answer within {self._spec.timeout_s:g} s", retryable=True), True
        except aiohttp.ClientConnectorError as error:
            return Response("error", error=f"cannot reach {endpoint.base}: {error.os_error}", retryable=True), True
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = f"the connection broke: {type(error).__name__}: {error}"
            return Response("error", error=reason, retryable=True), False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(
                # Whoever asks bounds the requests; that bound may grow.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
                timeout=aiohttp.ClientTimeout(total=self._spec.timeout_s, sock_connect=min(30.0, self._spec.timeout_s)),
                headers=headers,
                # A proxy of the environment is for the internet, not for an endpoint on this machine.
                trust_env=not any(is_loopback(endpoint.base) for endpoint in self._endpoints.all),
                auto_decompress=True,
            )
        return self._session

    async def _get(self, url: str) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=min(START_TIMEOUT_S, self._spec.timeout_s))
        try:
            async with self._open().get(url, timeout=timeout, allow_redirects=False) as answer:
                return answer.status, without_key(await _read(answer) or b"", self._key)
        except TimeoutError as error:
            raise _UnreachableError(
                f"{url} does not answer", remedy="is the server up, and --base-url right?"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = getattr(error, "os_error", None) or error
            message = self._redact(f"{url} cannot be reached: {reason}")
            raise _UnreachableError(
                message, remedy="is the server up, and --base-url right (it usually ends in /v1)?"
            ) from error

    async def _model_entry(self, base: str) -> dict[str, Any]:
        """Return what `/v1/models` says of the model; empty where the endpoint has no such list."""
        status, body = await self._get(f"{base}/models")
        if status in (401, 403):
            raise self._key_message(base, status, body)
        if status in (404, 405, 501) and not body.lstrip().startswith(b"<"):
            if not base.endswith("/v1") and (await self._get(f"{base}/v1/models"))[0] == 200:
                raise EngineError(
                    f"{base}/models is not there, {base}/v1/models is", remedy=f"use --base-url {base}/v1"
                )
            return {}
        if status != 200:
            message = self._redact(f"{base}/models answers HTTP {status}: {error_fields(body)['message']}")
            raise EngineError(message, remedy="--base-url names the folder above /chat/completions, usually …/v1")
        try:
            payload = orjson.loads(body)
            entries = {str(entry["id"]): entry for entry in payload["data"]}
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            what = "HTML" if body.lstrip()[:1] == b"<" else "no model list"
            raise EngineError(
                f"{base}/models answers {what}: this is no OpenAI-compatible endpoint",
                remedy="--base-url names the folder above /chat/completions, usually …/v1",
            ) from error
        if self._spec.target not in entries:
            close = nearest(self._spec.target, entries) or sorted(entries)[:12]
            raise EngineError(
                f"{base} does not serve a model {self._spec.target!r}",
                remedy=f"it serves {', '.join(close)}" + (" …" if len(entries) > len(close) else ""),
            )
        entry: dict[str, Any] = entries[self._spec.target]
        return entry

    async def _server(self, base: str, entry: Mapping[str, Any]) -> tuple[str, str]:
        """Name and version of the serving engine, where it tells."""
        owner = str(entry.get("owned_by") or "")
        if owner not in ("vllm", "sglang"):
            return ("lmdeploy" if owner == "lmdeploy" else "", "")
        root = base.removesuffix("/v1")
        try:
            status, body = await self._get(f"{root}/version")
            version = orjson.loads(body).get("version", "") if status == 200 else ""
        except (EngineError, orjson.JSONDecodeError, AttributeError):
            return owner, ""
        return owner, str(version)

    def _key_message(self, base: str, status: int, body: bytes) -> EngineError:
        state = "the key was refused" if self._key else "it wants a key, and none is set"
        said = error_fields(body)["message"]
        message = self._redact(f"{base} answers HTTP {status}: {state}" + (f" ({said})" if said else ""))
        return EngineError(message, remedy=f"set the environment variable {' or '.join(KEY_VARIABLES)}")

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    async def close(self) -> None:
        """See `Engine.close`."""
        await self._endpoints.close()
        if self._session is not None:
            await self._session.close()
            self._session = None


def _picture(request: Request) -> str | None:
    """Hash of the first picture as sent."""
    return next((image.sha256 for media in request.media for image in media.images), None)


def _stable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an endpoint says of a model, without what changes when it is started again."""
    return {name: value for name, value in entry.items() if name not in ("created", "permission")}


def _cut(response: Response, stops: Sequence[str]) -> Response:
    """The answer up to the first stop string in it."""
    text = response.text
    places = [place for stop in stops if stop and text is not None and (place := text.find(stop)) >= 0]
    return (
        replace(response, text=text[: min(places)], finish_reason="stop") if places and text is not None else response
    )


async def _read(answer: aiohttp.ClientResponse, most: int = ANSWER_LIMIT) -> bytes | None:
    """The whole body, or None beyond the limit."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > most:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _checked_url(url: str) -> str:
    if "@" in url:  # before anything else, so that no message quotes it
        raise EngineError("--base-url holds a user name or password", remedy=f"set {KEY_VARIABLES[0]} instead")
    if "?" in url or "#" in url:
        raise EngineError(
            "--base-url has a query, and paths are added at its end",
            remedy=f"leave out what follows the '?'; a key goes into {KEY_VARIABLES[0]}",
        )
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises beyond 65535
    except ValueError as error:
        raise EngineError(f"--base-url {url!r}: {error}", remedy="e.g. http://127.0.0.1:8000/v1") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(f"--base-url {url!r} is no address", remedy="e.g. http://127.0.0.1:8000/v1")
    return url.rstrip("/").removesuffix("/chat/completions")


def _local_config(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """config.json of the served checkpoint, when the server names a folder that this machine has too."""
    root = entry.get("root")
    if not isinstance(root, str) or not Path(root).is_absolute():
        return None
    try:
        config = orjson.loads((Path(root) / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return config if isinstance(config, dict) else None
