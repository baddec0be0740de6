"""Which samples of an open data set belong to a shard."""

from __future__ import annotations

from collections.abc import Iterator

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import FrameSampling
from mmeval.tasks import synthetic
from mmeval.tasks.card import Card
from mmeval.tasks.data import Row
from mmeval.tasks.gold import field_value, optional_text
from mmeval.tasks.images import media_from_cell
from mmeval.tasks.opened import OpenTask, no_rows
from mmeval.tasks.sharding import Part, Shard, cut, picture_key
from mmeval.tasks.videos import videos_from_cell


def part_of(opened: OpenTask, shard: Shard) -> Part:
    """Return the shard's part of what the limit has drawn. Reads every row, but of picture files only small pieces.

    Raises:
        DataError: when the data set has no rows.
    """
    card = opened.task.card
    generator = card.dataset.synthetic
    if generator is not None:
        positions = opened.selected if opened.selected is not None else range(generator.size)
        names = ((at, synthetic.cluster(generator.generator, generator.seed, at, generator.difficulty)) for at in positions)  # fmt: skip
        return cut(names, shard, card.name)
    part = cut(_clusters(opened, card), shard, card.name)
    if not part.samples:
        raise no_rows(opened.task)
    return part


def _clusters(opened: OpenTask, card: Card) -> Iterator[tuple[int, str]]:
    """Position and cluster of every drawn sample: the card's column, or else its first picture, or else itself."""
    for number, row in enumerate(opened.source.rows()):
        if opened.selected is None or number in opened.selected:
            yield number, _cluster(card, row) or f"row-{number}"


def _cluster(card: Card, row: Row) -> str:
    """The sample's cluster, empty where it stands alone; a row that cannot be read is reported when it is built."""
    fields = card.fields
    try:
        named = optional_text(fields.cluster, row)
        if named:
            return f"named:{named}"
        for column in fields.images:
            for media in media_from_cell(field_value(column, row), row, column):
                return f"image:{picture_key(media)}"
        for column in fields.videos:
            for media in videos_from_cell(field_value(column, row), row, column, FrameSampling()):
                return f"image:{picture_key(media)}"
    except (DataError, MediaError):
        return ""
    return ""
