"""The lmdeploy worker: every request is one call on the asynchronous engine behind LMDeploy's `pipeline()`.

Prompts are rendered and images processed by LMDeploy itself; its engine batches the requests.
Checked with LMDeploy 0.16 (source) and 0.18 (source, and run on CPU with the engine's kernels replaced).
"""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from .calls import AsyncWorker
from .checkpoint import decoding_defaults, generation_json
from .decoding import Decoding, resolve
from .failures import RequestError
from .inputs import decode_images
from .link import end
from .lmdeploy_setup import ADAPTER, TESTED, Settings, Setup, explain, package, pixel_limits, setup
from .wire import Channel

DECODE_THREADS = 4
"""Images are decoded beside the event loop; Pillow releases the interpreter lock."""
CLOSE_S = 5.0
"""How long LMDeploy's own threads and processes may take to end."""
HEALTH_S = 60.0
"""An engine that does not say within this time that it lives is dead."""
WATCH_S = 15.0
"""How often it is asked while requests wait: an engine that dies leaves some of them without an answer for ever."""
HIGHEST_TEMPERATURE = 2.0
OLD_MARKER = "<IMAGE_TOKEN>"
"""LMDeploy takes this word in a user's text for the place of an image, and then forgets where the images stood."""
_SURE_CODES = frozenset({"invalid_request", "context_length_exceeded", "unsupported_feature", "preprocess_failed"})
"""Failures of a request that say nothing against the engine."""


class LmdeployWorker(AsyncWorker):
    """Answers the requests of one parent until the connection ends."""

    def __init__(self, channel: Channel, settings: Settings) -> None:
        """Start the engine.

        Raises:
            LoadError: LMDeploy is missing or too old, an argument is unknown, or the engine does not start.
        """
        self._lmdeploy = package()
        self._setup: Setup = setup(self._lmdeploy, settings)
        self._defaults = decoding_defaults(generation_json(settings.folder))
        self._watch: asyncio.Task[None] | None = None
        self._decoders = ThreadPoolExecutor(DECODE_THREADS)
        self._adapter = None if settings.adapter is None else ADAPTER
        try:
            self._pipe = self._lmdeploy.pipeline(
                settings.folder,
                backend_config=self._setup.config,
                trust_remote_code=settings.trust_remote_code,
                log_level="WARNING",
            )
        except (Exception, SystemExit) as error:  # LMDeploy's check of the machine ends the process
            raise explain(error) from error
        _refuse_truncated_images()
        self._engine: Any = self._pipe.async_engine
        super().__init__(channel, self._pipe.internal_thread.loop)
        self._vision = getattr(getattr(self._engine, "vl_encoder", None), "model", None)
        self._limits = pixel_limits(self._vision, settings)
        self._markers = [OLD_MARKER]
        if isinstance(marker := getattr(self._vision, "image_token", None), str):
            self._markers.append(marker)

    def facts(self) -> dict[str, Any]:
        """See `link.Server.facts`."""
        import torch

        config = self._engine.backend_config
        on_gpu = torch.cuda.is_available()
        return {
            "backend": self._engine.backend,
            "device": str(getattr(config, "device_type", "cuda")),
            "device_name": torch.cuda.get_device_name(0) if on_gpu else "cpu",
            "dtype": str(config.dtype),
            "architecture": str(self._engine.arch),
            "quantization": config.model_format,
            "session_len": self._engine.session_len,
            "max_batch_size": config.max_batch_size,
            "cache_tokens": None if (config.dp or 1) > 1 else cache_tokens(self._engine.engine),
            "tp": config.tp,
            "dp": config.dp,
            "prefix_caching": bool(config.enable_prefix_caching),
            "engine_arguments": self._setup.arguments,
            "left_to_engine": self._defaults,
            "image_limits": self._limits,
            "reads_images": self._vision is not None,
            "tested_versions": TESTED,
            "torch": torch.__version__,
            "lmdeploy": self._lmdeploy.__version__,
            "python": sys.version.split()[0],
        }

    def run(self) -> None:
        """See `link.Server.run`: the pipeline's own thread answers, the end comes through `link`."""
        threading.Event().wait()

    def close(self) -> None:
        """See `link.Server.close`: end the engine's own threads and processes, which may hang."""
        closing = threading.Thread(target=self._pipe.close, daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _accept(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        super()._accept(header, blobs)
        if self._watch is None:
            self._watch = self._loop.create_task(self._watch_engine())

    async def _failed(self, error: Exception) -> dict[str, Any]:
        if _code(error) not in _SURE_CODES:
            await self._end_if_dead()
        return failure(error)

    async def _watch_engine(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self._calls:
                await self._end_if_dead()

    async def _end_if_dead(self) -> None:
        """A dead engine cannot be revived in this process; the parent starts another one."""
        if reason := await self._death():
            print(f"LMDeploy's engine is dead: {reason}", file=sys.stderr, flush=True)
            end()

    async def _death(self) -> str:
        """Why the engine is dead; empty while it lives, or where its version cannot tell."""
        ask = getattr(self._engine.engine, "get_health_status", None)
        if ask is None:
            return ""
        try:
            async with asyncio.timeout(HEALTH_S):
                health = await ask()
        except Exception as error:  # its processes are gone in whatever way
            return f"no word of its health: {error!r}"
        return "" if health["alive"] else str(health["message"] or "it says so itself")

    async def _generate(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        decoding = resolve(header["sampling"], self._defaults)
        config = generation_config(decoding, header.get("schema"))
        request = await self._prepare(header["messages"], blobs, config)
        prompt_tokens = request.input_token_len
        request.gen_config.max_new_tokens = min(decoding.max_tokens, self._engine.session_len - prompt_tokens)
        text, last = "", None
        async with aclosing(self._engine.generate(request, stream_response=bool(decoding.stop))) as outputs:
            async for output in outputs:
                seen, last = len(text), output
                text += output.response or ""
                if (cut := stop_place(text, decoding.stop, seen)) is not None:
                    return _ok(text[:cut], "stop", prompt_tokens, output.generate_token_len)
        reason = "no answer" if last is None else last.finish_reason
        if last is None or reason not in ("stop", "length"):
            return {"status": "error", "error": f"LMDeploy ended the request: {reason or 'no reason given'}"}
        return _ok(text, reason, prompt_tokens, last.generate_token_len)

    async def _logprobs(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        """Scores of given tokens, as log-probabilities of the input behind the prompt; nothing is generated."""
        from lmdeploy import GenerationConfig

        self._check_scoring(GenerationConfig)
        tokens = self._engine.tokenizer.encode(header["continuation"], add_bos=False, add_special_tokens=False)
        if not tokens:
            raise RequestError("there is no token to score: the continuation is empty")
        request = await self._prepare(header["messages"], blobs, GenerationConfig(max_new_tokens=1))
        prompt_tokens, limit = request.input_token_len, self._engine.session_len
        if prompt_tokens + len(tokens) >= limit:
            raise RequestError(
                f"prompt and continuation have {prompt_tokens + len(tokens)} tokens, the context {limit}", "too_long"
            )
        # LMDeploy takes messages or tokens, never both: the tokens follow the prompt that it has prepared.
        request.inputs["input_ids"] = [*request.inputs["input_ids"], *tokens]
        request.input_token_len = prompt_tokens + len(tokens)
        config = request.gen_config
        config.max_new_tokens, config.logprobs, config.logprob_start_len = 0, 0, prompt_tokens - 1
        rows: list[dict[int, float]] = []
        async with aclosing(self._engine.generate(request, stream_response=False)) as outputs:
            async for output in outputs:
                rows.extend(output.logprobs or ())
        if len(rows) != len(tokens):
            raise RequestError(f"LMDeploy scored {len(rows)} of {len(tokens)} tokens")
        values = [float(row[token]) for row, token in zip(rows, tokens, strict=True)]
        texts = [self._engine.tokenizer.decode([token]) for token in tokens]
        return {"status": "ok", "tokens": list(tokens), "texts": texts, "logprobs": values}

    def _check_scoring(self, configuration: Any) -> None:
        if self._engine.backend != "pytorch":
            raise RequestError("TurboMind cannot score given tokens; use --engine-arg backend=pytorch")
        if not hasattr(configuration, "logprob_start_len"):
            raise RequestError(f"LMDeploy {self._lmdeploy.__version__} cannot score given tokens; 0.18 can")
        mode = self._engine.backend_config.logprobs_mode
        if mode != "raw_logprobs":
            raise RequestError(f"logprobs_mode={mode} gives no log-probabilities; leave this engine argument out")

    async def _prepare(self, messages: list[dict[str, Any]], blobs: list[bytes], config: Any) -> Any:
        """Render one conversation; every image must have its place in the prompt.

        Raises:
            RequestError: an image that cannot be decoded, a text that holds an image marker, or images not shown.
        """
        images = await self._loop.run_in_executor(self._decoders, decode_images, blobs)
        if images and self._vision is None:
            raise RequestError("this model reads text only")
        request = await self._engine.preprocess(
            conversation(messages, images, self._limits, self._markers, joint="" if self._vision is not None else "\n"),
            self._engine.session_mgr.get(),
            gen_config=config,
            adapter_name=self._adapter,
            mm_processor_kwargs={"image": self._limits} if self._limits else None,
        )
        shown = len(request.inputs.get("multimodal") or request.inputs.get("input_embeddings") or ())
        if shown != len(images):
            raise RequestError(f"the chat template shows {shown} of {len(images)} images")
        return request


def cache_tokens(engine: Any) -> int | None:
    """Tokens that the engine's cache holds; None where it does not say (TurboMind, of which no interface tells)."""
    config = getattr(engine, "engine_config", None)
    blocks, size = getattr(config, "num_gpu_blocks", None), getattr(config, "block_size", None)
    if isinstance(blocks, int) and isinstance(size, int) and blocks > 0 and size > 0:
        return blocks * size
    return None


def conversation(
    messages: list[dict[str, Any]], images: list[Any], limits: dict[str, int], markers: list[str], joint: str
) -> list[dict[str, Any]]:
    """LMDeploy's form of the parent's messages, parts in their order.

    Args:
        messages: `{"role", "content"}`; content is a list of `{"text": …}` and `{"image": index}`.
        images: decoded images.
        limits: `min_pixels` and `max_pixels`; some of LMDeploy's models read them at the image.
        markers: words that LMDeploy would take for the place of an image.
        joint: what stands between the texts of a message without images; LMDeploy's own is a line break.

    Raises:
        RequestError: for an image outside a user's message, or a marker in a text.
    """
    found: list[dict[str, Any]] = []
    for message in messages:
        parts = message["content"]
        texts = [part["text"] for part in parts if "text" in part]
        for marker in markers:
            if any(marker in text for text in texts):
                raise RequestError(f"the text holds {marker}, which LMDeploy takes for the place of an image")
        if len(texts) == len(parts):
            found.append({"role": message["role"], "content": joint.join(texts)})
            continue
        if message["role"] != "user":
            raise RequestError(f"LMDeploy reads images in user messages only, not in one of the {message['role']}")
        content: list[dict[str, Any]] = []
        for part in parts:
            if "image" in part:
                content.append({"type": "image_data", "image_data": {"data": images[part["image"]], **limits}})
            else:
                content.append({"type": "text", "text": part["text"]})
        found.append({"role": "user", "content": content})
    return found


def generation_config(decoding: Decoding, schema: dict[str, Any] | None = None) -> Any:
    """LMDeploy's parameters for one request; every field is given, so that no default of LMDeploy applies.

    Stop strings are not among them: LMDeploy turns each into all tokens that contain it, drops those tokens whole and
    ignores a string of several tokens. `stop_place` looks for them in the text instead.

    Raises:
        RequestError: for a temperature that LMDeploy does not take.
    """
    from lmdeploy import GenerationConfig

    if not 0 <= decoding.temperature <= HIGHEST_TEMPERATURE:
        raise RequestError(f"temperature {decoding.temperature:g}: LMDeploy takes 0 to {HIGHEST_TEMPERATURE:g}")
    sampled = decoding.temperature > 0
    penalised = decoding.repetition_penalty != 1.0
    form = None
    if schema is not None:
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    return GenerationConfig(
        n=1,
        max_new_tokens=decoding.max_tokens,
        # Without sampling LMDeploy drops the penalty; the best one of the penalised tokens is greedy as well.
        do_sample=sampled or penalised,
        temperature=decoding.temperature if sampled else 1.0,
        top_p=decoding.top_p if sampled else 1.0,
        top_k=decoding.top_k if sampled else 1,
        min_p=decoding.min_p if sampled else 0.0,
        repetition_penalty=decoding.repetition_penalty,
        ignore_eos=False,
        random_seed=decoding.seed,
        stop_words=None,
        bad_words=None,
        stop_token_ids=None,
        bad_token_ids=None,
        min_new_tokens=None,
        skip_special_tokens=True,
        spaces_between_special_tokens=True,
        logprobs=None,
        response_format=form,
    )


def stop_place(text: str, stops: tuple[str, ...], seen: int) -> int | None:
    """Where the earliest stop string begins, or None.

    Args:
        text: what has been generated.
        stops: stop strings; empty ones count for nothing.
        seen: how many characters have been searched before.
    """
    places = [text.find(stop, max(0, seen - len(stop) + 1)) for stop in stops if stop]
    return min((place for place in places if place >= 0), default=None)


def failure(error: Exception) -> dict[str, Any]:
    """The reply to a request that LMDeploy failed on; its own words, and the cause where it hides that."""
    text = str(error).strip() or type(error).__name__
    cause = error.__cause__
    if cause is not None and (reason := str(cause).strip()) and reason not in text:
        text = f"{text} {type(cause).__name__}: {reason}"
    too_long = _code(error) == "context_length_exceeded"
    return {"status": "too_long" if too_long else "error", "error": text.splitlines()[0]}


def _code(error: Exception) -> str:
    code = getattr(error, "code", None)
    return str(getattr(code, "value", code))


def _ok(text: str, finish_reason: str, prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    return {
        "status": "ok",
        "text": text,
        "finish_reason": finish_reason,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
    }


def _refuse_truncated_images() -> None:
    """Undo LMDeploy's setting, under which a truncated image is answered as if it were whole."""
    from PIL import ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False


def build(channel: Channel, settings: dict[str, Any]) -> LmdeployWorker:
    """Start the engine of the parent's settings.

    Raises:
        LoadError: see `LmdeployWorker`.
    """
    return LmdeployWorker(channel, Settings(**settings))
