"""Which of several servers was asked about a picture last, and so may have its tokens in the prefix cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

REMEMBERED_PICTURES = 16_384

Home = TypeVar("Home")


class PictureHomes(Generic[Home]):
    """Picture -> who was asked about it last; the pictures asked about most recently are remembered."""

    def __init__(self) -> None:
        self._homes: OrderedDict[Hashable, Home] = OrderedDict()

    def get(self, picture: Hashable) -> Home | None:
        """Return who was asked about a picture last, or None."""
        return self._homes.get(picture)

    def put(self, picture: Hashable, home: Home) -> None:
        """Remember who is asked about a picture now."""
        self._homes[picture] = home
        self._homes.move_to_end(picture)
        if len(self._homes) > REMEMBERED_PICTURES:
            self._homes.popitem(last=False)
