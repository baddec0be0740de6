"""The training objective: next tokens of the replies, and an auxiliary dense reading of the visual tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mmeval.tasks.synthetic.scenes import COLOR_NAMES

from .architecture import IMAGE_MEAN, IMAGE_STD, MERGE_SIZE, PATCH_SIZE
from .batches import Batch
from .forward import BatchedModel
from .packing import PADDING_BRANCH, Encoder, PackedRows
from .pictures import CHARACTERS, LABELS, DenseTruth

CLASS_COUNTS = (len(COLOR_NAMES) + 1, len(LABELS) + 1, len(CHARACTERS) + 1)
BOX_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class TensorBatch:
    """A batch as the compiled step takes it."""

    patches: list[Tensor]  # per image size (images, patches, 3 * 8 * 8)
    grids: list[tuple[int, int]]  # per image size: patch rows, patch columns
    ids: Tensor
    positions: Tensor
    mask: Tensor
    visual_index: Tensor
    target_places: Tensor
    target_ids: Tensor
    target_weights: Tensor
    truth: tuple[Tensor, Tensor, Tensor, Tensor] | None  # color, label, character, box of all visual tokens


NO_WORD = -100


@dataclass(frozen=True, slots=True)
class WordIds:
    """For each class of the dense truth the token of its name, or NO_WORD."""

    color: Tensor
    label: Tensor
    character: Tensor
    places: Tensor  # left, right, top, bottom


PLACE_WORDS = ("left", "right", "top", "bottom")


def word_ids(encode: Encoder) -> WordIds:
    def table(names: Sequence[str], lead: str) -> Tensor:
        pieces = [encode(lead + name) for name in names]
        return torch.tensor([p[0] if len(p) == 1 else NO_WORD for p in pieces] + [NO_WORD])

    return WordIds(table(COLOR_NAMES, " "), table(LABELS, " "), table(CHARACTERS, ""), table(PLACE_WORDS, " ")[:-1])


def patches_of(images: NDArray[np.uint8]) -> Tensor:
    """(images, patches, 3 * 8 * 8) normalised pixels in the block order of the Qwen-VL processors."""
    count, height, width, _ = images.shape
    x = torch.from_numpy(images).float().div_(255.0)
    x = (x - torch.tensor(IMAGE_MEAN)) / torch.tensor(IMAGE_STD)
    rows, columns = height // (PATCH_SIZE * MERGE_SIZE), width // (PATCH_SIZE * MERGE_SIZE)
    x = x.view(count, rows, MERGE_SIZE, PATCH_SIZE, columns, MERGE_SIZE, PATCH_SIZE, 3)
    return x.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(count, rows * columns * MERGE_SIZE**2, -1)


def block_mask(rows: PackedRows) -> Tensor:
    """(rows, 1, length, length): each token sees earlier tokens of its own branch and of the shared prefix."""
    branch = torch.from_numpy(rows.branch)
    reads = torch.from_numpy(rows.reads_prefix)
    same = branch[:, :, None] == branch[:, None, :]
    shared = (branch[:, None, :] == 0) & reads[:, :, None]
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    # Padding sees itself, so that no row of the attention is empty; its output is never used.
    return ((same | (shared & (branch[:, :, None] != PADDING_BRANCH))) & causal)[:, None]


def stack_truths(truths: Sequence[DenseTruth]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        torch.from_numpy(np.concatenate([t.color for t in truths])),
        torch.from_numpy(np.concatenate([t.label for t in truths])),
        torch.from_numpy(np.concatenate([t.character for t in truths])),
        torch.from_numpy(np.concatenate([t.box for t in truths])),
    )


def to_tensors(batch: Batch) -> TensorBatch:
    rows = batch.rows
    return TensorBatch(
        patches=[patches_of(group) for group in batch.images],
        grids=[(g.shape[1] // PATCH_SIZE, g.shape[2] // PATCH_SIZE) for g in batch.images],
        ids=torch.from_numpy(rows.ids),
        positions=torch.from_numpy(rows.positions),
        mask=block_mask(rows),
        visual_index=torch.from_numpy(rows.visual_index),
        target_places=torch.from_numpy(rows.target_places),
        target_ids=torch.from_numpy(rows.target_ids),
        target_weights=torch.from_numpy(rows.target_weights),
        truth=stack_truths(batch.truths) if batch.truths else None,
    )


class Objective(torch.nn.Module):
    """Computes both losses; the dense head is thrown away after training."""

    def __init__(self, model: BatchedModel, width: int, bfloat16: bool = True, words: WordIds | None = None) -> None:
        super().__init__()
        self.model = model
        self.words = words
        self.dense_head = torch.nn.Linear(width, sum(CLASS_COUNTS) + 4)
        self.bfloat16 = bfloat16

    def hidden(self, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """Hidden states (rows, length, width) and the visual tokens (tokens, width) before the language model."""
        tables: list[list[Tensor]] = []
        for patches, (rows, columns) in zip(batch.patches, batch.grids, strict=True):
            merged, levels = self.model.see(patches, self.model.grid(rows, columns))
            tables.append([merged, *levels])
        seen = [torch.cat(parts) for parts in zip(*tables, strict=True)]
        rotary = self.model.rotary(batch.positions)
        return self.model.read(batch.ids, rotary, batch.mask, batch.visual_index, seen), seen[0]

    def forward(self, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """Weighted mean cross-entropy of the replies, and the dense loss (0 for clips)."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            hidden, visual = self.hidden(batch)
            chosen = hidden.flatten(0, 1)[batch.target_places]
            logits = self.model.logits(chosen)
            dense = self.dense_head(visual)
        losses = F.cross_entropy(logits.float(), batch.target_ids, reduction="none")
        language = (losses * batch.target_weights).sum() / batch.target_weights.sum()
        if batch.truth is None:
            return language, torch.zeros(())
        total = dense_loss(dense.float(), *batch.truth)
        if self.words is not None:
            total = total + word_loss(self.model.logits(visual.float()), self.words, *batch.truth)
        return language, total


def word_loss(logits: Tensor, words: WordIds, color: Tensor, label: Tensor, character: Tensor, box: Tensor) -> Tensor:
    """Visual tokens should look like the words for what they cover: colour, class or character, and place.

    Scored with the embedding table itself, which puts pictures and text into one space, so that a word in a question
    finds the matching visual tokens soon.
    """
    covered = label < len(LABELS)
    right = (box[:, 0] + box[:, 2] > 1).long()
    bottom = (box[:, 1] + box[:, 3] > 1).long()
    targets = [
        words.color[color],
        words.label[label],
        words.character[character],
        torch.where(covered, words.places[right], NO_WORD),
        torch.where(covered, words.places[2 + bottom], NO_WORD),
    ]
    losses = [F.cross_entropy(logits, t, ignore_index=NO_WORD, reduction="sum") for t in targets]
    return torch.stack(losses).sum() / logits.shape[0]


def dense_loss(scores: Tensor, color: Tensor, label: Tensor, character: Tensor, box: Tensor) -> Tensor:
    parts = scores.split([*CLASS_COUNTS, 4], dim=-1)
    total = sum(F.cross_entropy(p, t) for p, t in zip(parts[:3], (color, label, character), strict=True))
    covered = (label < len(LABELS)).float()[:, None]
    error = ((parts[3].sigmoid() - box).abs() * covered).sum() / (4 * covered.sum()).clamp(min=1)
    return torch.as_tensor(total) + BOX_WEIGHT * error
