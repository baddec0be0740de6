"""All models over the plan, and the judge beside or after them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mmeval.core.errors import EngineError, MmevalError
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.judging import JudgeDesk
from mmeval.pipeline.plan import Effort
from mmeval.pipeline.retriever import KEY_VARIABLE, Retriever, RetrieverSettings
from mmeval.pipeline.runner import Finished, Judging, ModelRun
from mmeval.pipeline.trace import NO_TRACE, Tracer
from mmeval.pipeline.work import Stage, style_of
from mmeval.runs.live import LiveCounts
from mmeval.runs.rows import call_rows, result_row, sample_row
from mmeval.runs.tally import Tally
from mmeval.runs.writer import RunWriter

if TYPE_CHECKING:
    from mmeval.runs.config import RunConfig
    from mmeval.runs.preparing import Prepared


@dataclass(frozen=True, slots=True)
class Running:
    """All models over the plan, and the judge beside or after them."""

    prepared: Prepared
    folder: Path
    cache: ResponseCache
    writer: RunWriter
    progress: Sequence[Progress]
    tally: Tally
    run_id: str
    desk: JudgeDesk | None
    problems: list[MmevalError]
    live: LiveCounts
    trace: Tracer = NO_TRACE
    askers: list[Asker] = field(default_factory=list)
    """Of all models so far and of the judge; those that ask one server share its places."""

    async def all(self, stop: asyncio.Event) -> None:
        """Run everything; engines that fill the card (or all cores) by themselves run one after another, the judge last."""
        prepared = self.prepared
        if self.desk is not None:
            self.askers.append(self.desk.asker)
        together = [index for index, engine in enumerate(prepared.engines) if not engine.exclusive]
        alone = [index for index, engine in enumerate(prepared.engines) if engine.exclusive]
        later = bool(alone) and prepared.judge is not None and prepared.judge.engine.exclusive

        async def in_turn() -> None:
            for index in alone:
                if not stop.is_set():
                    await self._model(index, stop, "later" if later else "now")

        async with asyncio.TaskGroup() as group:
            for index in together:
                group.create_task(self._model(index, stop, "later" if later else "now"))
            group.create_task(in_turn())
        if later and not stop.is_set():
            async with asyncio.TaskGroup() as group:
                for index in range(len(prepared.engines)):
                    if self.progress[index].state != "failed":
                        group.create_task(self._model(index, stop, "only"))
        if self.desk is not None:
            self.desk.progress.state = "done"

    async def _model(self, index: int, stop: asyncio.Event, judging: Judging) -> None:
        prepared, desk = self.prepared, self.desk
        config = prepared.config
        notices = self.progress[index].notices
        retriever = retriever_of(config, lambda text: notices.append(f"retriever: {text}"))
        engine, info = prepared.engines[index], prepared.infos[index]
        stage = Stage(
            plan=prepared.plan,
            model=index,
            info=info,
            modalities=engine.modalities,
            supported=engine.supported_sampling,
            style=style_of(info),
            cache=self.cache,
            scope=None if info.shared_identity else self.run_id,
            media_dir=self.folder / "media" if config.media else None,
            frame_store=self.cache.path.with_name("frames"),
            retriever=retriever,
            run_id=self.run_id,
            trace=self.trace,
        )
        effort = Effort(concurrency=config.concurrency, attempts=config.attempts, outage_s=config.outage_s)
        run = ModelRun(
            engine, stage, effort, self.progress[index], partial(self._deliver, index), engine.start, judging, desk
        )
        any(run.asker.share(other) for other in self.askers)
        self.askers.append(run.asker)
        try:
            await run.run(stop)
        except* EngineError as group:
            # An engine that cannot start concerns its own model; the others go on.
            reason = first_error(group)
            if desk is not None and desk.broken:
                raise
            self.progress[index].state = "failed"
            self.problems.append(EngineError(f"model {prepared.names[index]}: {reason.message}", remedy=reason.remedy))
        finally:
            await engine.close()
            if retriever is not None:
                await retriever.close()

    def _deliver(self, index: int, finished: Finished) -> None:
        order, name = finished.unit.order, self.prepared.names[index]
        row = result_row(finished, name)
        self.tally.add(finished, row)
        self.live.add(finished)
        place = (order.model, order.task, order.condition, order.position, order.repeat)
        self.writer.add(place, row)
        for turn, call in enumerate(call_rows(finished, name)):
            self.writer.add_call((*place, turn), call)
        if order.repeat == 0:
            self.writer.add_sample(
                (order.task, order.condition, order.position), sample_row(finished.unit), (index, name)
            )


def retriever_of(config: RunConfig, tell: Callable[[str], None]) -> Retriever | None:
    """The user's retriever; its key comes from the environment and is kept nowhere. `tell` gets what the user must know of it."""
    if config.retriever is None:
        return None
    return Retriever(
        RetrieverSettings(
            config.retriever,
            os.environ.get(KEY_VARIABLE),
            Path(config.data_dir) if config.data_dir else None,
            config.attempts,
            config.timeout_s,
            outage_s=config.outage_s,
        ),
        tell,
    )


def first_error(group: BaseExceptionGroup[MmevalError]) -> MmevalError:
    """The first error inside a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MmevalError)
    return error
