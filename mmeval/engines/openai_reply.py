"""Classifying what an endpoint returned. Nothing but a complete, well-formed answer becomes text."""

from __future__ import annotations

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
    r"|exceeds? the (?:model's )?(?:max|maximum|session)[ _a-z]*(?:len|length|tokens)",
    re.IGNORECASE,
)
_ONLY_MAX_TOKENS = re.compile(
    r"max_(?:completion_)?tokens\b[^.]{0,40}(?:greater|too large|at least|must be)", re.IGNORECASE
)
_FILTERED = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
_BROKEN_FINISH = frozenset({"error", "abort", "cancelled"})
_QUOTED = 400
"""Characters of a server's message that are quoted."""


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the server asks to wait, from `Retry-After` (seconds or an HTTP date), or None."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, moment.timestamp() - (time.time() if now is None else now))


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTED else flat[:_QUOTED] + " …"


def error_fields(body: bytes) -> dict[str, Any]:
    """Read an error body, `{"error": {…}}` (OpenAI, vLLM) or flat (LMDeploy): message, code, param, type as far as given."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {"message": _short(body[:2000].decode("utf-8", "replace"))}
    if isinstance(payload, dict):
        inner = payload.get("error", payload)
        if isinstance(inner, str):
            return {"message": _short(inner)}
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or payload.get("detail") or ""
            return {**inner, "message": _short(message if isinstance(message, str) else str(message))}
    return {"message": _short(body[:2000].decode("utf-8", "replace"))}


def failure(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Classify an answer with another HTTP status than 200."""
    fields = error_fields(body)
    code = str(fields.get("code") or "")
    message = f"HTTP {status}: {fields['message'] or 'no message'}"
    if status in (429, 503):
        if code == "insufficient_quota":
            return Response("error", error=f"{message} (no quota left: asking again does not help)")
        return Response("error", error=message, retryable=True, retry_after_s=retry_after(headers))
    if status in (408, 504):
        return Response("timeout", error=message, retryable=True)
    if status >= 500:
        return Response("error", error=message, retryable=True, retry_after_s=retry_after(headers))
    if status in (400, 413, 422):
        if _FILTERED & {code, str(fields.get("type") or "")}:
            return Response("refused", error=message, finish_reason="content_filter")
        if code == "context_length_exceeded":
            return Response("too_long", error=message)
        if fields.get("param") in ("max_tokens", "max_completion_tokens") or _ONLY_MAX_TOKENS.search(message):
            return Response("error", error=f"{message} -> lower --sampling max_tokens")
        if _TOO_LONG.search(message):
            return Response("too_long", error=message)
    if 300 <= status < 400:
        return Response(
            "error", error=f"HTTP {status}: the endpoint redirects to {headers.get('Location', 'elsewhere')}"
        )
    return Response("error", error=message)


def _broken(why: str) -> Response:
    return Response("error", error=f"the endpoint's answer is not usable: {why}", retryable=True)


def reply(content_type: str, body: bytes) -> Response:
    """Turn a body that came with status 200 into a response; without latency."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return _broken(
            f"content type {kind or 'missing'}, JSON is expected: {_short(body[:120].decode('utf-8', 'replace'))}"
        )
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _broken(f"broken JSON ({error})")
    if not isinstance(payload, dict):
        return _broken(f"a JSON {type(payload).__name__}, an object is expected")
    if payload.get("error"):
        return _broken(f"an error under status 200: {error_fields(body)['message']}")
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _broken("no choices")
    return _choice(choices[0], payload)


def _choice(choice: dict[str, Any], payload: dict[str, Any]) -> Response:
    message = choice.get("message")
    finish = choice.get("finish_reason")
    if not isinstance(message, dict):
        return _broken("a choice without a message")
    if finish is not None and not isinstance(finish, str):
        return _broken(f"finish_reason is a {type(finish).__name__}")
    if finish in _BROKEN_FINISH:
        return _broken(f"finish_reason {finish}: {error_fields(orjson.dumps(choice))['message']}")
    refusal = message.get("refusal")
    if refusal or finish == "content_filter":
        return Response(
            "refused", error=_short(str(refusal or "content filter")), finish_reason=finish, **_usage(payload)
        )
    reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    text = _text(message.get("content"))
    if text is None and message.get("content") is None and reasoning:
        text = ""
    if text is None:
        return _broken(f"content is {'null' if message.get('content') is None else type(message['content']).__name__}")
    return Response("ok", text=text, reasoning=reasoning or None, finish_reason=finish, **_usage(payload))


def _text(content: Any) -> str | None:
    """Text of a content field: a string, or a list of text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    return None


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
