"""What makes two requests the same request, and which run options are identity or transport."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mmeval.core.hashing import digest
from mmeval.core.types import Message, Request, Sampling, TextPart
from mmeval.engines.base import EngineInfo


def message_json(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Messages as JSON: text parts as strings, media parts as their index."""
    return [
        {
            "role": message.role,
            "parts": [part.text if isinstance(part, TextPart) else {"media": part.index} for part in message.parts],
        }
        for message in messages
    ]


def sampling_json(sampling: Sampling) -> dict[str, Any]:
    """Every decoding field by name; None means left to the engine."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in Sampling.__dataclass_fields__
        for value in (getattr(sampling, name),)
    }


def request_hash(request: Request, info: EngineInfo) -> str:
    """Hash of what was asked of which model: messages and media as sent, sampling, seed, repeat, schema, engine, weights.

    An engine that answers from the sample has what it reads of it (id and answer context) in the hash as well.
    """
    sample = request.sample if info.reads_sample else None
    return digest(
        {
            "messages": message_json(request.messages),
            "media": [[media.kind, [image.sha256 for image in media.images]] for media in request.media],
            "sampling": sampling_json(request.sampling),
            "repeat": request.repeat,
            "schema": request.schema,
            "engine": [info.engine, info.version],
            "model": dict(info.identity),
            **({"scored": True} if request.scored else {}),
            **({"sample": [sample.task, sample.id, asdict(sample.context)]} if sample is not None else {}),
        }
    )


def cache_key(request_digest: str, scope: str | None) -> str:
    """The key in the response cache: the request hash, inside one run when the model's weights are unknown."""
    return request_digest if scope is None else digest([request_digest, scope])
