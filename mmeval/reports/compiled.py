"""Templates are compiled once a process: a page that is drawn anew, and a second report, use what was compiled before."""

from __future__ import annotations

from types import CodeType

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """Keeps the code of the last text of every file in memory, and writes nothing to disk.

    Only environments with the same settings and filters may share one: both are compiled in.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of a file whose text is the same as before."""
        checksum, code = self._known.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a file, in the place of that of an earlier text."""
        assert bucket.code is not None
        self._known[bucket.key] = (bucket.checksum, bucket.code)


COMPILED = CompiledTemplates()
"""Of `Templates.environment`, whose settings are always the same."""
