"""Choosing what fits into the report, and packing it into text blocks."""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmeval.reports.corpus import Corpus, Record
from mmeval.reports.images import Thumbnails
from mmeval.reports.indexing import index_columns
from mmeval.reports.preselection import RANKS, priority

CHUNK = 100
"""Records per compressed block."""
AHEAD = 64
"""Records whose thumbnails are made together; at most so many are made in vain."""
PROBES = 12
"""Blocks by which the packed size of all texts is estimated."""
MARGIN = 1.2
"""All blocks are made where the estimate is at most this many times what they may take."""
_IMAGE_MARKUP = 120
"""Bytes of markup around one image or block, rounded up."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The sample browser's data, ready to be put into script blocks."""

    blocks: list[str]
    """Base64 of gzip of a JSON list of records."""
    index: str
    """Base64 of gzip of the columns by which records are found (see `mmeval.reports.indexing`)."""
    images: list[tuple[str, str]]
    """Hash and base64 of each WebP thumbnail."""
    ranks: tuple[tuple[int, int], ...]
    """Samples that are shown, and that there are, of each rank: models disagree, an answer failed, all others."""
    edge: int
    """Longest side of the thumbnails in pixels."""

    @property
    def shown(self) -> int:
        """Samples in the blocks."""
        return sum(shown for shown, _ in self.ranks)

    @property
    def total(self) -> int:
        """Samples that there are."""
        return sum(total for _, total in self.ranks)

    @property
    def bytes(self) -> int:
        """Bytes of the blocks, the index and the images in the page."""
        return (
            len(self.index)
            + sum(len(block) + _IMAGE_MARKUP for block in self.blocks)
            + sum(len(data) + _IMAGE_MARKUP for _, data in self.images)
        )


def pack(corpus: Corpus, thumbnails: Thumbnails, budget: int) -> Packed:
    """Pack all records when they fit into `budget` bytes, else those of the first ranks and then a seeded sample of the rest.

    Thumbnails are as large as lets everything fit; where nothing does, as small as they are made.
    """
    total = len(corpus.records)
    ratio = _ratio(corpus)
    index = compressed(index_columns(corpus.briefs(range(total)), CHUNK))
    text = len(index) + ratio * sum(record.size for record in corpus.records)
    whole: list[str] = []
    if text <= MARGIN * budget:
        whole = [packed_block(corpus, range(start, min(total, start + CHUNK))) for start in range(0, total, CHUNK)]
        text = len(index) + sum(map(len, whole))
    thumbnails.choose_edge(
        (sha256 for record in corpus.records for sha256 in record.images), budget - text, _IMAGE_MARKUP
    )
    order = sorted(range(total), key=lambda index: priority(rank_of(corpus.records[index]), corpus.records[index].key))
    target = float(budget)
    while True:
        packed = _select(corpus, order, thumbnails, ratio, target, whole)
        if packed.bytes <= budget or not packed.shown:
            return packed
        # The share of a block that a record takes is an estimate; a smaller target corrects it.
        target *= 0.97 * budget / packed.bytes


def _ratio(corpus: Corpus) -> float:
    """Bytes of a packed block by bytes of text, of blocks spread over all records."""
    total = len(corpus.records)
    starts = range(0, total, max(CHUNK, total // PROBES // CHUNK * CHUNK))
    probes = [range(start, min(total, start + CHUNK)) for start in starts]
    size = sum(corpus.records[index].size for probe in probes for index in probe)
    return sum(len(packed_block(corpus, probe)) for probe in probes) / max(1, size)


def rank_of(record: Record) -> int:
    """Return 0 where models disagree, 1 where an answer has no score, 2 for all others."""
    return 0 if record.disagree else 1 if record.failed else 2


def _select(
    corpus: Corpus, order: Sequence[int], thumbnails: Thumbnails, ratio: float, target: float, whole: list[str]
) -> Packed:
    """Choose in this order what costs at most `target` bytes; `whole` are the blocks of all records, where at hand."""
    spent, chosen, images = 0.0, [], dict[str, str]()
    for position, index in enumerate(order):
        if position % AHEAD == 0:
            thumbnails.prepare(
                sha256 for ahead in order[position : position + AHEAD] for sha256 in corpus.records[ahead].images
            )
        cost = corpus.records[index].size * ratio
        fresh: dict[str, str] = {}
        for sha256 in corpus.records[index].images:
            if spent + cost > target:
                break
            data = thumbnails.get(sha256) if sha256 not in images else None
            if data is not None:
                fresh[sha256] = base64.b64encode(data).decode()
                cost += len(fresh[sha256]) + _IMAGE_MARKUP
        if spent + cost > target:
            if cost > target / 20:
                continue  # one giant must not keep all that follow out
            break
        spent += cost
        chosen.append(index)
        images |= fresh
    chosen.sort()
    if whole and len(chosen) == len(order):
        blocks = whole
    else:
        blocks = [packed_block(corpus, chosen[start : start + CHUNK]) for start in range(0, len(chosen), CHUNK)]
    ranks = Counter(rank_of(corpus.records[index]) for index in order)
    kept = Counter(rank_of(corpus.records[index]) for index in chosen)
    shown = tuple((kept[rank], ranks[rank] + corpus.left[rank]) for rank in range(RANKS))
    columns = compressed(index_columns(corpus.briefs(chosen), CHUNK))
    return Packed(blocks, columns, sorted(images.items()), shown, thumbnails.edge)


def packed_block(corpus: Corpus, indices: Sequence[int]) -> str:
    """Return some records as base64 of gzip of a JSON list."""
    texts = corpus.texts(indices)
    return compressed(b"[" + b",".join(texts) + b"]")


def compressed(data: bytes) -> str:
    """Return base64 of gzip, the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()
