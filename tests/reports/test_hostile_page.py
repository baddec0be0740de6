"""Every payload in every text of a report that opens in Chromium: nothing fires, and all of it is shown as words."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from mmeval.reports.format import INVISIBLE
from tests.reports.hostile import TEXTS, hostile_diagnosis, hostile_run
from tests.reports.payloads import KINDS, PAYLOADS

pytestmark = pytest.mark.browser

READY = "!document.getElementById('browser').hidden"
AUDIT = r"""
const ELEMENTS = new Set(("html head meta title style body a header div p h1 h2 h3 h4 h5 h6 button nav main section span strong em small sup sub table caption thead tbody "
  + "tfoot colgroup col tr th td details summary figure figcaption ul ol li dl dt dd pre code footer script noscript form label input output select option article kbd "
  + "mark fieldset legend img abbr br wbr hr time dialog progress b textarea").split(" "));
const DRAWN = new Set("svg g path text line rect title desc defs clipPath tspan circle polygon polyline ellipse".split(" "));
function audit() {
  const found = [];
  let scripts = 0;
  for (const node of document.querySelectorAll("*")) {
    const drawn = node.namespaceURI === "http://www.w3.org/2000/svg";
    if (!(drawn ? DRAWN : ELEMENTS).has(node.localName)) found.push(`element ${node.localName}`);
    for (const { name, value } of node.attributes) {
      const address = ["href", "src", "action", "formaction", "srcset", "data", "poster", "background", "xlink:href", "ping"].includes(name);
      if (/^on/i.test(name) || name === "srcdoc" || name === "autofocus") found.push(`attribute ${name}`);
      if (address && !value.startsWith("#") && !(node.localName === "img" && value.startsWith("data:image/webp;base64,"))) found.push(`${name}=${value}`);
      if (!/^[a-zA-Z:-]+\d?$/.test(name)) found.push(`name ${name}`);
    }
    if (node.localName === "script" && !/^application\//.test(node.type)) scripts += 1;
  }
  if (scripts !== 1) found.push(`${scripts} scripts`);
  if (document.querySelectorAll("style, form, h1, title:not(svg *)").length !== 4) found.push("style, form, h1 or title");
  if (document.querySelectorAll("meta").length !== 5) found.push("meta");
  if ({}.polluted !== undefined || Object.keys(Object.prototype).length) found.push("prototype");
  return [...new Set(found)];
}
"""


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    runs = [hostile_run(folder / "run"), hostile_diagnosis(folder / "diagnosis")]
    build_report(runs, folder / "report.html")
    return folder / "report.html"


def shown(text: str) -> str:
    """As the page shows it."""
    return INVISIBLE.sub(lambda match: f"U+{ord(match.group()):04X}", text)


def test_the_corpus_is_large_enough() -> None:
    assert len(PAYLOADS) >= 250
    assert min(map(len, KINDS.values())) >= 3


def test_nothing_in_a_hostile_report_fires(chromium: Any, hostile_page: Path) -> None:
    walk = """(async () => { const seen = [], problems = new Set(), detail = document.getElementById('detail');
      const wait = () => new Promise((done) => setTimeout(done, 0));
      for (let step = 0; step < TOTAL; step += 1) {
        const end = Date.now() + 20000;
        while ((detail.getAttribute('aria-busy') === 'true' || !detail.querySelector('h3')) && Date.now() < end) await wait();
        detail.querySelectorAll('details').forEach((fold) => { fold.open = true; });
        seen.push([detail.querySelector('h3').textContent, detail.innerText]);
        if (step % 10 === 0) { document.getElementById('list').scrollTop = step * 64; await wait(); audit().forEach((one) => problems.add(one)); }
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
      }
      return [seen, [...problems]]; })()"""

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(1280, 860)
            await page.open(hostile_page.as_uri())
            await page.until(READY)
            await page.run(AUDIT + "window.audit = audit; audit()")
            assert await page.run("audit()") == []
            title = await page.run("document.querySelector('h1').textContent")
            assert "</title><script>alert(1)</script> {{ 7*7 }} U+001B[31mU+202E=1+1" in title
            seen, problems = await page.run(walk.replace("TOTAL", str(len(TEXTS))))
            assert problems == []
            assert [head for head, _ in seen] == [shown(text) for text in TEXTS]
            everything = "\n".join(text for _, text in seen)
            assert not INVISIBLE.search(everything)
            await page.run("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
            assert not INVISIBLE.search(await page.run("document.body.innerText"))
            assert page.problems == []
            assert [url.partition("#")[0] for url in page.requests] == [hostile_page.as_uri()]

    asyncio.run(check())


def test_searches_filters_and_links_take_any_text(chromium: Any, hostile_page: Path) -> None:
    search = """(async () => { const found = []; const box = document.getElementById('matches');
      for (const text of TEXTS) { box.textContent = '';
        location.hash = new URLSearchParams({ text }).toString();
        const end = Date.now() + 20000;
        while (!/^[0-9,]+ of/.test(box.textContent) && Date.now() < end) await new Promise((done) => setTimeout(done, 0));
        found.push(parseInt(box.textContent.replace(',', ''), 10)); }
      return found; })()"""
    links = """(async () => { for (const text of TEXTS) for (const address of FORMS(text)) { const before = location.href;
        const moved = new Promise((done) => { addEventListener('hashchange', done, { once: true }); setTimeout(done, 30); });
        location.hash = address; if (location.href !== before) await moved; }
      return audit(); })()"""
    forms = "(text) => [text, `=${text}`, `task=${text}&model=${text}&outcome=${text}&correct=${text}&subset=${encodeURIComponent(text)}&pair=${text}&disagree=${text}`]"
    # In pieces: no single call may outlast the patience of the driver on a busy machine.
    chosen = TEXTS if "MMEVAL_LONG_TESTS" in os.environ else TEXTS[::12]
    pieces = [chosen[start : start + 20] for start in range(0, len(chosen), 20)]

    async def check() -> None:
        async with chromium.browser() as page:
            await page.resize(390, 740, phone=True)
            await page.open(hostile_page.as_uri())
            await page.until(READY)
            assert await page.run("document.documentElement.scrollWidth") <= 390
            await page.run(AUDIT + "window.audit = audit; audit()")
            for texts in pieces:
                found = await page.run(search.replace("TEXTS", json.dumps(texts)))
                assert [text for text, number in zip(texts, found, strict=True) if not number] == []
                assert await page.run(links.replace("TEXTS", json.dumps(texts)).replace("FORMS", f"({forms})")) == []
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            labels = await page.run("[...document.getElementById('f-subset').options].map((option) => option.value)")
            assert len(labels) > 200
            for label in labels[1::12]:
                await page.run(
                    f"(() => {{ const box = document.getElementById('f-subset'); box.value = {json.dumps(label)}; box.dispatchEvent(new Event('change')); }})()"
                )
                assert re.match("[1-9]", await page.run("document.getElementById('matches').textContent"))
            await page.run("document.querySelector('.filters button[type=reset]').click()")
            for text in KINDS["pattern"]:
                await page.run(
                    f"(() => {{ const box = document.getElementById('f-text'); box.value = {json.dumps(text)}; box.dispatchEvent(new Event('input')); }})()"
                )
                await page.until(f"new URLSearchParams(location.hash.slice(1)).get('text') === {json.dumps(text)}")
                await page.until("/^[1-9][0-9,]* of/.test(document.getElementById('matches').textContent)")
            assert await page.run("audit()") == []
            assert page.problems == []
            assert {url.partition("#")[0] for url in page.requests} == {hostile_page.as_uri()}

    asyncio.run(check())
