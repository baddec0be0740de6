"""What a condition changes, and that it changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmeval.conditions.base import CONDITIONS, get_condition, without_media
from mmeval.core.errors import UsageError
from mmeval.core.types import Media, MediaPart, Message, Sample, TextPart

SAMPLE = Sample(
    id="1",
    task="t",
    messages=(
        Message("system", (TextPart("be brief"),)),
        Message("user", (MediaPart(0), TextPart("or"), MediaPart(1), TextPart("?"))),
    ),
    target="A",
    media=(Media("image", data=b"1"), Media("image", data=b"2")),
    item={"id": "1"},
    cluster="c",
)


def test_blind_removes_media_and_leaves_the_text() -> None:
    found = without_media(SAMPLE)
    assert found.media == ()
    assert [part for message in found.messages for part in message.parts] == [
        TextPart("be brief"),
        TextPart("or"),
        TextPart("?"),
    ]
    assert [message.role for message in found.messages] == ["system", "user"]
    assert (found.id, found.target, found.item, found.cluster) == ("1", "A", {"id": "1"}, "c")
    assert without_media(found) == found


def test_blank_keeps_the_size_and_shows_nothing() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8))
    change = get_condition("blank").image
    assert change is not None
    found = change(noise, 1)
    assert (found.size, found.mode) == ((5, 7), "RGB")
    assert {color for _, color in found.getcolors() or []} == {(128, 128, 128)}


def test_the_standard_condition_changes_nothing() -> None:
    standard = get_condition("standard")
    assert standard.sample is None
    assert standard.image is None


def test_names_are_their_own_keys() -> None:
    assert all(condition.name == name for name, condition in CONDITIONS.items())


def test_an_unknown_condition_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown condition 'blnd'(.|\n)*did you mean blind"):
        get_condition("blnd")
