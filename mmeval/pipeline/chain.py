"""The chain of a task: rules first, then judges for what they leave open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mmeval.core.types import Response, Sample, Verdict
from mmeval.verifiers.answer import after_reasoning
from mmeval.verifiers.base import UNDECIDED, Verifier, verify
from mmeval.verifiers.judge_card import JudgeCard
from mmeval.verifiers.judge_files import load_judge
from mmeval.verifiers.registry import get_verifier

if TYPE_CHECKING:
    from mmeval.tasks.task import Task

JUDGED = "judged"
"""Score of every row of a judged task: 1 where a judge decided, 0 where the rules did."""
RULE_CORRECT = "rule_correct"
"""Score of every row of a judged task: what the rules alone say (1 right, 0 not)."""
JUDGE_AGREEMENT = "judge_agreement"
"""Score of rows that were judged several times: share of the verdicts that agree with the one that counts."""
NOT_JUDGED = "no judge has read the response yet"


@dataclass(frozen=True, slots=True)
class Step:
    """One judge with its card loaded."""

    card: JudgeCard
    when: Literal["no_answer", "not_right", "always"]
    verifier: Verifier | None
    """Reads what an extraction card gives."""
    last_words: int | None

    @property
    def compares_extractions(self) -> bool:
        """Whether the judge needs what an earlier one extracted."""
        return "extraction" in self.card.reads and "extraction" not in self.card.optional_fields

    def applies(self, verdict: Verdict) -> bool:
        """Whether a row with this verdict so far goes to the judge."""
        if self.when == "always":
            return True
        if verdict.outcome in ("no_answer", "unscored") or verdict.scores.get(UNDECIDED):
            return True
        return self.when == "not_right" and verdict.outcome == "scored" and verdict.correct is False


@dataclass(frozen=True, slots=True)
class Chain:
    """How the rows of one task are scored."""

    verifier: Verifier
    steps: tuple[Step, ...] = ()
    """Judges in order; empty when the rules decide alone."""
    reads_extraction: bool = False
    """The card's verifier reads what a judge extracts, not the response."""
    judges: tuple[dict[str, Any], ...] = ()
    """For the score digest: card, its digest, when, verifier."""

    @classmethod
    def of(cls, task: Task, judged: bool) -> Chain:
        """Load the chain of a task.

        Args:
            task: the task under its protocol.
            judged: whether there is a judge; without one only the rules are left.

        Raises:
            UsageError: for an unknown judge card or verifier.
        """
        answer = task.card.answer
        if not judged:
            return cls(task.verifier, (), answer.reads == "extraction")
        steps = []
        facts: list[dict[str, Any]] = []
        for entry in task.card.judges:
            card = load_judge(entry.card, task.judge_folders)
            verifier = None
            if card.kind == "extraction":
                options = {**answer.options, **entry.options}
                verifier = get_verifier(entry.verifier, options) if entry.verifier else task.verifier
            steps.append(Step(card, entry.when, verifier, entry.last_words))
            reader = None if verifier is None else [verifier.name, verifier.version]
            facts.append(
                {"card": card.name, "digest": card.digest, **entry.model_dump(exclude={"card"}), "reader": reader}
            )
        return cls(task.verifier, tuple(steps), answer.reads == "extraction", tuple(facts))

    @property
    def blocking(self) -> bool:
        """Whether verifying may wait for another process, so that it must not happen in the event loop."""
        return bool(getattr(self.verifier, "blocking", False))

    def open(self, response: Response, verdict: Verdict, sample: Sample) -> bool:
        """Whether any judge is asked for this row: there is something to read, a gold answer, and a step that applies."""
        if not self.steps or sample.target is None or not any(step.applies(verdict) for step in self.steps):
            return False
        return bool(shown_response(response, sample))


def shown_response(response: Response, sample: Sample) -> str:
    """What a judge is shown: what follows the reasoning; empty for a failed request, and for reasoning that never ends."""
    if response.status != "ok":
        return ""
    return (after_reasoning(response.text or "", sample.context.options) or "").strip()


def rule_verdict(chain: Chain, response: Response, sample: Sample) -> Verdict:
    """Score a response by the rules alone.

    Where the verifier reads extractions, the verdict waits for a judge: `unscored`, unless the response has nothing to read.
    """
    context = sample.context
    if not chain.reads_extraction or response.status != "ok":
        return verify(chain.verifier, response, sample.target, context)
    identity = f"{chain.verifier.name}/{chain.verifier.version}"
    if shown_response(response, sample):
        return Verdict("unscored", reason=NOT_JUDGED, verifier=identity)
    if after_reasoning(response.text or "", context.options) is None:
        reason = "truncated" if response.finish_reason == "length" else "unfinished reasoning"
        return Verdict("no_answer", score=0.0, correct=False, reason=reason, verifier=identity)
    return verify(chain.verifier, replace(response, text=""), sample.target, context)
