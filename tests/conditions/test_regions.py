"""Hiding and showing the places that a question is about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from mmeval.conditions.regions import Regions, crop_elsewhere, crop_to, hide, hide_elsewhere
from mmeval.core.errors import NotApplicableError


def picture(width: int, height: int) -> Image.Image:
    draw = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(draw.integers(1, 256, (height, width, 3), dtype=np.uint8))


def black(image: Image.Image) -> np.ndarray:
    return np.all(np.asarray(image) == 0, axis=2)


@pytest.mark.parametrize(
    ("space", "box"), [("pixels", [10, 20, 30, 60]), ("unit", [0.1, 0.2, 0.3, 0.6]), ("thousand", [100, 200, 300, 600])]
)
def test_boxes_of_every_space_are_the_same_pixels(space: str, box: list[float]) -> None:
    found = Regions.of({"regions": {"boxes": [box], "space": space}}).pixels(100, 100)
    assert found == [(10, 20, 30, 60)]


@pytest.mark.parametrize(
    ("extras", "says"),
    [
        ({}, "no gold box"),
        ({"regions": {"boxes": [], "space": "pixels"}}, "no gold box"),
        ({"regions": {"boxes": [[50, 50, 40, 60]], "space": "pixels"}}, "covers nothing"),
        ({"regions": {"boxes": [[200, 0, 300, 50]], "space": "pixels"}}, "covers nothing"),
        ({"regions": {"boxes": [[float("nan"), 0, 3, 5]], "space": "pixels"}}, "not finite"),
    ],
)
def test_gold_boxes_that_cannot_be_used_do_not_apply(extras: dict, says: str) -> None:
    with pytest.raises(NotApplicableError, match=says):
        Regions.of(extras).pixels(100, 100)


@given(st.integers(20, 80), st.integers(20, 80), st.data())
def test_the_control_hides_as_much_and_nothing_of_the_region(width: int, height: int, data: st.DataObject) -> None:
    x1, y1 = data.draw(st.integers(0, width - 5)), data.draw(st.integers(0, height - 5))
    region = (x1, y1, x1 + data.draw(st.integers(2, 5)), y1 + data.draw(st.integers(2, 5)))
    image, seed = picture(width, height), data.draw(st.integers(0, 2**31))
    hidden = black(hide(image, seed, [region]))
    control = black(hide_elsewhere(image, seed, [region]))
    assert hidden.sum() == control.sum() == (region[2] - region[0]) * (region[3] - region[1])
    assert not (hidden & control).any()
    assert hidden[region[1] : region[3], region[0] : region[2]].all()
    assert np.array_equal(control, black(hide_elsewhere(image, seed, [region])))


def test_a_region_that_leaves_no_room_has_no_control() -> None:
    with pytest.raises(NotApplicableError, match="no room"):
        hide_elsewhere(picture(40, 40), 0, [(5, 5, 35, 35)])


@given(st.integers(20, 90), st.integers(20, 90), st.data())
def test_a_crop_keeps_size_and_shows_the_region(width: int, height: int, data: st.DataObject) -> None:
    x1, y1 = data.draw(st.integers(0, width - 6)), data.draw(st.integers(0, height - 6))
    region = (x1, y1, x1 + 5, y1 + 5)
    image = picture(width, height)
    image.paste((0, 0, 0), region)
    shown = crop_to(image, 0, [region])
    assert shown.size == image.size
    before, after = black(image).mean(), (np.asarray(shown).max(axis=2) < 40).mean()
    assume(width < 60)
    assert after > before


def test_a_crop_elsewhere_is_seeded_and_needs_a_smaller_window() -> None:
    image = picture(60, 40)
    first, again, other = (crop_elsewhere(image, seed, [(0, 0, 10, 10)]) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    with pytest.raises(NotApplicableError, match="whole picture"):
        crop_elsewhere(image, 1, [(0, 0, 60, 40)])
