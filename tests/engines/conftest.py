"""What tests of engines share: a checkpoint, images, requests, one event loop, and a small OpenAI-style server."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mmeval.core.types import (
    AnswerContext,
    MediaPart,
    Message,
    Part,
    PreparedImage,
    PreparedMedia,
    Request,
    Sample,
    Sampling,
    TextPart,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """A small vision-language checkpoint: the package's own, or the prototype beside the repository."""
    for folder in (ROOT / "mmeval" / "checkpoints" / "tiny", ROOT.parent / "shared" / "tiny" / "late"):
        if (folder / "config.json").is_file():
            return folder
    pytest.skip("no tiny checkpoint: neither mmeval/checkpoints/tiny nor ../shared/tiny/late")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for a module, so that an engine can live through several tests."""
    with asyncio.Runner() as shared:
        yield shared


def picture(color: str = "red", size: tuple[int, int] = (96, 96), shape: str = "square", form: str = "PNG") -> bytes:
    """Return an encoded image of one shape on white."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    box = (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4)
    (draw.ellipse if shape == "circle" else draw.rectangle)(box, fill=color)
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def prepared(data: bytes, size: tuple[int, int] = (96, 96), form: str = "png") -> PreparedImage:
    """Wrap encoded bytes as the pipeline would."""
    digest = hashlib.sha256(data).hexdigest()
    return PreparedImage(data, "jpeg" if form == "jpeg" else "png", *size, digest, digest, *size)


def still(data: bytes) -> PreparedMedia:
    """One image."""
    return PreparedMedia("image", (prepared(data),))


def clip(*frames: bytes) -> PreparedMedia:
    """A video."""
    return PreparedMedia("video", tuple(prepared(frame) for frame in frames))


def make_request(
    text: str = "What colour is the square?",
    media: tuple[PreparedMedia, ...] = (),
    sampling: Sampling | None = None,
    system: str | None = None,
    identifier: str = "sample-1",
) -> Request:
    """A request with its media first and its text after them, and a choice sample behind it."""
    parts: tuple[Part, ...] = (*(MediaPart(index) for index in range(len(media))), TextPart(text))
    messages = (Message("user", parts),)
    if system is not None:
        messages = (Message("system", (TextPart(system),)), *messages)
    context = AnswerContext(choices=("red", "green", "blue", "yellow"), sent_size=(96, 96))
    sample = Sample(identifier, "colours", messages, "A", context=context)
    return Request(identifier, messages, media, sampling or Sampling(max_tokens=16), sample=sample)


@pytest.fixture(scope="session")
def request_for() -> Callable[..., Request]:
    """The request builder, for tests that take it as a fixture."""
    return make_request
