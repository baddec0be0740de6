"""Failures of a worker, as plain exceptions that carry what the user should read."""

from __future__ import annotations


class LoadError(Exception):
    """The model cannot be loaded."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class RequestError(Exception):
    """One request that cannot be answered."""

    def __init__(self, message: str, status: str = "error") -> None:
        super().__init__(message)
        self.message = message
        self.status = status


MEMORY_REMEDY = "use --engine-arg dtype=bfloat16, --engine-arg batch_size=1 or a smaller --engine-arg max_pixels"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the card or in the machine."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


_REMEDIES = (
    (("trust_remote_code",), "this checkpoint brings its own Python code: read it, then pass --trust-remote-code"),
    (
        ("out of memory", "free memory on device", "no available memory", "kv cache", "insufficient memory"),
        "lower --engine-arg max_model_len or --engine-arg max_num_seqs, or set --engine-arg gpu_memory_utilization to"
        " what is free on the card",
    ),
    (
        ("tensor parallel", "tensor_parallel", "world size", "must be divisible"),
        "--tensor-parallel must divide the model's attention heads and not exceed the number of GPUs",
    ),
    (
        ("failed to infer device type", "no cuda", "not compiled with cuda", "cuda driver", "nvidia driver", "no gpu"),
        "the engine sees no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES, or use -m hf:…",
    ),
    (
        ("preprocessor_config", "image processor", "image_processor", "autoprocessor"),
        "copy the processor files (preprocessor_config.json) of the base model",
    ),
    (("chat template", "chat_template"), "copy chat_template.jinja of the base model into the checkpoint"),
    (("architectures", "not support this model", "is not supported"), "update the engine's package, or use -m hf:…"),
)


def remedy_for(text: str) -> str:
    """What helps against an engine's failure to start, by its wording; empty where the wording is unknown."""
    lowered = text.lower()
    return next((remedy for words, remedy in _REMEDIES if any(word in lowered for word in words)), "")
