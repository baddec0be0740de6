"""`--judge` on the command line: an endpoint as judge, the embedded model as judge, and what needs one but has none."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from aiohttp import web

from tests.engines.endpoint import Endpoint

DATA = str(Path(__file__).parents[1] / "data" / "mathvista")
COMMON = ("--data-dir", DATA, "--no-report", "--json")
FAKE = ("run", "-m", "fake", "--engine-arg", "answer=Hard to say: perhaps the first.", *COMMON)


@contextmanager
def judging(reply: Callable[[str], str]) -> Iterator[Endpoint]:
    """An endpoint on a thread of its own that answers each request by its last message."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    endpoint = Endpoint()

    async def answer(request: web.Request) -> web.StreamResponse:
        content: Any = json.loads(await request.read())["messages"][-1]["content"]
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        message = {"role": "assistant", "content": reply(text)}
        usage = {"prompt_tokens": 50, "completion_tokens": 5}
        return web.json_response(
            {"model": "echo", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        )

    endpoint.fault = answer
    asyncio.run_coroutine_threadsafe(endpoint.open(), loop).result(10)
    try:
        yield endpoint
    finally:
        asyncio.run_coroutine_threadsafe(endpoint.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def extracted(value: str | None) -> Callable[[str], str]:
    return lambda text: json.dumps({"id": re.findall(r'"id": "(r[0-9a-f]+)"', text)[-1], "answer": value})


def test_a_judge_reads_what_rules_leave_open_and_resumes(mmeval: Callable, tmp_path: Path) -> None:
    with judging(extracted("7")) as endpoint:
        command = (*FAKE, "-t", "mathvista", "--judge", "openai:echo", "--judge-base-url", endpoint.url, "-o", "runs/r")
        first = mmeval(*command)
        assert first.code == 0, first.err
        asked = len(endpoint.bodies)
        assert asked == 6
        assert endpoint.bodies[0]["response_format"]["type"] == "json_schema"
        again = mmeval(*command)
        assert again.code == 0, again.err
        assert len(endpoint.bodies) == asked, "verdicts come from the cache"
        assert "model calls, 6 of the judge, " in first.err
        assert "a judge decided 100" in mmeval(*[part for part in command if part != "--json"]).out
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet").set_index("sample_id")
    assert rows.loc["2", "correct"]
    assert set(rows["judge_model"]) == {"echo"}
    assert all(dict(scores)["judged"] == 1.0 for scores in rows["scores"])
    cell = first.json["leaderboard"][0]
    assert (cell["judged"], cell["rules"]) == (1.0, 0.0)
    calls = pd.read_parquet(tmp_path / "runs/r/calls.parquet")
    assert list(calls[calls["sample_id"] == "2"]["role"]) == ["model", "judge"]
    assert "RESPONSE" in calls[calls["turn"] == 1]["messages"].iloc[0]
    manifest = json.loads((tmp_path / "runs/r/run.json").read_text())
    assert manifest["judge"]["name"] == "openai:echo"
    assert manifest["judge"]["summary"]["cached"] == 6
    assert manifest["tasks"][0]["judge"]["steps"][0]["card"] == "extract-answer"


def test_a_judge_down_for_good_ends_incomplete_and_the_next_run_completes(mmeval: Callable) -> None:
    with judging(lambda text: "I would say it is fine.") as endpoint:
        command = (*FAKE, "-t", "mathvista", "--judge", "openai:echo", "--judge-base-url", endpoint.url, "--judge-model-id", "j", "-o", "runs/r")  # fmt: skip
        broken = mmeval(*command)
    assert broken.code == 6, broken.err
    assert broken.json["counts"]["unscored"] == 6
    with judging(extracted("7")) as endpoint:
        moved = [endpoint.url if part.startswith("http://127") else part for part in command]
        healed = mmeval(*moved)
    assert healed.code == 0, healed.err
    assert (healed.json["counts"]["unscored"], healed.json["counts"]["asked"]) == (0, 0)


def test_a_protocol_that_needs_a_judge_says_so(mmeval: Callable) -> None:
    found = mmeval(*FAKE, "-t", "mathvista@official")
    assert found.code == 2
    assert "mathvista@official needs a judge" in found.err
    assert "--judge" in found.err
    assert "or use a protocol that rules decide: mathvista" in " ".join(found.err.split())


def test_scores_of_a_run_are_judged_later_without_its_model(mmeval: Callable, tmp_path: Path) -> None:
    plain = mmeval(*FAKE, "-t", "mathvista", "-o", "runs/r")
    assert plain.code == 0, plain.err
    assert "scored by rules alone" in plain.err
    with judging(extracted("(A)")) as endpoint:
        judge = ("--judge", "openai:echo", "--judge-base-url", endpoint.url)
        found = mmeval("score", "runs/r", "--protocol", "official", *judge, "-o", "runs/o", "--no-report", "--json")
        assert found.code == 0, found.err
        assert len(endpoint.bodies) == 6
    rows = pd.read_parquet(tmp_path / "runs/o/results.parquet").set_index("sample_id")
    assert set(rows["protocol"]) == {"official"}
    assert rows.loc["1", "correct"]
    refused = mmeval("compare", "runs/r", "runs/o")
    assert refused.code == 5
    back = mmeval("score", "runs/o", "--protocol", "default", "--rules-only", "-o", "runs/b", "--no-report", "--json")
    assert back.code == 0, back.err
    assert back.json["leaderboard"][0]["value"] == plain.json["leaderboard"][0]["value"]


@pytest.mark.slow
@pytest.mark.model
def test_the_embedded_model_judges_itself_after_the_run(mmeval: Callable, tmp_path: Path) -> None:
    found = mmeval("run", "-m", "tiny", "-t", "mathvista", "--judge", "tiny", "--limit", "20", "-o", "runs/r", *COMMON)
    assert found.code in (0, 6), found.err
    assert sum(found.json["counts"][name] for name in ("scored", "no_answer", "unscored")) == 6
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    open_rows = rows[[bool(dict(scores).get("judged")) or outcome == "unscored" for scores, outcome in zip(rows["scores"], rows["outcome"], strict=True)]]  # fmt: skip
    assert set(open_rows["judge_model"]) <= {"tiny"}
