"""Reading what an inference server says of its own load: Prometheus text of vLLM, LMDeploy and SGLang."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from mmeval.engines.base import Load

MOST_BYTES = 4 << 20
"""Of a page of metrics; what is longer is not read."""
_LINE = re.compile(
    r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<labels>(?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})?[ \t]+(?P<value>[^ \t]+)"
)
_LABEL = re.compile(r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*\"(?P<value>(?:[^\"\\]|\\.)*)\"")
_RUNNING = ("vllm:num_requests_running", "lmdeploy:num_requests_running", "sglang:num_running_reqs")
_WAITING = (
    "vllm:num_requests_waiting",
    "lmdeploy:num_requests_waiting",
    "sglang:num_queue_reqs",
)
_QUEUED = ("lmdeploy:num_api_requests_waiting",)
"""Requests that have not reached the engine yet."""
_USAGE = (
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "lmdeploy:gpu_cache_usage_perc",
    "sglang:token_usage",
)
_PREEMPTED = ("vllm:num_preemptions_total", "vllm:num_preemptions")
_CACHE = ("vllm:cache_config_info",)
_HELD = ("sglang:max_total_num_tokens",)
_MODEL = "model_name"


def read_load(text: str, model: str | None = None) -> Load | None:
    """Return the load of a server, or None where the text does not tell how many requests run.

    Engines of one server (data parallel) are added up, of the shares of their caches the largest counts. Lines that cannot be
    read, and values that are no finite numbers of at least 0, count as not there; this never raises.

    Args:
        text: the page.
        model: the served name; lines about other models are left out, where some are about this one.
    """
    lines = list(_samples(text))
    running = _of(lines, _RUNNING, model)
    if not running:
        return None
    usage = _of(lines, _USAGE, model)
    preempted = _of(lines, _PREEMPTED, model)
    return Load(
        running=_whole(sum(running)),
        waiting=_whole(sum(_of(lines, _WAITING, model)) + sum(_of(lines, _QUEUED, model))),
        cache_usage=min(1.0, max(usage)) if usage else None,
        cache_tokens=_cache_tokens(lines, model),
        preemptions=_whole(sum(preempted)),
    )


def together(loads: Sequence[Load]) -> Load:
    """Add up the loads of several servers that share the requests; of the shares of their caches the largest counts."""
    usages = [load.cache_usage for load in loads if load.cache_usage is not None]
    tokens = [load.cache_tokens for load in loads]
    return Load(
        running=sum(load.running for load in loads),
        waiting=sum(load.waiting for load in loads),
        cache_usage=max(usages) if usages else None,
        cache_tokens=None if None in tokens else sum(token or 0 for token in tokens),
        preemptions=sum(load.preemptions for load in loads),
    )


def _samples(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    wanted = frozenset((*_RUNNING, *_WAITING, *_QUEUED, *_USAGE, *_PREEMPTED, *_CACHE, *_HELD))
    for line in text.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name not in wanted or (found := _LINE.match(line)) is None:
            continue
        try:
            value = float(found["value"])
        except ValueError:
            continue
        if math.isfinite(value) and value >= 0:
            labels = {label["name"]: label["value"] for label in _LABEL.finditer(found["labels"] or "")}
            yield name, labels, value


def _of(lines: list[tuple[str, Mapping[str, str], float]], names: tuple[str, ...], model: str | None) -> list[float]:
    """Values of the first of several names that is there."""
    for name in names:
        found = [(labels, value) for given, labels, value in lines if given == name]
        if found:
            return [value for labels, value in found if labels.get(_MODEL) == model] or [value for _, value in found]
    return []


def _cache_tokens(lines: list[tuple[str, Mapping[str, str], float]], model: str | None) -> int | None:
    """Tokens that the caches hold."""
    tokens = 0
    for name, labels, _ in lines:
        if name in _CACHE:
            blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
            if blocks.isdecimal() and size.isdecimal() and len(blocks) < 12 and len(size) < 12:
                tokens += int(blocks) * int(size)
    held = _of(lines, _HELD, model)
    return tokens or (_whole(sum(held)) or None)


def _whole(value: float) -> int:
    return int(min(value, 2.0**53))
