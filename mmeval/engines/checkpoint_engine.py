"""What the engines that load a checkpoint share: identity, the managed worker, messages and answers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmeval.core.errors import EngineError
from mmeval.core.hashing import derived_seed
from mmeval.core.secrets import childs_environment
from mmeval.core.types import MediaPart, Request, Response, Status, TokenLogprobs
from mmeval.core.user_paths import user_path
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec
from mmeval.engines.identity import CheckpointIdentity, hash_checkpoint, read_json, resolve_checkpoint
from mmeval.engines.managed import ManagedWorker
from mmeval.engines.profiles import choose_profile

if TYPE_CHECKING:
    from mmeval.engines.replicas import ReplicaPool

WORKER = Path(__file__).resolve().with_name("worker_main.py")
_VERSION_QUERY = """
import importlib.metadata as m, sys
for name in sys.argv[1:]:
    try:
        print(m.version(name))
        break
    except m.PackageNotFoundError:
        pass
else:
    sys.exit(f"none of {', '.join(sys.argv[1:])} is installed")
"""


class CheckpointEngine:
    """A checkpoint folder or hub id, loaded by an engine in a child process.

    Subclasses name the engine and say which of the user's arguments make up the model's identity and the worker's
    settings.
    """

    backend: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    """Names of the distribution that provides the engine, the usual one first."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Further distributions without which it cannot run."""
    extra: ClassVar[str]
    """The extra of mmeval that installs it."""
    forces_schema: ClassVar[bool] = False
    """It can make a reply follow a JSON schema."""
    supported_sampling = SAMPLING_FIELDS
    exclusive = True

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self.modalities = frozenset({"text", "image", "images", "video"})
        self._adapter: Path | None = None
        self._folder: Path | None = None
        self._info: EngineInfo | None = None
        self._worker: ManagedWorker | None = None
        self._pool: ReplicaPool | None = None
        self._prefixes = (0, 0)
        """Tokens of prompts that came from the engine's prefix cache, and all that were asked."""
        self._watchers: list[tuple[Callable[[int], None], Callable[[str], None]]] = []

    @property
    def worker(self) -> ManagedWorker | None:
        """The worker, once started."""
        return self._worker

    @property
    def pool(self) -> ReplicaPool | None:
        """The replicas on a Ray cluster, once started."""
        return self._pool

    @property
    def prefix_hits(self) -> float | None:
        """See `base.CachesPrefixes`."""
        cached, asked = self._prefixes
        return cached / asked if asked else None

    @property
    def python(self) -> str:
        """Interpreter of the worker."""
        return self._spec.engine_python or sys.executable

    def _identity_arguments(self) -> dict[str, Any]:
        """Arguments that can change an answer."""
        raise NotImplementedError

    def _worker_settings(self) -> dict[str, Any]:
        """Settings of the worker's `load` message, beside the folder and `trust_remote_code`."""
        raise NotImplementedError

    def _slots(self) -> int:
        """Requests that keep one copy of the engine busy."""
        raise NotImplementedError

    def _gpus(self) -> int:
        """GPUs that one copy of the engine takes."""
        raise NotImplementedError

    def watch(self, changed: Callable[[int], None], tell: Callable[[str], None]) -> None:
        """See `base.Elastic`."""
        self._watchers.append((changed, tell))

    async def _further_identity(self) -> dict[str, Any]:
        """The identity of the adapter."""
        if self._adapter is None:
            return {}
        return {"adapter": (await asyncio.to_thread(hash_checkpoint, self._adapter)).json()}

    async def describe(self) -> EngineInfo:
        """See `Engine.describe`. A hub id that is not on this machine is downloaded.

        Raises:
            EngineError: not a checkpoint (naming the missing file), or the engine's package is missing.
        """
        if self._info is None:
            spec = self._spec
            folder, revision = await asyncio.to_thread(resolve_checkpoint, spec.target, spec.revision)
            config = read_json(folder / "config.json")
            engine_version = await self._version()
            identity = await asyncio.to_thread(hash_checkpoint, folder, revision)
            if not _reads_images(config, folder):
                self.modalities = frozenset({"text"})
            self._folder = folder
            self._info = self._describe(identity, engine_version, config, await self._further_identity())
        return self._info

    def _describe(
        self, identity: CheckpointIdentity, engine_version: str, config: dict[str, Any], further: dict[str, Any]
    ) -> EngineInfo:
        arguments = self._identity_arguments()
        return EngineInfo(
            self.backend,
            engine_version,
            {"checkpoint": identity.json(), "arguments": arguments, **further},
            slots=self._spec.concurrency or self._slots() * self._copies(),
            details={
                **arguments,
                "checkpoint": str(self._folder),
                "revision": identity.revision,
                "trust_remote_code": self._spec.trust_remote_code,
                "engine_python": self.python,
                **({"workers": "ray"} if self._spec.ray is not None else {}),
            },
            profile=choose_profile(self._spec.profile, config, target_name=self._spec.target),
        )

    def _copies(self) -> int:
        """Replicas that a run is planned for; on Ray more may join."""
        return 1 if self._spec.ray is None else self._spec.ray.replicas or 1

    async def _version(self) -> str:
        """Version of the engine in the interpreter that will run it, without importing it."""
        if self._spec.engine_python is None:
            return self._version_here()
        try:
            child = await asyncio.create_subprocess_exec(
                self.python,
                "-c",
                _VERSION_QUERY,
                *self.packages,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=childs_environment(),
            )
            output, errors = await child.communicate()
        except OSError as error:
            raise EngineError(
                f"{self.python} cannot be run: {error.strerror}", remedy="check --engine-python"
            ) from error
        if child.returncode != 0:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise EngineError(
                f"{self.python} has no {self.packages[0]}: {''.join(last)}",
                remedy=f"install {self.packages[0]} for it, or name another --engine-python",
            )
        return output.decode().strip()

    def _version_here(self) -> str:
        missing = self.packages[0]
        try:
            for missing in self.requires:
                version(missing)
        except PackageNotFoundError as error:
            raise self._missing(missing) from error
        for name in self.packages:
            try:
                return version(name)
            except PackageNotFoundError:
                continue
        raise self._missing(self.packages[0])

    def _missing(self, name: str) -> EngineError:
        return EngineError(
            f"the {self.backend} engine needs {name}, which is not installed",
            remedy=f"pip install 'mmeval-harness[{self.extra}]', or name the Python that has it with --engine-python",
        )

    async def start(self) -> EngineInfo:
        """Load the model in its worker.

        Raises:
            EngineError: with the worker's explanation and remedy.
        """
        info = await self.describe()
        if self._worker is not None or self._pool is not None:
            return info
        facts = await (self._start_worker() if self._spec.ray is None else self._start_replicas(info))
        if not facts["reads_images"]:
            self.modalities = frozenset({"text"})
        self._info = EngineInfo(
            info.engine,
            info.version,
            info.identity,
            slots=info.slots if self._pool is not None else self._spec.concurrency or self._loaded_slots(facts),
            details={**info.details, **facts},
            profile=info.profile,
            # Replicas on Ray come and go, and each has a cache of its own.
            cache_tokens=facts.get("cache_tokens") if self._pool is None else None,
        )
        return self._info

    def _loaded_slots(self, facts: Mapping[str, Any]) -> int:
        """Requests that keep the loaded engine busy, by what it says of itself."""
        return self._slots()

    async def _start_worker(self) -> dict[str, Any]:
        settings = {
            "folder": str(self._folder),
            "trust_remote_code": self._spec.trust_remote_code,
            **self._worker_settings(),
        }
        worker = ManagedWorker(
            self.backend, lambda address: (self.python, str(WORKER), self.backend, address), settings
        )
        facts = await worker.start()
        self._worker = worker
        return facts

    async def _start_replicas(self, info: EngineInfo) -> dict[str, Any]:
        from mmeval.engines.ray_workers import ray_pool

        pool = ray_pool(self._spec, info, self._gpus(), self._slots())

        def changed(slots: int) -> None:
            for listener, _ in self._watchers:
                listener(slots)

        def tell(text: str) -> None:
            for _, listener in self._watchers:
                listener(text)

        pool.changed, pool.tell = changed, tell
        facts = await pool.start()
        self._pool = pool
        return facts

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        if request.schema is not None and not self.forces_schema:
            return Response("error", error=f"the {self.backend} engine cannot force a reply to follow a JSON schema")
        started = time.perf_counter()
        answer = await self._ask(request, {"schema": request.schema} if request.schema is not None else {})
        latency_s = answer.get("took_s", time.perf_counter() - started)
        status: Status = answer["status"]
        if status != "ok":
            fatal = bool(answer.get("fatal"))
            return Response(status, error=str(answer.get("error")), latency_s=latency_s, fatal=fatal)
        cached = answer.get("cached_tokens")
        if cached is not None:
            self._prefixes = (self._prefixes[0] + cached, self._prefixes[1] + answer["prompt_tokens"])
        return Response(
            "ok",
            text=answer["text"],
            finish_reason=answer["finish_reason"],
            prompt_tokens=answer["prompt_tokens"],
            completion_tokens=answer["completion_tokens"],
            latency_s=latency_s,
        )

    async def logprobs(self, request: Request, continuation: str) -> TokenLogprobs:
        """See `base.ScoresTokens`."""
        answer = await self._ask(request, {"want": "logprobs", "continuation": continuation})
        if answer["status"] != "ok":
            return TokenLogprobs(answer["status"], error=str(answer.get("error")))
        return scored(answer)

    async def _ask(self, request: Request, further: dict[str, Any], more: Sequence[bytes] = ()) -> dict[str, Any]:
        """Send a request with further keys; images of a second prompt (`other`) stand behind its own."""
        if self._worker is None and self._pool is None:
            return {"status": "error", "error": f"the {self.backend} engine is not started"}
        header, blobs = self._message(request)
        if "other" in further:
            further = {**further, "other": {**further["other"], "from": len(blobs)}}
        if self._pool is not None:
            return await self._pool.ask({**header, **further}, [*blobs, *more], self._spec.timeout_s)
        assert self._worker is not None
        try:
            async with asyncio.timeout(self._spec.timeout_s):
                return await self._worker.ask({**header, **further}, [*blobs, *more])
        except TimeoutError:
            return {"status": "timeout", "error": f"no answer within {self._spec.timeout_s:g} s"}

    def _message(self, request: Request) -> tuple[dict[str, Any], list[bytes]]:
        """The worker's message; a video is its frames as several images."""
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
            sampling["seed"] = derived_seed(self.backend, request.id, request.repeat)
        return {"messages": messages, "sampling": sampling}, blobs

    async def close(self) -> None:
        """See `Engine.close`."""
        worker, self._worker = self._worker, None
        pool, self._pool = self._pool, None
        for running in (worker, pool):
            if running is not None:
                await running.close()


def scored(answer: dict[str, Any]) -> TokenLogprobs:
    """The scores in a worker's answer."""
    texts = tuple(answer.get("texts") or ())
    return TokenLogprobs("ok", tuple(answer["tokens"]), tuple(answer["logprobs"]), texts=texts)


def _reads_images(config: dict[str, Any], folder: Path) -> bool:
    """Whether a checkpoint's files say that it reads images; the loaded model has the last word."""
    keys = ("vision_config", "image_token_id", "image_token_index", "vision_tower", "mm_vision_tower", "visual")
    return any(key in config for key in keys) or (folder / "preprocessor_config.json").is_file()


def adapter_folder(arguments: Mapping[str, Any]) -> Path | None:
    """The folder of the engine argument `adapter`, None without one.

    Raises:
        EngineError: it holds no LoRA adapter.
    """
    given = arguments.get("adapter")
    if given is None:
        return None
    folder = user_path(str(given)).resolve()
    if not (folder / "adapter_config.json").is_file():
        raise EngineError(f"adapter={given}: {folder} has no adapter_config.json", remedy="name a PEFT LoRA folder")
    return folder
