"""The rows of a procedural task: an endless source that draws an item when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mmeval.tasks import synthetic
from mmeval.tasks.card import Card
from mmeval.tasks.data import Row, Source


class _LazyItem(Mapping[str, Any]):
    """The columns of a synthetic row, drawn when they are read, so that a pass over rows costs nothing."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], synthetic.SyntheticItem]) -> None:
        self._make = make

    def __getitem__(self, key: str) -> Any:
        if key != "item":
            raise KeyError(key)
        return self._make()

    def __iter__(self) -> Iterator[str]:
        return iter(("item",))

    def __len__(self) -> int:
        return 1


def synthetic_source(card: Card) -> Source:
    """Open the generator of a card; `fetch` reads items beyond the card's own size too."""
    settings = card.dataset.synthetic
    assert settings is not None

    def row(position: int) -> Row:
        make = partial(
            synthetic.generate, settings.generator, seed=settings.seed, index=position, difficulty=settings.difficulty
        )
        return Row(position, _LazyItem(make), f"{card.name}, item {position}")

    def rows() -> Iterator[Row]:
        return (row(position) for position in range(settings.size))

    return Source({"kind": "synthetic", **settings.model_dump()}, rows, settings.size, fetch=row)
