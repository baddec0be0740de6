"""Rows of fixed length: one picture and several conversations about it, kept apart by a block mask.

The picture comes first and is shared (the chat template puts pictures before the text in either order): each
conversation is a branch that sees the shared prefix and itself. A blind branch is a conversation without the picture.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmeval.tasks.synthetic.scenes import SHAPE_NAMES

from .pictures import CELL, Picture
from .prompts import DEFAULT_SHARE, SYSTEM_PROMPTS, Question, Turn, default_turn, varied_turn
from .questions import derived_questions, photo_questions
from .tokenizer import IMAGE_PAD, TURN_END, TURN_START, VISION_END, VISION_START

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SYSTEM_SHARE = 0.3  # of the rows
BLIND_SHARE = 0.08  # of the own questions
OPEN_FORM_SHARE = 0.3  # of the choice questions are also asked without options
FACT_SHARE = 0.5  # of the rows ask one of the item's facts
DERIVED_PER_ROW = 6  # tried; as many as fit are kept
FEWEST_QUESTIONS = 4  # filled up with facts
EASY_UNTIL = 0.85  # of the training; the share of easy rows falls linearly from 1 to 0
COORDINATE_WEIGHT = 0.5  # their many digits are uncertain and would drown the other replies
EASY_OWN_SHARE = 0.4  # of the easy rows ask the item's own question
EASY_DEFAULT_SHARE = 0.5  # of their questions use the default prompt
PADDING_BRANCH = -1


class Encoder:
    """Token ids of text pieces; special tokens are given by name."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._core = tokenizer.backend_tokenizer
        self._known: dict[str, list[int]] = {}
        self.image_pad: int = tokenizer.convert_tokens_to_ids(IMAGE_PAD)
        self.turn_end: int = tokenizer.convert_tokens_to_ids(TURN_END)

    def __call__(self, text: str) -> list[int]:
        if text not in self._known:
            if len(self._known) > 50_000:
                self._known.clear()
            self._known[text] = self._core.encode(text, add_special_tokens=False).ids
        return self._known[text]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._core.decode(list(ids), skip_special_tokens=False)
        return text


@dataclass(slots=True)
class Row:
    """Token arrays under construction. Visual tokens hold (image number in the row, token number)."""

    ids: list[int] = field(default_factory=list)
    positions: list[tuple[int, int, int]] = field(default_factory=list)
    visual: list[tuple[int, int]] = field(default_factory=list)
    branch: list[int] = field(default_factory=list)
    reads_prefix: list[bool] = field(default_factory=list)
    target_places: list[int] = field(default_factory=list)
    target_ids: list[int] = field(default_factory=list)
    target_weights: list[float] = field(default_factory=list)


TEXT = (-1, -1)


class Writer:
    """Appends text and images to a row and counts the three-axis positions as Qwen-VL models do."""

    def __init__(self, row: Row, branch: int, reads_prefix: bool, position: int) -> None:
        self.row, self.branch, self.reads_prefix, self.position = row, branch, reads_prefix, position

    def text(self, ids: Sequence[int]) -> None:
        row = self.row
        row.ids.extend(ids)
        row.positions.extend((p, p, p) for p in range(self.position, self.position + len(ids)))
        row.visual.extend([TEXT] * len(ids))
        self._mark(len(ids))
        self.position += len(ids)

    def image(self, number: int, rows: int, columns: int, pad_id: int) -> None:
        """Visual tokens of image `number` (rows x columns tokens)."""
        row, start, tokens = self.row, self.position, rows * columns
        row.ids.extend([pad_id] * tokens)
        row.positions.extend((start, start + r, start + c) for r in range(rows) for c in range(columns))
        row.visual.extend((number, token) for token in range(tokens))
        self._mark(tokens)
        self.position += max(rows, columns)

    def reply(self, ids: Sequence[int], coordinates: bool = False) -> None:
        """Text to be learned: each token is predicted from the one before it."""
        first = len(self.row.ids)
        self.text(ids)
        weight = len(ids) ** -0.5 * (COORDINATE_WEIGHT if coordinates else 1.0)
        self.row.target_places.extend(range(first - 1, first - 1 + len(ids)))
        self.row.target_ids.extend(ids)
        self.row.target_weights.extend([weight] * len(ids))

    def _mark(self, length: int) -> None:
        self.row.branch.extend([self.branch] * length)
        self.row.reads_prefix.extend([self.reads_prefix] * length)


class Packer:
    """Builds rows of at most `length` tokens."""

    def __init__(self, encoder: Encoder, length: int) -> None:
        self.encode, self.length = encoder, length

    def _images(self, writer: Writer, picture: Picture) -> None:
        for number, pixels in enumerate(picture.pixels):
            writer.text(self.encode(VISION_START))
            writer.image(number, pixels.shape[0] // CELL, pixels.shape[1] // CELL, self.encode.image_pad)
            writer.text(self.encode(VISION_END))

    def _opening(self, writer: Writer, system: str | None) -> None:
        if system is not None:
            writer.text(self.encode(f"{TURN_START}system\n{system}{TURN_END}\n"))
        writer.text(self.encode(f"{TURN_START}user\n"))

    def _closing(self, writer: Writer, reply: str) -> None:
        writer.text(self.encode(f"{TURN_END}\n{TURN_START}assistant\n"))
        writer.reply([*self.encode(reply), self.encode.turn_end], reply.startswith("["))

    def prefix(self, row: Row, picture: Picture, system: str | None) -> int:
        """Write the shared part; returns the position after it."""
        writer = Writer(row, 0, True, 0)
        self._opening(writer, system)
        self._images(writer, picture)
        return writer.position

    def branch(self, row: Row, number: int, turn: Turn, position: int) -> None:
        """A conversation that continues the shared prefix."""
        writer = Writer(row, number, True, position)
        writer.text(self.encode(turn.user))
        self._closing(writer, turn.reply)

    def blind(self, row: Row, number: int, turn: Turn, system: str | None) -> None:
        """A whole conversation of its own without a picture."""
        writer = Writer(row, number, False, 0)
        self._opening(writer, system)
        writer.text(self.encode(turn.user))
        self._closing(writer, turn.reply)

    def fill(self, picture: Picture, rng: random.Random, progress: float = 1.0) -> Row:
        """A training row about `picture`: its own question first, then others while they fit.

        Args:
            progress: part of the training that is over; early rows are easier.
        """
        easy = rng.random() >= progress / EASY_UNTIL
        system = rng.choice(SYSTEM_PROMPTS) if rng.random() < SYSTEM_SHARE else None
        row = Row()
        position = self.prefix(row, picture, system)
        for number, question in enumerate(choose_questions(picture, rng, easy), start=1):
            kept = len(row.ids), len(row.target_ids)
            default_share = EASY_DEFAULT_SHARE if easy else DEFAULT_SHARE
            if question is picture.own and rng.random() < BLIND_SHARE:
                self.blind(row, number, varied_turn(blind_question(question), rng, default_share), system)
            else:
                self.branch(row, number, varied_turn(question, rng, default_share), position)
            if len(row.ids) > self.length:
                truncate(row, *kept)
        return row

    def probe(self, picture: Picture, system: str | None = None, blind: bool = False) -> Row:
        """The own question in the default prompt alone, for evaluation."""
        row = Row()
        if blind:
            self.blind(row, 1, default_turn(blind_question(picture.own)), system)
        else:
            self.branch(row, 1, default_turn(picture.own), self.prefix(row, picture, system))
        return row


def blind_question(question: Question) -> Question:
    """The question as it is answered without the picture: a choice by its first option.

    The right option is equally often at each place, so that this is as good as any guess and, unlike a guess, can be
    learned exactly.
    """
    return question if question.choices is None else replace(question, answer=question.choices[0], letter="A")


def truncate(row: Row, tokens: int, targets: int) -> None:
    """Take back what was written after the first `tokens` tokens and `targets` targets."""
    for name in ("ids", "positions", "visual", "branch", "reads_prefix"):
        del getattr(row, name)[tokens:]
    for name in ("target_places", "target_ids", "target_weights"):
        del getattr(row, name)[targets:]


def choose_questions(picture: Picture, rng: random.Random, easy: bool = False) -> list[Question]:
    """What to ask about a picture, the most important first."""
    own = picture.own
    if easy and picture.objects and picture.objects[0].label in SHAPE_NAMES and len(picture.pixels) == 1:
        questions = derived_questions(picture.objects, picture.size, DERIVED_PER_ROW, rng, easy=True)
        return [own, *questions] if rng.random() < EASY_OWN_SHARE else questions
    questions = [own]
    if own.choices is not None and rng.random() < OPEN_FORM_SHARE and len(own.answer) < 40:
        questions.append(Question(own.task, "text", own.text, own.answer))
    if picture.facts and rng.random() < FACT_SHARE:
        questions.append(rng.choice(picture.facts))
    if picture.degradation is not None:
        kind, severity = picture.degradation
        questions += photo_questions(kind, severity, rng) + list(picture.facts[:2])
    elif len(picture.pixels) == 1:
        questions += derived_questions(picture.objects, picture.size, DERIVED_PER_ROW, rng)
    if len(questions) < FEWEST_QUESTIONS:
        spare = [f for f in picture.facts if f not in questions]
        questions += rng.sample(spare, min(len(spare), FEWEST_QUESTIONS - len(questions)))
    return questions


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Arrays of several rows, ready to become tensors."""

    ids: NDArray[np.int64]  # (rows, length)
    positions: NDArray[np.int64]  # (3, rows, length)
    visual_index: NDArray[np.int64]  # (rows, length) row of the table of visual tokens, or -1
    branch: NDArray[np.int64]  # (rows, length) 0 shared, 1… branches, PADDING_BRANCH
    reads_prefix: NDArray[np.bool_]  # (rows, length)
    target_places: NDArray[np.int64]  # (targets,) index into the flattened rows
    target_ids: NDArray[np.int64]  # (targets,)
    target_weights: NDArray[np.float32]  # (targets,) 0 where padded


def stack_rows(rows: Sequence[Row], image_offsets: Sequence[Sequence[int]], length: int, targets: int) -> PackedRows:
    """Pad rows to `length` tokens and all targets together to `targets`.

    Args:
        image_offsets: per row and image, where its visual tokens start in the table of all visual tokens.
    """
    count = len(rows)
    ids = np.zeros((count, length), np.int64)
    positions = np.zeros((3, count, length), np.int64)
    visual_index = np.full((count, length), -1, np.int64)
    branch = np.full((count, length), PADDING_BRANCH, np.int64)
    reads_prefix = np.zeros((count, length), np.bool_)
    places: list[int] = []
    target_ids: list[int] = []
    weights: list[float] = []
    for number, row in enumerate(rows):
        used = len(row.ids)
        if used > length:
            raise ValueError(f"row {number} has {used} tokens, more than {length}")
        ids[number, :used] = row.ids
        positions[:, number, :used] = np.asarray(row.positions, np.int64).T
        offsets = image_offsets[number]
        visual_index[number, :used] = [-1 if image < 0 else offsets[image] + token for image, token in row.visual]
        branch[number, :used] = row.branch
        reads_prefix[number, :used] = row.reads_prefix
        places.extend(number * length + place for place in row.target_places)
        target_ids.extend(row.target_ids)
        weights.extend(row.target_weights)
    spare = targets - len(places)
    if spare < 0:
        places, target_ids, weights, spare = places[:targets], target_ids[:targets], weights[:targets], 0
    return PackedRows(
        ids, positions, visual_index, branch, reads_prefix,
        np.asarray(places + [0] * spare, np.int64),
        np.asarray(target_ids + [0] * spare, np.int64),
        np.asarray(weights + [0.0] * spare, np.float32),
    )  # fmt: skip
