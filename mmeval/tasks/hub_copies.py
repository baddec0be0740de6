"""Finding a copy of a hub data set on disk: a folder of its name, or files that have the card's columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmeval.core.errors import DataError
from mmeval.tasks.card import HubSource
from mmeval.tasks.data import read_rows

TABLES = (".jsonl", ".json", ".tsv", ".csv")
"""Kinds of files that hold a copy's rows beside parquet; the hub itself reads them too."""
_SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Words in file names that stand for a split, as the hub reads them."""
_NUMBERED = re.compile(r"[-_.]?\d+(?:-of-\d+)?\Z")
"""The end of the names of files that are parts of one."""


@dataclass(frozen=True, slots=True)
class HubCopy:
    """A hub data set on disk."""

    folder: Path
    files: tuple[Path, ...] = ()
    """The parquet files of the split, as far as their names tell; none leaves it to `datasets` to find them in the folder."""
    described: bool = False
    """Whether the folder's README says which files are which split: then `datasets` is asked first."""


def named_folders(data_dir: Path, task: str, hub: HubSource | None) -> list[Path]:
    """Where the files of a task are looked for, before `data_dir` itself: folders of its name and of its hub data set's."""
    names = [task, task.rsplit("/", 1)[-1]]
    if hub is not None:
        names += [hub.id, hub.id.rsplit("/", 1)[-1]]
    return [data_dir / name for name in dict.fromkeys(names)]


def find_copy(hub: HubSource, task: str, data_dir: Path, columns: Collection[str]) -> tuple[HubCopy | None, list[str]]:
    """Find the copy of a hub data set: a folder of its name, or files that fit. Also say why files beside it do not."""
    for folder in (data_dir / hub.id, data_dir / hub.id.rsplit("/", 1)[-1], data_dir / task):
        if folder.is_dir() and any(folder.rglob("*.parquet")):
            return HubCopy(folder, _of_split(folder, hub), (folder / "README.md").is_file()), []
    # Not any depth: the folder may hold other data sets in folders of their own.
    patterns = ["*.parquet", "data/*.parquet", *([f"{hub.config}/*.parquet"] if hub.config else [])]
    chosen, refused = _fitting(data_dir, patterns, hub, columns)
    return (HubCopy(data_dir, tuple(chosen)) if chosen else None), refused


def find_tables(hub: HubSource, task: str, data_dir: Path, columns: Collection[str]) -> tuple[list[Path], list[str]]:
    """Find files of JSON, JSON lines, TSV or CSV that hold a hub data set's rows. Also say why files beside them do not."""
    refused: list[str] = []
    for folder in (*named_folders(data_dir, task, hub), data_dir):
        patterns = [f"{place}*{kind}" for place in ("", "data/") for kind in TABLES]
        chosen, others = _fitting(folder, patterns, hub, columns)
        if folder == data_dir and len({_NUMBERED.sub("", path.stem) for path in chosen}) > 1:
            # A folder of several data sets, of which columns alone do not tell which is this one.
            others += [f"{path.name} (others have its columns too: a folder {task}/ would tell)" for path in chosen]
        elif chosen:
            return [path for path in chosen if path.suffix == chosen[0].suffix], []
        refused += others
    return [], refused


def _of_split(folder: Path, hub: HubSource) -> tuple[Path, ...]:
    """The parquet files of the card's configuration and split, by their paths alone; none where these do not tell."""
    files = sorted(path for path in folder.rglob("*.parquet") if path.is_file())
    told = True
    if hub.config is not None:
        places = [path for path in files if hub.config in path.relative_to(folder).parts[:-1]]
        named = [path for path in files if _has_word(path.stem, hub.config)]
        told = bool(places or named)
        # A folder of another name may be another configuration.
        files = places or named or [path for path in files if path.parent in (folder, folder / "data")]
    chosen = _of_one_word([(path.name, path) for path in files], hub)
    if not chosen and told:
        chosen = [path for path in files if not _speaks_of_a_split(path.name)]
    return tuple(chosen)


def _fitting(
    folder: Path, patterns: Iterable[str], hub: HubSource, columns: Collection[str]
) -> tuple[list[Path], list[str]]:
    """Files that have the columns and whose names speak of the split, or else of none; and why the others are not taken."""
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    fitting: list[tuple[str, Path]] = []
    plain: list[Path] = []
    refused: list[str] = []
    for path in files:
        name = str(path.relative_to(folder))
        try:
            present = set(_columns(path))
        except DataError:
            kind = path.suffix.removeprefix(".")
            refused.append(f"{name} (not a readable {kind} file)")
            continue
        missing = sorted({column for column in columns if not {column, column.split(".")[0]} & present})
        if missing:
            refused.append(f"{name} (no column {', '.join(missing[:4])})")
        elif _named(name, _split_words(hub)):
            fitting.append((name, path))
        elif columns and not _speaks_of_a_split(name):
            plain.append(path)
        else:
            refused.append(f"{name} (not of split {plain_split(hub)!r})")
    return _of_one_word(fitting, hub) or plain, refused


def _of_one_word(named: Iterable[tuple[str, Path]], hub: HubSource) -> list[Path]:
    """Files by the first word for the split that any name has: `dev` beside `validation` is a split of its own."""
    listed = list(named)
    for word in _split_words(hub):
        if chosen := [path for name, path in listed if _has_word(name, word)]:
            return chosen
    return []


def plain_split(hub: HubSource) -> str:
    """The split without a slice: test of `test[:10]`."""
    return re.split(r"[\[+%]", hub.split)[0]


def _split_words(hub: HubSource) -> tuple[str, ...]:
    split = plain_split(hub)
    alike = next((words for words in _SPLIT_WORDS.values() if split in words), ())
    return tuple(dict.fromkeys((split, *alike)))


def _named(name: str, words: Sequence[str]) -> bool:
    return any(_has_word(name, word) for word in words)


def _speaks_of_a_split(name: str) -> bool:
    return any(_named(name, words) for words in _SPLIT_WORDS.values())


def _has_word(name: str, word: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(word.lower())}(?![a-z])", name.lower()) is not None


def _columns(path: Path) -> list[str]:
    """The columns of a file: of its schema, or of its first row.

    Raises:
        DataError: when it cannot be read, or has no row.
    """
    if path.suffix.lower() != ".parquet":
        for row in read_rows(path):
            return [str(name) for name in row]
        raise DataError(f"{path}: no row", remedy="download the file again")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [str(name) for name in pq.read_schema(path).names]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file: {error}", remedy="download the file again") from error
