"""Reading a server's load out of its metrics."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mmeval.engines.base import Load
from mmeval.engines.load import read_load, together
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.registry import parse_model

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 12.0
vllm:num_requests_running{engine="1",model_name="m"} 13.0
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
vllm:num_preemptions_total{engine="0",model_name="m"} 2.0
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_gpu_blocks="1000",x="a\\"}b"} 1.0
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="1",num_gpu_blocks="500"} 1.0
"""
LMDEPLOY = """\
lmdeploy:num_requests_running{engine="0",model_name="m"} 7.0
lmdeploy:num_requests_waiting{engine="0",model_name="m"} 2.0
lmdeploy:num_api_requests_waiting{engine="0",model_name="m"} 5.0
lmdeploy:gpu_cache_usage_perc{engine="0",model_name="m"} 0.5
"""


def test_vllm_and_lmdeploy() -> None:
    assert read_load(VLLM, "m") == Load(25, 3, 0.75, 24_000, 2)
    assert read_load(LMDEPLOY, "m") == Load(7, 7, 0.5, None, 0)
    assert read_load(VLLM.replace("vllm:kv_cache", "vllm:gpu_cache"), "m") == Load(25, 3, 0.75, 24_000, 2)


def test_other_models_of_one_server_do_not_count_where_the_own_is_there() -> None:
    page = VLLM + 'vllm:num_requests_running{engine="0",model_name="other"} 400\n'
    found = read_load(page, "m")
    assert found is not None
    assert found.running == 25
    unnamed = read_load(page, "alias")  # served under a name that the metrics do not have
    assert unnamed is not None
    assert unnamed.running == 425


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>404</html>",
        '{"detail": "Not Found"}',
        "vllm:num_requests_running",
        "vllm:num_requests_running{",
        'vllm:num_requests_running{model_name="m} 3',
        "vllm:num_requests_running NaN",
        "vllm:num_requests_running +Inf",
        "vllm:num_requests_running -3",
        "vllm:num_requests_running many",
        "process_open_fds 3",
        "\x00\xff" * 100,
    ],
)
def test_what_tells_nothing_is_no_load(page: str) -> None:
    assert read_load(page) is None


def test_odd_values_are_bounded() -> None:
    page = (
        "vllm:num_requests_running 1e300\nvllm:num_requests_waiting NaN\nvllm:kv_cache_usage_perc 17\n"
        'vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1\n'
        f'vllm:cache_config_info{{block_size="{"9" * 4000}",num_gpu_blocks="9"}} 1\n'
    )
    assert read_load(page) == Load(2**53, 0, 1.0, None, 0)


@given(st.text() | st.lists(st.sampled_from(VLLM.splitlines())).map("\n".join), st.integers(0, 400))
def test_no_page_raises_and_no_value_is_out_of_range(page: str, cut: int) -> None:
    for text in (page, VLLM[:cut] + page):
        found = read_load(text, "m")
        if found is not None:
            assert min(found.running, found.waiting, found.preemptions) >= 0
            assert found.cache_usage is None or 0 <= found.cache_usage <= 1
            assert found.cache_tokens is None or (found.cache_tokens > 0 and math.isfinite(found.cache_tokens))


def test_a_hostile_line_takes_no_time() -> None:
    assert read_load("vllm:num_requests_running{" + 'a="\\' * 200_000) is None
    assert read_load("vllm:num_requests_running{" + '"' * 200_001 + "} 3") is None


def test_several_servers_are_added_up() -> None:
    assert together([Load(1, 2, 0.5, 100, 1), Load(3, 4, 0.25, 50, 0)]) == Load(4, 6, 0.5, 150, 1)
    assert together([Load(1, 2, None, None), Load(3, 4, 0.25, 50)]) == Load(4, 6, 0.25, None, 0)


class Page:
    """A server's page of metrics."""

    def __init__(self, body: str | bytes, status: int = 200) -> None:
        self.body = body
        self.status = status
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self.body, status=self.status)


@pytest.mark.parametrize(
    ("page", "load"),
    [
        (Page(VLLM), Load(25, 3, 0.75, 24_000, 2)),
        (Page("nothing of this kind 3"), None),
        (Page(b"\xff\xfe\x00"), None),
        (Page(VLLM, 500), None),
        (Page(VLLM + "# " + "x" * (5 << 20)), None),
    ],
)
def test_an_endpoint_is_asked_for_its_load_beside_its_api(page: Page, load: Load | None) -> None:
    async def go() -> Load | None:
        async with _served(page) as base:
            engine = OpenAIEngine(parse_model("openai:m", base_urls=(base,)))
            try:
                assert await engine.load() is None  # nothing was asked of it yet
                await engine.describe()
                return await engine.load()
            finally:
                await engine.close()
                assert await engine.load() is None

    assert asyncio.run(go()) == load
    assert page.asked == 1


@asynccontextmanager
async def _served(page: Page) -> AsyncIterator[str]:
    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "object": "model"}]})

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_get("/metrics", page.answer)
    site = web.AppRunner(app, access_log=None)
    await site.setup()
    try:
        listening = web.TCPSite(site, "127.0.0.1", 0)
        await listening.start()
        yield f"http://127.0.0.1:{site.addresses[0][1]}/v1"
    finally:
        await site.cleanup()
