"""Corpora that are trees of files without a table: a file to its row.

Of lip reading only names and, for LRS, the text file beside a video are read; sound never is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from mmeval.core.errors import DataError

Layout: TypeAlias = Literal[
    "grid",
    "lrs",
    "lrw",
    "lrw-1000",
    "transcript-list",
    "reasonseg",
    "agd20k",
    "classes",
    "class-list",
    "moment-list",
    "episodes",
]
_PICTURES = (".jpg", ".jpeg", ".png")
GRID_UNSEEN = ("s1", "s2", "s20", "s22")
"""Speakers of the test set of unseen speakers (LipNet's protocol)."""
_GRID: tuple[Mapping[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(
        zip("z123456789", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True)
    ),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
"""What the letters of a GRID file name stand for, in turn; the letter W is never said."""


def corpus_row(layout: Layout, path: Path) -> dict[str, Any]:
    """Return the row of a file.

    Of lip reading, whose files are videos: id, speaker, video (relative to its folder), transcript, and what the layout adds.
    `reasonseg`, whose files are annotations: id, image, question (the first text), sentence (true, false), shapes.
    `agd20k`, whose files are pictures: id, image and heatmap (below the folder of the test set), affordance, object.
    `classes`, whose files are pictures in a folder per class: id, image, label (the folder's name), classes (all of them).

    Raises:
        DataError: when the name or the text beside it is not of the corpus.
    """
    return _ROWS[layout](path)


def grid_transcript(name: str) -> str | None:
    """Return the six words of a GRID file name such as bbaf2n, None where it is none."""
    if len(name) != len(_GRID):
        return None
    words = [table.get(letter) for table, letter in zip(_GRID, name.lower(), strict=True)]
    return " ".join(word for word in words if word) if all(words) else None


def _grid(path: Path) -> dict[str, Any]:
    """s1/bbaf2n.mpg, also with folders between speaker and file."""
    transcript = grid_transcript(path.stem)
    speakers = [part for part in path.parts[:-1] if part[:1] == "s" and part[1:].isdigit()]
    if transcript is None or not speakers:
        raise DataError(
            f"{path}: no clip of GRID",
            remedy="GRID has sN/NAME.mpg, a name of six letters for six words, like s1/bbaf2n.mpg",
        )
    speaker = speakers[-1]
    split = "unseen" if speaker in GRID_UNSEEN else "seen"
    return _row(path, f"{speaker}/{path.stem}", speaker, transcript, split=split)


def _lrs(path: Path) -> dict[str, Any]:
    """ID/00001.mp4 with ID/00001.txt, whose first line is "Text:  WORDS"."""
    beside = path.with_suffix(".txt")
    try:
        line = beside.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{beside}: cannot be read: {error}", remedy="every LRS clip has its text file beside it"
        ) from error
    label, colon, words = line.partition(":")
    if not colon or label.strip().lower() != "text":
        raise DataError(f"{beside}: the first line is not 'Text: …'", remedy="use the corpus's own text files")
    transcript = words.replace("{", " ").replace("}", " ").strip()
    return _row(path, f"{path.parent.name}/{path.stem}", path.parent.name, transcript)


def _lrw(path: Path) -> dict[str, Any]:
    """WORD/test/WORD_00001.mp4; the corpus does not say who speaks."""
    if len(path.parts) < 3 or not path.stem.startswith(f"{path.parents[1].name}_"):
        raise DataError(f"{path}: no clip of LRW", remedy="LRW has WORD/SPLIT/WORD_00001.mp4")
    return _row(path, path.stem, path.stem, path.parents[1].name, split=path.parent.name)


def _reasonseg(path: Path) -> dict[str, Any]:
    """NAME.json with text, is_sentence and shapes beside NAME.jpg; some files are not UTF-8 but Windows-1252."""
    try:
        data = path.read_bytes()
        try:
            values = orjson.loads(data)
        except orjson.JSONDecodeError:
            values = orjson.loads(data.decode("cp1252").encode())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no annotation of ReasonSeg: {error}", remedy="download the file again") from error
    keys = ("text", "is_sentence", "shapes")
    if not isinstance(values, dict) or not all(key in values for key in keys):
        raise DataError(f"{path}: no annotation of ReasonSeg", remedy=f"its keys are {', '.join(keys)}")
    texts = values["text"] if isinstance(values["text"], list) else [values["text"]]
    image = next(
        (path.with_suffix(end) for end in _PICTURES if path.with_suffix(end).is_file()), path.with_suffix(".jpg")
    )
    shapes = [
        {key: shape[key] for key in ("label", "points") if key in shape} if isinstance(shape, dict) else shape
        for shape in values["shapes"] or ()
    ]
    return {
        "id": path.stem,
        "image": image.name,
        "question": str(texts[0]) if texts else None,
        "sentence": bool(values["is_sentence"]),
        "shapes": shapes,
    }


def _agd20k(path: Path) -> dict[str, Any]:
    """egocentric/AFFORDANCE/OBJECT/NAME.jpg with GT/AFFORDANCE/OBJECT/NAME.png."""
    affordance, thing = path.parents[1].name, path.parent.name
    if len(path.parts) < 4 or path.parents[2].name != "egocentric":
        raise DataError(f"{path}: no picture of AGD20K", remedy="it has egocentric/AFFORDANCE/OBJECT/NAME.jpg")
    place = f"{affordance}/{thing}/{path.stem}"
    return {
        "id": place,
        "image": f"egocentric/{affordance}/{thing}/{path.name}",
        "heatmap": f"GT/{place}.png",
        "affordance": _class_name(affordance),
        "object": _class_name(thing),
    }


def _classes(path: Path) -> dict[str, Any]:
    """CLASS/picture.jpg; underscores in the names of folders stand for spaces."""
    root = path.parent.parent
    return {
        "id": f"{path.parent.name}/{path.stem}",
        "image": path.name,
        "label": _class_name(path.parent.name),
        "classes": _class_names(root),
    }


@lru_cache(maxsize=16)
def _class_names(root: Path) -> list[str]:
    return sorted(_class_name(folder.name) for folder in root.iterdir() if folder.is_dir() and folder.name[:1] != ".")


def _class_name(folder: str) -> str:
    return " ".join(folder.replace("_", " ").split())


def _row(path: Path, identifier: str, speaker: str, transcript: str, **more: str) -> dict[str, Any]:
    return {"id": identifier, "speaker": speaker, "video": path.name, "transcript": transcript, **more}


_ROWS: Mapping[Layout, Callable[[Path], dict[str, Any]]] = {
    "grid": _grid,
    "lrs": _lrs,
    "lrw": _lrw,
    "reasonseg": _reasonseg,
    "agd20k": _agd20k,
    "classes": _classes,
}
