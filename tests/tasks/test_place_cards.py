"""Cards of places in pictures on fixtures in the data sets' own layouts: the gold said back is right, points beside it are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import Response, Sample, Verdict
from mmeval.tasks.episode_files import episode_rows
from mmeval.tasks.moment_lists import moment_rows
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify
from mmeval.verifiers.masks import read_gold
from tests.tasks.test_gui_cards import DATA, REGISTRY, settled

SIZE = (64, 48)
SPACES = {"unit": 1, "percent": 100, "thousand": 1000}


def shares(sample: Sample) -> tuple[tuple[float, float], tuple[float, float]]:
    """The middle of a pixel in the middle of the gold mask and of one outside it, as shares of the sides."""
    mask = read_gold(sample.target["mask"], SIZE).mask
    inside, outside = np.argwhere(mask), np.argwhere(~mask)
    (y1, x1), (y2, x2) = inside[len(inside) // 2], outside[0]
    return ((x1 + 0.5) / SIZE[0], (y1 + 0.5) / SIZE[1]), ((x2 + 0.5) / SIZE[0], (y2 + 0.5) / SIZE[1])


def said(task: Task, sample: Sample, *points: tuple[float, float]) -> Verdict:
    """The verdict on points that are given as shares of the sides, said as the protocol asks for them."""
    options = sample.context.options
    frame = "unit" if options.get("rule") == "robopoint" else options.get("frame", "profile")
    scale = SPACES[sample.context.coordinates if frame == "profile" else frame]
    text = ", ".join(f"({x * scale:.5f}, {y * scale:.5f})" for x, y in points)
    return verify(task.verifier, Response("ok", f"[{text}]"), sample.target, sample.context)


def protocols(name: str) -> list[str]:
    return ["default", *REGISTRY.cards[name].raw["protocols"]]


@pytest.mark.parametrize("folder", ["where2place", "where2place-authors"])
@pytest.mark.parametrize("protocol", protocols("where2place"))
def test_where2place(folder: str, protocol: str) -> None:
    task, samples = settled("where2place", protocol, DATA / folder, AskStyle(coordinates="thousand"))
    assert [sample.id for sample in samples] == ["0", "1"]
    for sample in samples:
        asked = "".join(getattr(part, "text", "") for part in sample.messages[-1].parts)
        assert "formatted" not in asked
        assert ("JSON" in asked) is (protocol in ("default", "lmms-eval-json"))
        inside, outside = shares(sample)
        right, half, wrong = (
            said(task, sample, *points) for points in ((inside,), (outside, inside), (outside, outside, (2.0, 0.5)))
        )
        assert (right.outcome, right.score, right.correct) == ("scored", 1.0, True), right
        assert (half.score, half.correct, half.scores) == (0.5, False, {"points": 2.0, "any": 1.0})
        assert (wrong.outcome, wrong.score, wrong.scores) == ("scored", 0.0, {"points": 3.0, "any": 0.0})
    assert read_gold(samples[0].target["mask"], SIZE).area == 256  # 16 × 16, whatever JPEG did at the edges


def test_a_box_counts_by_its_pixels(tmp_path: Path) -> None:
    task, samples = settled("where2place", "box", DATA, AskStyle())
    # Gold: 8 to 24 each way. The box 16 to 32 × 8 to 24 shares half of its pixels with it.
    verdict = verify(task.verifier, Response("ok", "[(0.25, 0.1667, 0.5, 0.5)]"), samples[0].target, samples[0].context)
    assert (verdict.score, verdict.scores) == (0.5, {"points": 256.0, "any": 1.0})


@pytest.mark.parametrize("folder", ["refspatial", "refspatial-hub"])
@pytest.mark.parametrize("protocol", protocols("refspatial"))
def test_refspatial(folder: str, protocol: str) -> None:
    task, samples = settled("refspatial", protocol, DATA / folder, AskStyle(coordinates="percent"))
    part = next((name for name in ("placement", "unseen") if name in protocol), "location")
    assert len(samples) == (2 if part == "location" else 1)
    for sample in samples:
        asked = "".join(getattr(content, "text", "") for content in sample.messages[-1].parts)
        assert ("formatted as a list" in asked) is protocol.startswith("official")
        assert (part == "placement") is ("plates" in asked or "free spot" in asked)
        inside, outside = shares(sample)
        right, half, wrong = (
            said(task, sample, *points) for points in ((inside,), (inside, outside), (outside, (-0.2, 0.5)))
        )
        assert (right.outcome, right.score, right.correct) == ("scored", 1.0, True), right
        assert (half.score, wrong.score) == (0.5, 0.0)
        assert sample.subsets["step"] in ("1", "2", "3")


@pytest.mark.parametrize("folder", ["robospatial-home", "robospatial-home-hub"])
@pytest.mark.parametrize("protocol", protocols("robospatial-home"))
def test_robospatial_home(folder: str, protocol: str) -> None:
    task, samples = settled("robospatial-home", protocol, DATA / folder, AskStyle())
    golds = ["No"] if "compatibility" in protocol else ["Yes", "No"]
    assert [sample.target for sample in samples] == golds
    for sample in samples:
        asked = "".join(getattr(content, "text", "") for content in sample.messages[-1].parts)
        assert asked.lower().count("yes or no") == 1
        for said_back, right in ((sample.target, True), ("Yes" if sample.target == "No" else "No", False)):
            verdict = verify(task.verifier, Response("ok", f"Answer: {said_back}."), sample.target, sample.context)
            assert (verdict.outcome, verdict.correct) == ("scored", right)


@pytest.mark.parametrize("folder", ["robospatial-home", "robospatial-home-hub"])
@pytest.mark.parametrize("protocol", protocols("robospatial-home-context"))
def test_robospatial_home_context(folder: str, protocol: str) -> None:
    task, (sample,) = settled("robospatial-home-context", protocol, DATA / folder, AskStyle(coordinates="percent"))
    asked = "".join(getattr(content, "text", "") for content in sample.messages[-1].parts)
    assert ("Your answer should" in asked) is (protocol == "official")
    assert sample.target == {"polygon": [8, 12, 32, 12, 32, 36, 8, 36]}
    for points, right in ((((0.3, 0.5), (0.9, 0.9)), True), (((0.9, 0.9), (0.3, 0.5)), False), (((0.13, 0.26),), True), (((0.12, 0.5),), False)):  # fmt: skip
        verdict = said(task, sample, *points)
        assert (verdict.outcome, verdict.correct, verdict.score) == ("scored", right, float(right)), points


@pytest.mark.parametrize("protocol", protocols("ui-vision"))
def test_ui_vision(protocol: str) -> None:
    task, samples = settled("ui-vision", protocol, DATA, AskStyle(coordinates="thousand"))
    assert [sample.subsets["kind"] for sample in samples] == ["basic", "functional", "spatial"]
    assert samples[2].target == {"box": [10, 30, 20, 40]}
    for sample in samples:
        left, top, right, bottom = sample.target["box"]
        for x, y, hit in (((left + right) / 2, (top + bottom) / 2, True), (left - 2, top, False)):
            shown = [round(x / SIZE[0] * 1000), round(y / SIZE[1] * 1000)]
            text = "<|box_start|>({0},{1}),({0},{1})<|box_end|>" if protocol != "default" else "[{}, {}]"
            verdict = verify(task.verifier, Response("ok", text.format(*shown)), sample.target, sample.context)
            assert (verdict.outcome, verdict.correct) == ("scored", hit), (text, verdict)


@pytest.mark.parametrize("folder", ["charades-sta", "charades-sta-hub"])
@pytest.mark.parametrize("protocol", protocols("charades-sta"))
def test_charades_sta(folder: str, protocol: str) -> None:
    task = Task.load(REGISTRY.cards["charades-sta"], protocol)
    samples = [build() for _, build in task.open(DataOptions(data_dir=DATA / folder)).samples(AskStyle())]
    assert [sample.target for sample in samples] == [[0.0, 1.5], [pytest.approx(1.2, abs=1e-3), 3.0], [0.5, 2.5]]
    assert [sample.cluster for sample in samples] == ["AB1CD", "AB1CD", "EF2GH"]
    for sample in samples:
        assert [medium.kind for medium in sample.media] == ["video"]
        assert Path(str(sample.media[0].path)).is_file()
        start, end = sample.target
        for text, overlap in (
            (f"The event happens in {start:.2f} - {end:.2f} seconds.", 1.0),
            (f'{{"start": {start:.2f}, "end": {end:.2f}}}', 1.0),
            (f"{end:.2f} - {end + 9:.2f}", 0.0),
            (f"from {start:.2f} to {2 * end - start:.2f} seconds", 0.5),
        ):
            verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
            assert (verdict.outcome, verdict.score) == ("scored", pytest.approx(overlap, abs=0.01)), text


def test_a_list_of_moments(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\ufeffAB 0.0 6.9##a person, say ##twice.\r\n\nCD 1 2##x\n", encoding="utf-8")
    rows = list(moment_rows(path))
    assert rows[0] == {"video": "AB.mp4", "caption": "a person, say ##twice.", "timestamp": [0.0, 6.9]}
    assert rows[1]["timestamp"] == [1.0, 2.0]
    for line in ("AB 0.0##a", "AB 0.0 1.0 a", "AB 0 1##"):
        path.write_text(f"AB 0 1##a\n{line}\n", encoding="utf-8")
        with pytest.raises(DataError, match="line 2: no moment"):
            list(moment_rows(path))


@pytest.mark.parametrize("protocol", protocols("mind2web"))
def test_mind2web(protocol: str) -> None:
    task, samples = settled("mind2web", protocol, DATA, AskStyle(coordinates="thousand"))
    assert len(samples) == (2 if protocol in ("website", "domain") else 4)  # the step without a box is left out
    for sample in samples:
        x, y, width, height = (float(part) for part in sample.target["rects"][-1].split(","))
        for dx, hit in ((width / 2, True), (-8.0, False)):
            point = [round((x + dx) / SIZE[0] * 1000), round((y + height / 2) / SIZE[1] * 1000)]
            text = json.dumps(
                {"action": sample.target["operation"].lower(), "point": point, "value": sample.target["value"]}
            )
            verdict = verify(task.verifier, Response("ok", f"```json\n{text}\n```"), sample.target, sample.context)
            assert (verdict.outcome, verdict.correct, verdict.score) == ("scored", hit, float(hit)), (text, verdict)
            assert verdict.scores == {"element": float(hit), "operation_f1": 1.0, "type": 1.0}
    if protocol == "default":
        asked = ["".join(getattr(content, "text", "") for content in sample.messages[-1].parts) for sample in samples]
        assert "Done before: nothing" in asked[0]
        assert "\n[textbox]  City -> TYPE: Rome\n[combobox]  Guests -> SELECT: 2 guests\n" in asked[2]
        assert "Search -> CLICK" not in asked[2]
        assert [sample.cluster for sample in samples] == ["task-a"] * 3 + ["task-b"]


def test_aitw() -> None:
    task, samples = settled("aitw", "default", DATA, AskStyle(coordinates="thousand"))
    right = {
        "general-0-0": '{"action": "system_button", "button": "Home"}',
        "general-0-1": '{"action": "swipe", "coordinate": [500, 800], "coordinate2": [500, 300]}',  # the axis alone counts
        "general-0-2": '{"action": "click", "coordinate": [250, 650]}',
        "general-0-3": '{"action": "terminate", "status": "success"}',
        "webshopping-0-0": '{"action": "type", "text": "shoes"}',  # and of texts nothing
        "webshopping-0-1": '{"action": "system_button", "button": "Enter"}',
    }
    wrong = {
        "general-0-1": '{"action": "swipe", "coordinate": [100, 500], "coordinate2": [900, 500]}',
        "general-0-2": '{"action": "click", "coordinate": [900, 100]}',
        "general-0-3": '{"action": "terminate", "status": "failure"}',
    }
    assert [sample.id for sample in samples] == list(right)
    for sample in samples:
        for arguments, hit in (
            (right[sample.id], True),
            (wrong.get(sample.id, '{"action": "system_button", "button": "Back"}'), False),
        ):
            text = f'<tool_call>\n{{"name": "mobile_use", "arguments": {arguments}}}\n</tool_call>'
            verdict = verify(task.verifier, Response("ok", text), sample.target, sample.context)
            assert (verdict.outcome, verdict.correct) == ("scored", hit), (sample.id, arguments, verdict)
    asked = "".join(getattr(content, "text", "") for content in samples[2].messages[-1].parts)
    assert "Done before: 1. home; 2. scroll up;" in asked
    assert {sample.cluster for sample in samples} == {"general-0", "webshopping-0"}


def test_files_of_episodes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"t": [[{"goal": "x"}, {"goal": "y"}], []], "u": []}', encoding="utf-8")
    rows = list(episode_rows(path))
    assert [(row["task"], row["episode"], row["step"], len(row["previous"])) for row in rows] == [
        ("t", 0, 0, 0),
        ("t", 0, 1, 1),
    ]
    for text, message in (
        ("[", "not JSON"),
        ("[]", "no lists of episodes"),
        ('{"t": 3}', "no lists of episodes"),
        ('{"t": [{}]}', "no list of steps"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            list(episode_rows(path))
