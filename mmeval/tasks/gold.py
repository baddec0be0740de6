"""Reading one row by a card's field mapping: columns and expressions, gold answers, labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.tasks.choices import Choices
from mmeval.tasks.data import Row, lookup, missing_column
from mmeval.tasks.masks import heatmap_target, mask_target
from mmeval.tasks.plain_cells import plain_text
from mmeval.tasks.prompts import LETTERS, UndefinedName, evaluate


def field_value(column: str | None, row: Row, key: str = "") -> Any:
    """Return the value of a column, path or `=` expression; `key` is the card's key that names it, for messages.

    Raises:
        DataError: when the row lacks the column, or the expression fails on it.
    """
    if column is None:
        return None
    if column.startswith("="):
        try:
            return evaluate(column[1:].strip(), row.values)
        except UndefinedName as error:
            raise missing_column(error.name, row, key) from error
        except DataError as error:
            named = f"{key}: " if key else ""
            raise DataError(f"{row.place}: {named}{error.message}", remedy=error.remedy) from error
    return lookup(column, row, key)


def choice_cells(columns: str | Sequence[str] | None, row: Row, key: str = "") -> Any:
    """Return the cell that holds the options; options in columns of their own come as a mapping by letter.

    Raises:
        DataError: when the row lacks a column, or there are more than can be lettered.
    """
    if columns is None or isinstance(columns, str):
        return field_value(columns, row, key)
    if len(columns) > len(LETTERS):
        raise DataError(
            f"{row.place}: {key} names {len(columns)} columns, at most {len(LETTERS)} options can be lettered",
            remedy="name fewer columns",
        )
    return {letter: field_value(column, row, key) for letter, column in zip(LETTERS, columns, strict=False)}


def absent(value: Any) -> bool:
    """Whether a cell holds nothing: null, or the NaN that stands for null in columns of numbers."""
    return value is None or (isinstance(value, float) and value != value)


def required_text(column: str, row: Row, key: str = "") -> str:
    """Return the text of a column that every row must fill.

    Raises:
        DataError: when the cell is null.
    """
    value = field_value(column, row, key)
    if absent(value):
        named = f" (the card names it in {key})" if key else ""
        raise DataError(
            f"{row.place}: column {column!r} is null{named}",
            remedy="correct the row, or leave it out with dataset.where",
        )
    return plain_text(value, row.place, column)


def optional_text(column: str | None, row: Row, key: str = "") -> str:
    """Return the text of a column, or nothing where the card names none or the cell is null."""
    value = field_value(column, row, key)
    return "" if absent(value) else plain_text(value, row.place, str(column))


def gold_answer(raw: Any, kind: str, form: str, choices: Choices, row: Row) -> Any:
    """Return the gold answer as the verifier wants it: for choices a letter (unless `form` is value), else as it is.

    Raises:
        DataError: when the gold names none of the choices.
    """
    texts = choices.texts
    # A table of text (CSV) has empty cells for nulls. No accepted text is no gold either, as no boxes are one.
    if absent(raw) or (isinstance(raw, str) and not raw.strip()) or (kind == "text" and raw in ([], ())):
        return None
    if kind == "heatmap":
        return heatmap_target(raw, row, "fields.answer")
    if kind == "mask":
        return mask_target(raw, row, "fields.answer")
    if isinstance(raw, (bytes, bytearray)):
        raw = plain_text(raw, row.place, "fields.answer")
    if kind == "point" and isinstance(raw, Mapping) and "mask" in raw:
        if absent(raw["mask"]):
            return None
        return {"mask": mask_target(raw["mask"], row, "fields.answer", raw.get("above"))}
    if kind != "choice" or form == "value":
        if isinstance(raw, float) and math.isinf(raw):
            raise DataError(f"{row.place}: answer {raw!r} is infinite, no gold answer", remedy="correct the row")
        return raw
    if not texts:
        raise DataError(
            f"{row.place}: the row has no choices (fields.choices)",
            remedy="correct the row, leave it out with dataset.where, or ask rows of several kinds with kind mixed",
        )
    if form in ("index", "position"):
        first = 0 if form == "index" else 1
        whole = _whole(raw)
        if whole is None or not 0 <= whole - first < len(texts):
            raise DataError(
                f"{row.place}: answer {form} {raw!r} is outside the {len(texts)} choices",
                remedy=f"it is counted from {first}; check the card's answer.target",
            )
        return LETTERS[whole - first]
    text = str(raw).strip()
    if form == "text":
        matches = [index for index, choice in enumerate(texts) if choice.strip() == text]
        if not matches:
            raise DataError(
                f"{row.place}: answer {text!r} is none of the choices {list(texts)}",
                remedy="check the card's answer.target",
            )
        return LETTERS[matches[0]]
    letter = text.strip(" ().").upper()
    labels = [label.upper() for label in choices.labels]
    if letter in labels:
        return LETTERS[labels.index(letter)]
    if len(letter) != 1 or letter not in LETTERS[: len(texts)]:
        raise DataError(
            f"{row.place}: answer {text!r} is no letter of the {len(texts)} choices",
            remedy="check the card's answer.target",
        )
    return letter


def _whole(value: Any) -> int | None:
    """Read an index as CSV (text) and nullable columns (float) give it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        # A column of numbers with gaps is written with decimals: 3.0.
        whole = value.strip().removesuffix(".0")
        return int(whole) if whole.isdecimal() else None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else None


def subset_label(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        value = value.decode(errors="backslashreplace")
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
