"""Looking again: crops of the original whatever the file, faulty calls answered, ends without an answer, and resuming."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmeval.conditions.base import Condition, get_condition
from mmeval.core.types import Request, Response, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.metrics import estimate
from mmeval.pipeline.asking import Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.plan import Effort, RunPlan
from mmeval.pipeline.runner import Finished, ModelRun
from mmeval.pipeline.work import Stage, style_of
from mmeval.runs.rows import call_rows
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task
from tests.pipeline.test_strategies import ALL, INFO, Spoken, text_of

WIDE, HIGH = 200, 100
SPOT = (120, 20, 160, 60)
"""Where the picture is red, in pixels as it is seen."""


def spotted(mode: str = "RGB") -> Image.Image:
    picture = Image.new("RGB", (WIDE, HIGH), "white")
    picture.paste((255, 0, 0), SPOT)
    return picture if mode == "RGB" else picture.convert(mode)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "grey":
        spotted("L").save(buffer, "PNG")
    elif kind == "cmyk":
        spotted("CMYK").save(buffer, "TIFF")
    elif kind == "sixteen":
        values = spotted("L").convert("I").point(lambda value: value * 257)
        values.convert("I;16").save(buffer, "PNG")
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # stored a quarter turn to the left of how it is seen
        spotted().transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    else:
        spotted().save(buffer, "PNG")
    return buffer.getvalue()


def says(*replies: str, finish: str = "stop") -> Callable[[Request], Response]:
    """An engine that gives the replies in turn, by the number of turns that it is shown."""

    def say(request: Request) -> Response:
        turn = sum(message.role == "assistant" for message in request.messages)
        return Response("ok", text=replies[min(turn, len(replies) - 1)], finish_reason=finish, completion_tokens=2)

    return say


def run(
    folder: Path,
    engine: Spoken,
    strategy: dict[str, Any],
    *,
    image: bytes | None = None,
    condition: Condition | None = None,
    info: EngineInfo = INFO,
    metrics: Sequence[str] = ("accuracy", "mean:turns"),
) -> Finished:
    (folder / "1.png").write_bytes(encoded("plain") if image is None else image)
    row = {"id": "1", "question": "Which colour?", "image": "1.png", "answer": "red", "box": list(SPOT)}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "images": ["image"]}, "answer": {"kind": "text"}, "strategy": strategy, "metrics": list(metrics),
    }  # fmt: skip
    loaded = Task.load(CardFile("t", folder / "t.yaml", raw)).open(DataOptions(folder, 1))
    finished: list[Finished] = []
    media = folder / "media"
    media.mkdir(exist_ok=True)
    with ResponseCache(folder / "cache.sqlite") as cache:
        plan = RunPlan([loaded], [condition or get_condition("standard")])
        stage = Stage(plan, 0, info, ALL, SAMPLING_FIELDS, style_of(info), cache, None, media, folder / "frames")
        running = ModelRun(engine, stage, Effort(attempts=1), Progress("m", 1), finished.append)
        asyncio.run(running.run(asyncio.Event()))
    return finished[0]


def pictures(request: Request) -> list[Image.Image]:
    return [Image.open(io.BytesIO(media.images[0].data)).convert("RGB") for media in request.media]


LOOP = {"name": "tool-loop", "dialect": "tags", "turns": 4, "gold_box": "box"}
SPOT_TAG = "<think>there</think><bbox>[120, 20, 160, 60]</bbox>"


@pytest.mark.parametrize("kind", ["plain", "grey", "cmyk", "sixteen", "turned"])
def test_a_crop_shows_that_part_of_the_original(tmp_path: Path, kind: str) -> None:
    engine = Spoken(says(SPOT_TAG, "<answer>red</answer>"))
    row = run(tmp_path, engine, LOOP, image=encoded(kind))
    assert row.verdict.correct is True
    first, second = engine.requests
    assert (len(first.media), len(second.media)) == (1, 2)
    whole, part = pictures(second)
    assert (whole.size, part.size) == ((WIDE, HIGH), (40, 40))
    assert part.tobytes() == whole.crop(SPOT).tobytes()
    assert len(part.getcolors()) == 1, "nothing but the spot"
    assert row.verdict.scores["box_iou"] == 1
    assert {name: row.verdict.scores[name] for name in ("turns", "crops", "tool_errors")} == {
        "turns": 2, "crops": 1, "tool_errors": 0,
    }  # fmt: skip


def test_every_turn_is_told_with_its_box_and_picture(tmp_path: Path) -> None:
    row = run(tmp_path, Spoken(says(SPOT_TAG, "<answer>red</answer>")), LOOP)
    first, second = call_rows(row, "m")
    assert (first["role"], first["response"]) == ("turn", SPOT_TAG)
    step = json.loads(first["step"])
    assert (step["action"], step["box"], step["region"]) == ("crop", [120, 20, 160, 60], [120, 20, 160, 60])
    assert second["media"][1]["sha256"] == step["sha256"]
    assert (tmp_path / "media" / f"{step['sha256']}.png").is_file()
    assert json.loads(second["step"]) == {"action": "answer"}
    assert row.response.completion_tokens == 4


def test_a_crop_of_a_resized_crop_maps_back_to_the_original(tmp_path: Path) -> None:
    # 200×100 is shown as 112×56: the box is given in those pixels, then the crop of it is enlarged and cut again.
    small = {**LOOP, "resize": {"factor": 28, "min_pixels": 784, "max_pixels": 6300}, "min_side": 1}
    engine = Spoken(says("<bbox>[56, 0, 112, 56]</bbox>", "<bbox>[0, 0, 28, 28]</bbox>", "<answer>red</answer>"))
    row = run(tmp_path, engine, small)
    sizes = [(media.images[0].width, media.images[0].height) for media in engine.requests[2].media]
    assert sizes[0] == (112, 56)
    steps = [json.loads(call["step"]) for call in call_rows(row, "m")]
    assert steps[0]["region"] == [100, 0, 200, 100]
    side = sizes[1][0]
    assert steps[1]["box"] == [100, 0, 100 + 28 * 100 / side, 28 * 100 / side]
    assert row.verdict.scores["turns"] == 3


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ("<bbox>[500, 500, 600, 600]</bbox>", "outside"),
        ("<bbox>[160, 20, 120, 60]</bbox>", "reversed"),
        ("<bbox>[120, 20, 120, 60]</bbox>", "no area"),
        ("no idea what to do", "no action"),
        ("<search>red things</search>", "no action"),
    ],
)
def test_a_faulty_call_is_answered_with_an_error_and_counted(tmp_path: Path, call: str, word: str) -> None:
    engine = Spoken(says(call, "<answer>red</answer>"))
    row = run(tmp_path, engine, LOOP)
    assert word in text_of(engine.requests[1])
    assert len(engine.requests[1].media) == 1
    assert (row.verdict.correct, row.verdict.scores["tool_errors"], row.verdict.scores["crops"]) == (True, 1, 0)
    assert word in json.loads(call_rows(row, "m")[0]["step"])["error"]


def test_a_loop_without_an_end_has_no_answer(tmp_path: Path) -> None:
    row = run(tmp_path, Spoken(says(SPOT_TAG)), LOOP)
    assert (row.verdict.outcome, row.verdict.reason) == ("no_answer", "no answer within the turns")
    assert row.verdict.scores["turns"] == 4
    assert row.verdict.scores["box_iou"] == 1


def test_a_killed_conversation_goes_on_where_it_was(tmp_path: Path) -> None:
    def breaks(request: Request) -> Response:
        if any(message.role == "assistant" for message in request.messages):
            return Response("error", error="500")
        return Response("ok", text=SPOT_TAG, finish_reason="stop")

    assert run(tmp_path, Spoken(breaks), LOOP).verdict.outcome == "error"
    again = Spoken(says(SPOT_TAG, "<answer>red</answer>"))
    row = run(tmp_path, again, LOOP)
    assert row.verdict.correct is True
    assert [len(request.media) for request in again.requests] == [2], "the first turn is not asked again"
    assert [call.cached for call in row.calls] == [True, False]


def test_a_crop_of_a_changed_picture_shows_the_change(tmp_path: Path) -> None:
    engine = Spoken(says(SPOT_TAG, "<answer>red</answer>"))
    run(tmp_path, engine, LOOP, condition=get_condition("blank"))
    assert len(pictures(engine.requests[1])[1].getcolors()) == 1
    assert pictures(engine.requests[1])[1].getpixel((0, 0)) != (255, 0, 0)


def test_tool_calls_and_gazes(tmp_path: Path) -> None:
    call = '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [600, 200, 800, 600]}}</tool_call>'
    section = {"name": "tool-loop", "dialect": "tool-call", "coordinates": "thousand", "gold_box": "box"}
    engine = Spoken(says(call, "red"))
    row = run(tmp_path, engine, section)
    assert (row.verdict.correct, row.verdict.scores["box_iou"]) == (True, 1)
    assert "image_zoom_in_tool" in text_of(engine.requests[0])
    gaze = {"name": "tool-loop", "dialect": "gaze", "gold_box": "box"}
    looking = Spoken(says("<gaze>[199, 50, 2]</gaze>", "<answer>red</answer>"))
    other = run(tmp_path, looking, gaze)
    assert json.loads(call_rows(other, "m")[0]["step"])["region"] == [100, 25, 200, 75]
    assert other.verdict.scores["box_seen"] == 1
    (tmp_path / "other").mkdir()
    nowhere = run(tmp_path / "other", Spoken(says("<gaze>[900, 50]</gaze>", "<answer>red</answer>")), gaze)
    assert nowhere.verdict.scores["tool_errors"] == 1
    (tmp_path / "plain").mkdir()
    plain = run(tmp_path / "plain", Spoken(says("<think>easy</think> red")), gaze)
    assert (plain.verdict.correct, plain.verdict.scores["turns"]) == (True, 1)


COT = {"name": "visual-cot", "coordinates": "unit-square", "square": True, "gold_box": "box"}


def test_two_turns_with_a_box_on_the_padded_square(tmp_path: Path) -> None:
    # In the square of 200 the spot spans x 120–160 and y 70–110.
    engine = Spoken(says("<think>there</think>[0.6, 0.35, 0.8, 0.55]", "red"))
    row = run(tmp_path, engine, COT, metrics=["accuracy", "mean:box_iou"])
    assert row.verdict.correct is True
    assert row.verdict.scores["box_iou"] == pytest.approx(1)
    assert [call.role for call in row.calls] == ["box", "answer"]
    second = engine.requests[1]
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]
    assert (255, 0, 0) in {colour for _, colour in pictures(second)[1].getcolors()}
    assert "Answer with a single word" not in text_of(engine.requests[0])


@pytest.mark.parametrize(
    "reply", ["I cannot say", "[0.1, 0.1, 0.2, 0.2] or [0.6, 0.6, 0.7, 0.7]", "[0.1, 0, 0.2, 0.05]"]
)
def test_without_a_box_no_second_turn_is_invented(tmp_path: Path, reply: str) -> None:
    engine = Spoken(says(reply, "red"))
    row = run(tmp_path, engine, COT)
    assert (row.verdict.outcome, row.verdict.reason) == ("no_answer", "no box in the first reply")
    assert len(engine.requests) == 1
    assert row.verdict.scores["box_iou"] == 0


def test_a_strategy_without_a_picture_asks_once(tmp_path: Path) -> None:
    engine = Spoken(says("red"))
    row = run(tmp_path, engine, COT, condition=get_condition("blind"))
    assert (len(engine.requests), row.verdict.correct, row.verdict.scores["turns"]) == (1, True, 1)


def test_the_model_never_sees_the_gold_box(tmp_path: Path) -> None:
    engine = Spoken(says(SPOT_TAG, "<answer>red</answer>"))
    run(tmp_path, engine, {**LOOP, "instruction": "Look."})
    said = "".join(p.text for m in engine.requests[0].messages for p in m.parts if isinstance(p, TextPart))
    assert "120" not in said
    assert said.endswith("Look.")


def test_metrics_of_the_way_count_rows_without_an_answer(tmp_path: Path) -> None:
    row = run(tmp_path, Spoken(says(SPOT_TAG)), LOOP, metrics=["accuracy", "looked:turns", "looked:box_iou"])
    rows = [{"outcome": row.verdict.outcome, "sample_id": "1", "repeat": 0, "score": 0.0, "correct": False,
             "scores": dict(row.verdict.scores)}]  # fmt: skip
    assert estimate("looked:turns", rows).value == 4
    assert estimate("looked:box_iou", rows).value == 1
    assert estimate("mean:box_iou", rows).value == 0
