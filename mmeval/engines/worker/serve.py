"""The worker's loop: one thread reads requests, one prepares inputs, the main thread keeps the model busy."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from .checkpoint import Loaded, Settings, load
from .decoding import Decoding, generate, resolve
from .failures import MEMORY_REMEDY, LoadError, RequestError, is_out_of_memory
from .inputs import InputBuilder, Item
from .wire import TOKEN_VARIABLE, Channel, WireError


@dataclass
class Job:
    """A prepared request."""

    key: int
    item: Item
    decoding: Decoding
    limit: int
    """`max_tokens` as asked; `decoding` holds what the context leaves of it."""
    started: float


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
            first = self._jobs[0]
            kind = (first.item.signature, first.limit)
            taken = [job for job in self._jobs if (job.item.signature, job.limit) == kind][:limit]
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
                item = self._builder.build(header["messages"], blobs)
                decoding = resolve(header["sampling"], self._loaded.defaults)
            except RequestError as error:
                self._reply_error(key, error.message, error.status)
                continue
            room = self._loaded.max_model_len - len(item.ids)
            limit = decoding.max_tokens
            decoding = replace(decoding, max_tokens=min(limit, room))
            self._waiting.put(Job(key, item, decoding, limit, started))

    def run(self) -> None:
        """Answer batches, for ever."""
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
            batch = self._builder.collate([job.item for job in jobs])
            answers = generate(
                self._loaded,
                [job.item for job in jobs],
                batch,
                [job.decoding for job in jobs],
                lambda row: jobs[row].key in self._cancelled,
            )
        except Exception as error:  # models raise anything on input that they do not like
            if len(jobs) == 1:
                self._reply_error(jobs[0].key, _describe(error))
                return
            self._free_memory()
            middle = len(jobs) // 2
            self._answer(jobs[:middle])
            self._answer(jobs[middle:])
            return
        for job, answer in zip(jobs, answers, strict=True):
            if answer.broken:
                self._reply_error(job.key, "the model's scores are not numbers (overflow): use another dtype")
                continue
            self._cancelled.discard(job.key)
            self._channel.send(
                {
                    "type": "answer",
                    "key": job.key,
                    "status": "ok",
                    "text": answer.text,
                    "finish_reason": answer.finish_reason,
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                    "latency_s": time.perf_counter() - job.started,
                }
            )

    def _free_memory(self) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _reply_error(self, key: int, message: str, status: str = "error") -> None:
        self._cancelled.discard(key)
        self._channel.send({"type": "answer", "key": key, "status": status, "error": message})


def _describe(error: Exception) -> str:
    if is_out_of_memory(error):
        return f"out of memory for this request alone: {MEMORY_REMEDY}"
    first = str(error).strip().splitlines()
    return f"the model failed: {type(error).__name__}: {first[0] if first else ''}"


def _facts(loaded: Loaded) -> dict[str, Any]:
    import torch
    import transformers

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


def main(address: str) -> int:
    """Run the worker; returns the process's exit code."""
    # Ctrl-C reaches the whole process group, and it is the parent's to decide what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel.connect(address)
    channel.send({"type": "hello", "token": os.environ.pop(TOKEN_VARIABLE, ""), "pid": os.getpid()})
    first = channel.receive()
    if first is None or first[0].get("type") != "load":
        return 1
    # Libraries print to stdout; the parent reads both streams as the worker's log.
    os.dup2(2, 1)
    worker: list[Worker] = []
    threading.Thread(target=_read, args=(channel, worker), name="reader", daemon=True).start()
    try:
        loaded = load(Settings(**first[0]["settings"]))
        built = Worker(channel, loaded)
    except LoadError as error:
        channel.send({"type": "failed", "message": error.message, "remedy": error.remedy})
        return 1
    worker.append(built)
    threading.Thread(target=built.prepare, name="prepare", daemon=True).start()
    channel.send({"type": "ready", "facts": _facts(loaded)})
    built.run()
    return 0


def _read(channel: Channel, worker: list[Worker]) -> None:
    """Hand on messages; end the process at once when the parent is gone, whatever the model is doing.

    `worker` is empty while the model loads; the parent asks nothing before it hears `ready`.
    """
    while True:
        try:
            message = channel.receive()
        except WireError as error:
            print(f"the parent sent a broken message: {error}", file=sys.stderr, flush=True)
            message = None
        if message is None or message[0].get("type") == "close":
            os._exit(0)
        if worker:
            worker[0].accept(*message)
