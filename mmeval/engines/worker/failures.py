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
