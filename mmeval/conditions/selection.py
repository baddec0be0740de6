"""Test-time scaling with a verifier: rated answers, guided greedy search, and refined best-of-N.

The verifier is the run's judge model (`--judge`): a scalar reward model that scores, or a critic that writes verdicts on
steps. A verifier that fails is the row's failure; no answer ever counts as the worst because nobody could rate it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmeval.conditions.declared import DeclaredStrategy
from mmeval.conditions.step_splitting import aggregated, split_steps
from mmeval.conditions.strategy import Answered, Session, Trail
from mmeval.core.types import AnswerContext, MediaPart, Message, PreparedMedia, Response, Sample, TextPart
from mmeval.tasks.looking import StrategySection
from mmeval.verifiers.json_answer import objects
from mmeval.verifiers.steps import StepVerdictVerifier

NEXT_STEP = "Continue this solution with its next step only. If that step reaches the end, state the final answer in it in the form asked for."
FIRST_STEP = "\n\nWrite only the first step of the solution now."
GO_ON = "One step of your solution was corrected; this is the solution so far. Continue from here to the final answer, in the form asked for, without repeating it."
CRITIQUE = (
    "Check a solution of the problem below step by step, against the image and the steps before each.\n\n[Problem]\n{question}\n\n"
    "[Solution]\n{steps}\n\nAnswer with a JSON list that holds an object for every step: "
    '{{"step": 1, "intent": "what it is for", "visual_ok": true, "logic_ok": true}}; visual_ok: what it says of the image holds; '
    'logic_ok: it follows. Add "correction" with the corrected step to the first step that is wrong, and to no other.'
)
_FINAL = re.compile(
    r"\\boxed\s*\{|</?(?:answer|correct_answer|final_answer)>|\b(?:final\s+)?answer\s*(?:is\b|:)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Rating:
    """What a verifier thinks of an answer."""

    value: float
    """By which answers are compared, larger for better."""
    scores: Mapping[str, float]
    """Named scores of the row."""
    wrong: int | None = None
    """The first step that a critic calls wrong, from 0."""
    correction: str | None = None
    """Its corrected form."""
    steps: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Rater:
    """Asks the verifier as a card's section `reward` says."""

    section: StrategySection

    async def rate(
        self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, text: str
    ) -> Rating | Response:
        """Return the rating of an answer, or the response that failed."""
        reward = self.section.reward
        assert reward is not None
        if reward.method == "critique":
            return await self._critique(sample, media, ask, text)
        if not reward.steps:
            found = await self._score(sample, media, ask, text)
            return found if isinstance(found, Response) else Rating(found, {"reward": found})
        steps = split_steps(text) or [text]
        prefixes = ["".join(steps[: number + 1]) for number in range(len(steps))]
        scores = await asyncio.gather(*(self._score(sample, media, ask, prefix) for prefix in prefixes))
        values = [score for score in scores if not isinstance(score, Response)]
        failed = next((score for score in scores if isinstance(score, Response)), None)
        return failed if failed is not None else self._of_steps(values)

    def _of_steps(self, values: list[float]) -> Rating:
        named = aggregated(values)
        reward = self.section.reward
        assert reward is not None
        scores = {f"reward_{name}": value for name, value in named.items()}
        value = named[reward.by]
        return Rating(value, {"reward": value, **scores, "reward_steps": float(len(values))})

    async def _score(
        self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, text: str
    ) -> float | Response:
        messages = (*sample.messages, Message("assistant", (TextPart(text),)))
        found = await ask.verify(messages, media, None)
        return float(found.text) if found.status == "ok" and found.text is not None else _failed(found)

    async def _critique(
        self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, text: str
    ) -> Rating | Response:
        steps = split_steps(text)
        if not steps:
            return Response("error", error="an empty answer has no steps to check")
        listed = "\n".join(f"Step {number}: {step.strip()}" for number, step in enumerate(steps, 1))
        prompt = CRITIQUE.format(question=sample.item.get("question", ""), steps=listed)
        shown = tuple(MediaPart(index) for index in range(len(media)))
        message = Message("user", (*shown, TextPart(prompt)))
        reader = StepVerdictVerifier()
        context = AnswerContext(options={"steps": len(steps)})

        def complete(said: str) -> bool:
            value = reader.parse(said, context).value
            return value is not None and all(verdict is not None for verdict in value)

        found = await ask.verify((message,), media, complete)
        if found.status != "ok" or found.text is None:
            return _failed(found)
        if not complete(found.text):
            return Response("error", error="the verifier gave no verdict on every step", retryable=False)
        verdicts = reader.parse(found.text, context).value
        rating = self._of_steps([float(verdict == "+") for verdict in verdicts])
        wrong = verdicts.index("-") if "-" in verdicts else None
        correction = None if wrong is None else _correction(found.text, wrong + 1)
        return Rating(rating.value, rating.scores, wrong, correction, tuple(steps))


def _failed(response: Response) -> Response:
    """A verifier's failure as the row's own; what the verifier refuses is no refusal of the model."""
    if response.status in ("ok", "refused"):
        return Response("error", error=f"the verifier gave no score: {response.error or response.status}")
    return Response(
        response.status, error=f"verifier: {response.error or response.status}", retryable=response.retryable
    )


def _correction(text: str, step: int) -> str | None:
    """The corrected step in a critic's JSON: that of the step's own object, or the only one there is."""
    found = [entry for entry in objects(text) if str(entry.get("correction") or "").strip()]
    own = [entry for entry in found if re.sub(r"\D", "", str(entry.get("step", ""))) == str(step)]
    chosen = own[0] if len(own) == 1 else found[0] if len(found) == 1 and "step" not in found[0] else None
    return None if chosen is None else str(chosen["correction"]).strip()


@dataclass(frozen=True, slots=True)
class Rated(DeclaredStrategy):
    """Answer once, then have the verifier rate the answer: best-of-N and step aggregation choose among the repeats by it."""

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`. A refusal, or nothing at all, is not rated: it is no candidate."""
        response = await ask(sample.messages, media, "answer")
        if response.status != "ok" or not (response.text or "").strip():
            return Answered(response, Trail(turns=int(response.status == "ok")))
        rating = await Rater(self.section).rate(sample, media, ask, response.text or "")
        if isinstance(rating, Response):
            return Answered(rating, Trail(turns=1))
        return Answered(response, Trail(turns=1, rewards=rating.scores))


@dataclass(frozen=True, slots=True)
class RefinedBestOfN(DeclaredStrategy):
    """GM-PRM (2508.04088): where the critic finds a first wrong step, replace it by its correction and let the model go on.

    Of the first answer and the refined one the better rated is the row's (the first when they are equal), so that the best
    of all repeats is chosen from originals and refined answers together. `refined`: whether there was a correction.
    """

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`."""
        rater = Rater(self.section)
        first = await ask(sample.messages, media, "answer")
        if first.status != "ok" or not (first.text or "").strip():
            return Answered(first, Trail(turns=int(first.status == "ok")))
        rating = await rater.rate(sample, media, ask, first.text or "")
        if isinstance(rating, Response):
            return Answered(rating, Trail(turns=1))
        before = {"reward_first": rating.value}
        if rating.wrong is None or not rating.correction:
            return Answered(first, Trail(turns=1, rewards={**rating.scores, **before, "refined": 0.0}))
        kept = "".join(rating.steps[: rating.wrong]) + rating.correction.rstrip() + "\n\n"
        so_far = (
            *sample.messages,
            Message("assistant", (TextPart(kept),)),
            Message("user", (TextPart(GO_ON),)),
        )
        rest = await ask(so_far, media, "refine")
        if rest.status != "ok":
            return Answered(rest, Trail(turns=1))
        text = kept + (rest.text or "")
        second = await rater.rate(sample, media, ask, text)
        if isinstance(second, Response):
            return Answered(second, Trail(turns=2))
        used = (first.completion_tokens or 0) + (rest.completion_tokens or 0)
        refined = Response("ok", text=text, finish_reason=rest.finish_reason, completion_tokens=used)
        response, chosen = (refined, second) if second.value > rating.value else (first, rating)
        return Answered(response, Trail(turns=2, rewards={**chosen.scores, **before, "refined": 1.0}))


@dataclass(frozen=True, slots=True)
class GuidedGreedy(DeclaredStrategy):
    """Guided greedy search (VL-PRM, 2509.23250): draw candidates for each step and keep the one that is rated best.

    The solution so far is shown as the assistant's turn with the request for one more step, since not every endpoint can
    continue an unfinished turn. Of equally rated candidates the first is kept. It ends with a step that states an answer,
    or after `turns` steps (then cut off).
    """

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`."""
        rater = Rater(self.section)
        text, used, steps, last = "", 0, 0, None
        while steps < self.section.turns:
            messages = _with_more(sample, text)
            draws = range(steps * self.section.candidates, (steps + 1) * self.section.candidates)
            found = await asyncio.gather(*(ask.draw(messages, media, "step", number) for number in draws))
            failed = next((response for response in found if response.status != "ok"), None)
            if failed is not None:
                return Answered(failed, Trail(turns=steps))
            used += sum(response.completion_tokens or 0 for response in found)
            options = list(dict.fromkeys((split_steps(response.text or "") or [""])[0].strip() for response in found))
            options = [option for option in options if option]
            if not options:
                break
            ratings = await asyncio.gather(*(rater.rate(sample, media, ask, _joined(text, one)) for one in options))
            rated = [rating for rating in ratings if not isinstance(rating, Response)]
            wrong = next((rating for rating in ratings if isinstance(rating, Response)), None)
            if wrong is not None:
                return Answered(wrong, Trail(turns=steps))
            place = max(range(len(options)), key=lambda number: rated[number].value)
            text, last, steps = _joined(text, options[place]), rated[place], steps + 1
            if _FINAL.search(options[place]):
                return Answered(_done(text, "stop", used), Trail(turns=steps, rewards=last.scores))
        return Answered(_done(text, "length", used), Trail(turns=steps, rewards={} if last is None else last.scores))


def _done(text: str, finish: str, used: int) -> Response:
    return Response("ok", text=text, finish_reason=finish, completion_tokens=used)


def _joined(text: str, step: str) -> str:
    return f"{text}\n\n{step}" if text else step


def _with_more(sample: Sample, text: str) -> tuple[Message, ...]:
    """The conversation that asks for the next step."""
    if text:
        return (*sample.messages, Message("assistant", (TextPart(text),)), Message("user", (TextPart(NEXT_STEP),)))
    *before, last = sample.messages
    return (*before, Message(last.role, (*last.parts, TextPart(FIRST_STEP))))
