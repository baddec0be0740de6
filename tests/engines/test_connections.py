"""Connections of the openai backend: kept ones that go stale, certificates, proxies and passwords of the environment."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import EngineError
from mmeval.core.types import Response
from mmeval.engines import connections
from mmeval.engines.connections import Proxy
from mmeval.engines.openai import OpenAIEngine
from mmeval.engines.openai_reply import AnswerIds
from mmeval.engines.registry import parse_model
from tests.engines.conftest import make_request
from tests.engines.endpoint import completion

Then = Callable[["Raw", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Raw:
    """A server at the level of bytes: `answer`s each request, and then does what `then` says."""

    def __init__(self, then: Then | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.then, self.tls = then, tls
        self.asked: list[str] = []
        self.headers: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> Raw:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                first = await reader.readexactly(1)
                if first == b"\x16":  # a TLS handshake
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    break
                head = first + await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                question = json.loads(await reader.readexactly(length))["messages"][0]["content"]
                self.asked.append(question)
                self.headers.append(head)
                await self.answer(writer, question)
                if self.then is not None:
                    await self.then(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter, text: str, more: str = "") -> None:
        body = json.dumps(completion(text)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


async def _answers(raw: Raw, count: int, pause_s: float = 0.0, **options: Any) -> list[Response]:
    engine = OpenAIEngine(parse_model("openai:echo", base_urls=(raw.url,), timeout_s=5.0, **options))
    answers = []
    for number in range(count):
        answers.append(await engine.generate(make_request(f"question {number}")))
        await asyncio.sleep(pause_s)
    await engine.close()
    return answers


def _texts(answers: list[Response]) -> list[str | None]:
    return [answer.text or answer.error for answer in answers]


EXPECTED = [f"question {number}" for number in range(4)]


def test_a_second_answer_to_one_request_is_not_the_answer_to_the_next() -> None:
    async def twice(raw: Raw, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        await raw.answer(writer, "stale")

    async def go() -> tuple[list[Response], Raw]:
        async with Raw(twice) as raw:
            return await _answers(raw, 4, pause_s=0.05), raw

    answers, raw = asyncio.run(go())
    assert _texts(answers) == EXPECTED
    assert raw.asked == EXPECTED, "nothing is asked twice"


def test_an_answer_that_was_given_before_is_asked_for_again_where_answers_are_numbered() -> None:
    class Numbering(Raw):
        sent = 0

        async def answer(self, writer: asyncio.StreamWriter, text: str, more: str = "") -> None:
            self.sent += 1
            body = json.dumps({**completion(text), "id": f"chatcmpl-{self.sent}"}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            # From the eleventh on, each answer is preceded by the one before, as a proxy out of step does.
            before = self.kept if self.sent > 10 else b""
            self.kept = head.encode() + body
            writer.write(before or self.kept)
            await writer.drain()

    async def go() -> tuple[list[Response], Numbering]:
        async with Numbering() as raw:
            return await _answers(raw, 11), raw

    answers, raw = asyncio.run(go())
    assert _texts(answers) == [f"question {number}" for number in range(11)]
    assert raw.asked[-2:] == ["question 10", "question 10"], "asked once more, over a new connection"
    assert raw.connections == 2


def test_ids_that_number_nothing_are_ignored() -> None:
    async def go() -> tuple[list[Response], Raw]:
        async with Raw() as raw:
            return await _answers(raw, 30), raw

    answers, raw = asyncio.run(go())
    assert _texts(answers) == raw.asked == [f"question {number}" for number in range(30)]

    ids = AnswerIds()
    bodies = [json.dumps({"id": f"chatcmpl-{number}"}).encode() for number in range(20)]
    for body in bodies:
        assert not ids.stray(body)
        ids.add(body)
    assert ids.stray(bodies[3])
    ids.add(bodies[3])  # it came again over a new connection
    assert not any(map(ids.stray, bodies))


@pytest.mark.parametrize("how", ["closed", "closed on reuse", "reset on reuse"])
def test_a_kept_connection_that_was_closed_is_no_failure(how: str) -> None:
    async def leave(_raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how != "closed":
            await reader.read(1)
        if how.startswith("reset"):
            writer.transport.abort()
        writer.close()

    async def go() -> tuple[list[Response], Raw]:
        async with Raw(leave) as raw:
            return await _answers(raw, 4), raw

    answers, raw = asyncio.run(go())
    assert _texts(answers) == EXPECTED
    assert raw.asked == EXPECTED


def test_sound_connections_are_kept() -> None:
    async def go() -> tuple[list[Response], Raw]:
        async with Raw() as raw:
            return await _answers(raw, 4), raw

    answers, raw = asyncio.run(go())
    assert _texts(answers) == EXPECTED
    assert raw.connections == 1


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"302 Found\r\nLocation: http://x/\xff\xfe\r\nContent-Length: 0", "http://x/??"),
        (b"200 OK\r\nContent-Type: text/\xff\r\nContent-Length: 0", "text/?"),
        (b"abc \xff\r\nContent-Length: 0", "connection broke"),
    ],
)
def test_bytes_of_headers_that_no_table_takes_stay_out_of_messages(head: bytes, said: str) -> None:
    class Odd(Raw):
        async def answer(self, writer: asyncio.StreamWriter, text: str, more: str = "") -> None:
            writer.write(b"HTTP/1.1 " + head + b"\r\n\r\n")

    async def go() -> Response:
        async with Odd() as raw:
            return (await _answers(raw, 1))[0]

    answer = asyncio.run(go())
    assert answer.status == "error"
    assert said in (answer.error or "")
    assert (answer.error or "").encode("utf-8")


def test_cookies_are_not_sent_back() -> None:
    class Baker(Raw):
        async def answer(self, writer: asyncio.StreamWriter, text: str, more: str = "") -> None:
            await super().answer(writer, text, f"Set-Cookie: c{len(self.asked)}={'x' * 3000}; Path=/\r\n")

    async def go() -> Raw:
        async with Baker() as raw:
            await _answers(raw, 4)
            return raw

    assert not any(b"cookie" in head.lower() for head in asyncio.run(go()).headers)


def test_large_answers_are_read_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LARGE_ANSWER", 100)

    class Slow:
        def __init__(self) -> None:
            self.begun = 0

        async def iter_any(self) -> Any:
            yield b"x" * 101
            self.begun += 1
            await asyncio.sleep(0)
            yield b"y"

    class Answer:
        def __init__(self, content: Slow) -> None:
            self.content = content

    async def go() -> tuple[list[bytes | None], bytes | None]:
        shared = connections.Connections(5.0, {})
        reads = [shared.read(Answer(Slow()), 1000) for _ in range(9)]  # type: ignore[arg-type]
        return await asyncio.gather(*reads), await shared.read(Answer(Slow()), 50)  # type: ignore[arg-type]

    whole, beyond = asyncio.run(go())
    assert whole == [b"x" * 101 + b"y"] * 9
    assert beyond is None


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_certificate_that_nobody_signed_is_named_at_the_start_and_in_the_run(own_certificate: ssl.SSLContext) -> None:
    async def go() -> tuple[EngineError, Response]:
        async with Raw(tls=own_certificate) as raw:
            engine = OpenAIEngine(parse_model("openai:echo", base_urls=(raw.url,)))
            with pytest.raises(EngineError) as caught:
                await engine.describe()
            answer = await engine.generate(make_request())
            await engine.close()
            return caught.value, answer

    error, answer = asyncio.run(go())
    assert "certificate" in error.message
    assert "self" in error.message
    assert "SSL_CERT_FILE" in (error.remedy or "")
    assert answer.unreachable
    assert "certificate" in (answer.error or "")


def test_tls_where_there_is_none_is_said() -> None:
    async def go() -> EngineError:
        async with Raw() as raw:
            engine = OpenAIEngine(parse_model("openai:echo", base_urls=(raw.url.replace("http", "https"),)))
            with pytest.raises(EngineError) as caught:
                await engine.describe()
            await engine.close()
            return caught.value

    error = asyncio.run(go())
    assert "TLS" in error.message
    assert "http://" in (error.remedy or "")


class TestProxy:
    @pytest.fixture(autouse=True)
    def _no_proxies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    def test_the_environment_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://me:pass%40word@proxy:3128")
        monkeypatch.setenv("HTTP_PROXY", "proxy:8080")
        proxy = Proxy.of("https://api.example.com/v1")
        assert (proxy.name, proxy.options["proxy"]) == ("http://proxy:3128", "http://proxy:3128")
        assert proxy.options["proxy_headers"] == {"Authorization": "Basic bWU6cGFzc0B3b3Jk"}
        assert Proxy.of("http://api.example.com/v1").options == {"proxy": "http://proxy:8080"}

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "inside.example.com"])
    def test_not_for_this_machine_and_exempt_hosts(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
        monkeypatch.setenv("NO_PROXY", "inside.example.com")
        assert Proxy.of(f"http://{host}:8000/v1").options == {}

    @pytest.mark.parametrize("value", ["socks5://me:secret@proxy:1080", "http://me:secret@"])
    def test_no_http_proxy(self, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", value)
        with pytest.raises(EngineError, match="HTTP_PROXY") as caught:
            Proxy.of("http://api.example.com/v1")
        assert "secret" not in str(caught.value)

    def test_one_that_is_not_there_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        (tmp_path / ".netrc").write_text("default login me password secret-of-netrc\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

        async def go() -> EngineError:
            spec = parse_model("openai:echo", base_urls=("http://api.example.invalid/v1",), api_key="k" * 20)
            engine = OpenAIEngine(spec)
            with pytest.raises(EngineError) as caught:
                await engine.describe()
            await engine.close()
            return caught.value

        error = asyncio.run(go())
        assert "proxy http://127.0.0.1:9" in error.message
        assert "NO_PROXY" in (error.remedy or "")
