"""What the overview of the cards says that a card needs is what it needs."""

from __future__ import annotations

import pytest

from mmeval.runs.judge import needs_judge
from mmeval.tasks.needs import needs_of
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

REGISTRY = Registry([])


@pytest.mark.parametrize("name", sorted(REGISTRY.cards))
def test_every_card_says_what_it_is_and_needs(name: str) -> None:
    file = REGISTRY.cards[name]
    task, needs = Task.load(file), needs_of(file.raw)
    card = task.card
    assert card.family
    assert card.title
    assert card.licence
    imported = card.answer.reads == "extraction" and not card.judges
    assert ("judge" in needs) == (needs_judge(task) and not imported)
    assert "video" in needs or not card.fields.videos
    assert "local data" in needs or card.dataset.hub is not None or card.dataset.synthetic is not None
    assert ("retriever" in needs) == (card.strategy is not None and card.strategy.retrieval is not None)
    assert len(set(needs)) == len(needs)


def test_sections_of_a_wrong_form_need_nothing() -> None:
    assert needs_of({"dataset": [], "fields": None, "judges": "x", "needs": None}) == []
    assert needs_of({"needs": ["video"], "fields": {"videos": ["v"]}}) == ["video"]
