"""Parts of images: exact ways back to the original, and crops that stay inside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.geometry import View
from mmeval.core.views import box_to_original, region_of, to_original

SIZES = st.integers(1, 5000)
EDGES = st.tuples(st.floats(-9000, 9000), st.floats(-9000, 9000))


def test_pixels_of_a_resized_crop_are_pixels_of_the_original() -> None:
    view = View((1000, 500)).cropped((100, 50, 300, 150)).resized(400, 400)
    assert box_to_original(view, (0, 0, 400, 400), "pixels") == (100, 50, 300, 150)
    assert to_original(view, (0.5, 0.5), "unit") == (200, 100)
    assert to_original(view, (500, 1000), "thousand") == (200, 150)


def test_the_padded_square_puts_the_picture_in_its_middle() -> None:
    wide = View((400, 200)).resized(56, 28)
    assert box_to_original(wide, (0, 0.25, 1, 0.75), "unit-square") == (0, 0, 400, 200)
    assert to_original(wide, (0, 0), "unit-square") == (0, -100), "in the padding"
    tall = View((100, 300))
    assert box_to_original(tall, (0.5, 0.5, 0.5, 1), "unit-square") == (50, 150, 50, 300)


@given(EDGES, EDGES, SIZES, SIZES, st.integers(0, 99), st.integers(1, 300), st.booleans())
def test_a_crop_has_area_and_stays_inside(
    xs: tuple[float, float], ys: tuple[float, float], width: int, height: int, padding: int, side: int, square: bool
) -> None:
    box = (min(xs), min(ys), max(xs), max(ys))
    region = region_of(box, (width, height), padding, side, square=square)
    if region is None:
        return
    left, top, right, bottom = region
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left >= min(side, width)
    assert bottom - top >= min(side, height)
    assert left <= max(0, box[0])
    assert bottom >= min(height, box[3])


def test_outside_or_without_area_there_is_nothing_to_show() -> None:
    assert region_of((500, 0, 600, 50), (400, 200), 0, 1) is None
    assert region_of((400, 0, 600, 50), (400, 200), 56, 28) is None
    assert region_of((10, 10, 10, 50), (400, 200), 0, 28) is None
    assert region_of((-50, -50, 10.2, 10), (400, 200), 0, 1) == (0, 0, 11, 10)


def test_a_part_is_never_much_thinner_than_long() -> None:
    assert region_of((0, 50, 8000, 51), (8000, 200), 0, 1) == (0, 11, 8000, 91)


def test_a_square_grows_around_its_middle_and_is_moved_inside() -> None:
    assert region_of((0, 90, 40, 100), (200, 100), 0, 28, square=True) == (0, 60, 40, 100)
    assert region_of((100, 40, 140, 60), (200, 100), 0, 28, square=True) == (100, 30, 140, 70)
    assert region_of((100, 40, 140, 60), (200, 100), 10, 28) == (90, 30, 150, 70)
