"""Without the picture nothing beats `chance`: exact balance, and predictors that read only the question."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from mmeval.tasks.synthetic import TASKS, SyntheticItem, chance, generate
from mmeval.tasks.synthetic.canvas import Canvas
from mmeval.tasks.synthetic.context import LETTERS
from mmeval.tasks.synthetic.reading import CHART_VALUES, WORDS

N = 2000
CLOSED = tuple(name for name in TASKS if chance(name) is not None)
_items: dict[str, list[SyntheticItem]] = {}


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are not looked at here, so they are not painted."""
    blank = {size: np.zeros((*size, 3), np.uint8) for size in ((288, 288), (192, 192))}

    def start(self: Canvas, width: int, height: int, *_: object) -> None:
        self.pixels = blank[height, width]

    monkeypatch.setattr(Canvas, "__init__", start)
    monkeypatch.setattr(Canvas, "paste", lambda *_, **__: None)
    monkeypatch.setattr(Canvas, "rect", lambda *_, **__: None)
    monkeypatch.setattr("mmeval.tasks.synthetic.photos.degrade", lambda pixels, *_: pixels)
    monkeypatch.setattr("mmeval.tasks.synthetic.photos._fill_below", lambda *_: None)


def items(name: str) -> list[SyntheticItem]:
    if name not in _items:
        _items[name] = [generate(name, seed=11, index=index) for index in range(N)]
    return _items[name]


def value(item: SyntheticItem) -> str:
    """The answer itself: the text behind the letter for a choice."""
    return str(item.answer) if item.choices is None else item.choices[LETTERS.index(item.answer)]


def assert_uniform_blocks(values: list[str], expected: list[str]) -> None:
    size = len(expected)
    for start in range(0, len(values) - size + 1, size):
        assert sorted(values[start : start + size]) == sorted(expected)


@pytest.mark.parametrize("name", [name for name in CLOSED if chance(name) == 0.25 and name != "count"])
def test_letters_are_uniform_in_every_block(name: str) -> None:
    assert_uniform_blocks([item.answer for item in items(name)], list("ABCD"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("count", ["1", "2", "3", "4"]),
        ("existence", ["no", "yes"]),
        ("spatial", ["left", "right", "above", "below"]),
        ("quality", list("12345")),
        ("chart", [str(number) for number in CHART_VALUES[2]]),
        ("read-word", list(WORDS[2])),
    ],
)
def test_values_are_uniform_in_every_block(name: str, expected: list[str]) -> None:
    assert_uniform_blocks([value(item) for item in items(name)], expected)


def test_numbers_are_uniform_over_a_block() -> None:
    numbers = [generate("read-number", seed=1, index=index, difficulty=1).answer for index in range(180)]
    assert_uniform_blocks(numbers, [str(number) for number in range(10, 100)])


def test_attribute_values_are_uniform_in_every_block() -> None:
    for kind in ("color", "shape"):
        values = [item.subsets["value"] for item in items("attribute") if item.subsets["attribute"] == kind]
        assert_uniform_blocks(values, sorted(set(values)))
        assert len(set(values)) == 8


def test_degradations_are_uniform_in_every_block() -> None:
    kinds = [item.subsets["degradation"] for item in items("degradation")]
    assert_uniform_blocks(kinds, ["none", "blur", "noise", "blocks", "contrast", "dark"])


def test_directions_are_uniform_in_every_block() -> None:
    ways = [item.subsets["direction"] for item in items("order") if "direction" in item.subsets]
    assert len(ways) == N // 2
    assert_uniform_blocks(ways, ["left", "right", "up", "down"])


def test_letters_are_independent_of_values() -> None:
    pairs = Counter((value(item), item.answer) for item in items("spatial"))
    expected = N / 16
    statistic = sum((pairs[v, letter] - expected) ** 2 / expected for v in
                    ("left", "right", "above", "below") for letter in "ABCD")  # fmt: skip
    assert statistic < 27.9  # chi-square, 9 degrees of freedom, p = 0.001


Predictor = Callable[[SyntheticItem], str]


def constant_letter(train: list[SyntheticItem]) -> Predictor:
    common = Counter(str(item.answer) for item in train).most_common(1)[0][0]
    return lambda item: common


def constant_value(train: list[SyntheticItem]) -> Predictor:
    """The most frequent answer, or the option that was right most often."""
    counts = Counter(value(item) for item in train)

    def predict(item: SyntheticItem) -> str:
        if item.choices is None:
            return counts.most_common(1)[0][0]
        return LETTERS[max(range(len(item.choices)), key=lambda at: counts[item.choices[at]])]  # type: ignore[index]

    return predict


def tokens(item: SyntheticItem) -> list[str]:
    words = re.findall(r"[\w-]+", item.question.lower())
    return [*words, *(a + " " + b for a, b in pairwise(words)), *(item.choices or ())]


def naive_bayes(train: list[SyntheticItem]) -> Predictor:
    """Every word, word pair and option of the question votes for the answers it was seen with."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    offered: dict[str, Counter[str]] = defaultdict(Counter)
    values = Counter(value(item) for item in train)
    for item in train:
        for token in set(tokens(item)):
            seen[token][value(item)] += 1
            for option in item.choices or values:
                offered[token][option] += 1

    def score(item: SyntheticItem, option: str) -> float:
        rate = 1 / (4 if item.choices else len(values))
        return sum(
            math.log((seen[token][option] + 5 * rate) / ((offered[token][option] + 5) * rate))
            for token in set(tokens(item))
            if token in seen
        )

    def predict(item: SyntheticItem) -> str:
        if item.choices is None:
            return max(values, key=lambda option: score(item, option))
        texts = item.choices
        return LETTERS[max(range(len(texts)), key=lambda at: score(item, texts[at]))]

    return predict


@pytest.mark.parametrize("learn", [constant_letter, constant_value, naive_bayes])
@pytest.mark.parametrize("name", [name for name in CLOSED if not name.startswith("read")])
def test_question_only_predictors_get_no_more_than_chance(
    name: str, learn: Callable[[list[SyntheticItem]], Predictor]
) -> None:
    data = items(name)
    halves = [data[: N // 2], data[N // 2 :]]
    right = 0
    for train, test in (halves, halves[::-1]):
        predict = learn(train)
        right += sum(predict(item) == str(item.answer) for item in test)
    expected = chance(name)
    assert expected is not None
    # Four standard errors: a true leak of a few points fails, luck practically never does.
    assert right / N <= expected + 4 * math.sqrt(expected * (1 - expected) / N)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_chance_is_what_the_best_constant_gets(name: str, difficulty: int) -> None:
    expected = chance(name, difficulty)
    assert expected is not None
    size = round(1 / expected)
    if size > 200:
        size = 200  # all answers of a large block differ; the first 200 must too
        answers = [generate(name, seed=3, index=i, difficulty=difficulty).answer for i in range(size)]
        assert len(set(answers)) == size
        return
    answers = [generate(name, seed=3, index=i, difficulty=difficulty).answer for i in range(2 * size)]
    assert max(Counter(map(str, answers)).values()) / len(answers) == pytest.approx(expected)
