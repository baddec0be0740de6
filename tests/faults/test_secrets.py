"""Keys are planted everywhere a key can be, at servers that say them back; afterwards no file and no line of output holds one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from mmeval.core.secrets import secret_in_query, secret_names, without_key
from tests.faults.lab import Lab
from tests.faults.server import FaultyServer
from tests.faults.zygote import Zygote

MODEL_KEY = "sk-model-0123456789abcdef"
JUDGE_KEY = "sk-judge-0123456789abcdef"
RETRIEVER_KEY = "sk-pages-0123456789abcdef"
URL_KEY = "sk-address-0123456789abcd"
MATHVISTA = str(Path(__file__).parents[1] / "data" / "mathvista")


class LeakyServer(FaultyServer):
    """Says the key that it was sent in its list of models, its headers, its errors and its answers."""

    leaks = 0

    async def _models(self, request: web.Request) -> web.Response:
        said = request.headers.get("Authorization", "")
        return web.json_response({"data": [{"id": "sim", "owned_by": "test", "description": said}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        said = request.headers["Authorization"]
        self.leaks += 1
        if self.leaks % 3 == 0:
            return web.json_response({"error": {"message": f"{said} is over its quota"}}, status=400)
        if self.leaks % 3 == 1:
            return web.Response(text=f"<html>{said}</html>", status=200, content_type="text/html")
        message = {"role": "assistant", "content": f"You sent {said}.", "reasoning_content": said}
        return web.json_response({"model": said, "choices": [{"message": message, "finish_reason": "stop"}]})


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with tempfile.TemporaryDirectory() as folder, Zygote(Path(folder)) as running:
        yield running


def no_key_below(folder: Path) -> int:
    """Look at every file; returns how many there were."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        for key in (MODEL_KEY, JUDGE_KEY, RETRIEVER_KEY, URL_KEY):
            assert key.encode() not in data, f"{key} is in {path}"
            assert key.encode() not in str(path).encode()
    return len(files)


def test_no_planted_key_comes_back(zygote: Zygote, tmp_path: Path) -> None:
    keys = {
        "MMEVAL_API_KEY": MODEL_KEY,
        "MMEVAL_JUDGE_API_KEY": JUDGE_KEY,
        "MMEVAL_RETRIEVER_API_KEY": RETRIEVER_KEY,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache-home"),
    }
    with LeakyServer() as model, LeakyServer() as judge:
        ended = zygote.run(
            tmp_path, "run", "-m", "openai:sim", "--base-url", model.url, "-t", "mathvista", "--data-dir", MATHVISTA,
            "--judge", "openai:sim", "--judge-base-url", judge.url, "--attempts", "2", "-o", "runs/r", variables=keys,
        )  # fmt: skip
        assert model.leaks > 3, ended.err
        assert judge.leaks > 3, ended.err
    further = (
        ("score", "runs/r", "--rules-only", "-o", "runs/again"),
        ("report", "runs/r", "-o", "both.html"),
        ("cache", "export", "answers.gz", "--all"),
        ("compare", "runs/r", "runs/again", "--json"),
    )
    for command in further:
        done = zygote.run(tmp_path, *command, variables=keys)
        assert done.code in (0, 5, 6), done.err
        ended = type(ended)(0, ended.out + done.out, ended.err + done.err)
    for key in (MODEL_KEY, JUDGE_KEY, RETRIEVER_KEY):
        assert key not in ended.out + ended.err
    assert no_key_below(tmp_path) > 8
    assert "***" in (tmp_path / "runs/r/run.json").read_text(), "the list of models held the key"


@pytest.mark.parametrize(
    "options",
    [
        ("--base-url", f"http://user:{URL_KEY}@127.0.0.1:9/v1"),
        ("--base-url", f"http://127.0.0.1:9/v1?api_key={URL_KEY}"),
        ("--base-url", f"htp://user:{URL_KEY}@127.0.0.1/v1"),
        ("--base-url", f"http://user:{URL_KEY}@127.0.0.1:999999/v1"),
        ("--base-url", "http://127.0.0.1:9/v1", "--engine-arg", f"api_key={URL_KEY}"),
        ("--base-url", "http://127.0.0.1:9/v1", "--judge", "openai:sim", "--judge-base-url", f"http://u:{URL_KEY}@127.0.0.1/v1"),
    ],
)  # fmt: skip
def test_a_key_in_an_address_or_argument_is_refused_and_not_repeated(
    zygote: Zygote, tmp_path: Path, options: tuple[str, ...]
) -> None:
    lab = Lab(zygote, tmp_path / "lab", questions=2, pictures=False)
    ended = lab.run(*options, model="openai:sim")
    assert ended.code == 2
    assert "MMEVAL_API_KEY" in ended.err or "cannot be reached" in ended.err, ended.err
    assert URL_KEY not in ended.out + ended.err
    no_key_below(tmp_path)


@pytest.mark.parametrize(
    "address", [f"http://u:{URL_KEY}@h/s", f"http://h/s?token={URL_KEY}&top=3", f"ftp://u:{URL_KEY}@h:99999/s"]
)
def test_a_key_in_the_retrievers_address_is_refused(address: str) -> None:
    from mmeval.core.errors import UsageError
    from mmeval.pipeline.retriever import checked_url

    with pytest.raises(UsageError, match="MMEVAL_RETRIEVER_API_KEY") as caught:
        checked_url(address)
    assert URL_KEY not in str(caught.value)
    assert checked_url("http://h/search?index=docs&max_tokens=3") == "http://h/search?index=docs&max_tokens=3"


def test_names_of_secrets() -> None:
    secret = ["api_key", "api-key", "apikey", "OPENAI_API_KEY", "password", "access_token", "token", "key", "hf_token"]
    plain = ["max_tokens", "max_new_tokens", "token_budget", "top_k", "design", "keyframes", "monkey", "seed", "video"]
    assert secret_names([*secret, *plain]) == secret
    assert secret_in_query("http://h/?a=1&sig=x") == "sig"
    assert secret_in_query("http://h/?a=1") is None


def test_short_keys_are_words_and_stay_in_answers() -> None:
    body = json.dumps({"text": "The box is EMPTY."}).encode()
    assert without_key(body, "EMPTY") == body
    assert without_key(body, None) == body
    assert without_key(b"a sk-0123456789abcdef b", "sk-0123456789abcdef") == b"a *** b"
