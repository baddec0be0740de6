"""Image ablations: seeded, of the same size, nested in their strength, and nothing but pixels changes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmeval.conditions.ablations import ABLATIONS, PATCH
from mmeval.conditions.base import GUESS, SETS, expand_conditions, get_condition, told_blind
from mmeval.core.errors import UsageError
from mmeval.core.types import Media, MediaPart, Message, Sample, TextPart

PICTURE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (61, 47, 3), dtype=np.uint8))


def shown(name: str, seed: int = 5, picture: Image.Image = PICTURE) -> np.ndarray:
    condition = get_condition(name)
    assert condition.image is not None
    found = condition.image(picture, seed)
    assert (found.size, found.mode) == (picture.size, "RGB")
    return np.asarray(found)


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_the_same_seed_gives_the_same_pixels_and_the_input_is_left_alone(name: str) -> None:
    before = np.asarray(PICTURE).copy()
    first = shown(name)
    assert np.array_equal(first, shown(name))
    assert not np.array_equal(first, before)
    assert np.array_equal(np.asarray(PICTURE), before)


@pytest.mark.parametrize("name", ["noise", "mask"])
def test_another_seed_gives_other_pixels(name: str) -> None:
    assert not np.array_equal(shown(name, 1), shown(name, 2))


def test_masks_are_whole_patches_and_nested() -> None:
    picture = Image.new("RGB", (PATCH * 20 + 5, PATCH * 15), "white")
    previous = np.zeros((PATCH * 15, PATCH * 20 + 5), dtype=bool)
    for probability in (0.2, 0.4, 0.6, 0.8, 1.0):
        hidden = shown(f"mask:{probability}", picture=picture)[..., 0] == 0
        assert (hidden >= previous).all()
        assert abs(hidden[:, : PATCH * 20].mean() - probability) < 0.12
        blocks = hidden[:, : PATCH * 20].reshape(15, PATCH, 20, PATCH)
        assert ((blocks.sum((1, 3)) == 0) | (blocks.sum((1, 3)) == PATCH * PATCH)).all()
        previous = hidden
    assert not shown("mask:1", picture=picture).any()
    assert shown("mask:0", picture=picture).all()


def test_noise_has_its_strength() -> None:
    grey = Image.new("RGB", (200, 200), (128, 128, 128))
    assert abs(shown("noise:10", picture=grey).astype(float).std() - 10) < 0.5


def test_mean_keeps_the_mean_and_downscale_loses_detail() -> None:
    assert np.allclose(shown("mean")[0, 0], np.asarray(PICTURE, dtype=float).mean((0, 1)), atol=0.5)
    spread = [shown(f"downscale:{share}").astype(float).std() for share in (1.0, 0.5, 0.1)]
    assert spread == sorted(spread, reverse=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mask:1.5", "no number from 0 to 1"),
        ("noise:x", "no number"),
        ("mask:", "no number"),
        ("blank:3", "takes no number"),
        ("nois:3", "unknown condition"),
        ("mask:nan", "no number"),
    ],
)
def test_wrong_numbers_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        get_condition(name)


def test_names_say_the_number_and_one_number_is_one_condition() -> None:
    assert [entry.name for entry in expand_conditions(["mask", "mask:0.50", "standard", "mask:0.5"])] == [
        "mask:0.5",
        "standard",
    ]
    names = [entry.name for entry in expand_conditions(["diagnose", "standard"])]
    assert names == [get_condition(name).name for name in SETS["diagnose"]]


def test_told_blind_says_so_once_in_the_last_user_message() -> None:
    sample = Sample(
        "1",
        "t",
        (Message("system", (TextPart("s"),)), Message("user", (MediaPart(0), TextPart("q")))),
        "A",
        (Media(data=b"1"),),
    )
    found = told_blind(sample)
    assert found.media == ()
    assert found.messages[1].parts == (TextPart("q"), TextPart(f"\n\n{GUESS}"))


def test_the_number_in_a_name_is_the_number_that_is_used() -> None:
    from PIL import Image

    from mmeval.conditions.base import get_condition
    from mmeval.core.errors import UsageError

    picture = Image.effect_noise((300, 300), 60).convert("RGB")
    long, short = get_condition("mask:0.33333349"), get_condition("mask:0.333333")
    assert long.name == short.name == "mask:0.333333"
    assert long.image is not None
    assert short.image is not None
    for seed in range(20):
        assert long.image(picture, seed).tobytes() == short.image(picture, seed).tobytes()
    with pytest.raises(UsageError, match=r"'10\.5' is no whole number"):
        get_condition("jpeg:10.5")
