"""One conversation of a strategy: every call and every search is looked up and committed by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from mmeval.conditions.strategy import SCORE, Found, Page
from mmeval.core.errors import MediaError
from mmeval.core.geometry import View
from mmeval.core.hashing import derived_seed, digest, sha256_bytes
from mmeval.core.types import Message, PreparedImage, PreparedMedia, Request, Response, Sampling
from mmeval.core.views import Region
from mmeval.pipeline.cache import KEPT_STATUS
from mmeval.pipeline.identity import cache_key, request_hash
from mmeval.pipeline.media import prepare_image
from mmeval.pipeline.retriever import RawPage
from mmeval.pipeline.sent_media import store_media
from mmeval.pipeline.views import keep, render_view
from mmeval.pipeline.work import Call, Stage, Unit, unsupported, without_bytes
from mmeval.tasks.samples import SENT

CRITIQUE_TOKENS = 4096
"""Longest reply of a verifier that writes."""
SEARCH_VERSION = 1
"""Raised whenever a stored search can mean something else."""


class NotAsked(Exception):
    """A strategy wants to ask although only the cache may answer."""


class Conversation:
    """What a strategy is handed, see `mmeval.conditions.strategy.Session`.

    Args:
        unit: what is asked.
        plain: its plain request, whose decoding every call takes.
        stage: the model's pass.
        send: asks the model.
        model: name of the model, for the cache.
        only_cached: whether the model may not be asked any more.
        verify: asks the verifier; None while it cannot be asked.
        workers: where pictures are cut.
    """

    def __init__(
        self,
        unit: Unit,
        plain: Request,
        stage: Stage,
        send: Callable[[Request], Awaitable[Response]],
        model: str,
        only_cached: bool,
        workers: Executor,
        verify: Callable[[Request, Callable[[str], bool] | None], Awaitable[tuple[Response, Call]]] | None = None,
    ) -> None:
        self._unit = unit
        self._plain = plain
        self._stage = stage
        self._send = send
        self._model = model
        self._only_cached = only_cached
        self._workers = workers
        self._verify = verify
        self.calls: list[Call] = []

    async def __call__(self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, /) -> Response:
        """Ask the model, or its cache.

        Raises:
            NotAsked: when only the cache may answer, and does not.
        """
        stage, plain = self._stage, self._plain
        refusal = unsupported(media, stage.modalities)
        if refusal is not None:
            return Response("unsupported", error=refusal)
        sample = replace(self._unit.sample, messages=messages)
        name = f"{plain.id}/{len(self.calls)}-{role}"
        request = replace(plain, id=name, messages=messages, media=media, sample=sample)
        if role == SCORE:
            # A score does not depend on decoding: repeats share it.
            request = replace(request, scored=True, sampling=Sampling(max_tokens=1), repeat=0)
        asked = request_hash(request, stage.info)
        key = cache_key(asked, stage.scope)
        stored = stage.cache.get(key)
        if stored is None and self._only_cached:
            raise NotAsked
        response = stored or await self._send(request)
        if stored is None:
            response = await self._commit(key, response, stage.info.engine, self._model)
        kept = without_bytes(media)
        self.calls.append(Call(role, None, self._model, asked, messages, response, stored is not None, kept))
        return response

    async def draw(
        self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, number: int, /
    ) -> Response:
        """See `Session.draw`."""
        plain = self._plain
        seed = plain.sampling.seed
        drawn = None if seed is None else derived_seed(seed, "draw", number)
        talk = Conversation(
            self._unit,
            replace(plain, repeat=1000 * (plain.repeat + 1) + number, sampling=replace(plain.sampling, seed=drawn)),
            self._stage, self._send, self._model, self._only_cached, self._workers, self._verify,
        )  # fmt: skip
        response = await talk(messages, media, role)
        self.calls += talk.calls
        return response

    async def verify(
        self,
        messages: tuple[Message, ...],
        media: tuple[PreparedMedia, ...],
        accepts: Callable[[str], bool] | None,
        /,
    ) -> Response:
        """See `Session.verify`.

        Raises:
            NotAsked: while the verifier cannot be asked; a later pass can.
        """
        if self._verify is None:
            raise NotAsked
        sampling = Sampling(max_tokens=1 if accepts is None else CRITIQUE_TOKENS)
        name = f"{self._plain.id}/{len(self.calls)}-reward"
        request = Request(name, messages, media, sampling, scored=accepts is None)
        response, call = await self._verify(request, accepts)
        self.calls.append(call)
        return response

    async def view(self, picture: PreparedMedia, region: Region | None) -> tuple[PreparedMedia, View]:
        """See `Session.view`; a video is shown as it is."""
        first = picture.images[0]
        if picture.kind == "video":
            return picture, View((first.width, first.height))
        return await asyncio.get_running_loop().run_in_executor(self._workers, self._render, first, region)

    def _render(self, image: PreparedImage, region: Region | None) -> tuple[PreparedMedia, View]:
        stage = self._stage
        store = None if stage.frame_store is None else stage.frame_store.with_name("views")
        name = f"sample {self._unit.sample.id}"
        shown, view = render_view(image, region, self._unit.grid, name, store)
        if stage.media_dir is not None:
            store_media(stage.media_dir, f"{shown.sha256}.{shown.format}", shown.data)
        return PreparedMedia("image", (shown,)), view

    def note(self, step: Mapping[str, Any], /) -> None:
        """See `Session.note`."""
        if self.calls:
            self.calls[-1] = replace(self.calls[-1], step=dict(step))

    async def search(self, query: str, /) -> Found:
        """See `Session.search`. What a retriever answered is kept for this run: its index may change."""
        section = self._unit.task.card.strategy
        retriever, stage = self._stage.retriever, self._stage
        if retriever is None or section is None or section.retrieval is None:
            return Found(failure=Response("error", error="there is no retriever (--retriever URL)"))
        top, sent = section.retrieval.top, self._unit.sample.context.options.get(SENT) or {}
        body = {"query": query, "top": top, "task": self._unit.task.name, "filter": sent}
        key = digest(["retriever", SEARCH_VERSION, stage.run_id, retriever.settings.url, body])
        in_thread = asyncio.get_running_loop().run_in_executor
        stored = stage.cache.get(key)
        pages = await in_thread(self._workers, self._kept, stored)
        if pages is None:
            if self._only_cached:
                raise NotAsked
            found = await retriever.search(body)
            if isinstance(found, Response):
                return Found(failure=found)
            try:
                pages = await in_thread(self._workers, self._prepare, found[:top])
            except MediaError as error:
                return Found(failure=Response("error", error=f"a page of the retriever: {error}"))
            facts = [{"id": p.id, "score": p.score, "sha256": p.media.images[0].sha256} for p in pages]
            text = orjson.dumps(facts).decode()
            own = Response("ok", text=text, finish_reason="stop")
            standing = await self._commit(key, own, "retriever", "retriever", replace=stored is not None)
            if standing != own:  # the same search was made meanwhile, and its pages were committed first
                pages = await in_thread(self._workers, self._kept, standing) or pages
        return Found(pages)

    def _prepare(self, found: list[RawPage]) -> tuple[Page, ...]:
        pages = []
        for raw in found:
            sha = sha256_bytes(raw.data)
            image, _ = prepare_image(
                raw.data, f"page {raw.id}", facts=self._stage.cache.image_facts(sha), source_sha256=sha
            )
            if self._page_store is not None:
                keep(self._page_store / f"{image.sha256}.{image.format}", image.data)
            pages.append(Page(raw.id, raw.score, PreparedMedia("image", (image,))))
        return tuple(pages)

    @property
    def _page_store(self) -> Path | None:
        store = self._stage.frame_store
        return None if store is None else store.with_name("pages")

    def _kept(self, stored: Response | None) -> tuple[Page, ...] | None:
        """The pages of a search that was made before, where all their pictures are still there."""
        store = self._page_store
        if stored is None or stored.text is None or store is None:
            return None
        pages = []
        for entry in orjson.loads(stored.text):
            paths = [
                path
                for path in (store / f"{entry['sha256']}.{form}" for form in ("jpeg", "png", "webp"))
                if path.is_file()
            ]
            data = paths[0].read_bytes() if paths else b""
            if sha256_bytes(data) != entry["sha256"]:
                return None
            image, _ = prepare_image(data, f"page {entry['id']}", source_sha256=entry["sha256"])
            pages.append(Page(entry["id"], entry["score"], PreparedMedia("image", (image,))))
        return tuple(pages)

    async def _commit(self, key: str, response: Response, engine: str, model: str, replace: bool = False) -> Response:
        """Commit what is permanent, and return the answer that stands (see `ResponseCache.put`)."""
        if response.status not in KEPT_STATUS:
            return response
        return await self._stage.cache.commit(key, response, engine=engine, model=model, replace=replace)
