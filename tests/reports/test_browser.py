"""The report in a real browser, from disk: filters, keys, links, hostile texts, no script, phone width."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports import bundle_folder
from mmeval.reports.build import build_report
from mmeval.reports.bundle_folder import build_bundle
from mmeval.runs.folder import Run

pytestmark = pytest.mark.browser

READY = "!document.getElementById('browser').hidden && document.getElementById('detail').getAttribute('aria-busy') === 'false'"
MATCHES = "document.getElementById('matches').textContent"
SELECTED = "document.querySelector('#list [aria-selected=true] .rowid')?.textContent"
HEADING = "document.querySelector('#detail h3').textContent"


def choose(field: str, label: str) -> str:
    """Script that picks the option of a filter whose text starts with `label`."""
    return (
        f"(() => {{ const select = document.getElementById('f-{field}');"
        f" select.value = [...select.options].find((option) => option.text.startsWith({label!r})).value;"
        " select.dispatchEvent(new Event('change')); return select.selectedOptions[0].text; })()"
    )


@pytest.fixture(scope="session")
def page_file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    build_report([run], path)
    return path


def test_filters_keys_and_links_work_without_any_request(chromium: Any, page_file: Path) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(page_file.as_uri())
            await page.until(READY)
            assert await page.run(MATCHES) == "56 of 56 samples"
            assert await page.run(HEADING) == "count-0000"

            assert await page.run(choose("task", "synthetic/box")) == "synthetic/box (8)"
            assert await page.run(MATCHES) == "8 of 56 samples"
            assert await page.run(HEADING) == "box-0000"
            assert (
                await page.run("document.querySelectorAll('.overlay rect').length") == 8
            )  # 4 outlines, each drawn twice
            assert await page.run("document.querySelector('.overlay').getAttribute('viewBox')") == "0 0 640 480"
            assert await page.run("document.querySelector('.frame img').naturalWidth") == 320

            await page.press("j")
            assert await page.run(SELECTED) == "box-0001"
            assert await page.run(HEADING) == "box-0001"
            await page.press("j")
            await page.press("k")
            assert await page.run(SELECTED) == "box-0001"
            link = await page.until("location.hash.includes('s=') && location.href")
            await asyncio.sleep(0.3)  # the address follows keys a little later
            link = await page.run("location.href")

            await page.press("/")
            assert await page.run("document.activeElement.id") == "f-text"
            for key in "j-0003":
                await page.press(key)
            await page.run("document.getElementById('f-text').value = 'CIRCLE 4'")
            await page.run("document.getElementById('f-text').dispatchEvent(new Event('input'))")
            await page.until(f"{MATCHES} === '2 of 56 samples'")

            await page.run("document.querySelector('.filters button[type=reset]').click()")
            assert await page.run(MATCHES) == "56 of 56 samples"
            error = await page.run(choose("outcome", "error"))
            assert error == "error (1)"
            assert await page.run(MATCHES) == "1 of 56 samples"
            assert "HTTP 500 <b>from</b> server" in await page.run("document.getElementById('detail').innerText")
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            await page.run("document.getElementById('f-disagree').click()")
            counted = await page.run("document.getElementById('n-disagree').textContent")
            assert await page.run(MATCHES) == f"{counted.strip('()')} of 56 samples"
            assert 0 < int(counted.strip("()")) < 56

            await page.open("about:blank")
            await page.open(link)
            await page.until(READY)
            assert await page.run(HEADING) == "box-0001"
            assert await page.run(MATCHES) == "8 of 56 samples"
            assert page.problems == []
            assert {url.partition("#")[0] for url in page.requests} <= {page_file.as_uri(), "about:blank"}

    asyncio.run(check())


def test_an_address_behind_the_samples_is_where_the_page_opens(chromium: Any, page_file: Path) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(page_file.as_uri() + "#provenance")
            await page.until(READY)
            await page.until(
                "Math.abs(document.getElementById('provenance').getBoundingClientRect().top - 56) < 10"
                " || window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 1"
            )

    asyncio.run(check())


def test_each_model_stands_below_the_prompt_that_it_was_sent(
    chromium: Any, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "own", count=0, box=0, hostile=False, own_prompts=2)
    build_report([run], tmp_path / "own.html")
    sections = (
        "[...document.querySelectorAll('#detail .viewname, #detail .turn .text, #detail .answer h5')]"
        ".map((node) => node.textContent).join(' | ')"
    )

    async def check() -> None:
        async with chromium.browser() as page:
            await page.open((tmp_path / "own.html").as_uri())
            await page.until(READY)
            assert await page.run(MATCHES) == "2 of 2 samples"
            first, *others = run.models
            assert await page.run(sections) == " | ".join(
                [
                    f"standard: {first}",
                    "Where? From 0 to 1000.",
                    first,
                    f"standard: {', '.join(others)}",
                    "Where? In pixels.",
                    *others,
                ]
            )

    asyncio.run(check())


NOTICES = "[...document.querySelectorAll('main > .notice')].map((node) => node.textContent).join(' | ')"
LEADERBOARD = "document.getElementById('leaderboard').textContent"


def test_a_run_without_rows_says_what_happened(chromium: Any, make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "none", count=0, box=0, hostile=False, status="interrupted")
    stopped = make_run(tmp_path / "stopped", count=0, box=0, hostile=False, status="incomplete",
                       notes=["stopped early: the disk is full"])  # fmt: skip
    build_report([run], tmp_path / "none.html")
    build_report([stopped], tmp_path / "stopped.html")

    async def check() -> None:
        async with chromium.browser() as page:
            await page.open((tmp_path / "none.html").as_uri())
            started = "!document.getElementById('theme').hidden && document.getElementById('loading').hidden"
            await page.until(started)
            assert not await page.run(READY), "no browser where there is nothing to browse"
            assert "none has no rows: it was interrupted before the first answer" in await page.run(NOTICES)
            assert "There is nothing to compare" in await page.run(LEADERBOARD)
            assert await page.run("document.querySelectorAll('#leaderboard table, #leaderboard figure').length") == 0
            assert "no samples to show" in await page.run("document.getElementById('samples').textContent")
            await page.open((tmp_path / "stopped.html").as_uri())
            assert "stopped has no rows: stopped early: the disk is full." in await page.run(NOTICES)

    asyncio.run(check())


def test_a_model_whose_every_row_failed_says_why(chromium: Any, make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "failed", count=0, box=0, hostile=False, failed=5)
    build_report([run], tmp_path / "failed.html")

    async def check() -> None:
        async with chromium.browser() as page:
            await page.open((tmp_path / "failed.html").as_uri())
            await page.until(READY)
            notices = await page.run(NOTICES)
            for model in run.models:
                assert f"{model}: none of 5 rows could be scored (4 error, 1 unsupported). Why: " in notices
            assert "HTTP 500: broken (4×); this model takes no video (1×)" in notices
            assert "0 % covered" in await page.run(LEADERBOARD)
            assert await page.run(MATCHES) == "5 of 5 samples"
            assert "this model takes no video" in await page.run("document.getElementById('detail').textContent")

    asyncio.run(check())


def test_hostile_texts_fire_nothing_and_are_shown_as_text(chromium: Any, page_file: Path) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.open(page_file.as_uri())
            await page.until(READY)
            await page.run(choose("task", "text/repeat"))
            seen = []
            for _ in range(24):
                await page.run("document.querySelectorAll('#detail details').forEach((fold) => { fold.open = true; })")
                seen.append(await page.run("document.getElementById('detail').innerText"))
                await page.press("j")
            assert len(set(seen)) == 24
            everything = "\n".join(seen)
            for text in (
                "<script>alert('xss')</script>",
                "<img src=x onerror=alert(2)>",
                "{{ 7 * 7 }}",
                "U+202E",
                "U+200B",
                "U+001B",
                "U+2028",
            ):
                assert text in everything
            assert not any(character in everything for character in "\u202e\u2066\u200b\u200f\x07\x1b")
            assert "characters not shown" in everything
            assert (
                await page.run("[...document.querySelectorAll('mark')].map((mark) => mark.textContent)[0]") is not None
            )
            injected = "#detail :is(script, iframe, a, link, style, meta, object, embed), #list :is(script, iframe, a, img), table img"
            assert await page.run(f"document.querySelectorAll({injected!r}).length") == 0
            assert await page.run("document.querySelectorAll('meta[http-equiv=refresh]').length") == 0
            assert page.problems == []
            assert page.requests == [page_file.as_uri()]

    asyncio.run(check())


def test_all_numbers_are_there_without_script(chromium: Any, page_file: Path) -> None:
    async def check() -> None:
        async with chromium.browser(script=False) as page:
            await page.open(page_file.as_uri())
            text = await page.run("document.body.innerText")
            for expected in (
                "synthetic/count",
                "tiny-early",
                "few",
                "91.7 % covered",
                "1 unsupported\n1 error",
                "needs JavaScript",
            ):
                assert expected in text
            assert await page.run("document.getElementById('browser').hidden")
            assert await page.run("document.querySelectorAll('figure svg text').length") > 20

    asyncio.run(check())


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_never_scrolls_sideways_and_text_contrasts(chromium: Any, page_file: Path, dark: bool) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(360, 740, phone=True, dark=dark)
            await page.open(page_file.as_uri())
            await page.until(READY)
            assert await page.run("document.documentElement.scrollWidth") <= 360
            await page.run(choose("task", "text/repeat"))
            assert await page.run("document.documentElement.scrollWidth") <= 360
            colors = await page.run(
                "(() => { const style = getComputedStyle(document.documentElement);"
                " return Object.fromEntries(['paper', 'panel', 'ink', 'muted', 'accent', 'good', 'bad', 'warn'].map("
                "(name) => [name, style.getPropertyValue('--' + name).trim()])); })()"
            )
            assert (luminance(colors["paper"]) < 0.5) is dark
            for ground in ("paper", "panel"):
                for name in ("ink", "muted", "accent", "good", "bad", "warn"):
                    assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)

    asyncio.run(check())


def test_print_fits_a_page_and_leaves_the_browser_out(chromium: Any, page_file: Path) -> None:
    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(700, 1000, medium="print")
            await page.open(page_file.as_uri())
            await page.until(READY)
            assert await page.run("document.documentElement.scrollWidth") <= 700
            assert await page.run("getComputedStyle(document.getElementById('samples')).display") == "none"
            folded = "[...document.querySelectorAll('main details:not(.source):not(#samples details)')].map((one) => one.open)"
            before = await page.run(folded)
            assert False in before
            await page.run("window.dispatchEvent(new Event('beforeprint')) && 1")
            assert all(await page.run(folded))
            await page.run("window.dispatchEvent(new Event('afterprint')) && 1")
            assert await page.run(folded) == before

    asyncio.run(check())


def test_a_long_list_keeps_few_rows_in_the_document(
    chromium: Any, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    made = make_run(tmp_path / "long", count=1200, box=2, hostile=False, models=("tiny-late", "chance"))
    build_report([made], tmp_path / "long.html")

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open((tmp_path / "long.html").as_uri())
            await page.until(READY)
            await page.run("document.getElementById('list').focus()")
            await page.press("End")
            await page.until(f"{SELECTED} === 'box-0001'")
            assert await page.run("document.querySelectorAll('#list .row').length") < 60
            await page.run(choose("correct", "wrong"))
            assert await page.run(SELECTED) is not None
            assert page.problems == []

    asyncio.run(check())


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_bundle_opens_from_disk_and_reads_only_what_is_looked_at(
    chromium: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_folder, "CHUNK", 10)
    folder = tmp_path / "a bundle"
    build_bundle([run], folder)
    base = folder.as_uri()

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(f"{base}/index.html")
            await page.until(READY)
            assert "56 of 56" in await page.run(MATCHES)
            await page.until(f"{HEADING} === 'count-0000'")
            files = {url.removeprefix(base) for url in page.requests if "/data/" in url}
            assert files == {"/data/index.js", "/data/chunk-1.js"}
            await page.run(choose("task", "synthetic/box"))
            await page.until(f"{HEADING} === 'box-0000'")
            picture = "document.querySelector('.frame img')"
            await page.until(f"{picture}.complete && {picture}.naturalWidth === 320")
            source = await page.run(f"{picture}.getAttribute('src')")
            assert source in {f"img/{path.name}" for path in (folder / "img").iterdir()}
            await page.press("j")
            await page.until(f"{HEADING} === 'box-0001'")
            link = await page.run("location.href")

            await page.run("document.querySelector('.filters button[type=reset]').click()")
            await page.run("document.getElementById('f-text').value = 'HTTP 500 <b>FROM'")
            await page.run("document.getElementById('f-text').dispatchEvent(new Event('input'))")
            await page.until(f"{MATCHES}.startsWith('1 of 56')")
            await page.until(f"{HEADING} === 'failed-0'")

            await page.open("about:blank")
            await page.open(link)
            await page.until(f"!!document.querySelector('#detail h3') && {HEADING} === 'box-0001'")
            assert page.problems == []
            assert all(url.startswith((base, "about:blank")) for url in page.requests)

    asyncio.run(check())


def test_a_bundle_that_lost_a_file_says_which(chromium: Any, run: Run, tmp_path: Path) -> None:
    build_bundle([run], tmp_path / "out")
    (tmp_path / "out" / "data" / "chunk-1.js").write_text("mmevalBlock('chunk-1', 'cut of")

    async def check() -> None:
        async with chromium.browser() as page:
            await page.open((tmp_path / "out" / "index.html").as_uri())
            said = "document.getElementById('detail').textContent"
            await page.until(f"{said}.includes('cannot be read')")
            assert "data/chunk-1.js is missing or damaged" in await page.run(said)

    asyncio.run(check())


def test_measures_are_sorted_by_keyboard_and_back(chromium: Any, page_file: Path) -> None:
    models = (
        "[...document.querySelectorAll('table.measures tbody')].map((body) =>"
        " [...body.rows].slice(1).map((row) => row.cells[0].textContent.trim()).join(' '))"
    )
    state = "[...document.querySelectorAll('table.measures thead th')].map((head) => head.ariaSort)"

    async def check() -> None:
        async with chromium.browser() as page:
            await page.open(page_file.as_uri())
            await page.until("!!document.querySelector('table.measures .sort')")
            first = await page.run(models)
            groups = await page.run("document.querySelectorAll('table.measures tbody tr.group:first-child').length")
            await page.run("document.querySelectorAll('table.measures .sort')[1].focus()")
            values = "[...document.querySelectorAll('table.measures tbody')].map((body) => [...body.rows].slice(1).map((row) => Number(row.cells[1].dataset.order)))"
            for order in ("descending", "ascending"):
                await page.run("document.activeElement.click()")
                assert (await page.run(state))[1] == order
                assert (await page.run(state)).count(order) == 1
                for found in await page.run(values):
                    assert found == sorted(found, reverse=order == "descending")
                assert groups == await page.run(
                    "document.querySelectorAll('table.measures tbody tr.group:first-child').length"
                )
            await page.run("document.activeElement.click()")
            assert await page.run(models) == first
            assert set(await page.run(state)) == {None}
            assert page.problems == []

    asyncio.run(check())
