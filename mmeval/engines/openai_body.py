"""Building the JSON body of a chat completion, with images spliced in as base64 without a second copy through JSON."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mmeval.core.types import MediaPart, Message, Part, PreparedImage, PreparedMedia, Request, Sampling


@dataclass(frozen=True, slots=True)
class BodyStyle:
    """What all requests to one endpoint share."""

    model: str
    max_tokens_field: str = "max_tokens"
    """`max_completion_tokens` for api.openai.com, whose newer models refuse `max_tokens`."""
    video_as_frames: bool = True
    """False sends frames as one `video_url` (data:video/jpeg), which vLLM reads as a video."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the body from the engine arguments."""


def chat_body(request: Request, style: BodyStyle) -> bytes:
    """Return the request body.

    Images travel as data URLs of the bytes as sent. A field of `Sampling` that is None is left out.
    """
    fields = {"model": style.model, **style.extra, **sampling_fields(request.sampling, style.max_tokens_field)}
    if request.schema is not None:
        schema = {"name": "reply", "schema": dict(request.schema), "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return conversation_body(request, style, fields)


def conversation_body(request: Request, style: BodyStyle, fields: Mapping[str, Any]) -> bytes:
    """Return a body of the conversation and further fields (at least one)."""
    pieces: list[bytes] = [b'{"messages":[']
    for number, message in enumerate(request.messages):
        if number:
            pieces.append(b",")
        _message(pieces, message, request.media, style)
    pieces.append(b"],")
    pieces.append(orjson.dumps(dict(fields))[1:])
    return b"".join(pieces)


def content_json(parts: Sequence[Part], media: Sequence[PreparedMedia], style: BodyStyle) -> Any:
    """Return the content list of a message's parts as JSON."""
    pieces: list[bytes] = []
    _message(pieces, Message("user", tuple(parts)), media, style)
    return orjson.loads(b"".join(pieces))["content"]


def sampling_fields(sampling: Sampling, max_tokens_field: str) -> dict[str, Any]:
    """Decoding fields under the endpoint's names."""
    fields: dict[str, Any] = {max_tokens_field: sampling.max_tokens}
    for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"):
        value = getattr(sampling, name)
        if value is not None:
            fields[name] = value
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    return fields


def _message(pieces: list[bytes], message: Message, media: Sequence[PreparedMedia], style: BodyStyle) -> None:
    pieces.append(b'{"role":"' + message.role.encode() + b'","content":')
    if len(message.parts) == 1 and not isinstance(message.parts[0], MediaPart):
        pieces.append(orjson.dumps(message.parts[0].text) + b"}")
        return
    pieces.append(b"[")
    following = False
    for part in message.parts:
        if isinstance(part, MediaPart):
            _media(pieces, media[part.index], style, following)
        else:
            pieces.append((b"," if following else b"") + b'{"type":"text","text":' + orjson.dumps(part.text) + b"}")
        following = True
    pieces.append(b"]}")


def _media(pieces: list[bytes], media: PreparedMedia, style: BodyStyle, following: bool) -> None:
    if media.kind == "video" and not style.video_as_frames:
        pieces.append((b"," if following else b"") + b'{"type":"video_url","video_url":{"url":"data:video/jpeg;base64,')
        pieces.append(b",".join(_base64(image) for image in media.images))
        pieces.append(b'"}}')
        return
    for image in media.images:
        if following:
            pieces.append(b",")
        pieces.append(b'{"type":"image_url","image_url":{"url":"data:' + image.mime.encode() + b";base64,")
        pieces.append(_base64(image))
        pieces.append(b'"}}')
        following = True


def _base64(image: PreparedImage) -> bytes:
    return b2a_base64(image.data, newline=False)
