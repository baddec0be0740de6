"""Any data file is a task: `-t file:PATH` becomes a card, made from the names of its columns and its first rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, UsageError
from mmeval.tasks.answers import (
    AnswerReading,
    Item,
    Wanted,
    gold_cell,
    gold_expression,
    in_question,
    read_answers,
    without_answers,
)
from mmeval.tasks.card import LocalSource, parse_card
from mmeval.tasks.choices import read_choices
from mmeval.tasks.columns import Columns, accessor, find_columns, quoted
from mmeval.tasks.data import Row
from mmeval.tasks.file_selector import FAMILY, selected, task_name
from mmeval.tasks.gold import choice_cells, field_value
from mmeval.tasks.images import media_from_cell
from mmeval.tasks.local_files import PLACE_COLUMNS, file_content, local_source
from mmeval.tasks.plain_cells import plain_text
from mmeval.tasks.prompts import DEFAULT_TEMPLATE, media_numbers, place_media
from mmeval.tasks.stored import StoredText
from mmeval.verifiers.abilities import abilities_of

FIRST_ROWS = 1000
"""Rows on which the reading of a file is decided."""
FIRST_BYTES = 64 << 20
"""Bytes of them that are held at most; files with images inside are decided on fewer rows."""
_MARKS = ("<image {i}>", "<image{i}>", "<image_{i}>", "<image>")


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What the user says of the files behind `-t file:PATH`."""

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Role -> columns."""
    answers: Wanted = field(default_factory=Wanted)

    @property
    def given(self) -> bool:
        """Whether the user says anything."""
        return bool(self.columns) or self.answers != Wanted()


@dataclass(frozen=True, slots=True)
class FileCard:
    """The card of a data file."""

    raw: dict[str, Any]
    """As YAML would hold it, with the file's absolute path in `dataset.local.files`."""
    unused: tuple[str, ...] = ()
    """Columns without a role."""

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.raw["name"])


def stored_card(selector: str, sections: Mapping[str, Any]) -> FileCard:
    """Return the card of a selector from the sections that `portable` kept of it.

    Raises:
        UsageError: when they are no card, for somebody may have edited them.
    """
    path, _ = selected(selector)
    dataset = sections.get("dataset", {})
    local = dataset.get("local", {}) if isinstance(dataset, Mapping) else None
    if not isinstance(local, Mapping):
        raise UsageError(
            f"file_tasks: {selector}: key dataset.local is no mapping", remedy="leave file_tasks out, or correct it"
        )
    placed = {**dataset, "local": {**local, "files": [str(path.absolute())]}}
    raw = {"family": FAMILY, "title": path.name, **sections, "name": task_name(path), "dataset": placed}
    parse_card(raw, f"file_tasks: {selector}")
    return FileCard(raw)


def portable(card: FileCard) -> dict[str, Any]:
    """Return the card without the place of its file, which may be another one on another machine."""
    local = {name: value for name, value in card.raw["dataset"]["local"].items() if name != "files"}
    return {**card.raw, "dataset": {"local": local}}


def read_file_card(path: Path, options: FileOptions) -> FileCard:
    """Look at the first rows of a data file and make its card.

    Raises:
        DataError: when the file cannot be read, or does not tell which columns to take or how to read the answers.
        UsageError: for an option that names a column which is not there.
    """
    rows = first_rows(path)
    values = [row.values for row in rows]
    columns = find_columns(values, options.columns, str(path))
    names = {str(name) for row in values for name in row}
    sparse = {name for name in _all(columns) if name in names and any(name not in row for row in values)}
    fields: dict[str, Any] = {
        "id": columns.id,
        "question": columns.question,
        "images": [_cell(name, sparse) for name in columns.image],
        "choices": _choices(columns, sparse),
        "answer": _cell(columns.answer, sparse) if columns.answer else None,
        "cluster": _cell(columns.cluster, sparse) if columns.cluster else None,
    }
    rows, items = _items(rows, fields)
    if not columns.image and "image" not in options.columns:
        _check_marks(items, path)
    if columns.answer is None:
        reading = without_answers(items, options.answers)
    else:
        reading = read_answers(items, columns.answer, options.answers, str(path))
    if not reading.shows_choices:
        fields["choices"] = None
    if reading.reader is not None and columns.answer is not None:
        fields["answer"] = gold_expression(reading.reader, accessor(columns.answer, names))
    if reading.open_kind is not None:
        first = accessor(columns.choices[0], names)
        fields["answer_type"] = f"= 'choice' if {first} is filled else '{reading.open_kind}'"
    raw: dict[str, Any] = {
        "name": task_name(path),
        "family": FAMILY,
        "title": path.name,
        "dataset": {"local": {"files": [str(path.absolute())], **file_content(path)}},
        # A card that says nothing of `answer` would take a column of that name.
        "fields": {name: value for name, value in fields.items() if value or name == "answer"},
        "answer": _answer(reading),
        "metrics": [_metric(reading.kind)],
    }
    hint = accessor(columns.hint, names) if columns.hint is not None else None
    prompt = _prompt(hint, rows, items, fields)
    if prompt:
        raw["prompt"] = prompt
    if columns.category:
        raw["subsets"] = {name: _cell(name, sparse) for name in columns.category}
    return FileCard(raw, tuple(name for name in columns.unused if name not in PLACE_COLUMNS))


def first_rows(path: Path) -> list[Row]:
    """Return the rows on which the reading of a file is decided.

    Raises:
        DataError: when the file cannot be read, or has no rows.
    """
    found: list[Row] = []
    size = 0
    for row in local_source([path], LocalSource(files=[path.name])).rows():
        found.append(row)
        size += sum(_size(cell) for cell in row.values.values())
        if len(found) >= FIRST_ROWS or size > FIRST_BYTES:
            break
    if not found:
        raise DataError(
            f"{path}: the file has no rows", remedy="give a file with a header and rows, or one object per line"
        )
    return found


def _size(cell: Any) -> int:
    if isinstance(cell, (str, bytes)):
        return len(cell)
    if isinstance(cell, Mapping):
        return sum(map(_size, cell.values()))
    return sum(map(_size, cell)) if isinstance(cell, (list, tuple)) else 8


def _all(columns: Columns) -> list[str]:
    single = [name for name in (columns.answer, columns.cluster) if name is not None]
    return [*columns.image, *columns.choices, *columns.category, *single]


def _cell(name: str, sparse: set[str]) -> str:
    """The column, or what reads it where not every row has it."""
    return f"= row.get({quoted(name)})" if name in sparse else name


def _choices(columns: Columns, sparse: set[str]) -> str | list[str] | None:
    if not columns.choices:
        return None
    if columns.listed:
        return _cell(columns.choices[0], sparse)
    if not sparse & set(columns.choices):
        return list(columns.choices)
    cells = (f"{quoted(chr(ord('A') + n))}: row.get({quoted(name)})" for n, name in enumerate(columns.choices))
    return f"= {{{', '.join(cells)}}}"


def _items(rows: Sequence[Row], fields: Mapping[str, Any]) -> tuple[list[Row], list[Item]]:
    """The rows that can be read, and what they ask; one that cannot is at fault itself, unless most cannot."""
    read: list[tuple[Row, Item]] = []
    problem: DataError | None = None
    for row in rows:
        try:
            choices = read_choices(choice_cells(fields["choices"], row, "choices"), row)
            question, gold = (_text(field_value(fields[name], row, name), row, name) for name in ("question", "answer"))
            if isinstance(question, (Mapping, list)):
                raise DataError(
                    f"{row.place}: the question (column {fields['question']!r}) is a {type(question).__name__}, no text",
                    remedy="name its text with --column question=NAME, a path (NAME.text) or '= expression'",
                )
        except DataError as error:
            problem = problem or error
            continue
        read.append((row, Item(row.place, "" if question is None else str(question), choices, gold_cell(gold))))
    if problem is not None and 2 * len(read) < len(rows):
        other = "; or name another column with --column choices=NAME (none: --column choices=)"
        raise DataError(problem.message, remedy=problem.remedy + ("" if "--column" in problem.remedy else other))
    return [row for row, _ in read], [item for _, item in read]


def _text(cell: Any, row: Row, column: str) -> Any:
    """The cell; bytes as the text that they stand for where no image is expected."""
    return plain_text(cell, row.place, column) if isinstance(cell, bytes) else cell


def _metric(kind: str) -> str:
    """The mean score of a kind whose answers are not right or wrong (boxes), else the share of right ones."""
    abilities = abilities_of(kind, {})
    return "mean" if abilities is not None and not abilities.correct else "accuracy"


def _answer(reading: AnswerReading) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": reading.kind}
    if reading.target != "value":
        found["target"] = reading.target
    return {**found, "withheld": True} if reading.withheld else found


def _prompt(hint: str | None, rows: Sequence[Row], items: Sequence[Item], fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the prompt needs beyond the default: the hint, options that the question lists itself, marks of images."""
    prompt: dict[str, Any] = {}
    template = DEFAULT_TEMPLATE
    inside = bool(fields["choices"]) and in_question(items)
    if inside or (hint is not None and not fields["choices"]):
        template = "{{ question }}\n{%- if instruction %}\n{{ instruction }}\n{%- endif %}"
    if hint is not None:
        template = f"{{% if {hint} is filled %}}Hint: {{{{ {hint} }}}}\n{{% endif %}}" + template
    if template != DEFAULT_TEMPLATE:
        prompt["template"] = template
    mark = _mark(items) if fields["images"] else None
    if mark is not None:
        prompt["placeholder"] = mark
        if _dangling(rows, items, fields["images"], mark):
            prompt["unmatched"] = "text"
    return prompt


def _mark(items: Sequence[Item]) -> str | None:
    """The form in which most questions mark their images, if any do."""
    counts: dict[str, int] = {}
    for mark in _MARKS:
        pattern = _pattern(mark)
        counts[mark] = sum(any(map(pattern.search, (item.question, *item.choices.texts))) for item in items)
    best = max(_MARKS, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _check_marks(items: Sequence[Item], path: Path) -> None:
    """Refuse to ask without images what speaks of images."""
    mark = _mark(items)
    shown = [item for item in items if mark is not None and _pattern(mark).search(item.question)]
    if 2 * len(shown) > len(items):
        raise DataError(
            f"{shown[0].place}: the question shows an image ({_found(str(mark), shown[0])}), and no column of {path.name} is the image by its name",
            remedy="name it with --column image=NAME, or say --column image= to ask without images",
        )


def _found(mark: str, item: Item) -> str:
    found = _pattern(mark).search(item.question)
    return found.group() if found else mark


def _pattern(mark: str) -> re.Pattern[str]:
    return re.compile(re.escape(mark).replace(r"\{i\}", r"[0-9]{1,2}"))


def _dangling(rows: Sequence[Row], items: Sequence[Item], images: Sequence[str], mark: str) -> bool:
    """Whether a question marks an image that its row does not have."""
    for row, item in zip(rows, items, strict=True):
        try:
            cells = [field_value(column, row) for column in images]
            if any(isinstance(cell, StoredText) and cell.opening.startswith(b"[") for cell in cells):
                continue  # a list of images in the file; counting them would mean reading them
            counts = [len(media_from_cell(cell, row, column)) for column, cell in zip(images, cells, strict=True)]
        except DataError:
            continue  # the row's own fault
        text = "\n".join((item.question, *item.choices.texts))
        try:
            place_media(text, media_numbers(counts), mark, strict=True)
        except DataError:
            return True
    return False
