"""What holds for every item of every task."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mmeval.core.errors import UsageError
from mmeval.tasks.synthetic import TASKS, SyntheticItem, chance, encode_png, generate
from mmeval.tasks.synthetic.context import LETTERS

CHOICE = {"attribute", "spatial", "compare", "degradation", "order"}
TWO_PER_SCENE = {"count", "attribute", "existence", "box"}

PINNED = {
    "count": "39163a3ae08533aaf12cb5cca1fec5e5",
    "attribute": "3980bc938c7f847284041c2b28b59047",
    "spatial": "d19e47c3c28df53a00b2405ef44ebd0f",
    "existence": "8d990d21dfe9e8059f772e0f5a047e97",
    "read-number": "cdb9113a83458580420f8747417d952a",
    "read-word": "7a339b5e5b09b6ad76f1e00804ad48fa",
    "compare": "b96a1d04f14b44e286c40d7d824da69c",
    "chart": "c653c52a5429ba973b56f27877bf8f3f",
    "point": "d9b5f3051a30f49aaec1a97299970075",
    "box": "7cc9f41818d853c6e48640444485eb72",
    "detect": "52ab7150dd2b0ee4983e198e1901670f",
    "degradation": "94c3e527b037211fff43f4f56bb040bb",
    "quality": "9a93d1f64e9e95cb66fbc42c89a3e595",
    "order": "7db0557094597666100f9f189fed77bb",
}


def fingerprint(item: SyntheticItem) -> str:
    digest = hashlib.sha256()
    for image in item.images:
        digest.update(encode_png(image))
    rest = (item.id, item.question, item.answer, item.choices, item.facts, item.objects, item.caption)
    digest.update(repr((rest, sorted(item.subsets.items()), item.cluster)).encode())
    return digest.hexdigest()


def sample(name: str, difficulty: int, count: int = 16) -> list[SyntheticItem]:
    return [generate(name, seed=5, index=index, difficulty=difficulty) for index in range(count)]


@pytest.mark.parametrize("name", TASKS)
def test_picture_bytes_are_pinned(name: str) -> None:
    digest = hashlib.sha256()
    for difficulty in (1, 2, 3):
        for image in generate(name, seed=0, index=3, difficulty=difficulty).images:
            digest.update(encode_png(image))
    assert digest.hexdigest()[:32] == PINNED[name]


@pytest.mark.parametrize("name", TASKS)
def test_pure_and_order_free(name: str) -> None:
    forward = [fingerprint(generate(name, seed=2, index=i)) for i in range(4)]
    backward = [fingerprint(generate(name, seed=2, index=i)) for i in (3, 2, 1, 0)]
    assert forward == backward[::-1]
    assert len(set(forward)) == 4


@pytest.mark.parametrize("name", TASKS)
def test_seeds_and_far_indices_differ(name: str) -> None:
    prints = {fingerprint(generate(name, seed=seed, index=index)) for seed in (0, 1, 2**40) for index in (0, 10**9)}
    assert len(prints) == 6


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_form(name: str, difficulty: int) -> None:
    for index, item in enumerate(sample(name, difficulty)):
        assert item.id == f"{name}-s5-d{difficulty}-{index:06d}"
        assert item.question
        assert "(A)" not in item.question
        assert item.is_video == (name == "order")
        shape = {"order": (192, 192, 3), "point": (288, 384, 3)}.get(name, (288, 288, 3))
        assert len(item.images) == (3 + difficulty if item.is_video else 1)
        assert all(image.shape == shape and image.dtype == np.uint8 for image in item.images)
        assert item.subsets["difficulty"] == str(difficulty)
        assert all(isinstance(value, str) for value in item.subsets.values())
        assert item.caption.endswith(".")
        for thing in item.objects:
            x1, y1, x2, y2 = thing.box
            assert 0 <= x1 < x2 <= shape[1]
            assert 0 <= y1 < y2 <= shape[0]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_choices(name: str, difficulty: int) -> None:
    for item in sample(name, difficulty):
        if name in CHOICE:
            assert item.choices is not None
            assert len(item.choices) == len(set(item.choices)) == 4
            assert item.answer in LETTERS[:4]
        else:
            assert item.choices is None


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_facts_are_several_and_of_both_polarities(name: str, difficulty: int) -> None:
    answers = []
    for item in sample(name, difficulty, 40):
        questions = [fact.question for fact in item.facts]
        assert len(questions) == len(set(questions)) >= 4
        assert {fact.answer for fact in item.facts} == {True, False}
        answers += [fact.answer for fact in item.facts]
    assert 0.4 <= sum(answers) / len(answers) <= 0.6


@pytest.mark.parametrize("name", TASKS)
def test_clusters(name: str) -> None:
    items = sample(name, 2, 12)
    if name not in TWO_PER_SCENE:
        assert len({item.cluster for item in items}) == 12
        return
    for first, second in zip(items[::2], items[1::2], strict=True):
        assert first.cluster == second.cluster
        assert first.question != second.question
        np.testing.assert_array_equal(first.images[0], second.images[0])
        assert first.objects == second.objects
    assert len({item.cluster for item in items}) == 6


@pytest.mark.parametrize("name", TASKS)
def test_wordings_vary(name: str) -> None:
    frames = set()
    for item in sample(name, 2, 24):
        named = {word for thing in item.objects for word in thing.name.split()}
        frames.add(" ".join(word for word in item.question.rstrip("?.").split() if word not in named))
    assert len(frames) >= 3


def test_difficulty_1_objects_are_large() -> None:
    for name in ("count", "attribute", "spatial", "existence", "compare", "box", "detect"):
        for item in sample(name, 1, 20):
            for thing in item.objects:
                longest = max(thing.box[2] - thing.box[0], thing.box[3] - thing.box[1])
                assert longest >= 38, (item.id, thing)  # a shape fills at least 95 % of a 40-pixel square


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "conut", "seed": 0, "index": 0}, "use one of: count"),
        ({"name": "count", "seed": 0, "index": -1}, "index of synthetic/count is -1"),
        ({"name": "count", "seed": 0, "index": 0, "difficulty": 4}, "use 1, 2 or 3"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generate(**arguments)  # type: ignore[arg-type]


def test_chance_of_an_unknown_task() -> None:
    with pytest.raises(UsageError, match="unknown synthetic task"):
        chance("nothing")


def test_chance_is_none_for_open_answers() -> None:
    assert [name for name in TASKS if chance(name) is None] == ["point", "box", "detect"]
