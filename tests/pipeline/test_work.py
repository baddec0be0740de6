"""From a row to units of work."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmeval.conditions.base import get_condition
from mmeval.core.errors import StorageError
from mmeval.core.types import Response
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.showing import asks_for_places, task_grid
from mmeval.pipeline.work import Stage, Unit, prepare_units, style_of, tickets
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.task import Task

ALL = frozenset({"text", "image", "images", "video"})
INFO = EngineInfo("fake", "1", {"weights": "w"})


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResponseCache]:
    with ResponseCache(tmp_path / "cache.sqlite") as opened:
        yield opened


@pytest.fixture
def stage(tmp_path: Path, cache: ResponseCache) -> Stage:
    for name in ("red", "blue"):
        (tmp_path / f"{name}.png").write_bytes(png(name))
    (tmp_path / "cut.png").write_bytes(png("red")[:-20])
    (tmp_path / "bare.png").write_bytes(png("red"))
    rows: list[dict[str, Any]] = [
        {"id": "one", "image": ["red.png"]},
        {"id": "two", "image": ["red.png", "blue.png"]},
        {"id": "cut", "image": ["cut.png"]},
        {"id": "none", "image": []},
    ]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"question": "Which?", "answer": "red", **row}) + "\n" for row in rows)
    )
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "images": ["image"]}, "answer": {"kind": "text"},
    }  # fmt: skip
    task = Task.load(CardFile("t", Path("t.yaml"), raw)).open(DataOptions(tmp_path))
    plan = RunPlan([task], [get_condition(name) for name in ("standard", "blind", "blank")], repeats=2)
    media = tmp_path / "media"
    media.mkdir()
    return Stage(plan, 0, INFO, ALL, SAMPLING_FIELDS, style_of(INFO), cache, None, media)


def units(stage: Stage) -> dict[tuple[str, str, int], Unit]:
    found = [unit for ticket in tickets(stage) for unit in prepare_units(stage, ticket)]
    return {(unit.sample.id, unit.condition, unit.order.repeat): unit for unit in found}


def test_every_condition_and_repeat_is_one_unit_in_the_order_of_the_table(stage: Stage) -> None:
    made = [unit.order for ticket in tickets(stage) for unit in prepare_units(stage, ticket)]
    assert len(made) == len(set(made)) == 4 * 3 * 2
    assert [(order.position, order.condition, order.repeat) for order in made] == sorted(
        (position, condition, repeat) for position in range(4) for condition in range(3) for repeat in range(2)
    )


def test_conditions_share_the_item_and_nothing_of_the_request(stage: Stage) -> None:
    found = units(stage)
    three = [found["two", name, 0] for name in ("standard", "blind", "blank")]
    assert len({unit.item_hash for unit in three}) == 1
    assert len({unit.request_hash for unit in three}) == 3
    assert [len(unit.media) for unit in three] == [2, 0, 2]
    blank = three[2].media[0].images[0]
    assert {colour for _, colour in Image.open(io.BytesIO(blank.data)).getcolors() or []} == {(128, 128, 128)}
    assert (blank.width, blank.height, blank.source_sha256) == (12, 8, three[0].media[0].images[0].sha256)
    assert len({unit.sample.cluster for unit in three}) == 1


def test_repeats_have_seeds_of_their_own(stage: Stage) -> None:
    first, second = (units(stage)["one", "standard", repeat].request for repeat in range(2))
    assert first is not None
    assert second is not None
    assert first.sampling.seed not in (None, second.sampling.seed)
    without = units(replace(stage, supported=SAMPLING_FIELDS - {"seed"}))
    request = without["one", "standard", 0].request
    assert request is not None
    assert request.sampling.seed is None
    assert without["one", "standard", 0].key != without["one", "standard", 1].key


def test_an_unreadable_image_is_an_error_row_under_every_condition(stage: Stage) -> None:
    found = units(stage)
    for condition in ("standard", "blind", "blank"):
        unit = found["cut", condition, 0]
        assert unit.request is None
        assert unit.failure is not None
        assert unit.failure.status == "error"
        assert "cut.png" in (unit.failure.error or "")
        assert unit.sample.cluster == "cut"
    assert found["one", "standard", 0].failure is None


@pytest.mark.parametrize(
    ("modalities", "sample", "says"),
    [
        ({"text"}, "one", "takes no images"),
        ({"text", "image"}, "two", "one image per request"),
        ({"text", "image"}, "one", None),
        ({"text"}, "none", None),
    ],
)
def test_what_a_model_cannot_be_shown_is_permanent(
    stage: Stage, modalities: set[str], sample: str, says: str | None
) -> None:
    unit = units(replace(stage, modalities=frozenset(modalities)))[sample, "standard", 0]
    if says is None:
        assert unit.failure is None
        return
    assert unit.failure is not None
    assert unit.failure.status == "unsupported"
    assert says in (unit.failure.error or "")
    assert unit.item_hash
    assert units(replace(stage, modalities=frozenset(modalities)))[sample, "blind", 0].failure is None


def test_a_committed_answer_is_found_again(stage: Stage, cache: ResponseCache) -> None:
    before = units(stage)["one", "standard", 1]
    assert before.stored is None
    cache.put(before.key, Response("ok", text="red"), engine="fake", model="m").result(30)
    found = units(stage)
    assert found["one", "standard", 1].stored == Response("ok", text="red")
    assert found["one", "standard", 0].stored is None
    assert units(replace(stage, scope="run1"))["one", "standard", 1].stored is None


def test_media_are_stored_as_sent(stage: Stage, tmp_path: Path) -> None:
    units(stage)
    stored = {path.name: path.read_bytes() for path in (tmp_path / "media").iterdir()}
    images = {
        image.sha256: image.data for unit in units(stage).values() for media in unit.media for image in media.images
    }
    assert stored == {f"{sha256}.png": data for sha256, data in images.items()}
    with pytest.raises(StorageError, match=r"cannot store media(.|\n)*--no-media"):
        units(replace(stage, media_dir=tmp_path / "absent"))


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("androidcontrol-low", True), ("gui-odyssey", True), ("magic-rich", True), ("screenspot", True), ("refcoco", True),
        ("screenqa-short", False), ("charades-sta", False), ("scanrefer", False), ("mathvista", False),
    ],
)  # fmt: skip
def test_pictures_with_places_are_sent_in_the_sizes_of_the_processor(name: str, places: bool) -> None:
    task = Task.load(Registry([]).cards[name])
    assert asks_for_places(task) is places
    in_pixels = replace(INFO, profile={"coordinates": "pixels", "grid": 28})
    assert (task_grid(in_pixels, task) is not None) is places
    assert task_grid(replace(INFO, profile={"coordinates": "0-1000", "grid": 28}), task) is None
