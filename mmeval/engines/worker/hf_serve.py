"""The hf worker: one thread reads requests, one prepares inputs, the main thread keeps the model busy."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from .checkpoint import Loaded, Settings, load
from .decoding import Decoding, generate, resolve
from .failures import MEMORY_REMEDY, RequestError, is_out_of_memory
from .inputs import InputBuilder, Item
from .scoring import extended, head_values, token_contrast, token_logprobs
from .wire import Channel


@dataclass
class Job:
    """A prepared request."""

    key: int
    item: Item
    decoding: Decoding
    limit: int
    """`max_tokens` as asked; `decoding` holds what the context leaves of it."""
    started: float
    continuation: list[int] | None = None
    """Tokens to be scored; None when an answer is wanted."""
    rated: bool = False
    """The head's score of the whole conversation is wanted."""
    other: Item | None = None
    """A second prompt with the same continuation, to be contrasted with the first; such a job runs alone."""

    @property
    def kind(self) -> tuple[Any, ...]:
        """Jobs of equal kind can share a batch; those to be scored have equal lengths, so that nothing is padded."""
        if self.rated:
            return ("score", *self.item.signature, len(self.item.ids))
        if self.other is not None:
            return ("contrast", self.key)
        if self.continuation is not None:
            return ("logprobs", *self.item.signature, len(self.item.ids))
        return ("answer", *self.item.signature, self.limit)


class Waiting:
    """Prepared jobs, handed out in batches of equal signature and length limit, oldest first."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition()

    def put(self, job: Job) -> None:
        """Add a job."""
        with self._ready:
            self._jobs.append(job)
            self._ready.notify()

    def take(self, limit: int) -> list[Job]:
        """Wait for at least one job; return up to `limit` that can share a batch with the oldest."""
        with self._ready:
            while not self._jobs:
                self._ready.wait()
            kind = self._jobs[0].kind
            taken = [job for job in self._jobs if job.kind == kind][:limit]
            chosen = {id(job) for job in taken}
            self._jobs = deque(job for job in self._jobs if id(job) not in chosen)
            return taken


class Worker:
    """Answers the requests of one parent until the connection ends."""

    def __init__(self, channel: Channel, loaded: Loaded) -> None:
        self._channel = channel
        self._loaded = loaded
        self._builder = InputBuilder(loaded)
        self._incoming: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
        self._waiting = Waiting()
        self._cancelled: set[int] = set()

    def accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """Take a message of the parent; called by the reading thread."""
        if header["type"] == "ask":
            self._incoming.put((header, blobs))
        elif header["type"] == "cancel":
            self._cancelled.add(int(header["key"]))

    def prepare(self) -> None:
        """Turn incoming requests into jobs, for ever; runs in its own thread while the model works."""
        while True:
            header, blobs = self._incoming.get()
            key = int(header["key"])
            if key in self._cancelled:
                self._reply_error(key, "cancelled")
                continue
            started = time.perf_counter()
            try:
                self._waiting.put(self._job(key, header, blobs, started))
            except RequestError as error:
                self._reply_error(key, error.message, error.status)

    def _job(self, key: int, header: dict[str, Any], blobs: list[bytes], started: float) -> Job:
        rated = header.get("want") == "score"
        second_from = header["other"]["from"] if header.get("want") == "contrast" else len(blobs)
        item = self._builder.build(header["messages"], blobs[:second_from], complete=rated)
        decoding = resolve(header["sampling"], self._loaded.defaults)
        limit = decoding.max_tokens
        if header.get("want") in ("logprobs", "contrast"):
            continuation = self._builder.tokens(header["continuation"])
            if not continuation:
                raise RequestError("there is no token to score: the continuation is empty")
            longer = extended(item, continuation)
            self._builder.check_length(longer)
            other = None
            if header["want"] == "contrast":
                second = header["other"]
                other = extended(self._builder.build(second["messages"], blobs[second["from"] :]), continuation)
                self._builder.check_length(other)
            return Job(key, longer, decoding, limit, started, continuation, other=other)
        if rated:
            return Job(key, item, decoding, limit, started, rated=True)
        room = self._loaded.max_model_len - len(item.ids)
        return Job(key, item, replace(decoding, max_tokens=min(limit, room)), limit, started)

    def run(self) -> None:
        """Answer batches, for ever."""
        threading.Thread(target=self.prepare, name="prepare", daemon=True).start()
        while True:
            jobs = self._waiting.take(self._loaded.settings.batch_size)
            alive = [job for job in jobs if job.key not in self._cancelled]
            for job in jobs:
                if job.key in self._cancelled:
                    self._reply_error(job.key, "cancelled")
            if alive:
                self._answer(alive)

    def _answer(self, jobs: list[Job]) -> None:
        """Answer jobs together; when that fails, by halves, so that a bad one fails alone."""
        try:
            if jobs[0].rated:
                replies = self._ratings(jobs)
            else:
                replies = self._scores(jobs) if jobs[0].continuation is not None else self._texts(jobs)
        except Exception as error:  # models raise anything on input that they do not like
            if len(jobs) == 1:
                self._reply_error(jobs[0].key, _describe(error))
                return
            self._free_memory()
            middle = len(jobs) // 2
            self._answer(jobs[:middle])
            self._answer(jobs[middle:])
            return
        for job, reply in zip(jobs, replies, strict=True):
            self._cancelled.discard(job.key)
            self._channel.send(
                {"type": "answer", "key": job.key, "latency_s": time.perf_counter() - job.started, **reply}
            )

    def _texts(self, jobs: list[Job]) -> list[dict[str, Any]]:
        items = [job.item for job in jobs]
        answers = generate(
            self._loaded,
            items,
            self._builder.collate(items),
            [job.decoding for job in jobs],
            lambda row: jobs[row].key in self._cancelled,
        )
        return [
            {"status": "error", "error": "the model's scores are not numbers (overflow): use another dtype"}
            if answer.broken
            else {
                "status": "ok",
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
            }
            for answer in answers
        ]

    def _scores(self, jobs: list[Job]) -> list[dict[str, Any]]:
        continuations = [job.continuation or [] for job in jobs]
        if jobs[0].other is not None:
            batches = [self._builder.collate([item]) for item in (jobs[0].item, jobs[0].other)]
            first, second, divergence = token_contrast(self._loaded.model, batches[0], batches[1], continuations[0])
            known = {"status": "ok", "tokens": continuations[0], "texts": self._builder.token_texts(continuations[0])}
            return [{**known, "logprobs": first, "other_logprobs": second, "divergence": divergence}]
        batch = self._builder.collate([job.item for job in jobs])
        scores = token_logprobs(self._loaded.model, batch, continuations)
        return [
            {"status": "ok", "tokens": tokens, "texts": self._builder.token_texts(tokens), "logprobs": values}
            for tokens, values in zip(continuations, scores, strict=True)
        ]

    def _ratings(self, jobs: list[Job]) -> list[dict[str, Any]]:
        rows = head_values(self._loaded.model, self._builder.collate([job.item for job in jobs]))
        return [
            {"status": "ok", "values": values, "prompt_tokens": len(job.item.ids)}
            for job, values in zip(jobs, rows, strict=True)
        ]

    def _free_memory(self) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _reply_error(self, key: int, message: str, status: str = "error") -> None:
        self._cancelled.discard(key)
        self._channel.send({"type": "answer", "key": key, "status": status, "error": message})

    def facts(self) -> dict[str, Any]:
        """See `link.Server.facts`."""
        import torch
        import transformers

        loaded = self._loaded
        device = loaded.model.device
        return {
            "device": str(device),
            "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "architecture": type(loaded.model).__name__,
            "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
            "attn_implementation": getattr(loaded.config, "_attn_implementation", None),
            "max_model_len": loaded.max_model_len,
            "batch_size": loaded.settings.batch_size,
            "left_to_engine": loaded.defaults,
            "reads_images": loaded.image_processor is not None or loaded.processor is not None,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": sys.version.split()[0],
        }

    def close(self) -> None:
        """See `link.Server.close`; everything ends with the process."""


def _describe(error: Exception) -> str:
    if is_out_of_memory(error):
        return f"out of memory for this request alone: {MEMORY_REMEDY}"
    first = str(error).strip().splitlines()
    return f"the model failed: {type(error).__name__}: {first[0] if first else ''}"


def build(channel: Channel, settings: dict[str, Any]) -> Worker:
    """Load the model of the parent's settings.

    Raises:
        LoadError: see `checkpoint.load`.
    """
    return Worker(channel, load(Settings(**settings)))
