"""Rows of several answer kinds in one task: each row says which verifier reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.choice import ChoiceVerifier
from mmeval.verifiers.expression import ExpressionVerifier
from mmeval.verifiers.lists import ListVerifier
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.open import OpenVerifier
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.yes_no import YesNoVerifier

MIXED_KINDS: Mapping[str, Callable[[Mapping[str, Any] | None], Verifier]] = {
    "choice": ChoiceVerifier,
    "expression": ExpressionVerifier,
    "list": ListVerifier,
    "number": NumberVerifier,
    "open": OpenVerifier,
    "text": TextVerifier,
    "yes-no": YesNoVerifier,
}
"""What the rows of one task may be."""


class MixedVerifier:
    """Hands every row to the verifier that its option `answer_type` names: any of `MIXED_KINDS`."""

    name = "mixed"
    blocking = True
    """Matching expressions and lists may wait for another process."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._kinds: dict[str, Verifier] = {name: kind(self._options) for name, kind in MIXED_KINDS.items()}
        # A change of any kind's rules can change a result of this one.
        self.version = "1+" + ".".join(f"{kind}{verifier.version}" for kind, verifier in sorted(self._kinds.items()))

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the answer by the row's kind.

        Raises:
            DataError: when the row names no known kind: the data's fault must not become the model's.
        """
        return self._of(context).parse(text, context)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare by the row's kind.

        Raises:
            DataError: when the row names no known kind, or the target is not of that kind.
        """
        return self._of(context).match(value, target, context)

    def _of(self, context: AnswerContext) -> Verifier:
        kind = merged_options(self._options, context.options).get("answer_type")
        found = self._kinds.get(kind.replace("_", "-")) if isinstance(kind, str) else None
        if found is None:
            known = ", ".join(sorted(self._kinds))
            raise DataError(f"answer_type {kind!r} of the row is unknown", remedy=f"use one of {known}")
        return found
