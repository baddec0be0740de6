"""Whose picture an item is shown when pictures are shuffled: a seeded derangement within the task, alike in aspect."""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmeval.core.errors import MediaError, NotApplicableError, StorageError
from mmeval.core.hashing import derived_seed
from mmeval.core.types import Media, PreparedMedia
from mmeval.tasks.opened import OpenTask, RowError
from mmeval.tasks.options import AskStyle

BIN = 16
"""Items that exchange pictures: neighbours in aspect ratio."""

Prepare = Callable[[Media], PreparedMedia]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item with one picture."""

    identifier: str
    cluster: str
    sha256: str
    """Of the picture as stored."""
    media: Media
    aspect: float


@dataclass(slots=True)
class Partners:
    """The partners of one task's items. The first question reads the whole task once; later ones are answered from memory.

    Pictures that the data set holds as bytes are kept in a temporary folder, so that memory stays flat.
    """

    task: OpenTask
    style: AskStyle
    seed: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _folder: tempfile.TemporaryDirectory[str] | None = None
    _places: dict[str, tuple[int, int]] | None = None
    _bins: list[list[Entry]] = field(default_factory=list)

    def of(self, identifier: str, number: int, read: Prepare) -> Entry:
        """Return an item's partner.

        Args:
            identifier: the item's id.
            number: which partner, from 1; those of one item differ.
            read: prepares a picture, for its size and hash.

        Raises:
            NotApplicableError: for an item that does not have exactly one picture, or a task with too few others.
        """
        with self._lock:
            if self._places is None:
                self._fill(read)
        assert self._places is not None
        if identifier not in self._places:
            raise NotApplicableError("only items with exactly one picture can exchange it")
        index, place = self._places[identifier]
        members = self._bins[index]
        own = members[place]
        others = [
            other
            for step in range(1, len(members))
            if (other := members[(place + step) % len(members)]).sha256 != own.sha256 and other.cluster != own.cluster
        ]
        different = list({other.sha256: other for other in others}.values())
        if len(different) < number:
            raise NotApplicableError(
                f"the task has fewer than {number} other pictures of a like shape to exchange with"
            )
        return different[number - 1]

    def _fill(self, read: Prepare) -> None:
        import numpy as np

        entries = sorted(self._entries(read), key=lambda one: (round(one.aspect, 6), one.identifier))
        count = max(1, len(entries) // BIN)
        generator = np.random.default_rng(derived_seed(self.seed, self.task.task.name, "shuffled", 0))
        places: dict[str, tuple[int, int]] = {}
        for index, members in enumerate(np.array_split(np.arange(len(entries)), count)):
            order = generator.permutation(members)
            self._bins.append([entries[int(one)] for one in order])
            for place, one in enumerate(order):
                places[entries[int(one)].identifier] = (index, place)
        self._places = places

    def _entries(self, read: Prepare) -> Iterator[Entry]:
        for _, build in self.task.samples(self.style, whole=True):
            try:
                sample = build()
                if len(sample.media) != 1 or sample.media[0].kind != "image":
                    continue
                image = read(sample.media[0]).images[0]
            except (RowError, MediaError):
                continue  # its own row says what is wrong with it
            cluster = sample.cluster or f"image-{image.source_sha256}"
            aspect = math.log(image.source_width / image.source_height)
            kept = self._kept(sample.media[0], image.source_sha256)
            yield Entry(sample.id, cluster, image.source_sha256, kept, aspect)

    def _kept(self, media: Media, sha256: str) -> Media:
        if media.path is not None:
            return media
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mmeval-partners-")
        path = Path(self._folder.name) / sha256
        if not path.exists():
            try:
                path.write_bytes(media.read())
            except OSError as error:
                raise StorageError(
                    f"cannot keep pictures in {path.parent}: {error.strerror or error}",
                    remedy="free space in the folder of temporary files (TMPDIR), then run the same command again",
                ) from error
        return replace(media, data=None, loader=None, path=path)
