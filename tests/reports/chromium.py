"""A headless Chromium driven over the DevTools protocol: enough to open a page, run script in it, press keys and look."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--hide-scrollbars",
    "--disable-ipc-flooding-protection",
)  # fmt: skip
PATIENCE_S = 60.0


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab, with everything that it logged, asked for or opened."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self.problems: list[str] = []
        """Console errors and warnings, exceptions, policy violations, dialogs."""
        self.requests: list[str] = []
        """URLs that were asked for, without data: and blob: ones."""

    async def listen(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event:
                self._answers.pop(event["id"]).set_result(event)
                continue
            method, given = event["method"], event.get("params", {})
            if method == "Runtime.exceptionThrown":
                self.problems.append(f"exception: {given['exceptionDetails']}")
            elif method == "Runtime.consoleAPICalled" and given["type"] in {"error", "warning", "assert"}:
                self.problems.append(f"console: {given['args']}")
            elif method == "Log.entryAdded" and given["entry"]["level"] in {"error", "warning"}:
                self.problems.append(f"log: {given['entry']['text']}")
            elif method == "Page.javascriptDialogOpening":
                self.problems.append(f"dialog: {given['message']}")
                asyncio.get_running_loop().create_task(self.send("Page.handleJavaScriptDialog", accept=False))
            elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("data:", "blob:")):
                self.requests.append(given["request"]["url"])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        event = await asyncio.wait_for(answer, PATIENCE_S)
        if "error" in event:
            raise RuntimeError(f"{method}: {event['error']}")
        result: dict[str, Any] = event["result"]
        return result

    async def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its JSON value."""
        result = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        """Evaluate an expression until it is truthy."""
        end = time.monotonic() + PATIENCE_S
        while not (value := await self.run(script)):
            if time.monotonic() > end:
                raise AssertionError(f"never true: {script}")
            await asyncio.sleep(0.05)
        return value

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def resize(
        self, width: int, height: int, *, phone: bool = False, dark: bool = False, medium: str = "screen"
    ) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def browser(script: bool = True) -> AsyncIterator[Page]:
    """Start a Chromium with a profile of its own, and end it."""
    program = find_chromium()
    if program is None:
        raise RuntimeError("no Chromium on the path")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = await _port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                    pages = await response.json()
                address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    listening = asyncio.create_task(page.listen())
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        await page.send(f"{domain}.enable")
                    if not script:
                        await page.send("Emulation.setScriptExecutionDisabled", value=True)
                    yield page
                    listening.cancel()
        finally:
            process.terminate()
            process.wait(timeout=20)


async def _port(path: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"Chromium ended with code {process.returncode}")
        if path.exists() and (lines := path.read_text().split()):
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise RuntimeError("Chromium did not open its debugging port")
