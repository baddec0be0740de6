"""One step on a screen: whether the action is right, its type, and its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import UsageError, unknown
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.gui.action import Action
from mmeval.verifiers.gui.dialects import DIALECTS, get_dialect, state
from mmeval.verifiers.gui.gold import read_gold
from mmeval.verifiers.gui.rules import RULES, Step, need_size, unanswered


class StepVerifier:
    """The answer is one action, value as `Action.as_json` gives it; the target is one that `read_gold` reads.

    Options: `form` (the dialect), `rule` (when a step is right), `space` and `scroll` (see `dialects.state`). Scores, all 0
    or 1: `type`, `grounding`, `grounded` (whether the step counts for the grounding: `weighted:grounding:grounded`), and under
    the rule gui-r1 `counted` (`weighted:accuracy:counted`). The primary score is the step's success.
    """

    name = "gui-step"
    version = "4"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        if self._options.get("form") is not None:
            get_dialect(str(self._options["form"]))
        rule = self._options.get("rule")
        if rule is not None and rule not in RULES:
            raise unknown("rule of steps", str(rule), RULES)

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the one action that the text states; several different ones are none.

        Raises:
            DataError: when the space of the points needs an image size that the sample lacks.
            UsageError: when no form is given.
        """
        options = merged_options(self._options, context.options)
        form = options.get("form")
        if form is None:
            raise UsageError("verifier 'gui-step' needs the option form", remedy=f"use one of {', '.join(DIALECTS)}")
        found = state(text, context, get_dialect(str(form)), options)
        if found.action is None:
            return Extraction(reason=found.reason)
        return Extraction(found.action.as_json(), found.span)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the action with the right one.

        Raises:
            DataError: when the target is no action, or the image size is missing.
        """
        rule = self._rule(context)
        gold = read_gold(target, context)
        found = RULES[rule](Action.of(value), gold, need_size(context.image_size))
        return Match(float(found.right), found.right, _scores(found))

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """Return the scores of a row without an action.

        Raises:
            DataError: when the target is no action.
        """
        return _scores(unanswered(self._rule(context), read_gold(target, context)))

    def _rule(self, context: AnswerContext) -> str:
        return str(merged_options(self._options, context.options).get("rule", "mmeval"))


def _scores(step: Step) -> dict[str, float]:
    named = {"type": step.type, "grounding": step.grounding, "grounded": step.grounded, "counted": step.counted}
    return {name: float(value) for name, value in named.items()}
