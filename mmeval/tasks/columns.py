"""Which column of a data file is the question, the image, the options and the answer: by name, or as the user says."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmeval.core.errors import DataError, UsageError, nearest, unknown
from mmeval.tasks.images import FILE_NAME
from mmeval.tasks.prompts import LETTERS, filled
from mmeval.tasks.stored import StoredText

NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "id": (
        ("index",),
        ("id",),
        ("qid", "question_id", "sample_id", "item_id", "problem_id", "pid", "uid", "idx"),
        ("_key",),
    ),
    "question": (("question",), ("prompt", "query", "problem", "instruction", "question_text"), ("text", "input")),
    "hint": (("hint",),),
    "image": (
        ("decoded_image", "decoded_images"),
        ("image", "images"),
        ("image_path", "image_paths", "image_file", "image_name", "imagename", "img", "imgs", "img_path", "picture", "photo"),
        ("file_name", "filename"),
    ),
    "choices": (("choices", "options"), ("candidates", "answer_choices", "choice_list", "option_list")),
    "answer": (
        ("answer",),
        (
            "label", "gold", "gold_answer", "target", "ground_truth", "groundtruth", "gt", "gt_answer", "correct_answer",
            "correct_option", "answer_key", "answer_label", "reference", "reference_answer",
        ),
        ("answers",),
    ),
    "category": (
        (
            "category", "l2_category", "l3_category", "subcategory", "split", "subject", "discipline", "domain", "topic",
            "task", "type", "question_type", "answer_type", "skill", "skills", "difficulty", "level", "language", "source",
        ),
    ),
    "cluster": (("cluster",),),
}  # fmt: skip
"""Role -> accepted names, the preferred ones first; case does not matter, and space, hyphen and underscore are alike.

Of one group only one may be there, except for categories, which are all taken. An id beyond index and id must be each row's own.
"""
ALIASES: Mapping[str, str] = {
    "index": "id", "images": "image", "options": "choices", "option": "choices", "choice": "choices", "categories": "category",
    "subset": "category", "subsets": "category", "gold": "answer", "label": "answer",
}  # fmt: skip
"""Other words for a role on the command line."""
SEVERAL = frozenset({"image", "choices", "category"})
"""Roles that may have several columns."""
MOST_LABELS = 100
"""Different labels in the first rows from which a column is no category."""
LONGEST_LABEL = 80
_NUMBERED_IMAGE = re.compile(r"(?:image|img|picture)_?([0-9]{1,2})")
_NUMBERED_OPTION = re.compile(r"(?:option|choice|opt)_?([a-z]|[0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each role."""

    question: str
    answer: str | None
    """None where the user says that the file has none: it is asked for export."""
    id: str | None = None
    hint: str | None = None
    image: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """One column that holds the options, or a column for each."""
    category: tuple[str, ...] = ()
    cluster: str | None = None
    unused: tuple[str, ...] = field(default=(), compare=False)

    @property
    def listed(self) -> bool:
        """Whether one column holds all options."""
        return len(self.choices) == 1


def quoted(name: str) -> str:
    """Return a column's name as a string of a Jinja expression."""
    return json.dumps(name, ensure_ascii=False)


def accessor(column: str, names: Collection[str]) -> str:
    """Return the Jinja expression of a column's cell: of a name, of a path into nested values, or of an `=` expression."""
    if column.startswith("="):
        return f"({column[1:].strip()})"
    if column not in names and "." in column:
        return "row" + "".join(f"[{quoted(part)}]" for part in column.split("."))
    return f"row.get({quoted(column)})"


def plain(name: str) -> str:
    """Return a column's name as names are compared."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def parse_columns(pairs: Iterable[str]) -> dict[str, list[str]]:
    """Read `--column ROLE=COLUMN` options; `ROLE=` leaves a role without a column.

    Raises:
        UsageError: for another form, an unknown role, or a role with one column that is given several.
    """
    found: dict[str, list[str]] = {}
    for pair in pairs:
        role, equals, column = pair.partition("=")
        role = ALIASES.get(role.strip().lower(), role.strip().lower())
        if not equals:
            raise UsageError(f"--column {pair!r}: ROLE=COLUMN is expected", remedy="e.g. --column question=prompt")
        if role not in NAMES:
            raise unknown("role of --column", role, NAMES)
        given = found.setdefault(role, [])
        if column.strip():
            given.append(column.strip())
        if len(given) > 1 and role not in SEVERAL:
            raise UsageError(
                f"--column {role}: given {' and '.join(given)}", remedy=f"one column is the {role}; keep one of them"
            )
    return found


def find_columns(rows: Sequence[Mapping[str, Any]], given: Mapping[str, Sequence[str]], place: str) -> Columns:
    """Find the column of each role.

    Args:
        rows: the first rows of the file, at least one.
        given: role -> columns, as the user says; they are not looked for.
        place: the file, for messages.

    Raises:
        DataError: when a role that must have a column has none, or several fit equally well, listing them.
        UsageError: when a given column is not there.
    """
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    known = {role: [_given(column, role, names, place) for column in columns] for role, columns in given.items()}
    taken = {column for columns in known.values() for column in columns}
    full = [name for name in names if any(filled(row.get(name)) for row in rows)]
    free = [name for name in full if name not in taken]
    finder = _Finder(rows, free, [name for name in names if name not in taken], place)

    def one(role: str) -> str | None:
        if role in known:
            return known[role][0] if known[role] else None
        return finder.one(role)

    question, answer = one("question"), one("answer")
    if question is None or (answer is None and "answer" not in known):
        raise _no_column("answer" if question is not None else "question", names, full, place)
    columns = Columns(
        question=question,
        answer=answer,
        id=one("id"),
        hint=one("hint"),
        image=tuple(known["image"]) if "image" in known else finder.images(),
        choices=tuple(known["choices"]) if "choices" in known else finder.choices(),
        cluster=one("cluster"),
    )
    single = [name for name in (question, answer, columns.id, columns.hint, columns.cluster) if name is not None]
    used = {*single, *columns.image, *columns.choices}
    categories = tuple(known["category"]) if "category" in known else finder.categories(used)
    unused = tuple(name for name in names if name and name not in used and name not in categories)
    return Columns(**{**_fields(columns), "category": categories, "unused": unused})


def _is_picture(cell: Any) -> bool:
    if isinstance(cell, (list, tuple)):
        return all(map(_is_picture, cell))
    if isinstance(cell, Mapping):
        return bool(cell.get("bytes")) and isinstance(cell["bytes"], bytes)
    return isinstance(cell, StoredText) or (isinstance(cell, str) and FILE_NAME.search(cell) is not None)


def _fields(columns: Columns) -> dict[str, Any]:
    return {name: getattr(columns, name) for name in Columns.__dataclass_fields__}


def _given(column: str, role: str, names: Sequence[str], place: str) -> str:
    if column.startswith("=") or column in names or column.split(".")[0] in names:
        return column
    alike = [name for name in names if plain(name) == plain(column)]
    if len(alike) == 1:
        return alike[0]
    close = nearest(column, names)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise UsageError(f"--column {role}={column}: {place} has no such column", remedy=f"{hint}it has {', '.join(names)}")


def _no_column(role: str, names: Sequence[str], full: Sequence[str], place: str) -> DataError:
    if len(names) == 1 and any(mark in names[0] for mark in "\t,;|"):
        return DataError(
            f"{place}: one column, {names[0][:60]!r}: the cells are not apart",
            remedy="commas separate the cells of a .csv, tabs those of a .tsv; save the file so, or rename it",
        )
    accepted = ", ".join(name for group in NAMES[role] for name in group)
    empty = [name for name in names if plain(name) in {n for group in NAMES[role] for n in group} and name not in full]
    seen = f" ({', '.join(empty)} is empty in the first rows)" if empty else ""
    return DataError(
        f"{place}: no column for the {role}{seen}",
        remedy=f"give it with --column {role}=NAME; the file has {', '.join(names)}; found by name are {accepted}",
    )


class _Finder:
    """Looks for columns among those that have no role yet.

    Args:
        rows: the first rows.
        names: columns that hold something in them.
        every: also those that are empty there; later rows may have more options than the first ones.
        place: the file.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], names: Sequence[str], every: Sequence[str], place: str
    ) -> None:
        self._rows = rows
        self._names = names
        self._every = every
        self._place = place

    def one(self, role: str) -> str | None:
        """Return the column of a role that has one, or None."""
        for rank, group in enumerate(NAMES[role]):
            found = self._among(group)
            if role == "id" and rank > 1:
                found = [name for name in found if self._unique(name)]
            if found:
                return self._only(role, found)
        return None

    def images(self) -> tuple[str, ...]:
        """Return the image columns: one, or numbered ones in their order."""
        numbered = self._numbered(_NUMBERED_IMAGE, "image")
        for group in NAMES["image"]:
            found = self._among(group)
            if "image" in group and numbered:
                if found:
                    raise self._several("image", [*found, *numbered])
                return numbered
            if found:
                return (self._only("image", found),)
        unknown_name = next((name for name in self._names if self._pictures(name)), None)
        if unknown_name is not None:
            raise DataError(
                f"{self._place}: column {unknown_name!r} looks like images, and no column is the image by its name",
                remedy=f"say --column image={unknown_name}, or --column image= to ask without images",
            )
        return ()

    def _pictures(self, name: str) -> bool:
        """Whether a column holds images, or the names of image files."""
        cells = [row.get(name) for row in self._rows]
        return all(_is_picture(cell) for cell in cells if filled(cell))

    def choices(self) -> tuple[str, ...]:
        """Return the column that holds the options, or a column for each: A, B, C … or option_1, option_2 …"""
        lettered = self._letters() or self._numbered(_NUMBERED_OPTION, "choices")
        lettered = lettered if len(lettered) > 1 else ()
        for group in NAMES["choices"]:
            found = self._among(group)
            if found and lettered and not self._alike(lettered, found[0]):
                raise self._several("choices", [*lettered, *found])
            if found and not lettered:
                return (self._only("choices", found),)
        return lettered

    def categories(self, used: set[str]) -> tuple[str, ...]:
        """Return the columns of labels, where they have more than one and not too many."""
        return tuple(
            name
            for name in self._names
            if name not in used and plain(name) in NAMES["category"][0] and self._labels(name)
        )

    def _unique(self, name: str) -> bool:
        cells = [str(row.get(name)) for row in self._rows]
        return len(set(cells)) == len(cells)

    def _labels(self, name: str) -> bool:
        labels: set[str] = set()
        for row in self._rows:
            cell = row.get(name)
            entries = cell if isinstance(cell, (list, tuple)) else [cell]
            if not all(entry is None or isinstance(entry, (str, int, float)) for entry in entries):
                return False
            labels |= {str(entry) for entry in entries}
        return 1 < len(labels) <= MOST_LABELS and max(map(len, labels)) <= LONGEST_LABEL

    def _among(self, group: Sequence[str]) -> list[str]:
        return [name for name in self._names if plain(name) in group]

    def _only(self, role: str, found: Sequence[str]) -> str:
        if len(found) > 1:
            raise self._several(role, found)
        return found[0]

    def _several(self, role: str, found: Sequence[str]) -> DataError:
        return DataError(
            f"{self._place}: several columns may be the {role}: {', '.join(found)}",
            remedy=f"say which with --column {role}=NAME",
        )

    def _letters(self) -> tuple[str, ...]:
        """Columns A, B, C …, in upper or in lower case, without a gap."""
        for letters in (LETTERS, LETTERS.lower()):
            if not {letters[0], letters[1]} <= set(self._names):
                continue
            present = [letter for letter in letters if letter in self._every]
            missing = next((letter for letter in letters[: letters.index(present[-1])] if letter not in present), None)
            if missing is not None:
                raise DataError(
                    f"{self._place}: options in columns {', '.join(present)}, and there is no {missing}",
                    remedy="name the columns of the options with --column choices=A --column choices=B …",
                )
            return tuple(present)
        return ()

    def _numbered(self, pattern: re.Pattern[str], role: str) -> tuple[str, ...]:
        """Columns that end in a number or letter, in that order, where one of them holds something."""
        found: dict[int, str] = {}
        for name in self._every:
            match = pattern.fullmatch(plain(name))
            if match is None:
                continue
            end = match.group(1)
            place = int(end) if end.isdigit() else ord(end) - ord("a")
            if place in found:
                raise self._several(role, [found[place], name])
            found[place] = name
        return tuple(name for _, name in sorted(found.items())) if set(found.values()) & set(self._names) else ()

    def _alike(self, lettered: Sequence[str], listed: str) -> bool:
        """Whether the options in columns of their own are the ones of the list in every row."""
        from mmeval.tasks.choices import read_choices
        from mmeval.tasks.data import Row

        for number, row in enumerate(self._rows):
            here = Row(number, row, f"{self._place}, row {number + 1}")
            try:
                first = read_choices(
                    {letter: row.get(name) for letter, name in zip(LETTERS, lettered, strict=False)}, here
                )
                second = read_choices(row.get(listed), here)
            except DataError:
                return False
            if [text.strip() for text in first.texts] != [text.strip() for text in second.texts]:
                return False
        return True
