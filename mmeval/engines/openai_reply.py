"""Classifying what an endpoint returned. Nothing but a complete, well-formed answer becomes text."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from mmeval.core.types import Response

_TOO_LONG = re.compile(
    r"maximum (?:context|model|sequence|input) length|context[ _](?:length|window)|longer than the maximum"
    r"|(?:prompt|input)[^.]{0,40}\btoo long\b|input[^.]{0,60}exceeds?[^.]{0,60}(?:length|limit|session|max)"
    r"|exceeds? the (?:model's )?(?:max|maximum|session)[ _a-z]*(?:len|length|tokens)"
    r"|exceeds? the available context|larger than the max(?:imum)? context|exceed context (?:limit|window)"
    r"|`?inputs`? tokens \+ `?max_new_tokens`? must be|`?inputs`? must have less than|range of input length should be",
    re.IGNORECASE,
)
"""Wordings of vLLM, SGLang, LMDeploy and OpenAI; then of llama.cpp and Anthropic; then of TGI and DashScope."""
_BEYOND = re.compile(r"\b(?:exceed|longer than|larger than|too long)", re.IGNORECASE)
_ONLY_MAX_TOKENS = re.compile(
    r"max_(?:completion_)?tokens\b[^.]{0,40}(?:greater|too large|at least|must be|should be)", re.IGNORECASE
)
_TOO_LONG_CODES = frozenset(
    {"contextlengthexceeded", "exceedcontextsizeerror", "inputlengtherror", "stringabovemaxlength"}
)
_FILTERED = frozenset(
    {"contentfilter", "contentpolicyviolation", "responsibleaipolicyviolation", "datainspectionfailed"}
)
"""Of OpenAI, Azure and DashScope."""
_UNREADABLE_MEDIA = re.compile(
    r"allowed-local-media-path|allowed-media-domains|allowed_media_domains|no such file or directory"
    r"|cannot identify image file|failed to (?:load|download|fetch) image",
    re.IGNORECASE,
)
"""What vLLM says with status 500 of a file or address that it cannot show the model; the same request fails again."""
_THOUGHT = frozenset({"thinking", "reasoning"})
"""Parts of a content list that hold reasoning: Anthropic and Mistral, and others."""
_REFUSAL = frozenset({"refusal"})
_ANSWER = frozenset({"text", "output_text"})
_BROKEN_NUMBER = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity|inf)\b")
_ID = re.compile(rb'"id"\s*:\s*"([^"\\]{6,100})"')
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
_ONCE = frozenset({"choices", "message", "content", "finish_reason", "refusal"})
"""Keys that an object holds once; where one stands twice, nobody knows which of the two is the answer."""
_ONCE_AS_BYTES = tuple(b'"%s"' % name.encode() for name in sorted(_ONCE))
_PASSING = frozenset({421, 423, 424, 499})
"""Wrong connection, locked, a server behind this one failed (424 is also TGI's word for its own failure), given up by a proxy."""
_DENIALS = frozenset({402, 404, 405, 407, 410})
"""No money, no such model or route: what one request is told, all are."""
WHOLE = frozenset({200, 201, 202, 203})
"""Statuses under which the body is the whole answer, if it is one."""
_BROKEN_FINISH = frozenset({"error", "abort", "cancelled"})
_CODES = ("code", "type", "error_code")
_QUOTED = 400
"""Characters of a server's message that are quoted."""


class AnswerIds:
    """The ids of the answers of one model's endpoints: one that comes again belongs to a question that has been answered.

    Only where a server numbers its answers: ids that repeat before `TRUSTED` different ones have come, or once more when
    the question is asked again, say nothing, and are never looked at again.
    """

    TRUSTED = 8
    KEPT = 65_536
    """Latest ids that are remembered."""

    def __init__(self) -> None:
        self._recent: dict[str, None] = {}
        self._tell = True

    def stray(self, body: bytes) -> bool:
        """Whether an answer has been given before, to another question."""
        known = self._tell and _id_of(body) in self._recent
        if known and len(self._recent) < self.TRUSTED:
            self._tell = known = False
        return known

    def add(self, body: bytes) -> None:
        """Remember an answer that was taken; one that was known is taken only when it came again over a new connection."""
        name = _id_of(body)
        if not self._tell or name is None:
            return
        if name in self._recent:
            self._tell = False
        self._recent[name] = None
        if len(self._recent) > self.KEPT:
            del self._recent[next(iter(self._recent))]


def _id_of(body: bytes) -> str | None:
    found = _ID.search(body[:200])
    return None if found is None else found.group(1).decode("utf-8", "replace")


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the server asks to wait, from `Retry-After` (seconds or an HTTP date), or None.

    Args:
        headers: of the answer; a date counts from its own `Date`, because the two clocks may differ by any amount.
        now: Unix time where it has no `Date`; the clock of this machine when None.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        return max(0.0, float(value))
    moment, sent = _moment(value), _moment(headers.get("Date", ""))
    if moment is None:
        return None
    return max(0.0, moment - (sent if sent is not None else time.time() if now is None else now))


def _moment(value: str) -> float | None:
    """Unix time of an HTTP date, or None when it is none."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTED else flat[:_QUOTED] + " …"


def storable(text: str) -> str:
    """Text without halves of surrogate pairs, as which aiohttp gives bytes of headers that are no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def error_fields(body: bytes) -> dict[str, Any]:
    """Read an error body, `{"error": {…}}` (OpenAI, vLLM) or flat (LMDeploy): message, code, param, type as far as given."""
    whole = {"message": _short(body[:2000].decode("utf-8", "replace"))}
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return whole
    if isinstance(payload, dict):
        inner = payload.get("error", payload)
        if isinstance(inner, str):
            return {"message": _short(inner)}
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or payload.get("detail") or ""
            return {**inner, "message": _short(message)} if isinstance(message, str) else {**inner, **whole}
    return whole


def failure(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Classify an answer with a status that does not stand for a whole body."""
    fields = error_fields(body)
    message = f"HTTP {status}: {fields['message'] or 'no message'}"
    if status < 300:
        return _broken(f"HTTP {status}, which comes with no whole answer")
    if _codes(fields) & _TOO_LONG_CODES:
        return Response("too_long", error=message)
    if status in (409, 425, 429, 503):
        if str(fields.get("code") or "") == "insufficient_quota":
            return Response("error", error=f"{message} (no quota left: asking again does not help)", denied=True)
        busy = status in (429, 503)
        return Response("error", error=message, retryable=True, retry_after_s=retry_after(headers), busy=busy)
    if status in (408, 504):
        return Response("timeout", error=message, retryable=True, retry_after_s=retry_after(headers))
    if status >= 500:
        if _TOO_LONG.search(message) and _BEYOND.search(message):
            return Response("too_long", error=message)
        if _UNREADABLE_MEDIA.search(message):
            return Response("error", error=f"{message} (the server cannot read the media: asking again does not help)")
        return Response("error", error=message, retryable=True, retry_after_s=retry_after(headers))
    if status in (400, 413, 422):
        return _bad_request(fields, message)
    if 300 <= status < 400:
        to = _short(headers.get("Location", "elsewhere"))
        return Response("error", error=f"HTTP {status}: the endpoint redirects to {to}", denied=True)
    if status in _PASSING or (status == 404 and not _is_json(body)):
        # A gateway whose server is not there (yet) has a page of its own for it.
        return Response("error", error=message, retryable=True, retry_after_s=retry_after(headers))
    return Response("error", error=message, denied=status in _DENIALS)


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _bad_request(fields: Mapping[str, Any], message: str) -> Response:
    """The server understood the request and will not answer it, now or later."""
    if _codes(fields) & _FILTERED:
        return Response("refused", error=message, finish_reason="content_filter")
    if fields.get("param") in ("max_tokens", "max_completion_tokens") or _ONLY_MAX_TOKENS.search(message):
        return Response("error", error=f"{message} -> lower --sampling max_tokens")
    if _TOO_LONG.search(message):
        return Response("too_long", error=message)
    return Response("error", error=message)


def _codes(fields: Mapping[str, Any]) -> set[str]:
    """Code and type of an error, letters only: servers write `DataInspectionFailed` and `data_inspection_failed`."""
    names = (fields.get(key) for key in _CODES)
    return {re.sub(r"[^a-z]", "", name.lower()) for name in names if isinstance(name, str)}


def _failed_inside(fields: Mapping[str, Any], why: str) -> Response:
    """A failure that came with status 200; what would fail again is told apart, everything else may be tried again."""
    if _codes(fields) & _TOO_LONG_CODES or (_TOO_LONG.search(why) and _BEYOND.search(why)):
        return Response("too_long", error=why)
    if _codes(fields) & _FILTERED:
        return Response("refused", error=why, finish_reason="content_filter")
    return _broken(why)


def _broken(why: str) -> Response:
    return Response("error", error=f"the endpoint's answer is not usable: {why}", retryable=True)


def reply(content_type: str, body: bytes) -> Response:
    """Turn a body that came with status 200 into a response; without latency."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return _broken(
            f"content type {kind or 'missing'}, JSON is expected: {_short(body[:120].decode('utf-8', 'replace'))}"
        )
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if _BROKEN_NUMBER.search(body):
            return _broken("NaN or Infinity, which JSON does not have (does the server return broken numbers?)")
        payload = _with_half_pairs(body)
        if payload is None:
            return _broken(f"broken JSON ({error})")
    twice = _standing_twice(body)
    if twice is not None:
        return _broken(f"{twice} stands twice in one object")
    if not isinstance(payload, dict):
        return _broken(f"a JSON {type(payload).__name__}, an object is expected")
    if payload.get("error"):
        fields = error_fields(body)
        return _failed_inside(fields, f"an error under status 200: {fields['message']}")
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        return _broken("no choices")
    if len(choices) > 1:
        choices = [choice for choice in choices if choice.get("index") == 0]
        if len(choices) != 1:
            return _broken("several choices, where one was asked for")
    return _choice(choices[0], payload)


def _with_half_pairs(body: bytes) -> Any:
    """JSON with halves of surrogate pairs (`"\\ud83d"`), each read as U+FFFD like other broken bytes; None when it is no JSON."""
    if not _HALF_PAIR.search(body):
        return None
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _standing_twice(body: bytes) -> str | None:
    """One of the keys `_ONCE` that stands twice in one object; parsers take the later value and say nothing."""
    for name in _ONCE_AS_BYTES:
        if body.count(name) > 1:
            break
    else:
        return None
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs if key in _ONCE]
        found.extend(key for key in keys if keys.count(key) > 1)

    try:
        json.loads(body, object_pairs_hook=look)
    except RecursionError:
        return None
    return found[0] if found else None


def _choice(choice: dict[str, Any], payload: dict[str, Any]) -> Response:
    message = choice.get("message")
    finish = choice.get("finish_reason")
    if not isinstance(message, dict):
        return _broken("a choice without a message")
    if finish is not None and not isinstance(finish, str):
        return _broken(f"finish_reason is a {type(finish).__name__}")
    if finish in _BROKEN_FINISH or choice.get("error") or message.get("error"):
        what = f"finish_reason {finish}" if finish in _BROKEN_FINISH else "an error beside the text"
        fields = [part for part in (choice, choice.get("error"), message.get("error")) if isinstance(part, dict)]
        codes = {key: part[key] for part in fields for key in _CODES if isinstance(part.get(key), str)}
        return _failed_inside(codes, f"{what}: {_said(choice, message) or 'no message'}")
    refusal = message.get("refusal") or _part_texts(message.get("content"), _REFUSAL)
    if refusal or finish == "content_filter":
        return Response(
            "refused", error=_short(str(refusal or "content filter")), finish_reason=finish, **_usage(payload)
        )
    content = message.get("content")
    reasoning = (
        _text(message.get("reasoning_content")) or _text(message.get("reasoning")) or _part_texts(content, _THOUGHT)
    )
    text = _text(message.get("content"))
    if text is None and content is None and (reasoning or finish == "length"):
        text = ""  # it never stopped thinking, aloud or hidden, before the tokens were used up
    if text is None:
        what = "null" if content is None else type(content).__name__
        called = content is None and (message.get("tool_calls") or message.get("function_call"))
        return _broken(f"content is {what}" + (" (the model called a tool, and none was offered)" if called else ""))
    return Response("ok", text=text, reasoning=reasoning or None, finish_reason=finish, **_usage(payload))


def _said(choice: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """What a failed choice says of its failure, in whichever place."""
    for said in (choice.get("error_message"), choice.get("error"), message.get("error")):
        text = said.get("message") if isinstance(said, dict) else said
        if isinstance(text, str) and text:
            return _short(text)
    return ""


def _text(content: Any) -> str | None:
    """Text of a content field: a string, or a list of parts, of which those that hold reasoning are no part of the answer."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        kinds = [part.get("type") if isinstance(part, dict) else None for part in content]
        if all(kind in _ANSWER or kind in _THOUGHT or kind == "redacted_thinking" for kind in kinds):
            texts = [part.get("text") for part, kind in zip(content, kinds, strict=True) if kind in _ANSWER]
            if all(isinstance(text, str) for text in texts):
                return "".join(texts)
    return None


def _part_texts(content: Any, kinds: frozenset[str]) -> str:
    """Texts of the parts of these kinds; each holds a text or a list of text parts, under its kind or another usual key."""
    texts: list[Any] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") in kinds:
            inner = next((part[key] for key in (part["type"], "text", "content", "summary") if part.get(key)), "")
            entries = inner if isinstance(inner, list) else [inner]
            texts += [entry.get("text") if isinstance(entry, dict) else entry for entry in entries]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(payload: dict[str, Any]) -> dict[str, Any]:
    usage = payload.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("completion_tokens_details")
    details = details if isinstance(details, dict) else {}
    model = payload.get("model")
    return {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
        "reasoning_tokens": _count(details.get("reasoning_tokens")),
        "model": model if isinstance(model, str) else None,
    }


def _count(value: Any) -> int | None:
    # Columns are 64 bits wide, and no request has so many tokens.
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
