"""The written file: deterministic, within its size, honest about what it leaves out, closed to the network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmeval.core.errors import StorageError, UsageError
from mmeval.reports.build import build_report
from mmeval.runs.folder import Run, open_run
from tests.reports.conftest import Picture, RunFolder, scored, task_record


class Tags(HTMLParser):
    """Every tag, and every attribute except links inside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, value in attrs if not (name == "href" and (value or "").startswith("#"))]


def records(page: str) -> list[dict[str, Any]]:
    blocks = re.findall(r'<script type="application/octet-stream" class="block">([^<]*)</script>', page)
    return [record for block in blocks for record in json.loads(gzip.decompress(base64.b64decode(block)))]


def images(page: str) -> dict[str, bytes]:
    found = re.findall(r'<script type="application/octet-stream" id="image-(\w+)">([^<]*)</script>', page)
    return {name: base64.b64decode(data) for name, data in found}


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("build") / "report.html"
    build_report([run], path)
    return path.read_text(encoding="utf-8")


def test_same_runs_give_same_bytes(run: Run, page: str, tmp_path: Path) -> None:
    summary = build_report([run], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page
    assert summary.bytes == len(page.encode())
    assert (summary.samples_shown, summary.samples_total) == (56, 56)


def test_policy_names_exactly_the_script_and_style_of_the_page(page: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = html.unescape(found.group(1))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for name, tag in (("script-src", '<script type="module">'), ("style-src", "<style>")):
        body = page.split(tag)[1].split("</" + tag[1:].split(" ")[0].rstrip(">") + ">")[0]
        assert f"{name} 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" in policy
    assert len(re.findall(r"<script(?! type=\"application/)", page)) == 1
    parser = Tags()
    parser.feed(page)
    assert {"html", "table", "script"} <= set(parser.tags)
    assert not {"link", "iframe", "img", "object", "embed", "base"} & set(parser.tags)
    assert not [name for name in parser.attributes if name in ("src", "style", "href") or name.startswith("on")]


def test_thumbnails_are_small_webp_files_stored_once(page: str, run: Run) -> None:
    found = images(page)
    assert set(found) == {entry[0] for record in records(page) for view in record["views"] for entry in view["media"]}
    assert all(data[:4] == b"RIFF" and data[8:12] == b"WEBP" for data in found.values())
    assert len(found) < len(run.samples())


def test_every_answer_is_beside_the_others_of_its_sample(page: str) -> None:
    by_id = {record["id"]: record for record in records(page)}
    count = by_id["count-0003"]
    assert [(answer["model"], answer["repeat"]) for answer in count["answers"]] == [
        (m, r) for m in range(3) for r in range(2)
    ]
    marked = [[text for kind, text in answer["response"] if kind == "mark"] for answer in count["answers"]]
    assert all(
        len(texts) == 1 and texts[0] == answer["extracted"][0][1]
        for texts, answer in zip(marked, count["answers"], strict=True)
    )
    box = by_id["box-0000"]
    assert len(box["target_shapes"]) == 1
    assert all(len(answer["shapes"][0]) == 4 for answer in box["answers"])
    assert "shapes" not in count["answers"][0]


def test_a_megabyte_of_answer_is_cut_around_the_extracted_span(page: str) -> None:
    long = next(record for record in records(page) if record["id"] == "long-0")["answers"][0]["response"]
    assert ["mark", "needle"] in long
    assert sum(len(text) for kind, text in long if kind != "cut") < 25_000
    assert sum(text if kind == "cut" else len(text) for kind, text in long) == 2 * len("word " * 200_000) + len(
        "needle "
    )


def test_numbers_limits_and_failures_are_in_plain_html(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page.split('<script type="application/json"')[0])
    text = re.sub(r"\s+", " ", html.unescape(text))
    assert "24 of 500, drawn with --limit 24 and seed 0" in text
    assert "⚠ 91.7 % 1 unsupported 1 error" in text
    assert "mmeval run -m hf:…/tiny-late" in text
    assert "/home/somebody" not in page
    assert "Repeat a <i>text</i>" in text
    assert "<script>alert" not in page


def test_when_too_large_disagreements_and_failures_stay_and_the_banner_counts(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "big", count=400, box=2, hostile=False)
    full = build_report([run], tmp_path / "full.html")
    assert full.samples_shown == full.samples_total == 402
    everything = records((tmp_path / "full.html").read_text())
    limit = full.bytes * 0.75
    small = build_report([run], tmp_path / "small.html", max_mb=limit / 1e6)
    page = (tmp_path / "small.html").read_text()
    kept = records(page)
    assert small.bytes <= limit
    assert 0 < small.samples_shown == len(kept) < 402
    urgent = {record["key"] for record in everything if record["disagree"]}
    assert urgent <= {record["key"] for record in kept}
    assert {record["key"] for record in kept} - urgent
    rest = f"{len(kept) - len(urgent)} of the {402 - len(urgent)} others (drawn with seed 0)"
    assert f"{len(kept)} of 402 samples are shown: all {len(urgent)} on which models disagree and {rest}. " in page
    assert f"{402 - len(kept)} samples left out" in page
    numbers = [
        text.split('<section id="samples"')[0].split("<main>")[1]
        for text in (page, (tmp_path / "full.html").read_text())
    ]
    assert numbers[0] == numbers[1]

    tiny = build_report([run], tmp_path / "tiny.html", max_mb=full.bytes * 0.3 / 1e6)
    assert 0 < tiny.samples_shown < len(urgent)
    assert (
        f"are shown: {tiny.samples_shown} of the {len(urgent)} on which models disagree (drawn with seed 0) and 0 of the"
        in (tmp_path / "tiny.html").read_text()
    )


def test_the_markup_around_pictures_counts_too(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "big", count=400, box=2, hostile=False)
    full = build_report([run], tmp_path / "full.html")
    monkeypatch.setattr("mmeval.reports.packing._IMAGE_MARKUP", 0)
    small = build_report([run], tmp_path / "small.html", max_mb=full.bytes * 0.75 / 1e6)
    assert small.bytes <= full.bytes * 0.75
    assert small.samples_shown > 0


def test_two_runs_share_samples_and_get_names_of_their_own(
    make_run: Callable[..., Run], run: Run, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other", seed=7, models=("tiny-late", "tiny-early"))
    summary = build_report([run, open_run(f"{other.path}#tiny-late")], tmp_path / "two.html")
    page = (tmp_path / "two.html").read_text()
    assert "demo#tiny-late" in page
    assert "other#tiny-late" in page
    assert "other#tiny-early" not in page
    assert summary.samples_total >= 56
    count = next(record for record in records(page) if record["id"] == "count-0000")
    assert {answer["model"] for answer in count["answers"]} == {0, 1, 2, 3}


def test_runs_that_differ_in_protocol_are_called_incomparable(
    make_run: Callable[..., Run], run: Run, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other")
    changed = [task.model_copy(update={"ask_digest": "9" * 64}) for task in other.manifest.tasks]
    altered = Run(other.path, other.manifest.model_copy(update={"tasks": changed}))
    build_report([run, altered], tmp_path / "two.html")
    assert (
        "synthetic/count: demo and other differ in prompt or decoding; these numbers do not compare."
        in (tmp_path / "two.html").read_text()
    )


def test_media_left_out_or_damaged_do_not_stop_the_report(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "bare", hostile=False, count=4, box=2)
    files = sorted((run.path / "media").iterdir())
    files[0].unlink()
    files[1].write_bytes(b"\x89PNG\r\n\x1a\n broken")
    build_report([run], tmp_path / "bare.html")
    assert len(images((tmp_path / "bare.html").read_text())) == len(files) - 2


def test_an_interrupted_run_says_so(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "half", hostile=False, count=4, box=2, status="interrupted")
    build_report([run], tmp_path / "half.html")
    assert "interrupted: the same command goes on where it stopped" in (tmp_path / "half.html").read_text()


def test_bad_input_is_refused_with_a_reason(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one run"):
        build_report([], tmp_path / "x.html")
    with pytest.raises(UsageError, match="--max-mb"):
        build_report([run], tmp_path / "x.html", max_mb=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*report\.html"):
        build_report([run], tmp_path / "file" / "report.html")


def plant(folder: Path) -> Run:
    """100 samples of 3 kB that no two compress alike: 10 that model b breaks, 10 that failed, 80 on which both are right."""
    folder.mkdir()
    run = RunFolder(folder, ("a", "b"), [task_record("planted", "reading", "Planted", ["accuracy"], 100)])
    draw = random.Random(3)
    for number in range(100):
        kind = ("broken", "failed", "same", "same", "same", "same", "same", "same", "same", "same")[number % 10]
        text = f"{draw.getrandbits(12_000):x} yes"
        second = {
            "broken": scored(False, "yes", text),
            "failed": {"outcome": "error", "status": "error", "error": text},
        }
        answers = {("a", 0): scored(True, "yes", text), ("b", 0): second.get(kind, scored(True, "yes", text))}
        run.add(0, {"id": f"{kind}-{number}", "question": "Is it?", "target": "yes"}, answers)
    return run.finish()


@pytest.mark.parametrize(
    ("share", "whole", "said"),
    [
        (0.5, {"broken", "failed"}, "all 10 on which models disagree, all 10 more with an answer that failed or could not be read and {same} of the 80 others (drawn with seed 0)"),
        (0.15, {"broken"}, "all 10 on which models disagree, {failed} of the 10 more with an answer that failed or could not be read (drawn with seed 0) and 0 of the 80 others"),
        (0.05, set(), "{broken} of the 10 on which models disagree (drawn with seed 0), 0 of the 10 more with an answer that failed or could not be read and 0 of the 80 others"),
    ],
)  # fmt: skip
def test_what_a_model_broke_stays_first_then_failures_then_a_drawn_rest(
    tmp_path: Path, share: float, whole: set[str], said: str
) -> None:
    run = plant(tmp_path / "run")
    full = build_report([run], tmp_path / "full.html")
    bare = full.bytes - sum(map(len, re.findall(r'class="block">([^<]*)<', (tmp_path / "full.html").read_text())))
    build_report([run], tmp_path / "cut.html", max_mb=(bare + share * (full.bytes - bare)) / 1e6)
    page = (tmp_path / "cut.html").read_text()
    kinds = Counter(record["id"].partition("-")[0] for record in records(page))
    assert {kind for kind in ("broken", "failed") if kinds[kind] == 10} == whole
    assert (
        f"{sum(kinds.values())} of 100 samples are shown: {said.format_map(kinds)}. {100 - sum(kinds.values())} samples left out"
        in page
    )
    build_report([run], tmp_path / "again.html", max_mb=(bare + share * (full.bytes - bare)) / 1e6)
    assert (tmp_path / "again.html").read_text() == page


def test_thumbnails_get_smaller_before_samples_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = RunFolder(tmp_path / "run", ("a",), [task_record("planted", "reading", "Planted", ["accuracy"], 8)])
    draw = random.Random(5)
    for number in range(8):
        noise = Image.frombytes("RGB", (80, 60), draw.randbytes(80 * 60 * 3)).resize((800, 600))
        out = io.BytesIO()
        noise.save(out, "PNG")
        picture = Picture(out.getvalue(), 800, 600, [])
        answers = {("a", 0): scored(True, "yes", "yes")}
        run.add(0, {"id": str(number), "question": "?", "target": "yes", "pictures": [picture]}, answers)
    opened = run.finish()
    seen = []
    full = build_report([opened], tmp_path / "full.html").bytes
    large = images((tmp_path / "full.html").read_text()).values()
    assert {Image.open(io.BytesIO(data)).width for data in large} == {800}, "for looking closely, where there is room"
    plain = build_report([opened], tmp_path / "plain.html", max_mb=full * 1.05 / 1e6).bytes
    sizes = [plain * 1.05, plain * 0.8]
    for limit in sizes:
        summary = build_report([opened], tmp_path / "page.html", max_mb=limit / 1e6)
        page = (tmp_path / "page.html").read_text()
        assert summary.samples_shown == 8
        assert summary.bytes <= limit
        edges = {Image.open(io.BytesIO(data)).width for data in images(page).values()}
        assert len(edges) == 1
        assert f"at most {min(edges)} pixels" in page
        seen.append(edges.pop())
    assert seen[0] == 384
    assert seen[1] < 384
