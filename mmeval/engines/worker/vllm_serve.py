"""The vllm worker: every request is one generate call on an AsyncLLM, which batches them by itself.

Prompts are rendered by vLLM's own renderer (chat template, image placeholders, processor), as its server does.
Checked with vLLM 0.24 (source) and 0.32 (run).
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .calls import AsyncWorker
from .checkpoint import decoding_defaults, generation_json
from .decoding import Decoding, resolve
from .failures import LoadError, RequestError, remedy_for
from .inputs import decode_images
from .wire import Channel

OLDEST = (0, 24)
TESTED = "0.24 to 0.32"
DECODE_THREADS = 4
"""Images are decoded beside the event loop; Pillow releases the interpreter lock."""
ENGINE_DIED = 70
"""Exit code; the parent ends what is left of the engine's processes."""
_TOO_LONG = ("maximum context length", "longer than the maximum model length", "max_model_len")
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # Without a GPU: gibibytes for keys and values, instead of a share of the machine's memory.
    "VLLM_CPU_KVCACHE_SPACE": "2",
}
RESERVED = {
    "model": "-m vllm:FOLDER",
    "tokenizer": "a checkpoint with the tokenizer you want",
    "trust_remote_code": "--trust-remote-code",
    "revision": "--revision",
    "enable_lora": "--engine-arg adapter=FOLDER",
}
"""Engine arguments that mmeval sets itself -> how to set them."""


@dataclass(frozen=True)
class VllmSettings:
    """What the parent asks for."""

    folder: str
    trust_remote_code: bool = False
    adapter: str | None = None
    """Folder of a LoRA adapter."""
    min_pixels: int | None = None
    max_pixels: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    """Further arguments under vLLM's own names."""


class VllmWorker(AsyncWorker):
    """Answers the requests of one parent until the connection ends."""

    def __init__(self, channel: Channel, settings: VllmSettings) -> None:
        """Start the engine.

        Raises:
            LoadError: vLLM is missing or too old, an argument is unknown, or the engine does not start.
        """
        super().__init__(channel, asyncio.new_event_loop())
        asyncio.set_event_loop(self._loop)
        self._settings = settings
        self._vllm = _package()
        self._defaults = decoding_defaults(generation_json(settings.folder))
        self._decoders = ThreadPoolExecutor(DECODE_THREADS)
        self._arguments = engine_arguments(self._vllm, settings)
        self._engine: Any = self._loop.run_until_complete(self._open())
        self._adapter = self._lora_request()
        self._loop.run_until_complete(self._try_template())

    async def _open(self) -> Any:
        from vllm.config.structured_outputs import StructuredOutputsConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            structured = StructuredOutputsConfig(**self._arguments["structured_outputs_config"])
            arguments = self._arguments | {"structured_outputs_config": structured}
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as error:  # the engine raises anything on what it does not like
            raise _explain(error) from error

    async def _try_template(self) -> None:
        """Render a prompt once: what is wrong with the chat template shows before the first request."""
        try:
            await self._render([{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
        except Exception as error:  # templates and tokenizers raise anything
            raise LoadError(
                f"the chat template cannot be used: {_first_line(error)}",
                "copy chat_template.jinja of the base model into the checkpoint",
            ) from error

    def _lora_request(self) -> Any:
        if self._settings.adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, self._settings.adapter)

    def facts(self) -> dict[str, Any]:
        """See `link.Server.facts`."""
        import torch

        config = self._engine.vllm_config
        model = config.model_config
        on_gpu = torch.cuda.is_available()
        return {
            "device": str(config.device_config.device_type),
            "device_name": torch.cuda.get_device_name(0) if on_gpu else "cpu",
            "dtype": str(model.dtype).removeprefix("torch."),
            "architecture": ", ".join(model.architectures),
            "quantization": model.quantization,
            "max_model_len": model.max_model_len,
            "max_num_seqs": config.scheduler_config.max_num_seqs,
            "cache_tokens": (config.cache_config.num_gpu_blocks or 0) * (config.cache_config.block_size or 0) or None,
            "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
            "data_parallel_size": config.parallel_config.data_parallel_size,
            "enforce_eager": model.enforce_eager,
            "prefix_caching": bool(config.cache_config.enable_prefix_caching),
            "engine_arguments": {name: value for name, value in self._arguments.items() if name != "model"},
            "left_to_engine": self._defaults,
            "reads_images": bool(model.is_multimodal_model),
            "tested_versions": TESTED,
            "torch": torch.__version__,
            "vllm": self._vllm.__version__,
            "python": sys.version.split()[0],
        }

    def run(self) -> None:
        """See `link.Server.run`."""
        self._loop.run_forever()

    def close(self) -> None:
        """See `link.Server.close`: end the engine's own processes."""
        self._engine.shutdown(timeout=2.0)

    async def _failed(self, error: Exception) -> dict[str, Any]:
        if self._engine.errored:
            # The engine's core is gone and cannot be revived in this process; the parent starts another one.
            print(f"vLLM's engine is dead: {error!r}", file=sys.stderr, flush=True)
            os._exit(ENGINE_DIED)
        return _failure(error)

    async def _generate(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        prompt = await self._prompt(header["messages"], blobs)
        decoding = resolve(header["sampling"], self._defaults)
        output = await self._last(header["key"], prompt, sampling_params(decoding, header.get("schema")))
        completion = output.outputs[0]
        if completion.finish_reason not in ("stop", "length"):
            reason = completion.finish_reason or "no reason given"
            return {"status": "error", "error": f"vLLM ended the request: {reason}"}
        return {
            "status": "ok",
            "text": completion.text,
            "finish_reason": completion.finish_reason,
            "prompt_tokens": len(output.prompt_token_ids),
            "completion_tokens": len(completion.token_ids),
            "cached_tokens": output.num_cached_tokens,
        }

    async def _logprobs(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        from vllm import SamplingParams

        prompt = await self._prompt(header["messages"], blobs)
        tokens = self._engine.get_tokenizer().encode(header["continuation"], add_special_tokens=False)
        if not tokens:
            raise RequestError("there is no token to score: the continuation is empty")
        ids = [*prompt["prompt_token_ids"], *tokens]
        limit = self._engine.vllm_config.model_config.max_model_len
        if len(ids) >= limit:
            raise RequestError(f"prompt and continuation have {len(ids)} tokens, the context {limit}", "too_long")
        prompt["prompt_token_ids"] = ids
        # One more token has to be generated; it is thrown away.
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        output = await self._last(header["key"], prompt, params)
        scores = output.prompt_logprobs[-len(tokens) :]
        values = [float(score[token].logprob) for token, score in zip(tokens, scores, strict=True)]
        texts = [self._engine.get_tokenizer().decode([token]) for token in tokens]
        return {"status": "ok", "tokens": list(tokens), "texts": texts, "logprobs": values}

    async def _last(self, key: int, prompt: Any, params: Any) -> Any:
        last = None
        async for output in self._engine.generate(prompt, params, str(key), lora_request=self._adapter):
            last = output
        if last is None:
            raise RequestError("vLLM gave no output")
        return last

    async def _prompt(self, messages: list[dict[str, Any]], blobs: list[bytes]) -> Any:
        """Render one conversation; every image must have its place in the prompt.

        Raises:
            RequestError: an image that cannot be decoded, a prompt that is too long or that shows too few images.
        """
        images = await self._loop.run_in_executor(self._decoders, decode_images, blobs)
        if images and not self._engine.vllm_config.model_config.is_multimodal_model:
            raise RequestError("this model reads text only")
        conversation = [
            {"role": m["role"], "content": [_part(part, images) for part in m["content"]]} for m in messages
        ]
        prompt = await self._render(conversation)
        places = prompt.get("mm_placeholders") or {}
        shown = len(places.get("image", ()))
        if shown != len(images):
            raise RequestError(f"the chat template shows {shown} of {len(images)} images")
        return prompt

    async def _render(self, conversation: list[dict[str, Any]]) -> Any:
        from vllm.renderers.params import ChatParams

        options = {"add_generation_prompt": True, "continue_final_message": False, "tools": None, "tokenize": False}
        _, prompts = await self._engine.renderer.render_chat_async(
            [conversation], ChatParams(chat_template_kwargs=options)
        )
        return prompts[0]


def _part(part: dict[str, Any], images: list[Any]) -> dict[str, Any]:
    if "image" in part:
        return {"type": "image_pil", "image_pil": images[part["image"]]}
    return {"type": "text", "text": part["text"]}


def sampling_params(decoding: Decoding, schema: dict[str, Any] | None = None) -> Any:
    """vLLM's parameters for one request; every field is given, so that no default of vLLM applies."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    return SamplingParams(
        n=1,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        top_k=decoding.top_k,
        min_p=decoding.min_p,
        repetition_penalty=decoding.repetition_penalty,
        max_tokens=decoding.max_tokens,
        stop=list(decoding.stop),
        seed=decoding.seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
        structured_outputs=None if schema is None else StructuredOutputsParams(json=schema),
    )


def engine_arguments(vllm: Any, settings: VllmSettings) -> dict[str, Any]:
    """Arguments of `AsyncEngineArgs`.

    Raises:
        LoadError: for an argument that vLLM does not have (with the nearest names), or that mmeval sets itself.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform

    known = {entry.name for entry in dataclasses.fields(AsyncEngineArgs)}
    for name in settings.arguments:
        if name in RESERVED:
            raise LoadError(f"engine argument {name!r} is set by mmeval itself", f"use {RESERVED[name]}")
        if name not in known:
            close = difflib.get_close_matches(name, known, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else "see `vllm serve --help=all`"
            raise LoadError(f"vLLM {vllm.__version__} has no engine argument {name!r}", hint)
    found: dict[str, Any] = {
        "model": settings.folder,
        "trust_remote_code": settings.trust_remote_code,
        "disable_log_stats": True,
        # Compiling takes longer than most runs on a CPU; on a GPU vLLM's own choice stands.
        "enforce_eager": bool(current_platform.is_cpu()),
        # A weak model otherwise fills a reply that must be JSON with white space.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
    }
    if settings.adapter is not None:
        found |= {"enable_lora": True, "max_lora_rank": _lora_rank(settings.adapter)}
    found |= settings.arguments
    limits = {"min_pixels": settings.min_pixels, "max_pixels": settings.max_pixels}
    pixels = {name: value for name, value in limits.items() if value is not None}
    if pixels:
        found["mm_processor_kwargs"] = {**pixels, **(found.get("mm_processor_kwargs") or {})}
    return found


def _lora_rank(adapter: str) -> int:
    import json
    from pathlib import Path

    path = Path(adapter) / "adapter_config.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"{path} does not tell the adapter's rank `r`: {error}", "name a PEFT LoRA folder") from error


def _package() -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm
    except ImportError as error:
        missing = error.name or str(error)
        raise LoadError(
            f"{missing} cannot be imported by {sys.executable}: {error}",
            "pip install 'vllm>=0.24' there, or name the environment that has it with --engine-python",
        ) from error
    version = tuple(int(part) for part in vllm.__version__.split("+")[0].split(".")[:2] if part.isdigit())
    if version and version < OLDEST:
        raise LoadError(f"vLLM {vllm.__version__} is too old; tested are {TESTED}", "pip install -U vllm")
    return vllm


def _explain(error: BaseException) -> LoadError:
    text, line = str(error), _first_line(error)
    return LoadError(
        f"vLLM does not start: {type(error).__name__}: {line}", remedy_for(text) or "the lines above are vLLM's own"
    )


def _first_line(error: BaseException) -> str:
    return next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)


def _failure(error: Exception) -> dict[str, Any]:
    text = str(error)
    line = _first_line(error)
    too_long = getattr(error, "parameter", None) == "input_tokens" or any(word in text for word in _TOO_LONG)
    return {"status": "too_long" if too_long else "error", "error": line}


def build(channel: Channel, settings: dict[str, Any]) -> VllmWorker:
    """Start the engine of the parent's settings.

    Raises:
        LoadError: see `VllmWorker`.
    """
    return VllmWorker(channel, VllmSettings(**settings))
