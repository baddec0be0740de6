"""An engine whose worker process holds no model: it answers a question by its number, slowly enough to be killed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mmeval.core.types import Request, Response, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec
from mmeval.engines.managed import ManagedWorker

WORKER = Path(__file__).resolve().parents[1] / "engines" / "puppet_worker.py"


class PuppetEngine:
    """The `puppet` backend of the tests."""

    supported_sampling = SAMPLING_FIELDS
    modalities = frozenset({"text", "image"})
    exclusive = False

    def __init__(self, spec: ModelSpec) -> None:
        self._worker = ManagedWorker("puppet", lambda address: (sys.executable, str(WORKER), address), {})

    async def describe(self) -> EngineInfo:
        return EngineInfo("puppet", "1", {"engine": "puppet"}, slots=4)

    async def start(self) -> EngineInfo:
        await self._worker.start()
        return await self.describe()

    async def generate(self, request: Request) -> Response:
        said = "".join(
            part.text for message in request.messages for part in message.parts if isinstance(part, TextPart)
        )
        found = re.search(r"question number (\d+)", said)
        assert found is not None
        answer: dict[str, Any] = await self._worker.ask({"text": f"word-{found.group(1)}", "seconds": 0.02}, ())
        if answer["status"] != "ok":
            return Response("error", error=str(answer.get("error")))
        return Response("ok", text=str(answer["text"]), finish_reason="stop", latency_s=0.02)

    async def close(self) -> None:
        await self._worker.close()
