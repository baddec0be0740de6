"""Everything a generator may depend on: the task's name, the seed, the index and the difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmeval.tasks.synthetic.rng import Rng, balanced

LETTERS = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Context:
    name: str
    seed: int
    index: int
    difficulty: int
    items_per_scene: int = 1

    @property
    def scene(self) -> int:
        return self.index // self.items_per_scene

    @property
    def turn(self) -> int:
        """Which question about the scene this is, from 0."""
        return self.index % self.items_per_scene

    @property
    def item_id(self) -> str:
        return f"{self.name}-s{self.seed}-d{self.difficulty}-{self.index:06d}"

    @property
    def cluster(self) -> str:
        return f"{self.name}-s{self.seed}-d{self.difficulty}-scene{self.scene:06d}"

    def item_rng(self, stream: str) -> Rng:
        return Rng(self.name, self.seed, self.difficulty, "item", self.index, stream)

    def scene_rng(self, stream: str) -> Rng:
        """The same for all items of a scene."""
        return Rng(self.name, self.seed, self.difficulty, "scene", self.scene, stream)

    def balanced(self, stream: str, size: int, index: int | None = None) -> int:
        """A value in ``range(size)``, exactly uniform over each block of ``size`` consecutive indices
        (of this item's index unless another counter is given)."""
        at = self.index if index is None else index
        return balanced(at, size, self.name, self.seed, self.difficulty, "block", stream)

    def mode(self, modes: int) -> tuple[int, int]:
        """Which of ``modes`` kinds of question to ask, and how many of that kind came before.

        Each kind occurs once per block of ``modes`` items, so the block's number counts them.
        """
        return self.balanced("mode", modes), self.index // modes

    def options(self, right: str, wrong: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The right letter (exactly uniform over blocks, independent of the value) and all option texts."""
        letter = self.balanced("letter", len(wrong) + 1)
        texts = list(wrong)
        self.item_rng("options").shuffle(texts)
        texts.insert(letter, right)
        return LETTERS[letter], tuple(texts)
