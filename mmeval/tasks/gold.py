"""Reading one row by a card's field mapping: columns and expressions, choices, gold answers, labels."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.tasks.data import Row, lookup
from mmeval.tasks.prompts import LETTERS, evaluate


def field_value(column: str | None, row: Row) -> Any:
    if column is None:
        return None
    if column.startswith("="):
        try:
            return evaluate(column[1:].strip(), row.values)
        except DataError as error:
            raise DataError(f"{row.place}: {error.message}", remedy=error.remedy) from error
    return lookup(column, row)


def absent(value: Any) -> bool:
    """Whether a cell holds nothing: null, or the NaN that stands for null in columns of numbers."""
    return value is None or (isinstance(value, float) and value != value)


def required_text(column: str, row: Row) -> str:
    """Return the text of a column that every row must fill.

    Raises:
        DataError: when the cell is null.
    """
    value = field_value(column, row)
    if absent(value):
        raise DataError(
            f"{row.place}: column {column!r} is null", remedy="correct the row, or leave it out with dataset.where"
        )
    return str(value)


def optional_text(column: str | None, row: Row) -> str:
    """Return the text of a column, or nothing where the card names none or the cell is null."""
    value = field_value(column, row)
    return "" if absent(value) else str(value)


def choice_texts(cell: Any, row: Row) -> list[str]:
    if cell is None:
        return []
    if isinstance(cell, Mapping):
        # A table of options has a column for each letter and nulls behind the last one in use.
        cell = list(cell.values())
        while cell and cell[-1] is None:
            cell.pop()
    if isinstance(cell, str):
        cell = parse_list_literal(cell, row.place)
    if not isinstance(cell, (list, tuple)):
        raise DataError(
            f"{row.place}: choices are {type(cell).__name__}, a list is expected",
            remedy="name the right column in fields.choices",
        )
    if len(cell) > len(LETTERS):
        raise DataError(f"{row.place}: {len(cell)} choices, at most {len(LETTERS)} can be lettered")
    if any(value is None for value in cell):
        raise DataError(f"{row.place}: choice {cell.index(None) + 1} of {len(cell)} is null", remedy="correct the row")
    return [str(value) for value in cell]


def parse_list_literal(text: str, place: str) -> list[Any]:
    """Read a list written as JSON or as a Python literal, without running it.

    Raises:
        DataError: when it is neither.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise DataError(
                f"{place}: {text[:60]!r} is no list", remedy="choices are a list, or a list written as JSON"
            ) from error
    if not isinstance(value, (list, tuple)):
        raise DataError(f"{place}: {text[:60]!r} is no list", remedy="choices are a list, or a list written as JSON")
    return list(value)


def gold_answer(raw: Any, kind: str, form: str, choices: Sequence[str], row: Row) -> Any:
    if absent(raw):
        return None
    if kind != "choice" or form == "value":
        return raw
    if form == "index":
        index = _whole(raw)
        if index is None or not 0 <= index < len(choices):
            raise DataError(
                f"{row.place}: answer index {raw!r} is outside the {len(choices)} choices",
                remedy="indices start at 0; check the card's answer.target",
            )
        return LETTERS[index]
    text = str(raw).strip()
    if form == "text":
        matches = [index for index, choice in enumerate(choices) if choice.strip() == text]
        if not matches:
            raise DataError(
                f"{row.place}: answer {text!r} is none of the choices {list(choices)}",
                remedy="check the card's answer.target",
            )
        return LETTERS[matches[0]]
    letter = text.strip("().").upper()
    if len(letter) != 1 or letter not in LETTERS[: len(choices)]:
        raise DataError(
            f"{row.place}: answer {text!r} is no letter of the {len(choices)} choices",
            remedy="check the card's answer.target",
        )
    return letter


def _whole(value: Any) -> int | None:
    """Read an index as CSV (text) and nullable columns (float) give it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return int(value) if isinstance(value, (int, float)) and value == int(value) else None


def subset_label(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " | ".join(dict.fromkeys(str(entry).replace(" | ", " / ") for entry in value))
    return "none" if value is None else str(value).replace(" | ", " / ")


def to_pixels(target: Any, size: tuple[int, int], scale: float) -> Any:
    if isinstance(target, Mapping):
        return {key: to_pixels(value, size, scale) for key, value in target.items()}
    if isinstance(target, (list, tuple)):
        if target and all(isinstance(value, (int, float)) for value in target):
            return [value / scale * size[index % 2] for index, value in enumerate(target)]
        return [to_pixels(value, size, scale) for value in target]
    return target
