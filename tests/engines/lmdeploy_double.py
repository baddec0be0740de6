"""Stands in for LMDeploy's PyTorch engine on a machine without a GPU: transformers computes, all else is LMDeploy's own.

A worker imports this file before its engine when MMEVAL_WORKER_PRELOAD names it. It replaces the one method that builds
the engine object; `pipeline()`, chat template, image processing, sessions and detokenisation stay the real ones.
A prompt that holds DEADLY kills the engine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import lmdeploy.vl.engine
import torch
from lmdeploy.messages import EngineOutput, RequestMetrics, ResponseType, ScheduleMetrics
from lmdeploy.serve.core.async_engine import AsyncEngine

DEADLY = "take the engine down"
MAX_BATCH_SIZE = 16


class Double:
    """The engine object: one model, one request at a time."""

    def __init__(self, folder: str, config: Any) -> None:
        import transformers

        self.engine_config = config
        config.max_batch_size = config.max_batch_size or MAX_BATCH_SIZE
        self.model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.turn = threading.Lock()
        self.alive = True

    def create_instance(self, *_: Any, **__: Any) -> Instance:
        return Instance(self)

    def start_loop(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing outlives the process."""

    def end_session(self, _: int) -> bool:
        return True

    def get_schedule_metrics(self) -> ScheduleMetrics:
        return ScheduleMetrics()

    async def get_health_status(self) -> dict[str, Any]:
        message = "fine" if self.alive else "it was taken down"
        return {"alive": self.alive, "message": message, "schedule_metrics": ScheduleMetrics()}

    def inputs(self, ids: list[int], multimodal: list[dict[str, Any]] | None) -> dict[str, Any]:
        tokens = torch.tensor([ids])
        found: dict[str, Any] = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        found["mm_token_type_ids"] = (tokens == self.model.config.image_token_id).int()
        if multimodal:
            found["pixel_values"] = torch.cat([item["pixel_values"].float() for item in multimodal])
            found["image_grid_thw"] = torch.cat([item["image_grid_thw"].reshape(-1, 3) for item in multimodal])
        return found

    @torch.inference_mode()
    def score(self, inputs: dict[str, Any], start: int) -> list[dict[int, float]]:
        logprobs = self.model(**inputs, use_cache=False).logits[0].float().log_softmax(dim=-1)
        targets = inputs["input_ids"][0, start + 1 :].tolist()
        return [{token: float(row[token])} for token, row in zip(targets, logprobs[start:-1], strict=True)]

    @torch.inference_mode()
    def write(self, inputs: dict[str, Any], config: Any, emit: Any, stopped: threading.Event) -> None:
        import transformers

        width = inputs["input_ids"].shape[1]

        class Emit(transformers.StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                emit(int(input_ids[0, -1]))
                return torch.tensor([stopped.is_set()])

        # The real engine takes the temperature 0, which the server sends, for greedy.
        sampled = bool(config.do_sample and config.top_k != 1 and config.temperature > 0)
        drawing = {"temperature": config.temperature, "top_k": config.top_k, "top_p": config.top_p}
        room = self.engine_config.session_len - width
        with self.turn:
            torch.manual_seed(config.random_seed or 0)
            self.model.generate(
                **inputs,
                max_new_tokens=min(config.max_new_tokens, room),
                do_sample=sampled,
                repetition_penalty=config.repetition_penalty,
                eos_token_id=config.stop_token_ids or None,
                stopping_criteria=transformers.StoppingCriteriaList([Emit()]),
                **({**drawing, "min_p": config.min_p or None} if sampled else {}),
            )


class Instance:
    """A handle of LMDeploy's pool: one request after the other."""

    def __init__(self, engine: Double) -> None:
        self.engine = engine
        self.stopped = threading.Event()

    async def async_cancel(self, _: int) -> None:
        self.stopped.set()

    async def async_end(self, _: int) -> None:
        """Sessions keep nothing here."""

    async def async_stream_infer(
        self, session_id: int, *, input_ids: list[int], gen_config: Any, multimodal: Any = None, **_: Any
    ) -> AsyncIterator[EngineOutput]:
        engine, loop = self.engine, asyncio.get_running_loop()
        if DEADLY in engine.tokenizer.decode(input_ids):
            engine.alive = False
        if not engine.alive:
            yield EngineOutput(ResponseType.ENGINE_STOP_ERROR, [])
            return
        inputs = engine.inputs(input_ids, multimodal)
        if gen_config.logprob_start_len >= 0:
            if engine.engine_config.logprobs_mode != "raw_logprobs" or gen_config.max_new_tokens != 0:
                yield EngineOutput(ResponseType.NOT_SUPPORTED, [])
                return
            rows = await loop.run_in_executor(None, engine.score, inputs, gen_config.logprob_start_len)
            yield EngineOutput(ResponseType.FINISH, [], logprobs=rows, req_metrics=RequestMetrics())
            return
        self.stopped = stopped = threading.Event()
        tokens: asyncio.Queue[int | None] = asyncio.Queue()

        def emit(token: int | None) -> None:
            loop.call_soon_threadsafe(tokens.put_nowait, token)

        writing = loop.run_in_executor(None, engine.write, inputs, gen_config, emit, stopped)
        writing.add_done_callback(lambda _: tokens.put_nowait(None))
        held: int | None = None
        while (token := await tokens.get()) is not None:
            if held is not None:
                yield EngineOutput(ResponseType.SUCCESS, [held], req_metrics=RequestMetrics())
            held = token
        await writing
        kind = ResponseType.CANCEL if stopped.is_set() else ResponseType.FINISH
        yield EngineOutput(kind, [] if held is None else [held], req_metrics=RequestMetrics())


def _build(self: Any, model_path: str, backend_config: Any = None, **_: Any) -> Double:
    return Double(model_path, backend_config)


AsyncEngine._build_pytorch = _build
lmdeploy.vl.engine.is_bf16_supported = lambda *_: True

if __name__ == "__main__":
    # As a script it is the command `lmdeploy` with the double in it: `serve api_server FOLDER …`.
    from lmdeploy.cli.entrypoint import run

    run()
