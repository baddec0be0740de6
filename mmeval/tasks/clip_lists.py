"""Corpora of lip reading that come with a list of their clips: the lines of the list to rows.

Names, transcripts and the presence of clips and frames are read; sound never is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.data import unreadable

LISTS = frozenset({"lrw-1000", "transcript-list"})
"""Layouts whose files are lists."""
_SUFFIXES = (".mp4", ".mpg", ".avi", ".mov", ".mkv")
_VIDEO_FOLDER = "video"
"""Where CMLR and some copies of GRID keep the clips, apart from sound and text."""
LRW_1000_RATE = 25
"""Frames per second of LRW-1000."""
LONGEST = 600 * LRW_1000_RATE
"""Frames of a word from which its times are a mistake; looking for so many would not end."""


def listed_rows(layout: str, path: Path, root: Path) -> Iterator[dict[str, Any] | DataError]:
    """Yield a row for each line of a list: id, speaker, video, transcript, split (the list's name), and what the layout adds.

    The video is a path relative to `root` (absolute where it lies elsewhere); for lrw-1000 it is a list of frames.

    Args:
        layout: one of LISTS.
        path: the list.
        root: folder of the card's `image_root`.

    A line that is not of the corpus gives the error that names it; the others stay.

    Raises:
        DataError: when the list cannot be read.
    """
    yield from _lrw_1000(path, root) if layout == "lrw-1000" else _transcript_list(path, root)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every line that is not blank."""
    with unreadable(path):
        data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8: {error}", remedy="save the list as UTF-8") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()


def _transcript_list(path: Path, root: Path) -> Iterator[dict[str, Any] | DataError]:
    """Lines "s4/20110304/section_4_002.92_004.59 TEXT": the clip without its suffix, a blank, what is said."""
    find = _ClipFinder(root)
    for place, line in _lines(path):
        clip, *said = line.split(maxsplit=1)
        if not said or "/" not in clip:
            yield DataError(f"{place}: not 'SPEAKER/CLIP TEXT'", remedy="use the corpus's own list of transcripts")
            continue
        speaker = clip.split("/", 1)[0]
        yield {"id": clip, "speaker": speaker, "video": find(clip), "transcript": said[0], "split": path.stem}


class _ClipFinder:
    """Where the clips of a list lie: below the root (or beside its folder `labels`), in a folder `video` or without one."""

    def __init__(self, root: Path) -> None:
        self._bases = [root, *([root.parent] if root.name == "labels" else [])]
        self._places: list[tuple[Path, Callable[[str], str], str]] = [
            (base, form, suffix)
            for base in self._bases
            for form in (str, self._below, self._between)
            for suffix in _SUFFIXES
        ]
        self._root = root

    def __call__(self, clip: str) -> str:
        """Return the path of a clip; one that is nowhere gets the usual name, and its row the error of reading it."""
        for number, (base, form, suffix) in enumerate(self._places):
            name = form(clip) + suffix
            if os.path.isfile(base / name):
                self._places.insert(0, self._places.pop(number))  # the others lie alike
                return name if base == self._root else str(base / name)
        return clip + _SUFFIXES[0]

    @staticmethod
    def _below(clip: str) -> str:
        return f"{_VIDEO_FOLDER}/{clip}"

    @staticmethod
    def _between(clip: str) -> str:
        folder, _, name = clip.rpartition("/")
        return f"{folder}/{_VIDEO_FOLDER}/{name}"


def _lrw_1000(path: Path, root: Path) -> Iterator[dict[str, Any] | DataError]:
    """Lines "DIR,AUDIO,[WORD,]PINYIN,START,END" with times in seconds; frame N of a clip is images/DIR/N.jpg."""
    for place, line in _lines(path):
        cells = [cell.strip() for cell in line.split(",")]
        try:
            first, last = (int(float(cell) * LRW_1000_RATE) + 1 for cell in cells[-2:])
        except (ValueError, OverflowError):
            first, last = 1, 0
        if len(cells) < 5 or not cells[0] or not cells[-3] or not 1 <= first <= last < first + LONGEST:
            yield DataError(
                f"{place}: not 'DIR,AUDIO,PINYIN,START,END' with START and END in seconds",
                remedy="use the corpus's own info/tst_1000.txt",
            )
            continue
        folder = f"images/{cells[0]}"
        # The last frame that a rounded time names may be one beyond the clip.
        end = next(
            (number for number in range(last, first, -1) if os.path.isfile(root / folder / f"{number}.jpg")), last
        )
        yield {
            "id": f"{cells[0]}/{first}-{last}",
            "speaker": cells[0],
            "video": [f"{folder}/{number}.jpg" for number in range(first, end + 1)],
            "transcript": cells[-3],
            "split": path.stem.partition("_")[0],
            "length": last - first + 1,
        }
