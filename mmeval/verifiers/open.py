"""Open answers of a form that only the gold tells: read in every form, compared in the gold's.

A parser that is chosen by the gold answer has seen the gold answer. So these rows are parsed by every reader, and the one of
the gold's form is taken where answer and gold are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.choice import ChoiceVerifier
from mmeval.verifiers.expression import ExpressionVerifier
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.yes_no import YesNoVerifier

READERS: Mapping[str, Callable[[Mapping[str, Any] | None], Verifier]] = {
    "choice": ChoiceVerifier,
    "expression": ExpressionVerifier,
    "number": NumberVerifier,
    "text": TextVerifier,
    "yes-no": YesNoVerifier,
}
DEFAULT_READERS = ("choice", "yes-no", "number", "text")
_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_LETTER = re.compile(r"[\s().]*[A-Z][\s().]*")


class OpenVerifier:
    """Reads an answer with all of its readers; the gold's form decides which reading is compared.

    Option `readers` names them in order (`choice` counts where the row has options): the gold is of the first form that it has
    (`choice`: one letter, `yes-no`, `number`: digits), and of the last one if of no other. The value is an object of reader -> what it read. An answer that has no
    reading in the gold's form is wrong; one without any reading is no answer.
    """

    name = "open"
    blocking = True
    """Matching expressions may wait for another process."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._readers: dict[str, Verifier] = {name: reader(self._options) for name, reader in READERS.items()}
        self.version = "1+" + ".".join(f"{name}{reader.version}" for name, reader in sorted(self._readers.items()))

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the answer in every form.

        Raises:
            DataError: when a reader is unknown.
        """
        found = {name: self._readers[name].parse(text, context) for name in self._names(context)}
        read = {name: extraction for name, extraction in found.items() if extraction.found}
        if not read:
            return next(reversed(found.values()))
        spans = {extraction.span for extraction in read.values()}
        span = spans.pop() if len(spans) == 1 else None
        return Extraction({name: extraction.value for name, extraction in read.items()}, span)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the reading of the gold's form.

        Raises:
            DataError: when a reader is unknown, or the target is not of the form of the last one.
            UndecidedError: see `ExpressionVerifier.match`.
        """
        form = self._form(target, context)
        if form not in value:
            return Match(0.0, False)
        gold = target.strip(" ().") if form == "choice" else target
        return self._readers[form].match(value[form], gold, context)

    def _form(self, target: Any, context: AnswerContext) -> str:
        names = self._names(context)
        return next((name for name in names[:-1] if _has_form(target, name)), names[-1])

    def _names(self, context: AnswerContext) -> tuple[str, ...]:
        given = merged_options(self._options, context.options).get("readers")
        names = DEFAULT_READERS if given is None else tuple([given] if isinstance(given, str) else given)
        unknown = [name for name in names if name not in self._readers]
        if unknown or not names:
            raise DataError(
                f"answer option readers: {given!r} names no reader", remedy=f"use some of {', '.join(READERS)}"
            )
        return tuple(name for name in names if name != "choice" or context.choices) or names


def _has_form(target: Any, reader: str) -> bool:
    """Whether a gold answer is of the form that a reader is for; text and expressions have none of their own."""
    if isinstance(target, bool):
        return reader == "yes-no"
    if isinstance(target, (int, float)):
        return reader == "number"
    if not isinstance(target, str):
        return False
    text = target.strip()
    match reader:
        case "choice":
            return _LETTER.fullmatch(text) is not None
        case "yes-no":
            return text.casefold() in ("yes", "no")
        case "number":
            return _NUMBER.fullmatch(text) is not None
        case _:
            return False
