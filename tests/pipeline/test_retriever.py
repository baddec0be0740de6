"""What a retriever may answer, and what is no answer."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import UsageError
from mmeval.core.geometry import View
from mmeval.core.types import PreparedImage
from mmeval.pipeline.media import Grid, prepare_image
from mmeval.pipeline.retriever import checked_url, read_pages
from mmeval.pipeline.views import render_view

PICTURE = base64.b64encode(b"picture").decode()


def answer(*results: Any) -> bytes:
    return json.dumps({"results": list(results)}).encode()


def test_pages_come_as_base64_data_urls_or_paths(tmp_path: Path) -> None:
    (tmp_path / "deck").mkdir()
    (tmp_path / "deck/3.png").write_bytes(b"file")
    given_ = answer(
        {"id": 1, "score": 0.5, "image": PICTURE},
        {"id": "b", "image": f"data:image/png;base64,{PICTURE}"},
        {"id": "c", "path": "deck/3.png"},
    )
    pages = read_pages(given_, tmp_path)
    assert [(page.id, page.score, page.data) for page in pages] == [
        ("1", 0.5, b"picture"), ("b", None, b"picture"), ("c", None, b"file"),
    ]  # fmt: skip
    assert read_pages(b"[]", None) == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<html>", "not JSON"),
        (b'{"hits": []}', "no list"),
        (b'[{"image": "cGlj"}]', "no id"),
        (b'[{"id": "a"}]', "neither image"),
        (b'[{"id": "a", "image": "?"}]', "no base64"),
        (b'[{"id": "a", "image": "cGlj", "score": "high"}]', "no number"),
        (b'[{"id": "a", "image": "cGlj"}, {"id": "a", "image": "cGlj"}]', "twice"),
        (b'[{"id": "a", "path": "../secret.png"}]', "leaves"),
        (b'[{"id": "a", "path": "/etc/passwd"}]', "leaves"),
        (b'[{"id": "a", "path": "none.png"}]', "cannot be read"),
    ],
)
def test_faulty_answers(content: bytes, word: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=word):
        read_pages(content, tmp_path)


@given(st.binary(max_size=60))
def test_any_bytes_are_pages_or_a_reason(content: bytes) -> None:
    try:
        found = read_pages(content, None)
    except ValueError:
        return
    assert all(page.id and isinstance(page.data, bytes) for page in found)


@pytest.mark.parametrize("url", ["ftp://host/x", "host:80", "http://me:pw@host/x", "http://host:99999/"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError) as found:
        checked_url(url)
    assert "pw" not in str(found.value)


def image() -> PreparedImage:
    buffer = io.BytesIO()
    Image.radial_gradient("L").save(buffer, "PNG")
    return prepare_image(buffer.getvalue(), "x")[0]


def test_views_are_the_same_bytes_and_are_kept_by_content(tmp_path: Path) -> None:
    grid = Grid(28, 3136, 12_845_056)
    first, view = render_view(image(), (10, 20, 110, 70), grid, "x", tmp_path / "views")
    assert (view, view.size) == (View((256, 256)).cropped((10, 20, 110, 70)).resized(112, 56), (112, 56))
    assert (first.width, first.height) == (112, 56)
    (kept,) = (tmp_path / "views").glob("*.png")
    assert kept.read_bytes() == first.data == render_view(image(), (10, 20, 110, 70), grid, "x")[0].data
    kept.write_bytes(b"damaged")
    assert render_view(image(), (10, 20, 110, 70), grid, "x", tmp_path / "views")[0].data == first.data


def test_a_whole_picture_at_its_own_size_keeps_its_bytes() -> None:
    original = image()
    assert render_view(original, None, None, "x")[0] is original
