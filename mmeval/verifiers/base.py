"""The shape of a verifier, and the one place where a response becomes a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from mmeval.core.errors import DataError, UndecidedError
from mmeval.core.types import AnswerContext, Extraction, Match, Response, Verdict

NO_TARGET = "no_target"
"""Key of a row's options that says, in words for the user, why the row has no gold answer."""

GUESSED = "guessed"
"""Score of a row that the official rule would decide by a random draw; here it has no answer, and nothing is drawn."""
GUESS_SHARE = "guess_share"
"""Score beside `guessed`: how often the official draw would be right, in [0, 1]."""
UNDECIDED = "undecided"
"""Score of a row whose answer only the comparison with the gold can read, and which the rules leave open: a judge may decide."""

TURNS_USED = "turns"
"""Finish reason of a conversation that took all its turns without an answer."""
NO_BOX = "no_box"
"""Finish reason of a conversation that needs a box first, and got none."""
_ENDED: Mapping[str, str] = {
    "length": "truncated",
    TURNS_USED: "no answer within the turns",
    NO_BOX: "no box in the first reply",
}
"""Why there is nothing to read, by finish reason."""

_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:cannot|can't|can not) (?:help|assist|answer|determine|see|view|provide)"
    r"|as an ai\b|unable to (?:answer|determine|view|see))",
    re.IGNORECASE,
)


class Verifier(Protocol):
    """Turns answer text into a verdict in two steps: `parse` never sees the target, `match` compares.

    Attributes:
        name: what cards call it.
        version: raised whenever a result can change; part of the score digest.
    """

    name: str
    version: str

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Read the answer from `text` (the final answer text, reasoning already separated).

        Never raises for what the text says.

        Raises:
            DataError: when the row's own fields do not say how to read an answer.
        """
        ...

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare a value that `parse` returned with the target.

        Raises:
            DataError: when the target itself is not of the form that the verifier documents.
            UndecidedError: when the rule can neither accept nor reject the value.
        """
        ...


@runtime_checkable
class CountsUnanswered(Protocol):
    """A verifier whose rows without an answer still have scores, because a metric of the corpus counts them."""

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Return the scores of a row without an answer: what the target alone says (words of a transcript, say).

        Raises:
            DataError: when the target is not of the form that the verifier documents.
        """
        ...


def looks_like_refusal(text: str) -> bool:
    """Whether the text declines to answer. Only asked when nothing could be parsed."""
    return _REFUSAL.search(text) is not None


def verify(verifier: Verifier, response: Response, target: Any, context: AnswerContext) -> Verdict:
    """Score one response.

    A response without text is never an answer: `too_long` and `unsupported` are permanent, `refused` is the model's own
    failure (`no_answer`), everything else is `error` and leaves the mean. A row whose own data are broken is `unscored`,
    and so is one that the rule leaves undecided, which keeps the answer that was read.
    """
    identity = f"{verifier.name}/{verifier.version}"
    if response.status in {"too_long", "unsupported"}:
        return Verdict("unsupported", reason=response.error or response.status, verifier=identity)
    if response.status != "refused" and (response.status != "ok" or response.text is None):
        return Verdict("error", reason=response.error or response.status, verifier=identity)
    try:
        if response.status == "refused" or response.text is None:
            scores = _unanswered(verifier, target, context)
            return Verdict("no_answer", score=0.0, correct=False, scores=scores, reason="refusal", verifier=identity)
        return _verdict(verifier, response, response.text, target, context, identity)
    except DataError as error:
        return Verdict("unscored", reason=error.message, verifier=identity)


def _unanswered(verifier: Verifier, target: Any, context: AnswerContext) -> dict[str, float]:
    if target is None or not isinstance(verifier, CountsUnanswered):
        return {}
    return dict(verifier.unanswered(target, context))


def _verdict(
    verifier: Verifier, response: Response, text: str, target: Any, context: AnswerContext, identity: str
) -> Verdict:
    extraction = verifier.parse(text, context)
    if target is None:
        reason = str(context.options.get(NO_TARGET) or "no target")
        return Verdict("unscored", extracted=extraction.value, span=extraction.span, reason=reason, verifier=identity)
    if not extraction.found:
        reason = extraction.reason or "not found"
        ended = _ENDED.get(response.finish_reason or "")
        if ended is not None:
            reason = ended
        elif not text.strip():
            reason = "empty"
        elif looks_like_refusal(text):
            reason = "refusal"
        scores = {**extraction.scores, **_unanswered(verifier, target, context)}
        return Verdict("no_answer", score=0.0, correct=False, scores=scores, reason=reason, verifier=identity)
    try:
        found = verifier.match(extraction.value, target, context)
    except (DataError, UndecidedError) as error:
        return Verdict(
            "unscored",
            scores=dict(extraction.scores),
            extracted=extraction.value,
            span=extraction.span,
            reason=error.message,
            verifier=identity,
        )
    return Verdict(
        "scored",
        score=found.score,
        correct=found.correct,
        scores={**extraction.scores, **found.scores},
        extracted=extraction.value,
        span=extraction.span,
        verifier=identity,
    )
