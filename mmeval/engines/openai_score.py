"""Scalar reward models behind an endpoint: the requests and replies of vLLM's /pooling, /classify and /score.

`/pooling` and `/classify` are sent the conversation with the answer as its last turn, and give `data[0].data` (the head's values
of the conversation, or of every token) and `data[0].probs`; `/score` is sent question and answer as a pair, and gives
`data[0].score`. Values of every token: the last token's count, as reward models are trained. `sign` asks a chat model that judges with
+ or - (VL-PRM, 2509.23250): the score is the probability of + among the two, from the first token's most likely ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mmeval.core.types import MediaPart, Message, Request, Response, TextPart
from mmeval.engines.base import SCORE_INDEX, score_text
from mmeval.engines.openai_body import BodyStyle, content_json, conversation_body
from mmeval.engines.options import one_of, whole

ROUTES = ("pooling", "classify", "score", "sign")
TOP_LOGPROBS = 10
SIGN = "\n\n[Solution so far]\n{answer}\n\nIs everything in it right, what it says of the image and how it reasons? Answer with + or - alone."
OWN_ARGUMENTS = frozenset({"score_route", SCORE_INDEX})


@dataclass(frozen=True, slots=True)
class ScoreStyle:
    """How an endpoint is asked for scores."""

    route: str
    index: int | None
    """Which of several values is the score."""
    asked: bool
    """Whether the user said so; part of the identity then."""

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> ScoreStyle:
        """Read the engine arguments `score_route` and `score_index`.

        Raises:
            EngineError: when one of them makes no sense.
        """
        route = one_of(arguments, "score_route", ROUTES, ROUTES[0])
        return cls(route, whole(arguments, SCORE_INDEX, least=0), bool(OWN_ARGUMENTS & set(arguments)))

    @property
    def identity(self) -> dict[str, Any]:
        """For the identity of the model, where the user chose."""
        return {"score": [self.route, self.index]} if self.asked else {}

    def address(self, base: str) -> str:
        """The route's address: vLLM's stand beside /v1, not below it."""
        if self.route == "sign":
            return f"{base}/chat/completions"
        return f"{base.removesuffix('/v1')}/{self.route}"

    def body(self, request: Request, style: BodyStyle) -> bytes:
        """Return the request body."""
        if self.route == "sign":
            asked = replace(request, messages=_with_solution(request.messages))
            fields = {"model": style.model, style.max_tokens_field: 1, "temperature": 0.0, "logprobs": True}
            return conversation_body(asked, style, {**fields, "top_logprobs": TOP_LOGPROBS, **style.extra})
        if self.route == "score":
            *before, answer = request.messages
            pair = {"text_1": _side(before, request, style), "text_2": _side([answer], request, style)}
            return orjson.dumps({"model": style.model, **style.extra, **pair})
        return conversation_body(request, style, {"model": style.model, "add_generation_prompt": False, **style.extra})

    def reply(self, content_type: str, content: bytes) -> Response:
        """Turn a reply with status 200 into a response whose text is the score."""
        try:
            payload = orjson.loads(content)
            if self.route == "sign":
                return Response("ok", text=repr(_plus(payload)), finish_reason="stop", completion_tokens=1)
            (entry,) = payload["data"]
            key = {"pooling": "data", "classify": "probs", "score": "score"}[self.route]
            values = _values(entry[key])
        except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, OverflowError) as error:
            return Response("error", error=f"/{self.route} gives no score: {type(error).__name__}: {error}")
        try:
            text = score_text(values, self.index)
        except ValueError as error:
            return Response("error", error=f"/{self.route}: {error}")
        usage = payload.get("usage") or {}
        prompt = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        model = payload.get("model")
        return Response(
            "ok", text=text, finish_reason="stop", completion_tokens=0, model=model if isinstance(model, str) else None,
            prompt_tokens=prompt if isinstance(prompt, int) else None,
        )  # fmt: skip


def _with_solution(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The question with the answer below it in one turn, and what is asked of it."""
    *before, question, answer = messages
    said = "".join(part.text for part in answer.parts if not isinstance(part, MediaPart))
    return (*before, Message(question.role, (*question.parts, TextPart(SIGN.format(answer=said)))))


def _plus(payload: Any) -> float:
    """The probability of + among + and - as the first token; several tokens of one sign count together."""
    first = payload["choices"][0]["logprobs"]["content"][0]
    seen = {entry["token"]: float(entry["logprob"]) for entry in (first, *first.get("top_logprobs", ()))}
    plus, minus = (
        sum(math.exp(logprob) for token, logprob in seen.items() if token.strip() in signs)
        for signs in (("+",), ("-", "−", "–"))
    )
    if not plus + minus > 0:
        raise ValueError(f"neither + nor - is among the {TOP_LOGPROBS} most likely tokens")
    return plus / (plus + minus)


def lacks_route(response: Response) -> bool:
    """Whether a failure says that the server has no such route, or that its model is none for it: a permanent fact."""
    error = response.error or ""
    absent = error.startswith(("HTTP 404", "HTTP 405", "HTTP 501"))
    refused = error.startswith("HTTP 400") and re.search(r"does not support|not supported", error) is not None
    return response.status == "error" and (absent or refused)


def _values(found: Any) -> list[float]:
    """The values of the conversation: a number, a list of labels, or the last token's of a list of tokens."""
    if isinstance(found, list) and found and all(isinstance(row, list) for row in found):
        found = found[-1]
    if isinstance(found, list):
        if not found or not all(_is_number(value) for value in found):
            raise ValueError("values that are no numbers")
        return [float(value) for value in found]
    if not _is_number(found):
        raise ValueError(f"{found!r} is no number")
    return [float(found)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _side(messages: list[Message], request: Request, style: BodyStyle) -> Any:
    """One side of a pair: a text, or content parts where it shows media."""
    parts = [part for message in messages for part in message.parts]
    if any(isinstance(part, MediaPart) for part in parts):
        return {"content": content_json(parts, request.media, style)}
    return "\n\n".join(part.text for part in parts if not isinstance(part, MediaPart))
