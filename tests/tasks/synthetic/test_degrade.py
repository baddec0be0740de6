from __future__ import annotations

import numpy as np
import pytest

from mmeval.tasks.synthetic.degrade import degrade
from mmeval.tasks.synthetic.model import Pixels
from mmeval.tasks.synthetic.photos import landscape
from mmeval.tasks.synthetic.rng import Rng

KINDS = ("blur", "noise", "blocks", "contrast", "dark")


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return landscape(Rng("degrade-test")).pixels


def sharpness(pixels: Pixels) -> float:
    return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())


def error(pixels: Pixels, reference: Pixels) -> float:
    return float(((pixels.astype(float) - reference) ** 2).mean())


def test_none_changes_nothing(picture: Pixels) -> None:
    assert degrade(picture, "none", 0, Rng("x")) is picture


@pytest.mark.parametrize("kind", KINDS)
def test_severity_grows(picture: Pixels, kind: str) -> None:
    errors = [error(degrade(picture, kind, severity, Rng("x")), picture) for severity in (1, 2, 3, 4)]
    assert errors == sorted(errors)
    assert errors[0] > 5
    assert len(set(errors)) == 4


@pytest.mark.parametrize("severity", [1, 4])
def test_each_kind_does_what_it_says(picture: Pixels, severity: int) -> None:
    changed = {kind: degrade(picture, kind, severity, Rng("x")) for kind in KINDS}
    assert sharpness(changed["blur"]) < 0.8 * sharpness(picture)
    assert sharpness(changed["noise"]) > 1.5 * sharpness(picture)
    assert changed["contrast"].std() < 0.8 * picture.std()
    assert changed["dark"].mean() < 0.7 * picture.mean()
    # Block artefacts: larger steps at the edges of 8 × 8 blocks than within them.
    sky = changed["blocks"][:64].astype(int)
    steps = np.abs(np.diff(sky, axis=0)).sum(axis=(1, 2))
    edges = np.arange(steps.size) % 8 == 7
    assert steps[edges].mean() > 2.5 * steps[~edges].mean()


def test_blocks_reproduce_a_flat_picture() -> None:
    flat = np.full((16, 24, 3), 131, np.uint8)
    assert np.abs(degrade(flat, "blocks", 1, Rng("x")).astype(int) - 131).max() <= 3


def test_blur_keeps_a_flat_picture() -> None:
    flat = np.full((20, 20, 3), 77, np.uint8)
    np.testing.assert_array_equal(degrade(flat, "blur", 4, Rng("x")), flat)


@pytest.mark.parametrize(("kind", "severity"), [("blur", 0), ("noise", 5), ("sepia", 2)])
def test_unknown_degradations_are_refused(picture: Pixels, kind: str, severity: int) -> None:
    with pytest.raises(ValueError, match=r"severity must be|unknown degradation"):
        degrade(picture, kind, severity, Rng("x"))
