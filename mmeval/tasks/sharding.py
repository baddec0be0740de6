"""Cutting a run into shards: whole clusters, balanced, and the same part whoever cuts and in which order the rows come."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mmeval.core.errors import MediaError
from mmeval.core.types import Media

CHUNK = 4096
"""Bytes at the start, in the middle and at the end of a picture by which it is told from others."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts."""

    index: int
    """From 1."""
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of one task that belong to one shard."""

    positions: frozenset[int]
    samples: int
    """Of all shards together."""
    digest: str
    """Of all clusters and their sizes: shards with another one were cut out of other data."""


def parse_shard(text: str) -> Shard:
    """Read `--shard I/N`.

    Raises:
        ValueError: for anything but two whole numbers with 1 ≤ I ≤ N.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", text)
    if found is None:
        raise ValueError("I/N is expected, e.g. 2/8")
    index, count = int(found[1]), int(found[2])
    if not 1 <= index <= count:
        raise ValueError(f"I counts from 1 to N ({count}), and is {index}")
    return Shard(index, count)


def cut(entries: Iterable[tuple[int, str]], shard: Shard, task: str) -> Part:
    """Return the part of one shard.

    Clusters go to the shard that has the fewest samples so far, the largest clusters first and those of one size in the
    order of a hash; shards therefore differ by at most one cluster. Where to begin depends on the task's name, so that the
    remainders of many small tasks do not all end in the first shard.

    Args:
        entries: (position, cluster) of all samples, in any order.
        shard: which part.
        task: name of the task.
    """
    clusters: dict[bytes, list[int]] = {}
    for position, cluster in entries:
        clusters.setdefault(_hash(f"{task}\x00{cluster}"), []).append(position)
    order = sorted(clusters, key=lambda name: (-len(clusters[name]), name))
    first = int.from_bytes(_hash(task)[:8], "big") % shard.count
    loads = [(0, turn, (first + turn) % shard.count + 1) for turn in range(shard.count)]
    chosen: list[int] = []
    facts = hashlib.sha256()
    for name in order:
        size = len(clusters[name])
        load, turn, index = loads[0]
        heapq.heapreplace(loads, (load + size, turn, index))
        if index == shard.index:
            chosen += clusters[name]
        facts.update(name + size.to_bytes(8, "big"))
    return Part(frozenset(chosen), sum(map(len, clusters.values())), facts.hexdigest())


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def picture_key(media: Media) -> str:
    """Return a key that is equal for equal pictures (or videos); reads at most three small pieces of a file.

    Different pictures may share a key, which makes a cluster larger than it need be and splits none.

    Raises:
        MediaError: when it cannot be read.
    """
    if media.frames:
        return picture_key(media.frames[0])
    if media.path is None:
        data = media.read()
        size = len(data)
        pieces = [data[start : start + CHUNK] for start in _starts(size)]
    else:
        try:
            size = media.path.stat().st_size
            pieces = []
            with media.path.open("rb") as handle:
                for start in _starts(size):
                    handle.seek(start)
                    pieces.append(handle.read(CHUNK))
        except OSError as error:
            raise MediaError(f"cannot read {media.label}: {error.strerror or error}") from error
    found = hashlib.blake2b(size.to_bytes(8, "big"), digest_size=16)
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def _starts(size: int) -> tuple[int, int, int]:
    return 0, max(0, size // 2 - CHUNK // 2), max(0, size - CHUNK)
