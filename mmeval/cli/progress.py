"""The progress display of a run: a live bar on a terminal, a line now and then elsewhere. On stderr."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from mmeval.pipeline.asking import Progress
from mmeval.reports.format import visible_text

REFRESH_S = 0.25
LINE_EVERY_S = 15.0


@asynccontextmanager
async def progress_display(started: float | None = None) -> AsyncIterator[Callable[[Sequence[Progress]], None]]:
    """Give a callback that shows the progress handed to it, until the context is left.

    Args:
        started: monotonic time from which rates count; when None, that of the callback's call.
    """
    display: asyncio.Task[None] | None = None

    def observe(progress: Sequence[Progress]) -> None:
        nonlocal display
        display = asyncio.create_task(show_progress(progress, time.monotonic() if started is None else started))

    try:
        yield observe
    finally:
        if display is not None:
            display.cancel()
            await asyncio.gather(display, return_exceptions=True)


async def show_progress(progress: Sequence[Progress], started: float) -> None:
    """Show until cancelled."""
    if sys.stderr.isatty():
        await _bars(progress)
    else:
        await _lines(progress, started)


def describe(entry: Progress, elapsed: float) -> str:
    """One line: done, in flight, failed, coverage, tokens per second."""
    share = f"/{entry.total}" if entry.total is not None else ""
    coverage = f", coverage {entry.answered / entry.done:.1%}" if entry.done else ""
    tokens = f", {entry.completion_tokens / elapsed:.0f} tok/s" if entry.asked and elapsed > 0 else ""
    failed = f", {entry.failed} failed ({entry.trouble[:80]})" if entry.failed else ""
    state = " (loading the model)" if entry.state == "loading" else ""
    if (left := entry.waiting_until - time.monotonic()) > 0:
        state += f" (waiting {left:.0f} s more, as the server asks)"
    return f"{entry.model}: {entry.done}{share} done, {_in_flight(entry)}, {entry.cached} cached{coverage}{tokens}{failed}{state}"


def _in_flight(entry: Progress) -> str:
    """Requests in flight, and how many there may be where that adapts to the server."""
    return f"{entry.in_flight} of {entry.limit} in flight" if entry.limit else f"{entry.in_flight} in flight"


async def _lines(progress: Sequence[Progress], started: float) -> None:
    shown = time.monotonic()
    try:
        while True:
            await asyncio.sleep(REFRESH_S)
            _tell(progress)
            if time.monotonic() - shown < LINE_EVERY_S:
                continue
            shown = time.monotonic()
            for entry in progress:
                if entry.state in {"running", "loading"}:
                    print(visible_text(describe(entry, shown - entry.started)), file=sys.stderr, flush=True)
    finally:
        _tell(progress)


def _tell(progress: Sequence[Progress]) -> None:
    """Print what came up since the last time. rich lets a live bar stay below what is printed."""
    for entry in progress:
        while entry.notices:
            print(visible_text(entry.notices.pop(0)), file=sys.stderr, flush=True)


async def _bars(progress: Sequence[Progress]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=Console(stderr=True),
        refresh_per_second=4,
    )
    with bars:
        rows = [bars.add_task(visible_text(entry.model), total=entry.total, detail="") for entry in progress]
        try:
            while True:
                _tell(progress)
                _update(bars, rows, progress)
                await asyncio.sleep(REFRESH_S)
        finally:
            _tell(progress)
            _update(bars, rows, progress)


def _update(bars: object, rows: Sequence[int], progress: Sequence[Progress]) -> None:
    for row, entry in zip(rows, progress, strict=True):
        elapsed = max(time.monotonic() - entry.started, 1e-3)
        parts = [_in_flight(entry)]
        if entry.cached:
            parts.append(f"{entry.cached} cached")
        if entry.failed:
            parts.append(f"{entry.failed} failed")
        if entry.done:
            parts.append(f"coverage {entry.answered / entry.done:.1%}")
        if entry.asked:
            parts.append(f"{entry.completion_tokens / elapsed:.0f} tok/s")
        if (left := entry.waiting_until - time.monotonic()) > 0:
            parts.append(f"server asks to wait {left:.0f} s")
        detail = "loading the model" if entry.state == "loading" else " · ".join(parts)
        bars.update(row, completed=entry.done, detail=detail)  # type: ignore[attr-defined]
