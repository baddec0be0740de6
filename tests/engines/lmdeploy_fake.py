"""A stand-in for the package `lmdeploy`, so that its worker can be tested in a process that has none.

It has the classes and calls that the worker uses, with the same names and fields, and answers with a fixed text.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, ClassVar

from PIL import ImageFile


@dataclass
class GenerationConfig:
    """The fields of 0.18 that the worker sets."""

    n: int = 1
    max_new_tokens: int = 512
    do_sample: bool = False
    top_p: float = 1.0
    top_k: int = 50
    min_p: float = 0.0
    temperature: float = 0.8
    repetition_penalty: float = 1.0
    ignore_eos: bool = False
    random_seed: int | None = None
    stop_words: list[str] | None = None
    bad_words: list[str] | None = None
    stop_token_ids: list[int] | None = None
    bad_token_ids: list[int] | None = None
    min_new_tokens: int | None = None
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = True
    logprobs: int | None = None
    logprob_start_len: int = -1
    response_format: dict[str, Any] | None = None


@dataclass
class _Config:
    dtype: str = "auto"
    tp: int = 1
    dp: int = 1
    session_len: int | None = None
    max_batch_size: int | None = None
    cache_max_entry_count: float = 0.8
    enable_prefix_caching: bool = False
    model_format: str | None = None

    def __post_init__(self) -> None:
        assert self.dtype in ["auto", "float16", "bfloat16"]
        assert self.tp >= 1


@dataclass
class TurbomindEngineConfig(_Config):
    cache_block_seq_len: int = 64
    communicator: str = "nccl"


@dataclass
class PytorchEngineConfig(_Config):
    adapters: dict[str, str] | None = None
    device_type: str = "cuda"
    eager_mode: bool = False
    logprobs_mode: str | None = None


class Code(StrEnum):
    TOO_LONG = "context_length_exceeded"
    PREPROCESS = "preprocess_failed"
    INTERNAL = "internal_error"


class Failed(RuntimeError):
    """LMDeploy's failure of a request."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Call:
    """What reached the engine."""

    messages: list[dict[str, Any]]
    gen_config: GenerationConfig
    adapter: str | None
    processor: dict[str, Any] | None
    streamed: bool | None = None


@dataclass
class Behaviour:
    """What the next worker's engine does."""

    pieces: tuple[str, ...] = ("a red", " square, a", " blue circle")
    finish: str | None = "stop"
    failure: Exception | None = None
    shown: int | None = None
    alive: bool = True
    start_failure: BaseException | None = None
    own_backend: str = "pytorch"
    calls: list[Call] = field(default_factory=list)
    aborted: int = 0


class Qwen3VLModel:
    """The image side of a model with LMDeploy's newer interface."""

    image_token = "<|image_pad|>"
    processor = SimpleNamespace(image_processor=SimpleNamespace(size={"shortest_edge": 3136, "longest_edge": 9216}))

    def preprocess(self, messages: Any, input_prompt: Any, mm_processor_kwargs: Any = None) -> None:
        """Only its signature matters."""


class OtherModel:
    """One of LMDeploy's models whose images know no limits."""

    def preprocess(self, messages: Any) -> None:
        """Only its signature matters."""


class _Engine:
    arch = "Qwen3VLForConditionalGeneration"
    vision: ClassVar[Any] = Qwen3VLModel()

    def __init__(self, behaviour: Behaviour, config: Any) -> None:
        self._behaviour = behaviour
        self.backend = "pytorch" if isinstance(config, PytorchEngineConfig) else "turbomind"
        self.backend_config = config
        self.session_len = config.session_len or 1000
        self.engine = self
        self.session_mgr = SimpleNamespace(get=lambda: object())
        self.vl_encoder = SimpleNamespace(model=self.vision)
        self.tokenizer = SimpleNamespace(encode=lambda text, **_: [7] * len(text), decode=lambda ids: "x" * len(ids))

    async def get_health_status(self) -> dict[str, Any]:
        return {"alive": self._behaviour.alive, "message": "the loop has stopped"}

    async def preprocess(
        self, messages: Any, _: Any, *, gen_config: Any, adapter_name: Any, mm_processor_kwargs: Any
    ) -> Any:
        call = Call(messages, gen_config, adapter_name, mm_processor_kwargs)
        self._behaviour.calls.append(call)
        contents = [message["content"] for message in messages]
        images = [part for parts in contents if isinstance(parts, list) for part in parts if part["type"] != "text"]
        text = "".join(parts for parts in contents if isinstance(parts, str))
        if len(text) >= self.session_len:
            raise Failed(Code.TOO_LONG, f"Input length ({len(text)}) must be smaller")
        shown = len(images) if self._behaviour.shown is None else self._behaviour.shown
        inputs = {"input_ids": [1] * (len(text) or 10), "multimodal": [{}] * shown}
        return SimpleNamespace(
            inputs=inputs, input_token_len=len(inputs["input_ids"]), gen_config=gen_config, call=call
        )

    async def generate(self, request: Any, stream_response: bool) -> AsyncIterator[Any]:
        behaviour = self._behaviour
        request.call.streamed = stream_response
        if behaviour.failure is not None:
            raise behaviour.failure
        count = 0
        try:
            if request.gen_config.logprob_start_len >= 0:
                scored = request.inputs["input_ids"][request.gen_config.logprob_start_len + 1 :]
                rows = [{token: -0.5 - place} for place, token in enumerate(scored)]
                yield SimpleNamespace(response="", generate_token_len=0, finish_reason="length", logprobs=rows)
                return
            for count, piece in enumerate(behaviour.pieces, 1):
                yield SimpleNamespace(response=piece, generate_token_len=count, finish_reason=None, logprobs=None)
            yield SimpleNamespace(response="", generate_token_len=count, finish_reason=behaviour.finish, logprobs=None)
        except GeneratorExit:
            behaviour.aborted += 1
            raise


class _Pipeline:
    def __init__(self, behaviour: Behaviour, config: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.internal_thread = SimpleNamespace(loop=self._loop)
        self.async_engine = _Engine(behaviour, config)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class FakeLmdeploy:
    """To be put into `sys.modules` as `lmdeploy`."""

    GenerationConfig = GenerationConfig
    TurbomindEngineConfig = TurbomindEngineConfig
    PytorchEngineConfig = PytorchEngineConfig

    def __init__(self, behaviour: Behaviour, version: str = "0.18.0") -> None:
        self.__version__ = version
        self.__path__: list[str] = []
        self._behaviour = behaviour
        self.archs = SimpleNamespace(autoget_backend=lambda *_, **__: behaviour.own_backend)
        self.started_with: dict[str, Any] = {}

    def pipeline(self, folder: str, **options: Any) -> _Pipeline:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        self.started_with = {"folder": folder, **options}
        if self._behaviour.start_failure is not None:
            raise self._behaviour.start_failure
        return _Pipeline(self._behaviour, options["backend_config"])
