"""Servers of a named engine, joined by their address."""

from __future__ import annotations

from typing import ClassVar

from mmeval.core.errors import EngineError
from mmeval.engines.base import EngineInfo
from mmeval.engines.openai import OpenAIEngine

KNOWN_SERVERS = ("vllm", "lmdeploy")


class ServedEngine(OpenAIEngine):
    """A running server of one engine."""

    server: ClassVar[str]

    async def describe(self) -> EngineInfo:
        """See `Engine.describe`.

        Raises:
            EngineError: also when another engine serves there.
        """
        info = await super().describe()
        found = info.details["server"]
        if found not in (self.server, "unknown"):
            raise EngineError(
                f"{', '.join(info.details['base_urls'])} is served by {found}, not by {self.server}",
                remedy=f"use -m {found if found in KNOWN_SERVERS else 'openai'}:{self._spec.target}",
            )
        return info
