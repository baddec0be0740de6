"""The sample browser in a real browser: every filter, key, permalink, overlay, zoom, copy, siblings, and nothing found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from tests.reports.browsing import browsing_run

pytestmark = pytest.mark.browser

READY = "!document.getElementById('browser').hidden && document.getElementById('detail').getAttribute('aria-busy') === 'false'"
MATCHES = "document.getElementById('matches').textContent"
HEADING = "document.querySelector('#detail h3')?.textContent"
TEXT = "document.getElementById('detail').innerText"
ANSWERS = "[...document.querySelectorAll('#detail .answer h5')].map((node) => node.textContent)"
TOTAL = 16
FILTERS = ("task", "subset", "condition", "model", "correct", "outcome", "finish", "kind")

Check = Callable[[Any], Awaitable[None]]


def choose(field: str, label: str) -> str:
    """Script that picks the option of a filter whose text starts with `label`."""
    return (
        f"(() => {{ const select = document.getElementById('f-{field}');"
        f" select.value = [...select.options].find((option) => option.text.startsWith({label!r})).value;"
        " select.dispatchEvent(new Event('change')); return select.selectedOptions[0].text; })()"
    )


def click(text: str, within: str = "#samples") -> str:
    """Script that presses the button whose text starts with `text`."""
    return f"[...document.querySelectorAll('{within} button')].find((one) => one.innerText.trim().startsWith({text!r})).click()"


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browsing")
    build_report([browsing_run(folder / "run")], folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def visit(chromium: Any, page_file: Path) -> Callable[..., None]:
    """Open the report at an address, run a check, and see that the page complained of nothing and asked for nothing."""

    def run(check: Check, address: str = "", **size: Any) -> None:
        async def steps() -> None:
            async with chromium.browser() as page:
                await page.resize(1280, 900, **size)
                await page.open(page_file.as_uri() + address)
                await page.until(READY)
                await check(page)
                assert page.problems == []
                assert {url.partition("#")[0] for url in page.requests} <= {page_file.as_uri(), "about:blank"}

        asyncio.run(steps())

    return run


def test_every_option_of_every_filter_finds_as_many_as_it_says(visit: Callable[..., None]) -> None:
    script = """(() => {
      history.pushState = () => {}; // Chromium refuses hundreds in a row
      const wrong = []; let tried = 0;
      const found = () => Number(document.getElementById("matches").textContent.split(" ")[0]);
      const check = (name, said) => { tried += 1; if (found() !== said) wrong.push([name, said, found()]); };
      const clear = () => document.querySelector(".filters button[type=reset]").click();
      const pick = (field, value) => {
        const select = document.getElementById(`f-${field}`);
        select.value = value;
        select.dispatchEvent(new Event("change"));
      };
      const options = (field) => [...document.getElementById(`f-${field}`).options].slice(1).map(({ value, text }) => [value, Number(/\\((\\d+)\\)$/.exec(text)[1]), text]);
      const fields = FIELDS;
      const seen = {};
      for (const field of fields) {
        clear();
        seen[field] = options(field).map(([, , text]) => text);
        for (const [value, count, text] of options(field)) {
          clear();
          pick(field, value);
          check(text, count);
          for (const other of fields) if (other !== field) {
            for (const [second, also, words] of options(other)) {
              pick(other, second);
              check(`${text} + ${words}`, also);
            }
            pick(other, "");
          }
        }
      }
      clear();
      for (const chip of document.querySelectorAll("#pairs .chip:not(:disabled)")) {
        const said = Number(chip.querySelector("b").textContent);
        chip.click();
        check(chip.title, said);
        chip.click();
      }
      const said = Number(/\\d+/.exec(document.getElementById("n-disagree").textContent)[0]);
      document.getElementById("f-disagree").click();
      check("disagree", said);
      clear();
      return { wrong, tried, seen, after: found() };
    })()""".replace("FIELDS", json.dumps(FILTERS))

    async def check(page: Any) -> None:
        found = await page.run(script)
        assert found["wrong"] == []
        assert found["tried"] > 200
        assert found["after"] == TOTAL
        seen = {field: {text.rpartition(" (")[0] for text in texts} for field, texts in found["seen"].items()}
        assert seen["condition"] == {"standard", "blind", "crop"}
        assert seen["correct"] == {"correct", "wrong"}
        assert seen["outcome"] == {"scored", "no answer", "unsupported", "not scored", "error"}
        assert seen["finish"] == {"stop", "truncated (length)"}
        assert seen["subset"] == {"size: few", "size: round", "size: many"}
        assert seen["kind"] == {
            "judged: perception", "judged: perception/count", "reason: not found", "reason: several answers", "reason: HTTP 500: broken",
            "reason: the judge failed", "reason: beyond the context",
        }  # fmt: skip

    visit(check)


def test_one_answer_must_be_all_that_is_asked_of_it(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        await page.run(choose("finish", "truncated"))
        assert await page.run(MATCHES) == f"1 of {TOTAL} samples"
        assert await page.run(HEADING) == "item-05"
        assert "gamma (1)" in await page.run(
            "[...document.getElementById('f-model').options].map((one) => one.text).join()"
        )
        assert "alpha" not in await page.run(
            "[...document.getElementById('f-model').options].map((one) => one.text).join()"
        )
        assert "truncated" in await page.run(TEXT)
        assert "cut off at the token limit" in await page.run(TEXT)

    visit(check)


def test_search_reads_every_text_and_typing_is_one_step_back(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        for text, number in (
            ("question 11?", 1), ("THINKING ALOUD", 1), ("compared with the gold", COUNTED), ("saw four", 1), ("clip-0", 1), ("verdict: right", 1),
            ("nowhere at all", 0), ("1 circles, question 1", 0),
        ):  # fmt: skip
            await page.run(f"document.getElementById('f-text').value = {text!r}")
            await page.run("document.getElementById('f-text').dispatchEvent(new Event('input'))")
            await page.until(f"{MATCHES} === '{number} of {TOTAL} samples'")
        assert "No sample matches these filters" in await page.run(TEXT)
        assert await page.run("document.querySelectorAll('#list .row').length") == 0
        await asyncio.sleep(0.3)  # the address follows typing a little later
        await page.run("history.back()")
        await page.until(f"{MATCHES} === '{TOTAL} of {TOTAL} samples'")
        assert await page.run("document.getElementById('f-text').value") == ""

    COUNTED = 12
    visit(check)


def test_addresses_hold_everything_and_go_back_and_forward(visit: Callable[..., None], page_file: Path) -> None:
    async def check(page: Any) -> None:
        await page.run(choose("task", "demo/count"))
        await page.run(choose("subset", "size: many"))
        await page.run("document.querySelectorAll('#list .row')[2].click()")
        await page.until(f"{HEADING} === 'item-04'")
        await page.press("2")
        await page.press("]")
        assert (
            await page.run("document.querySelector('.condition[aria-pressed=true] span:last-child').textContent")
            == "blind"
        )
        assert await page.run(ANSWERS) == ["beta"]
        link = await page.run("location.href")
        await page.run("history.back()")
        await page.until(f"{ANSWERS}.length === 2")
        await page.run("history.back()")
        await page.until(f"{ANSWERS}.length === 6")
        await page.run("history.back()")
        await page.until(f"{HEADING} === 'item-00'")
        await page.run("history.back()")
        await page.until(f"{MATCHES} === '12 of {TOTAL} samples'")
        await page.run("history.forward()")
        await page.until(f"{MATCHES} === '6 of {TOTAL} samples'")
        await page.open("about:blank")
        await page.open(link)
        await page.until(READY)
        assert await page.run(HEADING) == "item-04"
        assert await page.run(MATCHES) == f"6 of {TOTAL} samples"
        assert await page.run(ANSWERS) == ["beta"]
        await page.run("location.hash = '#task=99&correct=wrong&pair=7-8-9-rw'")
        await page.until("!document.getElementById('unknown').hidden")
        assert "(pair, task)" in await page.run("document.getElementById('unknown').textContent")
        assert await page.run("document.getElementById('f-correct').selectedOptions[0].text") == "wrong (14)"

    visit(check)


def test_keys(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        for keys, heading in (("jj", "item-02"), ("k", "item-01")):
            for key in keys:
                await page.press(key)
            await page.until(f"{HEADING} === '{heading}'")
        await page.press("3")
        assert set(await page.run(ANSWERS)) == {"gamma"}
        await page.press("j")
        await page.until(f"{HEADING} === 'item-02'")
        assert set(await page.run(ANSWERS)) == {"gamma"}, "stays from sample to sample"
        await page.press("3")
        assert set(await page.run(ANSWERS)) == {"alpha", "beta", "gamma"}
        await page.press("1")
        await page.press("0")
        assert set(await page.run(ANSWERS)) == {"alpha", "beta", "gamma"}
        await page.press("?")
        assert await page.run("document.getElementById('help').open")
        await page.press("j")
        assert await page.run(HEADING) == "item-02", "keys rest under a window"
        await page.run("document.getElementById('help').close()")
        await page.press("/")
        assert await page.run("document.activeElement.id") == "f-text"
        await page.press("j")
        await page.press("Escape")
        assert await page.run("document.activeElement.id") == "list"
        await page.run("document.querySelector('.filters button[type=reset]').click()")
        await page.press("End")
        await page.until(f"{HEADING} === 'clip-0'")
        await page.press("Home")
        await page.until(f"{HEADING} === 'item-00'")
        assert await page.run("document.getElementById('list').getAttribute('aria-activedescendant')") == "row-0"

    visit(check)


def test_overlays_differ_in_dashes_and_say_how_near_they_are(visit: Callable[..., None]) -> None:
    lines = (
        "Object.fromEntries([...document.querySelectorAll('#detail .overlay [data-layer]')].map((group) =>"
        " [group.dataset.layer, [group.lastChild.tagName, group.lastChild.getAttribute('stroke-dasharray'), group.getAttribute('visibility')]]))"
    )
    legend = "[...document.querySelectorAll('#detail .layers label')].map((label) => label.innerText.trim().replace(/\\s+/g, ' '))"

    async def check(page: Any) -> None:
        await page.run(choose("task", "demo/box"))
        assert await page.run("document.querySelector('.overlay').getAttribute('viewBox')") == "0 0 640 480"
        drawn = await page.run(lines)
        assert drawn["gold"] == ["rect", None, None]
        assert [drawn[name][0] for name in ("m0r0", "m1r0")] == ["rect", "rect"]
        assert len({drawn[name][1] for name in ("gold", "m0r0", "m1r0")}) == 3
        assert await page.run(legend) == ["gold", "alpha IoU 0.500", "beta IoU 0.000"]
        await page.run("document.querySelector('#detail input[data-layer=m1r0]').click()")
        assert (await page.run(lines))["m1r0"][2] == "hidden"
        await page.press("o")
        assert {shown[2] for shown in (await page.run(lines)).values()} == {"visible"}
        await page.press("o")
        assert {shown[2] for shown in (await page.run(lines)).values()} == {"hidden"}
        await page.run(choose("task", "demo/click"))
        assert (await page.run(lines))["m0r0"][2] == "hidden", "what is off stays off from sample to sample"
        await page.press("o")
        assert await page.run(legend) == ["gold", "alpha inside", "beta 30.0 px outside"]
        assert len({json.dumps(kind) for kind in (await page.run(lines)).values()}) >= 3
        await page.run(choose("task", "demo/mask"))
        assert (await page.run(lines))["gold"][0] == "polygon"
        assert (
            await page.run("document.querySelector('.overlay polygon').getAttribute('points').split(' ').length") == 4
        )
        await page.run("location.hash = '#task=1&c=crop'")
        await page.until(
            "document.querySelector('.condition[aria-pressed=true] span:last-child')?.textContent === 'crop'"
        )
        assert await page.run("document.querySelectorAll('#detail .overlay').length") == 0
        assert "are not drawn" in await page.run(TEXT)

    visit(check)


def test_pictures_enlarge_with_what_is_drawn_on_them(visit: Callable[..., None]) -> None:
    width = "document.querySelector('.zoom .frame').clientWidth"

    async def check(page: Any) -> None:
        await page.press("z")
        assert await page.run("document.querySelector('.zoom').open")
        assert await page.run("document.querySelector('.zoom .overlay').getAttribute('viewBox')") == "0 0 640 480"
        assert await page.run("document.querySelectorAll('.zoom .layers label').length") == 3
        fit = await page.run(width)
        assert fit > 500
        await page.press("+")
        assert abs(await page.run(width) - 1.5 * fit) < 3
        overlay = "document.querySelector('.zoom .overlay').getBoundingClientRect().width"
        assert abs(await page.run(overlay) - 1.5 * fit) < 3
        await page.press("0")
        assert await page.run(width) == fit
        await page.run("document.querySelector('.zoom .frame').click()")
        assert abs(await page.run(width) - 3 * fit) < 4
        await page.press("0")
        await page.run("document.querySelector('.zoom').close()")
        await page.run(choose("task", "demo/clip"))
        assert await page.run("[...document.querySelectorAll('#detail figcaption')].map((one) => one.innerText.split(' · ')[0])") == [
            "Frame 0", "Frame 8", "Frame 16", "Frame 24",
        ]  # fmt: skip
        await page.run("document.querySelectorAll('#detail .frame')[1].click()")
        assert await page.run("document.querySelector('.zoom h3').textContent") == "Frame 8 (2 of 4)"
        await page.press("ArrowRight")
        assert await page.run("document.querySelector('.zoom h3').textContent") == "Frame 16 (3 of 4)"

    visit(check, "#task=1")


def test_conditions_and_repeats_stand_side_by_side(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        heads = "[...document.querySelectorAll('.overviewtable thead th')].map((one) => one.innerText.trim().replace(/\\s+/g, ' '))"
        assert await page.run(heads) == ["Model", "standard", "no picture blind"] or await page.run(heads) == [
            "Model",
            "▸ standard",
            "no picture blind",
        ]
        assert await page.run("document.querySelectorAll('.overviewtable tbody tr').length") == 3
        places = "[...document.querySelectorAll('#detail .answer')].map((one) => [one.style.gridColumn, one.style.gridRow].join())"
        assert await page.run(places) == ["1,1", "1,2", "2,1", "2,2", "3,1", "3,2"]
        tops = "[...document.querySelectorAll('#detail .answer')].map((one) => Math.round(one.getBoundingClientRect().top))"
        found = await page.run(tops)
        assert found[0] == found[2] == found[4] < found[1] == found[3] == found[5]
        await page.run("document.querySelectorAll('.condition')[1].focus()")
        await page.run("document.activeElement.click()")
        text = await page.run(TEXT)
        assert "It is 3." in text
        assert await page.run("document.activeElement.dataset.focus") == "condition-1", "focus stays where it was"

    visit(check)


def test_judges_labels_and_calls_are_told(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        await page.run("document.querySelectorAll('#detail details').forEach((one) => { one.open = true; })")
        text = await page.run(TEXT)
        for expected in (
            "right (referee)", "compared with the gold", "Calls (3)", "<bbox>[10, 20, 60, 80]</bbox>", "Judge · match · referee", "Which part matters?",
            "alpha (repeat 1) looked at",
        ):  # fmt: skip
            assert expected in text
        assert await page.run("document.querySelectorAll('#detail [data-layer=\"m0r0-looked\"] rect').length") == 2
        assert await page.run("document.querySelector('#detail mark').textContent") == "3"
        await page.press("j")
        await page.until(f"{HEADING} === 'item-01'")
        text = await page.run(TEXT)
        assert "perception/count (error-card, referee)" in text
        assert "saw four" in text
        assert "(human)" not in text, "a label of another text is not of this answer"

    visit(check)


def test_siblings_of_a_cluster_open_and_are_listed(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        assert "Cluster scene-0: also" in await page.run(TEXT)
        await page.run(click("item-02", ".siblings"))
        await page.until(f"{HEADING} === 'item-02'")
        await page.run(click("list them", ".siblings"))
        assert await page.run(MATCHES) == f"3 of {TOTAL} samples"
        assert await page.run("document.getElementById('tokens').innerText") == "same cluster as item-02 ×"
        await page.run("document.querySelector('#tokens button').click()")
        assert await page.run(MATCHES) == f"{TOTAL} of {TOTAL} samples"
        await page.run(choose("subset", "size: many"))
        await page.until(f"{HEADING} === 'item-02'")
        await page.run(click("item-01", ".siblings"))
        await page.until(f"{HEADING} === 'item-01'")
        assert await page.run(MATCHES) == f"{TOTAL} of {TOTAL} samples", "filters give way to a sample that they hide"

    visit(check)


def test_a_sample_is_copied_as_json_or_shown_to_be_copied(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        await page.run(
            "Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (text) => { window.copied = text; } } }) && 1"
        )
        await page.press("y")
        copied = json.loads(await page.until("window.copied"))
        assert copied["task"] == "demo/count"
        assert copied["id"] == "item-00"
        assert copied["cluster"] == "scene-0"
        assert copied["prompts"][0]["messages"][0]["parts"] == [{"media": 0}, "How many circles, question 0?"]
        first = copied["answers"][0]
        assert (first["model"], first["condition"], first["repeat"], first["correct"]) == ("alpha", "standard", 0, True)
        assert first["response"][slice(*first["extracted_span"])] == "3"
        assert len(copied["answers"]) == 9
        assert len(first["calls"]) == 3
        await page.run("Object.defineProperty(navigator, 'clipboard', { configurable: true, value: undefined }) && 1")
        await page.run("document.getElementById('copy').click()")
        await page.until("document.querySelector('dialog.copy')?.open")
        area = "document.querySelector('dialog.copy textarea')"
        assert json.loads(await page.run(f"{area}.value"))["id"] == "item-00"
        assert await page.run(f"{area}.selectionEnd - {area}.selectionStart === {area}.value.length")

    visit(check)


def test_what_broke_is_one_click_away(visit: Callable[..., None]) -> None:
    async def check(page: Any) -> None:
        assert await page.run("document.querySelector('.pairline .pairname').innerText") == "beta against alpha"
        said = await page.run("document.querySelector('.pairline .chip').textContent")
        await page.run("document.querySelector('.pairline .chip').click()")
        number = said.removeprefix("broke ").strip()
        assert int(number) > 0
        assert await page.run(MATCHES) == f"{number} of {TOTAL} samples"
        assert await page.run("document.getElementById('tokens').innerText") == "alpha right, beta wrong (standard) ×"
        signs = await page.run(
            "[...document.querySelectorAll('#list .states')].map((one) => [...one.children].slice(0, 2).map((sign) => sign.textContent).join(''))"
        )
        assert all(first in "✓◐" and second in "✗∅◐" for first, second in signs)
        await page.run("document.querySelector('#pairs details').open = true")
        await page.run("(() => { const [one, other, under] = document.querySelectorAll('#pairs select'); one.value = '2'; one.dispatchEvent(new Event('change'));"
                       " under.value = '1'; under.dispatchEvent(new Event('change')); return other.value; })()")  # fmt: skip
        await page.run(
            "[...document.querySelectorAll('#pairs details .chip')].find((one) => one.innerText.startsWith('both right')).click()"
        )
        assert "(blind)" in await page.run("document.getElementById('tokens').innerText")

    visit(check)


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_every_sample_without_scrolling_sideways(visit: Callable[..., None], dark: bool) -> None:
    async def check(page: Any) -> None:
        await page.resize(390, 800, phone=True, dark=dark)
        for task in ("demo/count", "demo/box", "demo/clip"):
            await page.run(choose("task", task))
            assert await page.run("document.documentElement.scrollWidth") <= 390
        await page.press("z")
        assert await page.run("document.querySelector('.zoom').getBoundingClientRect().width") <= 390

    visit(check)
