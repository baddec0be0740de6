"""vLLM by itself, for `vllm_worker.py` to compare with: all prompts at once through one AsyncLLM.

Runs in vLLM's environment: `PYTHON raw_vllm.py CHECKPOINT REQUESTS.jsonl MAX_MODEL_LEN ROUNDS`; prints one JSON line
per round.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


async def main(checkpoint: str, requests_file: str, max_model_len: int, rounds: int) -> None:
    """Time several rounds over the same requests."""
    from PIL import Image
    from vllm import SamplingParams
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.renderers.params import ChatParams
    from vllm.sampling_params import RequestOutputKind
    from vllm.v1.engine.async_llm import AsyncLLM

    requests = [json.loads(line) for line in Path(requests_file).read_text(encoding="utf-8").splitlines()]
    arguments = AsyncEngineArgs(
        model=checkpoint, dtype="float32", max_model_len=max_model_len, enforce_eager=True, disable_log_stats=True,
        enable_prefix_caching=False, mm_processor_cache_gb=0,
    )  # fmt: skip
    engine = AsyncLLM.from_engine_args(arguments)
    template = ChatParams(chat_template_kwargs={"add_generation_prompt": True, "tokenize": False})

    async def ask(key: str, request: dict[str, Any]) -> str:
        images = [Image.open(path).convert("RGB") for path in request["images"]]
        content = [{"type": "image_pil", "image_pil": image} for image in images]
        conversation = [{"role": "user", "content": [*content, {"type": "text", "text": request["text"]}]}]
        _, prompts = await engine.renderer.render_chat_async([conversation], template)
        params = SamplingParams(
            temperature=0.0, max_tokens=request["max_tokens"], output_kind=RequestOutputKind.FINAL_ONLY
        )
        text = ""
        async for output in engine.generate(prompts[0], params, key):
            text = output.outputs[0].text
        return text

    for round_number in range(rounds):
        started = time.perf_counter()
        texts = await asyncio.gather(*(ask(f"{round_number}-{n}", r) for n, r in enumerate(requests)))
        print(json.dumps({"seconds": time.perf_counter() - started, "texts": texts}), flush=True)
    engine.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
