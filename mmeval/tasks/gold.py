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


def choice_texts(cell: Any, row: Row) -> list[str]:
    if cell is None:
        return []
    if isinstance(cell, Mapping):
        return [str(value) for value in cell.values()]
    if isinstance(cell, str):
        cell = parse_list_literal(cell, row.place)
    if not isinstance(cell, (list, tuple)):
        raise DataError(
            f"{row.place}: choices are {type(cell).__name__}, a list is expected",
            remedy="name the right column in fields.choices",
        )
    if len(cell) > len(LETTERS):
        raise DataError(f"{row.place}: {len(cell)} choices, at most {len(LETTERS)} can be lettered")
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
    if raw is None or kind != "choice" or form == "value":
        return raw
    if form == "index":
        if not isinstance(raw, int) or not 0 <= raw < len(choices):
            raise DataError(f"{row.place}: answer index {raw!r} is outside the {len(choices)} choices")
        return LETTERS[raw]
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
