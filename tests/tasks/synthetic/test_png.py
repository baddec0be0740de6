from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmeval.tasks.synthetic import encode_png, generate
from mmeval.tasks.synthetic.model import Pixels

PINNED = "04089388da23cac1c009f5ba21a640c6378f0f2cb17caba8278679c49b010421"


def decode(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.mode == "RGB"
        return np.asarray(image)


@settings(max_examples=120)
@given(st.integers(1, 40), st.integers(1, 120), st.integers(1, 256), st.integers(0, 2**32 - 1))
def test_round_trip(height: int, width: int, levels: int, seed: int) -> None:
    # Few levels give many runs, 256 give mostly literals.
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(decode(encode_png(pixels)), pixels)


@pytest.mark.parametrize("width", [*range(1, 8), *range(84, 92), *range(170, 176), 258, 259, 517])
def test_runs_of_every_length(width: int) -> None:
    pixels = np.full((3, width, 3), 200, np.uint8)
    pixels[1] = 7
    np.testing.assert_array_equal(decode(encode_png(pixels)), pixels)


def test_tall_gradient_wraps_around() -> None:
    ramp = (np.arange(600) * 37 % 256).astype(np.uint8)
    pixels = np.broadcast_to(ramp[:, None, None], (600, 5, 3)).copy()
    np.testing.assert_array_equal(decode(encode_png(pixels)), pixels)


def test_bytes_are_pinned() -> None:
    pixels = (np.arange(24 * 31 * 3) * 7 % 251).astype(np.uint8).reshape(24, 31, 3)
    pixels[5:15, 4:20] = (250, 10, 10)
    assert hashlib.sha256(encode_png(pixels)).hexdigest() == PINNED


@pytest.mark.parametrize("name", ["count", "spatial", "read-number", "chart", "point", "box"])
def test_flat_scenes_are_small(name: str) -> None:
    sizes = [len(encode_png(generate(name, seed=0, index=i).images[0])) for i in range(12)]
    assert max(sizes) <= 25_000


def test_an_array_view_is_encoded_like_its_copy() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert encode_png(pixels[::2, ::3]) == encode_png(pixels[::2, ::3].copy())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="height, width, 3"):
        encode_png(pixels)
