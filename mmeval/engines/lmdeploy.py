"""The `lmdeploy` backend: LMDeploy's pipeline in a managed worker process, or a running `lmdeploy serve api_server`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.core.types import Request, Response
from mmeval.engines.base import ModelSpec
from mmeval.engines.checkpoint_engine import CheckpointEngine
from mmeval.engines.identity import hash_checkpoint
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.options import one_of, whole
from mmeval.engines.registry import has_gpu

OWN_ARGUMENTS = frozenset({"adapter", "backend", "min_pixels", "max_pixels"})
"""Arguments that mmeval translates; every other one goes to LMDeploy under its own name."""
AUTO = "auto"
BACKENDS = (AUTO, "turbomind", "pytorch")
TRANSPORT_ARGUMENTS = frozenset(
    {"cache_max_entry_count", "devices", "download_dir", "enable_metrics", "num_cpu_blocks", "num_gpu_blocks"}
)
"""LMDeploy's arguments that change no answer."""
SLOTS_GPU = 512
"""LMDeploy takes 128 to 1024 sequences at once, by the card; it prepares the images of further requests meanwhile."""
SLOTS_CPU = 64


def lmdeploy_engine(spec: ModelSpec) -> LmdeployEngine | ServedLmdeploy:
    """The engine of an `lmdeploy:` model: a server's client with `--base-url`, a managed worker otherwise."""
    return ServedLmdeploy(spec) if spec.base_urls else LmdeployEngine(spec)


class ServedLmdeploy(OpenAIEngine):
    """A running `lmdeploy serve api_server`, whose stop strings are cut off here.

    The server takes a stop string for every token that contains it, drops those tokens whole, and ignores a string of
    several tokens; so it is sent none, and an answer may cost more tokens than it shows.
    """

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        sampling = request.sampling
        if not sampling.stop:
            return await super().generate(request)
        whole = await super().generate(replace(request, sampling=replace(sampling, stop=())))
        if whole.text is None:
            return whole
        places = [place for stop in sampling.stop if stop and (place := whole.text.find(stop)) >= 0]
        return replace(whole, text=whole.text[: min(places)], finish_reason="stop") if places else whole


class LmdeployEngine(CheckpointEngine):
    """Answers with LMDeploy; it batches by itself."""

    backend = "lmdeploy"
    packages = ("lmdeploy",)
    extra = "lmdeploy"
    forces_schema = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        args = dict(spec.engine_args)
        self._pixels = {name: whole(args, name) for name in ("min_pixels", "max_pixels")}
        low, high = self._pixels["min_pixels"], self._pixels["max_pixels"]
        if low is not None and high is not None and low > high:
            raise EngineError(f"min_pixels={low} is above max_pixels={high}", remedy="swap them, or leave one out")
        choice = one_of(args, "backend", BACKENDS, AUTO)
        self._backend = None if choice == AUTO else choice
        adapter = args.get("adapter")
        self._adapter = None if adapter is None else Path(str(adapter)).expanduser().resolve()
        if self._adapter is not None and not (self._adapter / "adapter_config.json").is_file():
            raise EngineError(
                f"adapter={adapter}: {self._adapter} has no adapter_config.json", remedy="name a PEFT LoRA folder"
            )
        self._arguments = {name: value for name, value in args.items() if name not in OWN_ARGUMENTS}

    def _identity_arguments(self) -> dict[str, Any]:
        stable = {name: value for name, value in self._arguments.items() if name not in TRANSPORT_ARGUMENTS}
        return {"backend": self._backend, **self._pixels, **stable}

    async def _further_identity(self) -> dict[str, Any]:
        if self._adapter is None:
            return {}
        return {"adapter": (await asyncio.to_thread(hash_checkpoint, self._adapter)).json()}

    def _worker_settings(self) -> dict[str, Any]:
        adapter = None if self._adapter is None else str(self._adapter)
        return {**self._pixels, "backend": self._backend, "adapter": adapter, "arguments": self._arguments}

    def _slots(self) -> int:
        sequences = whole(self._arguments, "max_batch_size")
        if sequences is not None:
            return 2 * sequences
        return SLOTS_GPU if has_gpu() else SLOTS_CPU
