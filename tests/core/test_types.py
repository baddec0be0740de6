"""The nouns keep their promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mmeval.core import types
from mmeval.core.errors import MediaError
from mmeval.core.types import Extraction, Media, PreparedImage, PreparedMedia, Response


def test_every_noun_is_frozen_and_slotted() -> None:
    nouns = [value for value in vars(types).values() if dataclasses.is_dataclass(value)]
    assert len(nouns) >= 12
    for noun in nouns:
        assert noun.__dataclass_params__.frozen, noun
        assert "__slots__" in vars(noun), noun


@pytest.mark.parametrize("status", ["refused", "too_long", "timeout", "error"])
def test_a_failure_has_no_text(status: str) -> None:
    with pytest.raises(ValueError, match="must not carry text"):
        Response(status, text="I am sorry")  # type: ignore[arg-type]
    assert Response(status, error="why").text is None  # type: ignore[arg-type]


def test_an_answer_has_text_even_when_empty() -> None:
    with pytest.raises(ValueError, match="must carry text"):
        Response("ok")
    assert Response("ok", text="").text == ""


def test_media_read_their_bytes_late(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    media = Media("image", path=path)
    with pytest.raises(MediaError, match=r"a\.png"):
        media.read()
    path.write_bytes(b"1")
    assert media.read() == b"1"
    assert Media("image", data=b"2").read() == b"2"
    assert Media("image", loader=lambda: b"3").read() == b"3"
    with pytest.raises(MediaError, match="row 7"):
        Media("image", name="row 7").read()
    with pytest.raises(MediaError, match="clip"):
        Media("video", name="clip", frames=(media,)).read()


def test_a_loader_that_fails_is_named() -> None:
    def broken() -> bytes:
        raise OSError("gone")

    with pytest.raises(MediaError, match="row 7: gone"):
        Media("image", loader=broken, name="row 7").read()


def test_bytes_stay_out_of_messages() -> None:
    image = PreparedImage(b"secret", "png", 1, 1, "a", "a", 1, 1)
    assert "secret" not in repr(image) + repr(Media("image", data=b"secret"))
    assert image.mime == "image/png"
    assert PreparedMedia("video", (image, image)).sha256 == "a+a"


def test_false_and_zero_are_found_values() -> None:
    assert Extraction(0).found
    assert Extraction("").found
    assert Extraction(False).found
    assert not Extraction(reason="ambiguous").found
