"""Loading a checkpoint folder with transformers: model, tokenizer, image processor, decoding defaults."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .failures import MEMORY_REMEDY, LoadError, is_out_of_memory

QWEN_FAMILY = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"})
"""Model types whose inputs are built from tokenizer and image processor alone, so that no torchvision is needed."""

DEFAULT_FIELDS = ("top_p", "top_k", "min_p", "repetition_penalty")
"""Decoding fields of generation_config.json that apply where a request leaves them to the engine, as in vLLM."""

SMALL_MODEL = 50_000_000
"""Parameters below which one thread is as fast as two, and leaves the others to image preparation."""


@dataclass(frozen=True)
class Settings:
    """What the parent asks for."""

    folder: str
    dtype: str = "float32"
    device: str = "auto"
    batch_size: int = 16
    max_pixels: int | None = None
    min_pixels: int | None = None
    attn_implementation: str | None = None
    max_model_len: int | None = None
    trust_remote_code: bool = False
    scores: bool = False
    """The checkpoint has a head that scores."""


@dataclass
class Loaded:
    """A model ready to answer."""

    model: Any
    tokenizer: Any
    image_processor: Any
    """Of the Qwen families; None otherwise."""
    processor: Any
    """Of every other multimodal model; None otherwise."""
    config: Any
    settings: Settings
    max_model_len: int
    stop_tokens: list[int]
    pad_token: int
    defaults: dict[str, Any] = field(default_factory=dict)
    """Decoding where a request leaves it to the engine."""


def load(settings: Settings) -> Loaded:
    """Load everything.

    Raises:
        LoadError: with what is missing or wrong and what to do about it.
    """
    torch, transformers = _packages()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    device = _device(torch, settings.device)
    config = _config(transformers, settings)
    multimodal = _is_multimodal(transformers, config)
    tokenizer = _tokenizer(transformers, settings)
    image_processor = processor = None
    if multimodal and config.model_type in QWEN_FAMILY:
        image_processor = _image_processor(transformers, settings)
    elif settings.max_pixels is not None or settings.min_pixels is not None:
        raise LoadError(
            f"max_pixels and min_pixels mean nothing to a {config.model_type} model", "leave these engine arguments out"
        )
    elif multimodal:
        processor = _processor(transformers, settings)
    model = _model(torch, transformers, settings, config, device, multimodal)
    generation = generation_json(settings.folder)
    stop_tokens = _stop_tokens(generation, config, tokenizer)
    pad = tokenizer.pad_token_id
    if settings.scores and getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = pad  # the head reads the last token that is no padding
    # A clean configuration, so that nothing of the checkpoint's decoding applies behind the request's back.
    model.generation_config = transformers.GenerationConfig(eos_token_id=stop_tokens or None, pad_token_id=pad)
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        image_processor=image_processor,
        processor=processor,
        config=config,
        settings=settings,
        max_model_len=_context_length(settings, config),
        stop_tokens=stop_tokens,
        pad_token=pad if pad is not None else (stop_tokens[0] if stop_tokens else 0),
        defaults=decoding_defaults(generation),
    )


def _packages() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise LoadError(
            f"{error.name or error} is not installed for {sys.executable}", "pip install 'mmeval-harness[hf]'"
        ) from error
    return torch, transformers


def _device(torch: Any, wanted: str) -> Any:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        line = str(error).strip().splitlines()[0]
        raise LoadError(
            f"device {wanted!r} cannot be used: {line}", "--engine-arg device=auto, cpu or cuda:0"
        ) from error
    return device


def _config(transformers: Any, settings: Settings) -> Any:
    try:
        return transformers.AutoConfig.from_pretrained(
            settings.folder, trust_remote_code=settings.trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _explain(error, "config.json", transformers) from error


def _explain(error: Exception, what: str, transformers: Any) -> LoadError:
    text = str(error)
    line = next((part.strip() for part in text.splitlines() if part.strip()), type(error).__name__)
    if "trust_remote_code" in text:
        return LoadError(
            "this checkpoint brings its own Python code", "read that code, then pass --trust-remote-code to run it"
        )
    if "does not recognize this architecture" in text or "Unrecognized model" in text:
        remedy = "update transformers, or serve the model with vLLM and use openai: with --base-url"
        return LoadError(f"transformers {transformers.__version__} does not know this model: {line}", remedy)
    if isinstance(error, ImportError):
        return LoadError(f"{what} needs a package that is missing: {line}", f"install it for {sys.executable}")
    return LoadError(f"{what} cannot be loaded: {line}", "is the checkpoint folder complete?")


def _is_multimodal(transformers: Any, config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as names

    if config.model_type in names:
        return True
    automatic = getattr(config, "auto_map", None) or {}
    return "AutoModelForImageTextToText" in automatic or hasattr(config, "vision_config")


def _tokenizer(transformers: Any, settings: Settings) -> Any:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            settings.folder, trust_remote_code=settings.trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise _explain(error, "the tokenizer", transformers) from error
    if not tokenizer.chat_template:
        tokenizer.chat_template = _template_file(settings.folder)
    if not tokenizer.chat_template:
        raise LoadError(
            f"{settings.folder} has no chat template",
            "add chat_template.jinja; a base model without one cannot be asked",
        )
    return tokenizer


def _template_file(folder: str) -> str | None:
    """The template of older checkpoints, which keep it with the processor."""
    jinja, older = Path(folder) / "chat_template.jinja", Path(folder) / "chat_template.json"
    if jinja.is_file():
        return jinja.read_text(encoding="utf-8")
    if older.is_file():
        found = json.loads(older.read_text(encoding="utf-8")).get("chat_template")
        return found if isinstance(found, str) else None
    return None


def _image_processor(transformers: Any, settings: Settings) -> Any:
    limits = {"min_pixels": settings.min_pixels, "max_pixels": settings.max_pixels}
    given = {name: value for name, value in limits.items() if value is not None}
    # The Pillow version everywhere, so that answers do not depend on whether torchvision is installed.
    pillow = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}
    try:
        return transformers.AutoImageProcessor.from_pretrained(
            settings.folder, local_files_only=True, trust_remote_code=settings.trust_remote_code, **pillow, **given
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _explain(error, "the image processor (preprocessor_config.json)", transformers) from error


def _processor(transformers: Any, settings: Settings) -> Any:
    try:
        processor = transformers.AutoProcessor.from_pretrained(
            settings.folder, local_files_only=True, trust_remote_code=settings.trust_remote_code
        )
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise _explain(error, "the processor", transformers) from error
    if not hasattr(processor, "image_processor"):
        raise LoadError(f"{settings.folder} has no image processor", "copy preprocessor_config.json of the base model")
    if not getattr(processor, "chat_template", None):
        processor.chat_template = _template_file(settings.folder) or processor.tokenizer.chat_template
    return processor


def _model(torch: Any, transformers: Any, settings: Settings, config: Any, device: Any, multimodal: bool) -> Any:
    factory = transformers.AutoModelForImageTextToText if multimodal else transformers.AutoModelForCausalLM
    if settings.scores:
        factory = transformers.AutoModelForSequenceClassification
    dtype = getattr(torch, settings.dtype, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise LoadError(f"dtype {settings.dtype!r} is unknown", "float32, bfloat16 or float16")
    options = {"attn_implementation": settings.attn_implementation} if settings.attn_implementation else {}
    try:
        model = factory.from_pretrained(
            settings.folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=settings.trust_remote_code,
            **options,
        )
        model = model.to(device).eval()
    except Exception as error:  # damaged weights and remote code raise anything
        if is_out_of_memory(error):
            raise LoadError("the model does not fit into memory", MEMORY_REMEDY) from error
        raise _explain(error, "the model", transformers) from error
    if device.type == "cpu" and sum(parameter.numel() for parameter in model.parameters()) < SMALL_MODEL:
        torch.set_num_threads(1)
    return model


def generation_json(folder: str) -> dict[str, Any]:
    """The checkpoint's generation_config.json; empty where there is none.

    Raises:
        LoadError: when it is no JSON.
    """
    path = Path(folder) / "generation_config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LoadError(f"{path} is no JSON: {error}", "repair or remove it") from error
    return found if isinstance(found, dict) else {}


def _stop_tokens(generation: dict[str, Any], config: Any, tokenizer: Any) -> list[int]:
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    sources = (generation.get("eos_token_id"), getattr(text, "eos_token_id", None), tokenizer.eos_token_id)
    first: Any = next((source for source in sources if source is not None), [])
    found = list(first) if isinstance(first, (list, tuple)) else [first]
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in found:
        found.append(tokenizer.eos_token_id)
    return [int(token) for token in found]


def decoding_defaults(generation: dict[str, Any]) -> dict[str, Any]:
    """Decoding fields for what a request leaves to the engine, out of generation_config.json."""
    found = {name: generation[name] for name in DEFAULT_FIELDS if generation.get(name) is not None}
    sampled = bool(generation.get("do_sample"))
    found["temperature"] = float(generation.get("temperature") or 1.0) if sampled else 0.0
    return found


def _context_length(settings: Settings, config: Any) -> int:
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    known = getattr(text, "max_position_embeddings", None)
    if settings.max_model_len is not None:
        if known is not None and settings.max_model_len > known:
            raise LoadError(f"max_model_len={settings.max_model_len} exceeds the model's {known} positions", "lower it")
        return settings.max_model_len
    return int(known) if known is not None else 1 << 30
