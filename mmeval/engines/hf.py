"""The `hf` backend: a transformers model in a managed worker process."""

from __future__ import annotations

import asyncio
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.core.hashing import derived_seed
from mmeval.core.types import MediaPart, Request, Response, Status
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec
from mmeval.engines.identity import CheckpointIdentity, hash_checkpoint, read_json, resolve_checkpoint
from mmeval.engines.managed import ManagedWorker
from mmeval.engines.options import one_of, refuse_unknown, whole
from mmeval.engines.profiles import choose_profile
from mmeval.engines.registry import has_gpu

ARGUMENTS = frozenset(
    {"dtype", "device", "batch_size", "max_pixels", "min_pixels", "attn_implementation", "max_model_len"}
)
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_BATCH_CPU = 16
DEFAULT_BATCH_GPU = 32
WORKER = Path(__file__).resolve().with_name("hf_worker.py")
_VERSION_QUERY = "import importlib.metadata as m; print(m.version('transformers'))"
_EXTRA_REMEDY = "pip install 'mmeval-harness[hf]'"


class HfEngine:
    """Answers with transformers, batched; the model lives in a child process."""

    supported_sampling = SAMPLING_FIELDS
    exclusive = True

    def __init__(self, spec: ModelSpec) -> None:
        args = spec.engine_args
        refuse_unknown("hf", args, ARGUMENTS)
        self._spec = spec
        self._device = str(args.get("device", "auto"))
        on_gpu = has_gpu() if self._device == "auto" else self._device != "cpu"
        dtype = one_of(args, "dtype", DTYPES, "auto")
        self._dtype = ("bfloat16" if on_gpu else "float32") if dtype == "auto" else dtype
        self._batch_size = whole(args, "batch_size", DEFAULT_BATCH_GPU if on_gpu else DEFAULT_BATCH_CPU) or 1
        self._limits = {name: whole(args, name) for name in ("max_pixels", "min_pixels", "max_model_len")}
        attention = args.get("attn_implementation")
        self._attention = None if attention is None else str(attention)
        self.modalities = frozenset({"text", "image", "images", "video"})
        self._folder: Path | None = None
        self._info: EngineInfo | None = None
        self._worker: ManagedWorker | None = None

    @property
    def worker(self) -> ManagedWorker | None:
        """The worker, once started."""
        return self._worker

    async def describe(self) -> EngineInfo:
        """See `Engine.describe`. A hub id that is not on this machine is downloaded.

        Raises:
            EngineError: not a checkpoint (naming the missing file), or transformers is missing.
        """
        if self._info is None:
            spec = self._spec
            folder, revision = await asyncio.to_thread(resolve_checkpoint, spec.target, spec.revision)
            config = read_json(folder / "config.json")
            engine_version = await self._transformers_version()
            identity = await asyncio.to_thread(hash_checkpoint, folder, revision)
            if not _reads_images(config, folder):
                self.modalities = frozenset({"text"})
            self._folder = folder
            self._info = self._describe(identity, engine_version, config)
        return self._info

    def _describe(self, identity: CheckpointIdentity, engine_version: str, config: dict[str, Any]) -> EngineInfo:
        arguments = {"dtype": self._dtype, "attn_implementation": self._attention, **self._limits}
        return EngineInfo(
            "hf",
            engine_version,
            {"checkpoint": identity.json(), "arguments": arguments},
            slots=self._spec.concurrency or 2 * self._batch_size,
            details={
                **arguments,
                "batch_size": self._batch_size,
                "checkpoint": str(self._folder),
                "revision": identity.revision,
                "trust_remote_code": self._spec.trust_remote_code,
                "engine_python": self._spec.engine_python or sys.executable,
            },
            profile=choose_profile(self._spec.profile, config),
        )

    async def _transformers_version(self) -> str:
        """Version of transformers in the interpreter that will run, without importing it."""
        python = self._spec.engine_python
        if python is None:
            try:
                version("torch")
                return version("transformers")
            except PackageNotFoundError as error:
                raise EngineError(
                    f"the hf engine needs {error.name}, which is not installed", remedy=_EXTRA_REMEDY
                ) from error
        try:
            child = await asyncio.create_subprocess_exec(
                python, "-c", _VERSION_QUERY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            output, errors = await child.communicate()
        except OSError as error:
            raise EngineError(f"{python} cannot be run: {error.strerror}", remedy="check --engine-python") from error
        if child.returncode != 0:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise EngineError(
                f"{python} has no transformers: {''.join(last)}", remedy="install torch and transformers for it"
            )
        return output.decode().strip()

    async def start(self) -> EngineInfo:
        """Load the model in its worker.

        Raises:
            EngineError: with the worker's explanation and remedy.
        """
        info = await self.describe()
        if self._worker is not None:
            return info
        settings = {
            "folder": str(self._folder),
            "dtype": self._dtype,
            "device": self._device,
            "batch_size": self._batch_size,
            "attn_implementation": self._attention,
            "trust_remote_code": self._spec.trust_remote_code,
            **self._limits,
        }
        python = self._spec.engine_python or sys.executable
        worker = ManagedWorker("hf", lambda address: (python, str(WORKER), address), settings)
        facts = await worker.start()
        self._worker = worker
        if not facts["reads_images"]:
            self.modalities = frozenset({"text"})
        self._info = EngineInfo(
            info.engine,
            info.version,
            info.identity,
            slots=info.slots,
            details={**info.details, **facts},
            profile=info.profile,
        )
        return self._info

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        if self._worker is None:
            return Response("error", error="the hf engine is not started")
        if request.schema is not None:
            return Response("error", error="the hf engine cannot force a reply to follow a JSON schema")
        started = time.perf_counter()
        header, blobs = _message(request)
        try:
            async with asyncio.timeout(self._spec.timeout_s):
                answer = await self._worker.ask(header, blobs)
        except TimeoutError:
            return Response(
                "timeout",
                error=f"no answer within {self._spec.timeout_s:g} s",
                latency_s=time.perf_counter() - started,
            )
        return _response(answer, time.perf_counter() - started)

    async def close(self) -> None:
        """See `Engine.close`."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()


def _message(request: Request) -> tuple[dict[str, Any], list[bytes]]:
    """Return the worker's message; a video is its frames as several images."""
    blobs: list[bytes] = []
    messages = []
    for message in request.messages:
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, MediaPart):
                for image in request.media[part.index].images:
                    content.append({"image": len(blobs)})
                    blobs.append(image.data)
            else:
                content.append({"text": part.text})
        messages.append({"role": message.role, "content": content})
    sampling = {name: getattr(request.sampling, name) for name in sorted(SAMPLING_FIELDS)}
    if sampling["seed"] is None:
        sampling["seed"] = derived_seed("hf", request.id, request.repeat)
    return {"messages": messages, "sampling": sampling}, blobs


def _response(answer: dict[str, Any], latency_s: float) -> Response:
    status: Status = answer["status"]
    if status != "ok":
        return Response(status, error=str(answer.get("error")), latency_s=latency_s)
    return Response(
        "ok",
        text=answer["text"],
        finish_reason=answer["finish_reason"],
        prompt_tokens=answer["prompt_tokens"],
        completion_tokens=answer["completion_tokens"],
        latency_s=latency_s,
    )


def _reads_images(config: dict[str, Any], folder: Path) -> bool:
    """Whether a checkpoint's files say that it reads images; the loaded model has the last word."""
    keys = ("vision_config", "image_token_id", "image_token_index", "vision_tower", "mm_vision_tower", "visual")
    return any(key in config for key in keys) or (folder / "preprocessor_config.json").is_file()
