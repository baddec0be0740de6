"""Rendering prompts: default formats by answer kind, cards' Jinja2 templates, and image placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, UndefinedError

from mmeval.core.errors import DataError, UsageError
from mmeval.core.template_limits import TemplateLimitError
from mmeval.core.templates import compile_template, environment, undeclared
from mmeval.core.types import MediaPart, Message, Part, TextPart
from mmeval.tasks.lettered import lettered

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

COORDINATE_PHRASES: Mapping[str, str] = {
    "pixels": "in pixels",
    "unit": "in coordinates from 0 to 1",
    "percent": "in percent of the width and height",
    "thousand": "in coordinates from 0 to 1000",
}

LIST_PHRASES: Mapping[str, str] = {
    "list": "a list in square brackets, its elements separated by commas",
    "set": "a list in square brackets, its elements separated by commas, in any order",
    "interval": "an interval, with square brackets for ends that belong to it and round brackets for ends that do not",
}
"""What a list is to look like, by the option `form`."""

INSTRUCTIONS: Mapping[str, str] = {
    "choice": "Answer with the letter of the correct option.",
    "number": "Answer with a number.",
    "yes-no": "Answer yes or no.",
    "text": "Answer with a single word or phrase.",
    "open": "Answer with a number, or a single word or phrase.",
    "expression": "Write the final answer inside \\boxed{{}}.",
    "list": "Answer with {listed}.",
    "box": "Answer with one box as [{corners}] {coordinates}.",
    "boxes": "Answer with a JSON list of boxes, each [{corners}], {coordinates}.",
    "point": "Answer with one point as [{axes}] {coordinates}.",
    "mask": "Answer with a JSON list of boxes, each [{corners}], {coordinates}.",
    "heatmap": "Answer with one point as [{axes}] {coordinates}.",
    "box3d": "Answer with one box as <obj>cx, cy, cz, w, h, l</obj>, its centre and its sizes along x, y and z in metres.",
    "rating": "Answer with a number from {low} to {high}.",
}
"""The default format contract of each answer kind; `mixed` uses the one of the row's own kind."""

LABELLED_BOXES = (
    'Answer with a JSON list of boxes, each {{"bbox_2d": [{corners}], "label": "name"{confidence}}}, {coordinates}.'
)
"""The format contract of boxes with classes: cards that declare how such boxes are ranked (`score_policy`)."""

SEVERAL_POINTS = "Answer with a JSON list of points, each [{axes}], {coordinates}."
"""The format contract of points all of which count (`take: all`)."""

DEFAULT_TEMPLATE = """\
{{ question }}
{%- for choice in choices %}
({{ letters[loop.index0] }}) {{ choice }}
{%- endfor %}
{%- if instruction %}
{{ instruction }}
{%- endif %}"""

TEMPLATE_NAMES = frozenset({"question", "choices", "letters", "instruction", "row", "kind"})
"""What a prompt template may use."""


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Any:
    """Compile an expression of a card in Jinja's sandbox.

    Raises:
        UsageError: when it is no expression.
    """
    try:
        return environment.compile_expression(text, undefined_to_none=False)
    except RecursionError as error:
        raise UsageError("an expression is nested too deeply", remedy="correct the card's expression") from error
    except TemplateError as error:
        raise UsageError(f"expression {text!r}: {error}", remedy="correct the card's expression") from error


class UndefinedName(DataError):
    """An expression needs a column that the row does not have.

    Attributes:
        name: the column.
    """

    def __init__(self, expression: str, name: str, row: Mapping[str, Any]) -> None:
        super().__init__(
            f"expression {expression!r} fails: {name!r} is undefined",
            remedy=f"the row has the columns {', '.join(map(str, row))}",
        )
        self.name = name


def evaluate(expression: str, row: Mapping[str, Any]) -> Any:
    """Evaluate a sandboxed Jinja expression over the columns of a row; the value keeps its Python type.

    `row` is the whole row, for columns whose names are no identifiers, or that not every row has.

    Raises:
        UndefinedName: when a column is missing.
        DataError: when the expression fails on this row in another way.
    """
    compiled = compile_expression(expression)
    values = dict(row)
    try:
        value = compiled({"row": values, **values})
    except UndefinedError as error:
        missing = next((name for name in sorted(_names(expression)) if f"'{name}'" in str(error)), None)
        if missing is not None and missing not in row:
            raise UndefinedName(expression, missing, row) from error
        raise DataError(f"expression {expression!r} fails: {error}", remedy="correct the card or the row") from error
    except Exception as error:  # a card's expression may fail in any way on a row it did not foresee
        raise DataError(f"expression {expression!r} fails: {error}", remedy="correct the card or the row") from error
    if isinstance(value, StrictUndefined):
        if expression in _names(expression):
            raise UndefinedName(expression, expression, row)
        raise DataError(f"expression {expression!r} has no value", remedy=f"the row has the columns {', '.join(row)}")
    return value


@lru_cache(maxsize=1024)
def _names(expression: str) -> frozenset[str]:
    return undeclared("{{ " + expression + " }}")


def filled(value: Any) -> bool:
    """Whether a cell holds something: no null, no NaN, no blank text, no empty list; the Jinja test `filled` of cards."""
    if value is None or value != value:
        return False
    if isinstance(value, str):
        return value.strip() not in ("", "[]")
    return not (isinstance(value, (list, tuple, Mapping)) and not value)


environment.tests["filled"] = filled
environment.filters["lettered"] = lambda value: lettered(value) if isinstance(value, str) else []


def instruction_for(kind: str, options: Mapping[str, Any], coordinates: str, coordinate_order: str) -> str:
    """Return the default format instruction of an answer kind, in the coordinate space that the model answers in.

    Raises:
        DataError: for a kind without one.
    """
    if kind not in INSTRUCTIONS:
        raise DataError(
            f"answer kind {kind!r} has no default instruction",
            remedy=f"give prompt.instruction or prompt.column, or use one of {', '.join(INSTRUCTIONS)}",
        )
    swapped = coordinate_order == "yx"
    # A score policy is an option of verifiers that read classes.
    policy = options.get("score_policy") if kind == "boxes" else None
    written = LABELLED_BOXES if policy else INSTRUCTIONS[kind]
    if kind == "point" and options.get("take") == "all":
        written = SEVERAL_POINTS
    return written.format(
        corners="y1, x1, y2, x2" if swapped else "x1, y1, x2, y2",
        axes="y, x" if swapped else "x, y",
        coordinates=COORDINATE_PHRASES[coordinates],
        confidence=', "confidence": 0.00 to 1.00' if policy == "confidence" else "",
        listed=LIST_PHRASES.get(str(options.get("form")), LIST_PHRASES["list"]),
        low=options.get("low", 1),
        high=options.get("high", 5),
    )


def render(template: str, values: Mapping[str, Any]) -> str:
    """Render a prompt.

    Raises:
        DataError: when the template names something that the row does not have.
        TemplateLimitError: it computes without end, whatever the row.
    """
    compiled = compile_template(template)
    try:
        return compiled.render(letters=LETTERS, **values)
    except TemplateLimitError:
        raise
    except Exception as error:  # a template may fail in any way on a row it did not foresee
        raise DataError(f"prompt template: {error}", remedy=f"it may use {', '.join(sorted(values))}") from error


def media_numbers(counts: Sequence[int]) -> list[int]:
    """Return the number by which a prompt's placeholders name each media, from how many each image column gave.

    With several columns of at most one picture each, a picture's number is its column's, even where an earlier column
    is empty; otherwise pictures are numbered from 1.
    """
    if len(counts) > 1 and max(counts) <= 1:
        return [number for number, count in enumerate(counts, 1) if count]
    return list(range(1, sum(counts) + 1))


def place_media(
    text: str, numbers: Sequence[int], placeholder: str | None, *, strict: bool = False
) -> tuple[Part, ...]:
    """Put the media into the text: where the placeholder marks them, all others before the text.

    Args:
        text: the rendered prompt.
        numbers: the number of each media of the sample (see `media_numbers`).
        placeholder: pattern with `{i}` (1-based), e.g. `<image{i}>`; None puts all media first.
        strict: a mark of an image that the sample does not have is an error; else it stays text.

    Raises:
        DataError: when `strict`, and the text marks an image that the sample does not have.
    """
    count = len(numbers)
    if placeholder is None:
        return (*(MediaPart(index) for index in range(count)), TextPart(text))
    by_number = {number: index for index, number in enumerate(numbers)}
    before, _, after = placeholder.partition("{i}")
    pattern = (
        re.compile(re.escape(before) + r"(\d{1,4})" + re.escape(after))
        if "{i}" in placeholder
        else re.compile(f"({re.escape(placeholder)})")
    )
    pieces: list[Part] = []
    used: set[int] = set()
    position = 0
    for following, match in enumerate(pattern.finditer(text)):
        index = by_number.get(int(match.group(1))) if "{i}" in placeholder else following
        if index is None or index >= count:
            if not strict:
                continue
            shown = match.group(1) if "{i}" in placeholder else following + 1
            raise DataError(
                f"the text shows image {shown} ({match.group()}), and the row has {count} image{'' if count == 1 else 's'}",
                remedy="correct the row or the card's fields.images; where such marks are mere text, set prompt.unmatched: text",
            )
        chunk = text[position : match.start()].rstrip(" \n")
        if chunk:
            pieces.append(TextPart(chunk))
        pieces.append(MediaPart(index))
        used.add(index)
        position = match.end()
    rest = text[position:].lstrip(" \n") if used else text
    if rest:
        pieces.append(TextPart(rest))
    return (*(MediaPart(index) for index in range(count) if index not in used), *pieces)


def build_messages(parts: Sequence[Part], system: str | None) -> tuple[Message, ...]:
    """Return the conversation: an optional system turn and the user's turn."""
    user = Message("user", tuple(parts))
    return (Message("system", (TextPart(system),)), user) if system else (user,)
