"""The server of `mmeval view` in the process of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mmeval.reports.live_build import Builder, BuildOptions
from mmeval.reports.live_server import Viewer, bind, new_token, serve
from mmeval.runs.watch import Watches


def served(folder: Path, runs: list[str], check: Callable[[str, Viewer], Awaitable[None]], **options: Any) -> None:
    """Serve runs, and call `check` with the address."""

    async def main() -> None:
        folder.mkdir(exist_ok=True)
        listening, token, stop = bind(0), new_token(), asyncio.Event()
        viewer = Viewer(Watches(runs), Builder(folder, BuildOptions(**options)))
        task = asyncio.create_task(serve(viewer, token, listening, stop))
        try:
            await check(f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/", viewer)
        finally:
            stop.set()
            await task

    asyncio.run(main())
