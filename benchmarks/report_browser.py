"""How long the sample browser of a large report takes to open, to filter and to search, in headless Chromium.

    python benchmarks/report_browser.py [--samples 10000] [--models 3] [--images 100] [--rounds 5] [--report FILE]

Makes the run of `report_at_size.py`, builds its report whole (no limit of size), and opens it from disk `--rounds` times. Load: from the start of the
navigation to the drawn list. Filters: from the event to the list in the document, and until that is painted. Typing: every key of a phrase, from the event to the list, and
the longest time in which the page did not answer. Prints median and worst, the load of the machine, and how they stand to the limits.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from report_at_size import make_run

from mmeval.reports.build import build_report
from mmeval.runs.folder import open_run

LOAD_S, FILTER_MS = 3.0, 200.0
READY = "document.documentElement.dataset.ready"
PHRASE = "the answer is b"

TOOLS = """
const measured = window.measured = {
  choose(field, place) {
    const select = document.getElementById(`f-${field}`);
    const option = select.options[place % select.options.length];
    return measured.time(() => { select.value = option.value; select.dispatchEvent(new Event("change")); });
  },
  async time(action) {
    const began = performance.now();
    action();
    const drawn = performance.now() - began;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return [drawn, performance.now() - began];
  },
  async type(text) {
    const input = document.getElementById("f-text");
    const list = document.getElementById("matches");
    let longest = 0, last = performance.now(), on = true;
    const beat = () => { longest = Math.max(longest, performance.now() - last); last = performance.now(); if (on) setTimeout(beat); };
    const began = performance.now();
    const drawn = new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (list.textContent.startsWith("Searching")) return;
        watch.disconnect();
        resolve(performance.now() - began);
      });
      watch.observe(list, { childList: true, characterData: true, subtree: true });
    });
    beat();
    input.value = text;
    input.dispatchEvent(new Event("input"));
    const taken = await drawn;
    on = false;
    return [taken, longest];
  },
};
"""


def driver() -> Any:
    """The browser driver of the tests."""
    path = Path(__file__).parents[1] / "tests" / "reports" / "chromium.py"
    spec = importlib.util.spec_from_file_location("mmeval_benchmark_chromium", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def measure(report: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of loading, milliseconds of everything else."""
    chromium, found = driver(), dict[str, list[float]]()

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    async with chromium.browser() as page:
        await page.resize(1280, 860)
        for number in range(rounds):
            await page.open("about:blank")
            await page.open(report.as_uri())
            note("load, s", float(await page.until(READY)) / 1000)
            await page.until("document.getElementById('detail').getAttribute('aria-busy') === 'false'")
            await page.run(TOOLS)
            note("first search, ms", (await page.run(f"measured.type({PHRASE!r})"))[0])
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            for field in ("task", "subset", "condition", "model", "correct", "outcome", "finish", "kind"):
                for place in (1, 2, 0):
                    drawn, painted = await page.run(f"measured.choose({field!r}, {place})")
                    note(f"filter {field}, ms", drawn)
                    note("filter until painted, ms", painted)
            for chip in await page.run(
                "[...document.querySelectorAll('#pairs > .pairline button')].map((_, place) => place)"
            ):
                button = f"document.querySelectorAll('#pairs > .pairline button')[{chip}].click()"
                note("pair, ms", (await page.run(f"measured.time(() => {button})"))[0])
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            for end in range(1, len(PHRASE) + 1):
                if PHRASE[:end].strip() == PHRASE[: end - 1].strip():
                    continue
                taken, longest = await page.run(f"measured.type({PHRASE[:end]!r})")
                note("typing: key to list, ms", taken)
                note("typing: longest pause of the page, ms", longest)
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            note(
                "next sample (j), ms",
                (
                    await page.run(
                        "measured.time(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true })))"
                    )
                )[0],
            )
            if number == rounds - 1:
                memory = await page.send("Runtime.getHeapUsage")
                note("heap, MB", memory["usedSize"] / 1e6)
        if page.problems:
            raise SystemExit(f"the page complained: {page.problems}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--report", type=Path, help="a report that there is, instead of a new one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = given.report
        if report is None:
            report = Path(folder) / "report.html"
            make_run(Path(folder) / "run", given.samples, given.models, given.images)
            made = build_report([open_run(Path(folder) / "run")], report, max_mb=1000)
            print(
                f"{made.samples_shown} of {made.samples_total} samples × {given.models} models, {made.bytes / 1e6:.1f} MB"
            )
        found = asyncio.run(measure(report.resolve(), given.rounds))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, values in found.items():
        print(f"{name:<40} median {statistics.median(values):8.2f}   worst {max(values):8.2f}   of {len(values)}")
    filters = [
        value
        for name, values in found.items()
        if name.startswith(("filter ", "pair", "typing: key"))
        for value in values
    ]
    slow = max(found["load, s"]) >= LOAD_S or max(filters) >= FILTER_MS
    print(f"limits: load below {LOAD_S} s, filters below {FILTER_MS:.0f} ms: {'missed' if slow else 'kept'}")
    raise SystemExit(slow)


if __name__ == "__main__":
    main()
