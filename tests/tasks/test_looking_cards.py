"""Cards of answers in several turns, on own rows in the data sets' schemas: gold boxes and pages, digests, protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmeval.conditions.look_scores import trail_scores
from mmeval.conditions.strategy import Trail
from mmeval.core.types import Sampling
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.samples import SENT, SOUGHT
from mmeval.tasks.task import Task

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])


def opened(selector: str) -> tuple[Task, list[Any]]:
    ((card, protocol),) = REGISTRY.resolve([selector])
    task = Task.load(card, protocol)
    return task, [build() for _, build in task.open(DataOptions(DATA)).samples(AskStyle())]


def test_visual_cot_reads_question_box_and_answer() -> None:
    task, samples = opened("visual-cot")
    by_id = {sample.id: sample for sample in samples}
    assert set(by_id) == {"gqa/1", "docvqa/2"}
    first = by_id["gqa/1"]
    assert (first.item["question"], first.target) == ("What colour is the square?", "red")
    assert first.subsets["dataset"] == "gqa"
    assert first.media[0].read()
    section = task.card.strategy
    assert section is not None
    # The wide picture of 120×80 lies 20 below the upper edge of its square; the tall one 20 from the left.
    for sample, size in ((first, (120, 80)), (by_id["docvqa/2"], (80, 120))):
        exact = Trail(turns=2, box=(60, 20, 100, 60))
        scores = trail_scores(section, exact, sample.extras[SOUGHT], size)
        assert scores["box_iou"] == pytest.approx(1 if size[0] > size[1] else 0.5, abs=0.01)


@pytest.mark.parametrize(
    ("selector", "pages", "targets"),
    [
        ("slidevqa@search", [["deck-a/2"], ["deck-a/1", "deck-a/3"]], ["green", "red and blue"]),
        ("vidoseek", [["deck-a.pdf/2"], ["deck-a.pdf/1", "deck-a.pdf/3"]], ["green", "red and blue"]),
        (
            "mmlongbench-doc",
            [["report.pdf/5"], ["report.pdf/3", "report.pdf/5"], ["report.pdf/2"], ["report.pdf/1", "report.pdf/3"], []],
            ["12", "25.5%", "dark red", "['red', 'blue']", "Not answerable"],
        ),
    ],
)  # fmt: skip
def test_gold_pages_have_the_ids_of_the_contract(selector: str, pages: list[list[str]], targets: list[str]) -> None:
    _, samples = opened(selector)
    assert [sample.extras[SOUGHT]["pages"] for sample in samples] == pages
    assert [sample.target for sample in samples] == targets
    assert all(not sample.media for sample in samples)


def test_the_retriever_is_told_the_document() -> None:
    _, samples = opened("mmlongbench-doc")
    assert samples[0].context.options[SENT] == {"document": "report.pdf"}


def test_slides_are_shown_in_order() -> None:
    _, samples = opened("slidevqa")
    assert len(samples[0].media) == 3


def test_strategies_are_part_of_the_digests() -> None:
    tasks = [
        opened(name)[0] for name in ("v-star", "v-star@zoom", "v-star@zoom-tags", "v-star@two-turns", "v-star@gaze")
    ]
    asked = {task.ask_digest(Sampling(), "standard") for task in tasks}
    assert len(asked) == 5
    gold = opened("visual-cot")[0]
    raw = REGISTRY.cards["visual-cot"].raw
    other = Task.load(
        CardFile("visual-cot", Path("x.yaml"), {**raw, "strategy": {**raw["strategy"], "gold_coordinates": "unit"}})
    )
    assert gold.ask_digest(Sampling(), "s") == other.ask_digest(Sampling(), "s"), "gold boxes are not asked"
    assert gold.score_digest() != other.score_digest()


def test_without_gold_the_scores_are_there_and_weigh_nothing() -> None:
    section = opened("mmlongbench-doc")[0].card.strategy
    assert section is not None
    none = trail_scores(section, Trail(turns=1), {"pages": []}, None)
    assert set(none) == section.scores
    assert (none["with_pages"], none["ndcg"]) == (0, 0)
    some = trail_scores(section, Trail(2, ranked=("a", "b"), shown=("a",)), {"pages": ["b"]}, None)
    assert set(some) == section.scores
    assert (some["recall@1"], some["recall@5"], some["mrr"], some["pages_seen"]) == (0, 1, 0.5, 0)


def test_how_steadily_and_how_soon_the_gaze_finds() -> None:
    section = opened("visual-cot")[0].card.strategy
    assert section is not None
    trail = Trail(3, crops=2, regions=((0, 0, 20, 20), (30, 40, 50, 60)))
    scores = trail_scores(section, trail, {"box": [0.3, 0.5, 0.5, 0.6]}, (100, 100))
    assert set(scores) == section.scores
    assert scores["view_shift"] == pytest.approx(50 / 2**0.5 / 100)
    assert (scores["box_seen"], scores["box_found_at"], scores["box_given"]) == (1, 2, 0)


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        ({"name": "tool-loop", "dialect": "gaze", "retrieval": {}}, "retrieval needs"),
        ({"name": "tool-loop", "gold_pages": "pages"}, "without retrieval"),
        ({"name": "tool-lop"}, "strategy.name"),
        ({"name": "tool-loop", "turn": 3}, "strategy.turn"),
        ({"name": "tool-loop", "resize": {"min_pixels": 9, "max_pixels": 4}}, "min_pixels"),
    ],
)
def test_mistakes_of_a_strategy_are_named(strategy: dict[str, Any], word: str) -> None:
    from mmeval.core.errors import UsageError

    raw = {**REGISTRY.cards["v-star"].raw, "strategy": strategy}
    with pytest.raises(UsageError, match=word):
        Task.load(CardFile("v-star", Path("x.yaml"), raw))


def test_a_metric_of_the_way_needs_a_strategy() -> None:
    from mmeval.core.errors import UsageError

    raw = {**REGISTRY.cards["v-star"].raw, "metrics": ["accuracy", "looked:turns"]}
    with pytest.raises(UsageError, match="turns"):
        Task.load(CardFile("v-star", Path("x.yaml"), raw))
