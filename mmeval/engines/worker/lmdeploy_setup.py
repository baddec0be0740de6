"""From the parent's settings to LMDeploy's configuration of the engine, and from its failures to a remedy."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

from .failures import LoadError, remedy_for

OLDEST = (0, 16)
TESTED = "0.16 to 0.18"
ADAPTER = "adapter"
"""Name under which the engine knows the LoRA adapter."""
BACKENDS = ("turbomind", "pytorch")
RESERVED = {
    "model_path": "-m lmdeploy:FOLDER",
    "trust_remote_code": "--trust-remote-code",
    "revision": "--revision",
    "adapters": "--engine-arg adapter=FOLDER",
}
"""Engine arguments that mmeval sets itself -> how to set them."""
VLLM_NAMES = {
    "max_model_len": "session_len",
    "max_num_seqs": "max_batch_size",
    "gpu_memory_utilization": "cache_max_entry_count",
    "enforce_eager": "eager_mode",
    "tensor_parallel_size": "tp",
    "data_parallel_size": "dp",
    "quantization": "model_format",
    "kv_cache_dtype": "quant_policy",
}
"""vLLM's name of an engine argument -> LMDeploy's."""
_REMEDIES = (
    (
        ("out of memory", "enough gpu memory", "gpu blocks", "insufficient memory", "cache_max_entry_count"),
        "lower --engine-arg session_len or --engine-arg max_batch_size; --engine-arg cache_max_entry_count is the share"
        " of the card's free memory for keys and values",
    ),
    (
        ("cuda_available", "cuda is not available", "libcublas", "libcuda", "status 1"),
        "the engine sees no GPU it can use: check nvidia-smi, CUDA_VISIBLE_DEVICES and the lines above, or use -m hf:…",
    ),
    (
        ("world size", "divisible", "attn_tp_size", "tp > "),
        "--tensor-parallel must divide the model's attention heads and not exceed the number of GPUs",
    ),
    (("ray",), "--data-parallel needs ray beside LMDeploy: pip install ray"),
)


@dataclass(frozen=True)
class Settings:
    """What the parent asks for."""

    folder: str
    trust_remote_code: bool = False
    backend: str | None = None
    """`turbomind` or `pytorch`; None leaves the choice to LMDeploy."""
    adapter: str | None = None
    """Folder of a LoRA adapter."""
    min_pixels: int | None = None
    max_pixels: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    """Further arguments under LMDeploy's own names."""


@dataclass(frozen=True)
class Setup:
    """The engine's configuration."""

    backend: str
    config: Any
    """`TurbomindEngineConfig` or `PytorchEngineConfig`."""
    arguments: dict[str, Any]
    """What it was made of."""


def package() -> Any:
    """Import LMDeploy.

    Raises:
        LoadError: it is missing, broken or too old.
    """
    try:
        import lmdeploy
        import lmdeploy.archs
    except (ImportError, OSError) as error:
        raise LoadError(
            f"lmdeploy cannot be imported by {sys.executable}: {error}",
            "pip install 'lmdeploy>=0.16' there, or name the environment that has it with --engine-python",
        ) from error
    version = tuple(int(part) for part in lmdeploy.__version__.split("+")[0].split(".")[:2] if part.isdigit())
    if version and version < OLDEST:
        raise LoadError(f"LMDeploy {lmdeploy.__version__} is too old; tested are {TESTED}", "pip install -U lmdeploy")
    return lmdeploy


def setup(lmdeploy: Any, settings: Settings) -> Setup:
    """Choose the engine and configure it.

    Raises:
        LoadError: for an argument that this engine does not have (with the nearest names), a value that it refuses,
            or an engine that cannot run this checkpoint.
    """
    backend = _backend(lmdeploy, settings)
    classes = {"turbomind": lmdeploy.TurbomindEngineConfig, "pytorch": lmdeploy.PytorchEngineConfig}
    names = {name: {entry.name for entry in dataclasses.fields(kind)} for name, kind in classes.items()}
    for name in settings.arguments:
        _check_name(name, backend, names, lmdeploy.__version__)
    found: dict[str, Any] = {}
    if backend == "pytorch" and "logprobs_mode" in names["pytorch"]:
        # Costs nothing until log-probabilities are asked for, and without it they are refused.
        found["logprobs_mode"] = "raw_logprobs"
    if settings.adapter is not None:
        found["adapters"] = {ADAPTER: settings.adapter}
    found |= settings.arguments
    try:
        return Setup(backend, classes[backend](**found), found)
    except (AssertionError, TypeError, ValueError) as error:
        raise _refused(error, found) from error


def _backend(lmdeploy: Any, settings: Settings) -> str:
    if settings.backend == "pytorch" or (settings.backend is None and settings.adapter is not None):
        return "pytorch"
    if settings.adapter is not None:
        raise LoadError("TurboMind cannot run a LoRA adapter", "use --engine-arg backend=pytorch, or merge the adapter")
    try:
        own: str = lmdeploy.archs.autoget_backend(settings.folder, trust_remote_code=settings.trust_remote_code)
    except (Exception, SystemExit) as error:
        raise explain(error) from error
    if settings.backend is not None and own != settings.backend:
        raise LoadError(
            "TurboMind is not available here or does not support this checkpoint",
            "leave --engine-arg backend out, or use backend=pytorch",
        )
    return own


def _check_name(name: str, backend: str, names: dict[str, set[str]], version: str) -> None:
    if name in RESERVED:
        raise LoadError(f"engine argument {name!r} is set by mmeval itself", f"use {RESERVED[name]}")
    if name in names[backend]:
        return
    title = {"turbomind": "TurboMind", "pytorch": "the PyTorch engine"}
    problem = f"{title[backend]} of LMDeploy {version} has no argument {name!r}"
    for other in BACKENDS:
        if name in names[other]:
            raise LoadError(problem, f"{title[other]} has it: --engine-arg backend={other}, or leave it out")
    if name in VLLM_NAMES:
        raise LoadError(problem, f"its name in LMDeploy is {VLLM_NAMES[name]}")
    close = difflib.get_close_matches(name, names[backend], 3)
    raise LoadError(problem, f"did you mean {' or '.join(close)}?" if close else "see `lmdeploy serve api_server -h`")


def _refused(error: Exception, arguments: dict[str, Any]) -> LoadError:
    if arguments.get("dtype") not in (None, "auto", "float16", "bfloat16"):
        return LoadError(
            f"LMDeploy has no dtype {arguments['dtype']!r}", "use dtype=auto, float16 or bfloat16, or another engine"
        )
    # LMDeploy's checks are assertions, most of them without a word: the line itself says what it wants.
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    reason = str(error).strip() or line.strip() or type(error).__name__
    return LoadError(f"LMDeploy refuses the engine arguments: {reason}", "see LMDeploy's description of its arguments")


def pixel_limits(vision: Any, settings: Settings) -> dict[str, int]:
    """Both limits of an image's pixels; empty where none was asked for.

    LMDeploy drops limits without a word where the smaller one exceeds the larger one or the model knows none.

    Args:
        vision: LMDeploy's model of the images, None for a text-only one.
        settings: the parent's.

    Raises:
        LoadError: for limits that would have no effect.
    """
    low, high = settings.min_pixels, settings.max_pixels
    if low is None and high is None:
        return {}
    size = getattr(getattr(getattr(vision, "processor", None), "image_processor", None), "size", None)
    try:
        least, most = int(size["shortest_edge"]), int(size["longest_edge"])  # type: ignore[index]
    except (KeyError, TypeError) as error:
        raise _no_limits(vision) from error
    if not (_takes_processor_arguments(vision) or type(vision).__name__ == "Qwen2VLModel"):
        raise _no_limits(vision)
    if high is None:
        high = most
        if low is not None and low > high:
            raise LoadError(f"min_pixels={low} is above the checkpoint's max_pixels={high}", "give max_pixels as well")
    if low is None:
        low = min(least, high)
    return {"min_pixels": low, "max_pixels": high}


def _takes_processor_arguments(vision: Any) -> bool:
    import inspect

    return "mm_processor_kwargs" in inspect.signature(vision.preprocess).parameters


def _no_limits(vision: Any) -> LoadError:
    name = "a text-only model" if vision is None else f"LMDeploy's {type(vision).__name__}"
    return LoadError(f"max_pixels and min_pixels mean nothing to {name}", "leave these engine arguments out")


def explain(error: BaseException) -> LoadError:
    """Why the engine does not start."""
    if isinstance(error, SystemExit):
        text = f"its check of this machine ended with status {error.code}; the lines above say why"
    else:
        text = str(error).strip() or type(error).__name__
    line = next((part.strip() for part in text.splitlines() if part.strip()), type(error).__name__)
    lowered = text.lower()
    own = next((remedy for words, remedy in _REMEDIES if any(word in lowered for word in words)), "")
    remedy = own or remedy_for(text) or "the lines above are LMDeploy's own"
    return LoadError(f"LMDeploy does not start: {type(error).__name__}: {line}", remedy)
