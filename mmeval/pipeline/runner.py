"""The asynchronous run of one model over a whole plan: one queue, no barrier between tasks, bounded memory, durable answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from mmeval.conditions.base import verifier_of
from mmeval.conditions.look_scores import trail_scores
from mmeval.conditions.strategy import Strategy, Trail, without_gold
from mmeval.core.errors import MediaError
from mmeval.core.types import Request, Response, Verdict
from mmeval.engines.base import Engine
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.budget import ByteBudget, Hold, budget_for
from mmeval.pipeline.cache import KEPT_STATUS
from mmeval.pipeline.chain import Chain, rule_verdict
from mmeval.pipeline.identity import cache_key
from mmeval.pipeline.judging import REWARD, JudgeDesk
from mmeval.pipeline.plan import Effort
from mmeval.pipeline.session import Conversation, NotAsked
from mmeval.pipeline.tokens import scores_hash, token_scores
from mmeval.pipeline.work import Call, Shown, Stage, Ticket, Unit, lightened, prepare_together, tickets
from mmeval.tasks.samples import SOUGHT

Judging: TypeAlias = Literal["now", "later", "only"]

READ_AHEAD = 16
"""Rows that the reading thread takes from the data set at once; so many more may be waiting for a thread that prepares them."""
TAKING_S = 0.02
"""How long the reading thread collects them at most: rows that lie far apart in a file are handed over as they come."""
TOGETHER = 8
"""Samples that one call of a preparing thread takes at most: handing over costs more than preparing a small sample."""
TOGETHER_BYTES = 8 << 20
"""Media of such a call, after which it hands over what it has."""
AHEAD = 512
"""Samples that are prepared ahead of those in flight at most, where there are many slots."""
LONG_ANSWER = 200_000
"""Characters from which an answer is verified in a thread, because reading it takes long and requests wait meanwhile."""
SETTLING = 2048
"""Answered rows that may wait for their verdict (a judge, a slow verifier) while further ones are asked."""


@dataclass(frozen=True, slots=True)
class Finished:
    """One row's result."""

    unit: Unit
    response: Response
    verdict: Verdict
    calls: tuple[Call, ...] = ()
    """Model calls behind the row, where there was more than the plain one (strategies, judges)."""


class ModelRun:
    """Runs one engine over a plan.

    Args:
        engine: started on the first request that the cache cannot answer.
        stage: what to ask.
        effort: how hard.
        progress: counts to keep.
        deliver: receives each finished row, in the event loop.
        start: starts the engine; called at most once, before the first model call.
        judging: `now` asks the judge of `desk` as soon as a row needs it; `later` leaves such rows out, for a second
            run with `only`, which finds their answers in the cache and delivers nothing else.
        desk: where judges are asked; without one, tasks are scored by their rules alone.
    """

    def __init__(
        self,
        engine: Engine,
        stage: Stage,
        effort: Effort,
        progress: Progress,
        deliver: Callable[[Finished], None],
        start: Callable[[], object] | None = None,
        judging: Judging = "now",
        desk: JudgeDesk | None = None,
    ) -> None:
        self.stage = stage
        self.effort = effort
        self.progress = progress
        self.deliver = deliver
        self._asker = Asker(engine, stage.info.slots, effort, progress, start, stage.trace)
        self._judging = judging
        self._desk = desk
        self._reach = _reach(self._asker.slots)
        self._window = asyncio.Semaphore(self._reach)
        self._asker.grown = self._grow
        self._settling = asyncio.Semaphore(SETTLING)
        self._budget = ByteBudget(budget_for(effort.media_budget_bytes, self._asker.slots))
        self._unprepared = asyncio.Semaphore(2 * READ_AHEAD)
        self._preparing = asyncio.Semaphore(effort.workers)
        self._together = 1
        """Samples that the next call of a preparing thread takes; grows while such calls are quick."""
        self._verifying = ThreadPoolExecutor(effort.workers, "mmeval-verify")
        self._viewing = ThreadPoolExecutor(effort.workers, "mmeval-view")
        self._chains: dict[int, Chain] = {}
        self._asking: dict[str, asyncio.Future[Response]] = {}

    @property
    def asker(self) -> Asker:
        """Its slots."""
        return self._asker

    def _grow(self, slots: int) -> None:
        """Look further ahead, since the engine now works on so many requests more at once."""
        before, self._reach = self._reach, max(self._reach, _reach(self._asker.slots))
        for _ in range(self._reach - before):
            self._window.release()
        self._budget.widen(budget_for(self.effort.media_budget_bytes, self._asker.slots))

    async def run(self, stop: asyncio.Event) -> None:
        """Ask everything, until done or `stop` is set.

        Raises:
            StorageError: when the cache or the run folder cannot be written any more.
            DataError: when the data set turns out to be broken.
            EngineError: when the engine cannot start.
        """
        self.progress.state = "running"
        with (
            ThreadPoolExecutor(1, "mmeval-read") as reading,
            ThreadPoolExecutor(self.effort.workers, "mmeval-prepare") as preparing,
        ):
            try:
                async with asyncio.TaskGroup() as group:
                    watcher = group.create_task(_raise_when(stop))
                    await self._feed(reading, preparing)
                    watcher.cancel()
            except* _Stopped:
                pass  # the user asked to stop; what is committed stays
            finally:
                preparing.shutdown(wait=False, cancel_futures=True)
                reading.shutdown(wait=False, cancel_futures=True)
                self._verifying.shutdown(wait=False, cancel_futures=True)
                self._viewing.shutdown(wait=False, cancel_futures=True)
        self.progress.state = "done"

    async def _feed(self, reading: ThreadPoolExecutor, preparing: ThreadPoolExecutor) -> None:
        """Start every sample as the window allows, and return when all are finished."""
        loop = asyncio.get_running_loop()
        source = tickets(self.stage, judged=self._desk is not None and self._judging == "now")
        async with asyncio.TaskGroup() as group:
            following = loop.run_in_executor(reading, self._take, source)
            while batch := await following:
                following = loop.run_in_executor(reading, self._take, source)
                while batch:
                    together, batch = batch[: self._together], batch[self._together :]
                    for _ in together:
                        # Rows that are not prepared hold their pictures too, and no budget counts those.
                        await self._unprepared.acquire()
                        await self._window.acquire()
                    group.create_task(self._prepare(together, preparing, group))

    def _take(self, source: Iterator[Ticket]) -> list[Ticket]:
        with self.stage.trace.span("read"):
            taken: list[Ticket] = []
            until = time.monotonic() + TAKING_S
            for ticket in source:
                taken.append(ticket)
                if len(taken) >= READ_AHEAD or time.monotonic() > until:
                    break
            return taken

    async def _prepare(
        self, together: Sequence[Ticket], preparing: ThreadPoolExecutor, group: asyncio.TaskGroup
    ) -> None:
        """Prepare samples in one call of a thread, and start each; what the call left out is prepared one by one."""
        budget = self._budget
        # Sizes are known only after reading, so no more may read at once than the budget can overshoot by.
        most = min(TOGETHER_BYTES, budget.limit // (4 * self.effort.workers))
        async with self._preparing:
            await budget.room()
            prepared = await asyncio.get_running_loop().run_in_executor(
                preparing, prepare_together, self.stage, together, most
            )
            for units in prepared:
                budget.take(units[0].bytes if units else 0)
        for units in prepared:
            self._unprepared.release()
            group.create_task(self._sample(units))
        left = together[len(prepared) :]
        self._together = max(1, len(prepared)) if left else min(TOGETHER, 2 * len(together))
        for ticket in left:
            group.create_task(self._prepare([ticket], preparing, group))

    async def _sample(self, units: list[Unit]) -> None:
        hold = Hold(self._budget, units[0].bytes if units else 0, self._window, len(units))
        try:
            if len(units) == 1:
                await self._unit(units.pop(), hold)
            else:
                async with asyncio.TaskGroup() as group:
                    while units:
                        group.create_task(self._unit(units.pop(), hold))
        finally:
            hold.give()

    async def _unit(self, unit: Unit, hold: Hold) -> None:
        response, calls, way = await self._answer(unit)
        cached = unit.stored is not None or (bool(calls) and all(call.cached for call in calls))
        shows_media = self._shows_media(unit.order.task)
        if not shows_media:
            unit = lightened(unit)
        # Waiting for a verdict must not keep the samples behind from being asked.
        async with self._settling:
            hold.answered(shows_media)
            if response is not None:
                await self._finish(unit, response, calls, way, cached=cached)

    async def _answer(self, unit: Unit) -> tuple[Response | None, tuple[Call, ...], dict[str, float]]:
        """The answer of one unit (from the cache, from the model, or why it cannot be asked), the calls of a strategy, and its scores."""
        if unit.failure is not None:
            return unit.failure, (), {}
        plainly = self._way(unit, Trail(turns=1))
        if unit.stored is not None:
            return unit.stored, (), plainly
        assert unit.request is not None
        if unit.other is not None:
            return await self._by_tokens(unit, unit.request, unit.other)
        if unit.strategy is not None:
            return await self._by_strategy(unit, unit.strategy, unit.request)
        if self._judging == "only":
            return None, (), {}
        return await self._ask_once(unit.key, unit.request), (), plainly

    async def _ask_once(self, key: str, request: Request) -> Response:
        """Ask and commit; whoever wants the same answer meanwhile waits for it, since a second one could be another."""
        under_way = self._asking.get(key)
        if under_way is not None:
            return await under_way
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asking[key] = answer
        try:
            response = await self._commit(key, await self._asker.ask(request))
            answer.set_result(response)
            return response
        finally:
            answer.cancel()
            del self._asking[key]

    async def _commit(self, key: str, response: Response) -> Response:
        """Commit what is permanent, and return the answer that stands (see `ResponseCache.put`)."""
        if response.status not in KEPT_STATUS:
            return response
        engine = self.stage.info.engine
        return await self.stage.cache.commit(key, response, engine=engine, model=self.progress.model)

    async def _by_strategy(
        self, unit: Unit, strategy: Strategy, plain: Request
    ) -> tuple[Response | None, tuple[Call, ...], dict[str, float]]:
        """Let a strategy ask; every call is looked up and committed by itself."""
        # A judge that comes later rates later: what the strategy has asked so far is in the cache by then.
        verify = None if self._desk is None or self._judging == "later" else self._desk.verify
        talk = Conversation(
            unit,
            plain,
            self.stage,
            self._asker.ask,
            self.progress.model,
            self._judging == "only",
            self._viewing,
            verify,
        )
        try:
            answered = await strategy.answer(without_gold(unit.sample), unit.media, talk)
        except NotAsked:
            return None, (), {}
        except MediaError as error:
            answered = Response("error", error=str(error))
        calls = tuple(talk.calls)
        if isinstance(answered, Response):
            return answered, calls, {}
        return answered.response, calls, self._way(unit, answered.trail)

    def _way(self, unit: Unit, trail: Trail) -> dict[str, float]:
        section = unit.task.card.strategy
        if section is None:
            return {}
        return trail_scores(section, trail, unit.sample.extras.get(SOUGHT) or {}, unit.sample.context.image_size)

    async def _by_tokens(
        self, unit: Unit, plain: Request, other: Shown
    ) -> tuple[Response | None, tuple[Call, ...], dict[str, float]]:
        """Score the tokens of the plain answer after both prompts; the answer and the scores are committed by themselves."""
        answered = self.stage.cache.get(unit.key)
        known = answered is not None
        if answered is None:
            if self._judging == "only":
                return None, (), {}
            answered = await self._ask_once(unit.key, plain)
        made = Call("answer", None, self.progress.model, unit.request_hash, plain.messages, answered, known)
        if answered.status != "ok":
            return answered, (made,), {}
        second = replace(plain, messages=other.messages, media=other.media)
        asked = scores_hash(plain, second, answered.text or "", self.stage.info)
        key = cache_key(asked, self.stage.scope)
        response = self.stage.cache.get(key)
        stored = response is not None
        if response is None:
            if self._judging == "only":
                return None, (), {}
            async with self._asker.slot() as engine:
                response = await token_scores(engine, plain, second, answered.text or "")
            response = await self._commit(key, response)
        call = Call("scores", None, self.progress.model, asked, other.messages, response, stored)
        return response, (made, call), {}

    def _chain(self, task: int) -> Chain:
        chain = self._chains.get(task)
        if chain is None:
            chain = self._chains[task] = Chain.of(self.stage.plan.tasks[task].task, self._desk is not None)
        return chain

    def _shows_media(self, task: int) -> bool:
        return any(step.card.shows_image for step in self._chain(task).steps)

    async def _finish(
        self, unit: Unit, response: Response, made: tuple[Call, ...], way: Mapping[str, float], *, cached: bool
    ) -> None:
        chain = self._chain(unit.order.task)
        own = verifier_of(unit.condition)
        if own is not None:
            chain = Chain(own)
        with self.stage.trace.span("verify"):
            if chain.blocking or len(response.text or "") > LONG_ANSWER:
                loop = asyncio.get_running_loop()
                verdict = await loop.run_in_executor(self._verifying, rule_verdict, chain, response, unit.sample)
            else:
                verdict = rule_verdict(chain, response, unit.sample)
        calls = made
        needed = chain.open(response, verdict, unit.sample)
        # What a verifier has rated could not be delivered before it was loaded.
        rated = any(call.role == REWARD for call in made)
        if (self._judging == "only" and not needed and not rated) or (self._judging == "later" and needed):
            return
        if chain.steps:
            assert self._desk is not None
            with self.stage.trace.span("judge"):
                verdict, judged = await self._desk.judge(chain, unit, response, verdict)
            calls = made + judged
        if way and verdict.outcome in ("scored", "no_answer", "unscored"):
            verdict = replace(verdict, scores={**verdict.scores, **way})
        progress = self.progress
        progress.done += 1
        # In a second phase all answers come from the cache, where the first has just put them.
        progress.cached += cached and self._judging != "only"
        progress.completion_tokens += response.completion_tokens or 0
        if verdict.outcome in {"scored", "no_answer"}:
            progress.answered += 1
        elif verdict.outcome in {"error", "unscored"}:
            progress.failed += 1
            progress.trouble = response.error or verdict.reason
        self.deliver(Finished(unit, response, verdict, calls))


def _reach(slots: int) -> int:
    """Samples that are under way at most: those in flight, and those prepared behind them."""
    return slots + min(3 * slots, AHEAD) + 64


class _Stopped(Exception):
    """Raised inside the task group when the user interrupts."""


async def _raise_when(stop: asyncio.Event) -> None:
    await stop.wait()
    raise _Stopped
