"""Asking judges: the same queue discipline, retries and durable cache as models, with an identity of their own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.hashing import derived_seed
from mmeval.core.types import Message, PreparedMedia, Request, Response, Sampling, Verdict
from mmeval.engines.base import Engine, EngineInfo
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.cache import KEPT_STATUS, ResponseCache
from mmeval.pipeline.chain import JUDGE_AGREEMENT, JUDGED, RULE_CORRECT, Chain, Step, shown_response
from mmeval.pipeline.identity import cache_key, request_hash
from mmeval.pipeline.work import Call, Unit
from mmeval.verifiers.base import UNDECIDED, verify
from mmeval.verifiers.judge import JudgeFault, JudgeFinding, JudgeInput, combine, decide

_NO_SCHEMA = ("response_format", "json_schema", "structured", "guided", "schema")
"""Words by which an endpoint says that it cannot force a reply to follow a schema."""


REWARD = "reward"
"""Role of a call in which the judge model rates an answer as the verifier of a strategy."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How often a judge is asked; every field is identity."""

    repeats: int = 1
    """Verdicts per row, each with a seed of its own; the majority (grades: the mean) counts."""
    swap: bool = False
    """Ask once more with the two answers in the other order, where the judge card shows two."""
    seed: int = 0


@dataclass(slots=True)
class JudgeTally:
    """What judging cost and how it went, for the manifest."""

    rows: int = 0
    """Rows that a judge was asked about."""
    calls: int = 0
    """Calls made, cached ones left out."""
    cached: int = 0
    repaired: int = 0
    """Verdicts that took the repair request."""
    faults: Counter[str] = field(default_factory=Counter)
    """Why there was no verdict -> rows."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Sum of the latencies of the calls made."""
    agreements: list[float] = field(default_factory=list)

    def add(self, call: Call) -> None:
        """Count one call."""
        if call.cached:
            self.cached += 1
            return
        self.calls += 1
        self.prompt_tokens += call.response.prompt_tokens or 0
        self.completion_tokens += call.response.completion_tokens or 0
        self.seconds += call.response.latency_s or 0.0

    def summary(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {
            "rows": self.rows,
            "calls": self.calls,
            "cached": self.cached,
            "repaired": self.repaired,
            "faults": dict(self.faults.most_common(20)),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": round(self.seconds, 3),
        }
        if self.agreements:
            found["agreement"] = sum(self.agreements) / len(self.agreements)
        return found


class JudgeDesk:
    """Where rows go that rules leave open.

    Args:
        name: what tables call the judge, unless its endpoint says another name.
        engine: the judge's engine.
        info: what it says of itself.
        asker: its slots.
        cache: the response cache; a verdict is committed before the row is delivered, a reply without one never.
        scope: run id when the judge's weights are unknown.
        settings: repeats and swaps.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        info: EngineInfo,
        asker: Asker,
        cache: ResponseCache,
        scope: str | None,
        settings: JudgeSettings,
    ) -> None:
        self.name = name
        self.info = info
        self.settings = settings
        self.tally = JudgeTally()
        self._asker = asker
        self._cache = cache
        self._scope = scope
        self._supported = engine.supported_sampling
        self._forces_schema = bool(getattr(engine, "forces_schema", True))

    @property
    def asker(self) -> Asker:
        """Its slots."""
        return self._asker

    @property
    def progress(self) -> Progress:
        """Live counts of the judge."""
        return self._asker.progress

    @property
    def broken(self) -> bool:
        """Whether the judge's engine could not start."""
        return self._asker.broken

    async def judge(
        self, chain: Chain, unit: Unit, response: Response, verdict: Verdict
    ) -> tuple[Verdict, tuple[Call, ...]]:
        """Take a row through the judges of its chain.

        Returns:
            the verdict and the calls made for it. A judge that gives no verdict leaves the row `unscored`: never right,
            never wrong, and asked again by the next run.
        """
        rules = verdict
        calls: list[Call] = []
        asked = False
        extracted, extraction = False, None
        agreement: float | None = None
        if chain.open(response, verdict, unit.sample):
            for step in chain.steps:
                if not step.applies(verdict) or (extracted and extraction is None and step.compares_extractions):
                    continue  # a response without an answer has nothing to compare
                asked = True
                finding, share = await self._ask(step, self._input(step, unit, response, extraction), unit, calls)
                agreement = share if self._times(step) > 1 else None
                if isinstance(finding, JudgeFault):
                    self.tally.faults[finding.reason[:200]] += 1
                    verdict = self._without(step, finding, verdict, calls)
                    break
                self.tally.repaired += finding.repaired
                if finding.kind == "extraction":
                    extracted, extraction = True, finding.value
                verdict = await self._found(step, finding, unit, response, verdict, calls)
        if asked:
            self.tally.rows += 1
        for call in calls:
            self.tally.add(call)
        scores = dict(verdict.scores)
        if asked:
            scores.pop(UNDECIDED, None)
        if rules.outcome in ("scored", "no_answer"):
            scores[RULE_CORRECT] = float(bool(rules.correct))
        if verdict.outcome in ("scored", "no_answer"):
            scores[JUDGED] = float(asked)
            if agreement is not None:
                scores[JUDGE_AGREEMENT] = agreement
                self.tally.agreements.append(agreement)
        return replace(verdict, scores=scores), tuple(calls)

    async def verify(self, request: Request, accepts: Callable[[str], bool] | None) -> tuple[Response, Call]:
        """Ask the judge model as the verifier of a strategy: for a score, or for a critique that `accepts` can read."""
        asked = request_hash(request, self.info)
        key = cache_key(asked, self._scope)
        stored = self._cache.get(key)
        response = stored or await self._asker.ask(request)
        readable = accepts is None or accepts(response.text or "")
        if stored is None and readable:
            response = (await self._commit([(key, response)]))[0]
        call = Call(REWARD, None, response.model or self.name, asked, request.messages, response, stored is not None)
        self.tally.add(call)
        return response, call

    async def find(
        self, step: Step, unit: Unit, response: Response
    ) -> tuple[JudgeFinding | JudgeFault, tuple[Call, ...]]:
        """Ask one judge about a row, outside any chain: what it finds, and the calls made for it."""
        calls: list[Call] = []
        finding, _ = await self._ask(step, self._input(step, unit, response, None), unit, calls)
        self.tally.rows += 1
        for call in calls:
            self.tally.add(call)
        if isinstance(finding, JudgeFault):
            self.tally.faults[finding.reason[:200]] += 1
        return finding, tuple(calls)

    def _times(self, step: Step) -> int:
        return self.settings.repeats * (2 if self._swaps(step) else 1)

    def _swaps(self, step: Step) -> bool:
        return self.settings.swap and step.card.swaps

    def _input(self, step: Step, unit: Unit, response: Response, extraction: str | None) -> JudgeInput:
        sample = unit.sample
        text = shown_response(response, sample)
        if step.last_words is not None:
            text = " ".join(text.split(" ")[-step.last_words :])
        hidden = step.card.kind == "extraction"
        return JudgeInput(
            question=str(sample.item.get("question", "")),
            choices=tuple(sample.context.choices),
            response=text,
            target=None if hidden else sample.target,
            extraction=extraction,
            fields={**_plain(sample.context.options), **dict(sample.extras.get("judge") or {})},
            images=len(unit.media) if step.card.shows_image else 0,
        )

    async def _ask(
        self, step: Step, given: JudgeInput, unit: Unit, calls: list[Call]
    ) -> tuple[JudgeFinding | JudgeFault, float]:
        """All verdicts of one step, and how far they agree."""
        ways = [
            (repeat, swapped)
            for repeat in range(self.settings.repeats)
            for swapped in ((False, True) if self._swaps(step) else (False,))
        ]
        found = await asyncio.gather(
            *(self._once(step, given, unit, calls, repeat, swapped) for repeat, swapped in ways)
        )
        return (found[0], 1.0) if len(found) == 1 else combine(found)

    async def _once(
        self, step: Step, given: JudgeInput, unit: Unit, calls: list[Call], repeat: int, swapped: bool
    ) -> JudgeFinding | JudgeFault:
        fresh: list[tuple[str, Response]] = []
        own: list[Call] = []

        async def ask(messages: tuple[Message, ...], schema: Mapping[str, Any]) -> Response:
            request = self._request(step, messages, schema, unit, repeat)
            asked = request_hash(request, self.info)
            key = cache_key(asked, self._scope)
            stored = self._cache.get(key)
            response = stored or await self._asker.ask(request)
            if stored is None and request.schema is not None and _refuses_schema(response):
                self._forces_schema = False
                self._asker.progress.notices.append(
                    f"judge {self.name}: the endpoint cannot force a JSON schema ({response.error}); asked without from now on"
                )
                return await ask(messages, schema)
            if stored is None:
                fresh.append((key, response))
            self._asker.progress.cached += stored is not None
            own.append(
                Call(
                    "judge", step.card.name, response.model or self.name, asked, messages, response, stored is not None
                )
            )
            return response

        try:
            finding, _ = await decide(step.card, given, ask, swapped=swapped)
        except DataError as error:  # the row lacks what the card needs: its data's fault, and not the judge's
            finding = JudgeFault(error.message)
        # A reply without a verdict is not kept: the next run asks again.
        if isinstance(finding, JudgeFinding) and await self._commit(fresh) != [response for _, response in fresh]:
            # Another process has committed other replies first: the verdict is the one that they give.
            return await self._once(step, given, unit, calls, repeat, swapped)
        calls += own
        self._asker.progress.done += 1
        if isinstance(finding, JudgeFault):
            self._asker.progress.failed += 1
            self._asker.progress.trouble = finding.reason
        return finding

    async def _commit(self, fresh: Sequence[tuple[str, Response]]) -> list[Response]:
        """Commit what is permanent, and return the replies that stand (see `ResponseCache.put`)."""
        committed = [
            self._cache.put(key, response, engine=self.info.engine, model=self.name)
            if response.status in KEPT_STATUS
            else None
            for key, response in fresh
        ]
        return [
            response if future is None else await asyncio.wrap_future(future)
            for future, (_, response) in zip(committed, fresh, strict=True)
        ]

    def _request(
        self, step: Step, messages: tuple[Message, ...], schema: Mapping[str, Any], unit: Unit, repeat: int
    ) -> Request:
        decoding = step.card.decoding
        seed = derived_seed(self.settings.seed, "judge", unit.sample.id, unit.order.repeat * 1000 + repeat)
        sampling = Sampling(
            temperature=decoding.temperature,
            max_tokens=decoding.max_tokens,
            seed=seed if "seed" in self._supported else None,
        )
        media: tuple[PreparedMedia, ...] = unit.media if step.card.shows_image else ()
        return Request(
            id=f"judge/{step.card.name}/{unit.task.name}/{unit.sample.id}/{unit.condition}/{unit.order.repeat}/{repeat}",
            messages=messages,
            media=media,
            sampling=sampling,
            repeat=repeat,
            schema=schema if self._forces_schema else None,
            sample=replace(unit.sample, messages=messages),
        )

    async def _found(
        self, step: Step, finding: JudgeFinding, unit: Unit, response: Response, before: Verdict, calls: Sequence[Call]
    ) -> Verdict:
        sample = unit.sample
        identity = f"judge:{step.card.name}/{step.card.version}"
        judged: dict[str, Any] = {
            "judge_model": calls[-1].model if calls else self.name,
            "judge_verdict": str(finding.value) if finding.value is not None else "no answer",
            "judge_reason": finding.reason or None,
        }
        if finding.kind == "extraction":
            assert step.verifier is not None
            read = Response("ok", text=finding.value or "", finish_reason="stop")
            if getattr(step.verifier, "blocking", False):
                verdict = await asyncio.to_thread(verify, step.verifier, read, sample.target, sample.context)
            else:
                verdict = verify(step.verifier, read, sample.target, sample.context)
            return replace(verdict, span=None, verifier=f"{identity}+{verdict.verifier}", **judged)
        base = Verdict("scored", extracted=before.extracted, span=before.span, verifier=identity, **judged)
        if finding.kind == "equivalence":
            return replace(base, score=float(bool(finding.value)), correct=bool(finding.value))
        if finding.kind in ("grade", "steps"):
            named = {name: float(value) for name, value in finding.details.items() if _is_number(value)}
            return replace(base, score=finding.score, scores=named)
        return replace(base, outcome="unscored", reason=f"judge card {step.card.name} gives no score")

    def _without(self, step: Step, fault: JudgeFault, before: Verdict, calls: Sequence[Call]) -> Verdict:
        return Verdict(
            "unscored",
            reason=f"judge {step.card.name}: {fault.reason}",
            extracted=before.extracted,
            verifier=f"judge:{step.card.name}/{step.card.version}",
            judge_model=calls[-1].model if calls else self.name,
            judge_reason=fault.reason,
        )


def _refuses_schema(response: Response) -> bool:
    error = (response.error or "").lower()
    return response.status == "error" and not response.retryable and any(word in error for word in _NO_SCHEMA)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the row that a judge may want (answer type, precision, unit)."""
    return {name: value for name, value in options.items() if isinstance(value, (str, int, float, bool))}
