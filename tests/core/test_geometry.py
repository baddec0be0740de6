"""Points through turned, cropped, resized and padded pictures, against the pictures themselves."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import DataError
from mmeval.core.geometry import Pad, View, part
from mmeval.pipeline.media import Grid, decode_rgb, prepare_image

SPACES = ("pixels", "unit", "thousand")
SIDES = st.integers(1, 8000)


@st.composite
def views(draw: st.DrawFn, largest: int = 8000) -> View:
    """Any chain of up to five steps."""
    side = st.integers(1, largest)
    view = View((draw(side), draw(side)))
    for kind in draw(st.lists(st.sampled_from(["turn", "crop", "resize", "budget", "square", "corner"]), max_size=5)):
        width, height = view.size
        if kind == "turn":
            view = view.turned(draw(st.integers(1, 8)))
        elif kind == "crop":
            left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
            view = view.cropped((left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))))
        elif kind == "resize":
            view = view.resized(draw(side), draw(side))
        elif kind == "budget":
            view = view.resized(*Grid(28, 4 * 28 * 28, draw(st.integers(4, 16384)) * 28 * 28).fit(width, height))
        else:
            view = view.squared("centre" if kind == "square" else "start")
    return view


SHARES = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(views(), SHARES, st.sampled_from(SPACES))
def test_there_and_back(view: View, share: tuple[float, float], space: str) -> None:
    point = share[0] * view.original[0], share[1] * view.original[1]
    there = view.from_original(point, space)
    assert view.to_original(there, space) == pytest.approx(point, abs=1e-6)
    shown = share[0] * view.size[0], share[1] * view.size[1]
    assert view.from_original(view.to_original(shown)) == pytest.approx(shown, rel=1e-6, abs=1e-3)


@given(views(), SHARES)
def test_spaces_agree(view: View, share: tuple[float, float]) -> None:
    pixels = view.to_original((share[0] * view.size[0], share[1] * view.size[1]))
    assert view.to_original(share, "unit") == pytest.approx(pixels, abs=1e-6)
    assert view.to_original((share[0] * 1000, share[1] * 1000), "thousand") == pytest.approx(pixels, abs=1e-6)


@given(st.tuples(SIDES, SIDES), st.integers(4, 16384), SHARES)
def test_a_whole_pixel_of_the_sent_image_is_half_a_sent_pixel_off_at_most(
    size: tuple[int, int], budget: int, share: tuple[float, float]
) -> None:
    """A model that answers in whole pixels as sent is off by the rounding alone: half a sent pixel, in original pixels."""
    view = View(size).resized(*Grid(28, 4 * 28 * 28, budget * 28 * 28).fit(*size))
    point = share[0] * size[0], share[1] * size[1]
    said = [round(number) for number in view.from_original(point)]
    back = view.to_original(said)
    for number, true, before, after in zip(back, point, size, view.size, strict=True):
        assert abs(number - true) <= max(0.5, 0.5 * before / after) + 1e-9


@given(views(), SHARES, SHARES)
def test_boxes_stay_in_order(view: View, first: tuple[float, float], second: tuple[float, float]) -> None:
    width, height = view.original
    box = (
        min(first[0], second[0]) * width, min(first[1], second[1]) * height,
        max(first[0], second[0]) * width, max(first[1], second[1]) * height,
    )  # fmt: skip
    shown = view.box_from_original(box, "thousand")
    assert shown[0] <= shown[2]
    assert shown[1] <= shown[3]
    assert view.box_to_original(shown, "thousand") == pytest.approx(box, abs=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_the_decoder_turns(orientation: int) -> None:
    """Every pixel of a stored picture, by its colour, in the picture that `decode_rgb` gives."""
    width, height = 5, 3
    stored = np.zeros((height, width, 3), np.uint8)
    stored[..., 0] = np.arange(width * height).reshape(height, width) * 10
    picture = Image.fromarray(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=exif)
    upright = decode_rgb(buffer.getvalue(), "turned")
    view = View((width, height)).turned(orientation)
    assert view.size == upright.size
    assert np.array_equal(np.asarray(view.draw(picture)), np.asarray(upright))
    for row in range(height):
        for column in range(width):
            x, y = view.from_original((column + 0.5, row + 0.5))
            assert upright.getpixel((int(x), int(y))) == picture.getpixel((column, row))
            assert view.to_original((x, y)) == (column + 0.5, row + 0.5)


@settings(max_examples=60, deadline=None)
@given(views(largest=40), st.data())
def test_the_drawn_picture_agrees(view: View, data: st.DataObject) -> None:
    """A cross of the original is where the map says: the two halves of a picture meet at the mapped line."""
    width, height = view.original
    edge = data.draw(st.integers(0, width))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, edge:, :] = 255
    shown = view.draw(Image.fromarray(pixels))
    assert shown.size == view.size
    inside = view.draw(Image.new("RGB", view.original, (255, 255, 255)))  # padding stays black
    for _ in range(4):
        spot = data.draw(st.integers(0, shown.width - 1)), data.draw(st.integers(0, shown.height - 1))
        x, _ = view.to_original((spot[0] + 0.5, spot[1] + 0.5))
        # Bicubic blends a few pixels on each side of the edge, of the coarsest picture on the way.
        coarse = 3 + 3 * max(1.0, *(max(view.original) / min(step_size) for step_size in view._sizes()))
        if inside.getpixel(spot) == (255, 255, 255) and abs(x - edge) > coarse:
            value = shown.getpixel(spot)
            assert isinstance(value, tuple)
            assert (value[0] > 127) is (x > edge)


def test_a_crop_that_is_enlarged_and_padded() -> None:
    view = View((1920, 1080)).cropped((100, 50, 500, 250)).resized(800, 400).squared()
    assert view.size == (800, 800)
    assert view.to_original((400, 400)) == (300.0, 150.0)
    assert view.to_original((500, 500), "thousand") == (300.0, 150.0)
    assert view.from_original((100, 50)) == (0.0, 200.0)
    assert view.to_original((0, 0)) == (100.0, -50.0)  # the border is outside, and stays outside
    assert json.loads(json.dumps(view.key))[0] == [1920, 1080]


def test_the_sides_of_a_square() -> None:
    assert View((5, 2)).squared().steps == (Pad(0, 1, 5, 5),)
    assert View((2, 5)).squared("start").steps == (Pad(0, 0, 5, 5),)
    assert View((5, 5)).squared().steps == ()
    white = View((2, 1)).squared(colour=(255, 255, 255)).draw(Image.new("L", (2, 1)))
    assert (white.getpixel((0, 0)), white.getpixel((0, 1))) == ((0, 0, 0), (255, 255, 255))


def test_a_4k_screenshot_at_its_budget() -> None:
    """What is sent has the size of the view, and a small icon is found again."""
    buffer = io.BytesIO()
    Image.new("RGB", (3840, 2160)).save(buffer, "PNG", compress_level=1)
    grid = Grid(28, 4 * 28 * 28, 1280 * 28 * 28)
    prepared, _ = prepare_image(buffer.getvalue(), "4k", grid=grid)
    view = View((3840, 2160)).resized(*grid.fit(3840, 2160))
    assert (prepared.width, prepared.height) == view.size
    assert prepared.width * prepared.height <= 1280 * 28 * 28
    x, y = view.from_original((3001, 1207))
    assert view.to_original((x, y)) == pytest.approx((3001, 1207), abs=1e-9)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (5, 0, 2, 5), (-1, 0, 5, 5), (0, 0, 11, 5), (0.5, 0, 5, 5), (math.nan, 0, 5, 5), (0, 0, 5)]
)
def test_no_crop(box: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="crop"):
        View((10, 10)).cropped(box)


def test_refusals() -> None:
    with pytest.raises(DataError, match="no coordinates"):
        View((0, 10))
    with pytest.raises(DataError, match="1 to 8"):
        View((10, 10)).turned(9)
    with pytest.raises(DataError, match="0×5"):
        View((10, 10)).resized(0, 5)
    with pytest.raises(DataError, match="unknown coordinate space"):
        View((10, 10)).to_original((1, 1), "furlong")
    with pytest.raises(DataError, match="its view 10×10"):
        View((10, 10)).draw(Image.new("RGB", (5, 5)))


@pytest.mark.parametrize(
    ("box", "least", "expected"),
    [
        ((1.2, 2.7, 3.1, 4.0), 1, (1, 2, 4, 4)),
        ((3.1, 4.0, 1.2, 2.7), 1, (1, 2, 4, 4)),
        ((-5, -5, 200, 200), 1, (0, 0, 100, 50)),
        ((3, 3, 3, 3), 1, (3, 3, 4, 4)),
        ((98, 48, 99, 49), 28, (72, 22, 100, 50)),
        ((0, 0, 1, 1), 60, (0, 0, 60, 50)),
        ((100, 0, 120, 5), 1, None),
        ((-9, 0, 0, 5), 1, None),
        ((math.nan, 0, 1, 1), 1, None),
        ((0, 0, math.inf, 1), 1, None),
        ((0, 0, 1), 1, None),
    ],
)
def test_part(box: tuple[float, ...], least: int, expected: tuple[int, ...] | None) -> None:
    assert part(box, (100, 50), least) == expected


@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4), st.tuples(SIDES, SIDES), st.integers(1, 300))
def test_any_part_can_be_cropped(box: list[float], size: tuple[int, int], least: int) -> None:
    found = part(box, size, least)
    if found is not None:
        shown = View(size).cropped(found).size
        assert all(side >= min(least, whole) for side, whole in zip(shown, size, strict=True))
