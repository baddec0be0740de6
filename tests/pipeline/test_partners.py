"""Whose picture a shuffled item gets, and that conditions on pixels change nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmeval.conditions.base import SETS, get_condition
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.plan import RunPlan
from mmeval.pipeline.work import Stage, Unit, prepare_units, style_of, tickets
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

INFO = EngineInfo("fake", "1", {"weights": "w"})
ALL = frozenset({"text", "image", "images", "video"})
PIXEL_CONDITIONS = (
    "shuffled:1",
    "shuffled:2",
    "hide-region",
    "hide-elsewhere",
    "crop",
    "crop-elsewhere",
    "mask:0.5",
    "blur",
    "mean",
)


def stage(folder: Path, cache: ResponseCache, count: int = 40, same: bool = False, seed: int = 0) -> Stage:
    folder.mkdir(exist_ok=True)
    draw = np.random.default_rng(3)
    lines = []
    for number in range(count):
        size = ((60, 40), (40, 60))[number % 2]
        pixels = draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels * 0 if same else pixels).save(folder / f"{number}.png")
        row = {
            "id": str(number),
            "image": f"{number}.png",
            "question": "Which?",
            "answer": "x",
            "box": [0.1, 0.1, 0.3, 0.4],
        }
        lines.append(json.dumps(row))
    (folder / "rows.jsonl").write_text("\n".join(lines))
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "images": ["image"]}, "answer": {"kind": "text"},
        "visual": {"regions": "box", "coordinates": "unit"},
    }  # fmt: skip
    task = Task.load(CardFile("t", Path("t.yaml"), raw)).open(DataOptions(folder))
    plan = RunPlan([task], [get_condition(name) for name in ("standard", *PIXEL_CONDITIONS)], seed=seed)
    return Stage(plan, 0, INFO, ALL, SAMPLING_FIELDS, style_of(INFO), cache, None, None)


def made(stage: Stage) -> dict[tuple[str, str], Unit]:
    units = [unit for ticket in tickets(stage) for unit in prepare_units(stage, ticket)]
    return {(unit.sample.id, unit.condition): unit for unit in units}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResponseCache]:
    with ResponseCache(tmp_path / "cache.sqlite") as opened:
        yield opened


def test_pictures_are_exchanged_without_a_fixed_point_and_alike_in_shape(tmp_path: Path, cache: ResponseCache) -> None:
    found = made(stage(tmp_path / "data", cache))
    for name in ("shuffled:1", "shuffled:2"):
        partners = {
            one: unit.sample.extras["shown_from"] for (one, condition), unit in found.items() if condition == name
        }
        assert len(partners) == 40
        assert sorted(partners.values()) == sorted(partners)
        assert all(one != other for one, other in partners.items())
        alike = [int(one) % 2 == int(other) % 2 for one, other in partners.items()]
        assert np.mean(alike) > 0.7
        assert all(unit.media[0].images[0].width == unit.media[0].images[0].source_width for unit in found.values())
    pairs = {(found[one, "shuffled:1"].sample.extras["shown_from"], found[one, "shuffled:2"].sample.extras["shown_from"]) for one, c in found if c == "standard"}  # fmt: skip
    assert all(first != second for first, second in pairs)


def test_the_partner_is_drawn_by_the_seed_alone(tmp_path: Path, cache: ResponseCache) -> None:
    runs = [made(stage(tmp_path / "data", cache, seed=seed)) for seed in (0, 0, 1)]
    first, again, other = (
        [unit.media[0].sha256 for (_, name), unit in run.items() if name == "shuffled:1"] for run in runs
    )
    assert first == again != other


def test_equal_pictures_are_no_partners(tmp_path: Path, cache: ResponseCache) -> None:
    found = made(stage(tmp_path / "data", cache, count=6, same=True))
    unit = found["0", "shuffled:2"]
    assert unit.failure is not None
    assert unit.failure.status == "unsupported"
    assert "fewer than 2 other pictures" in (unit.failure.error or "")


def test_what_changes_pixels_changes_nothing_else_of_the_request(tmp_path: Path, cache: ResponseCache) -> None:
    found = made(stage(tmp_path / "data", cache))
    for (one, name), unit in found.items():
        standard = found[one, "standard"].request
        assert standard is not None
        assert unit.request is not None, unit.failure
        image, plain = unit.request.media[0].images[0], standard.media[0].images[0]
        assert (image.width, image.height) == (plain.width, plain.height)
        assert image.source_sha256 == plain.source_sha256
        assert (image.sha256 != plain.sha256) == (name != "standard"), name
        same = replace(unit.request, id=standard.id, media=standard.media, sample=None)
        assert same == replace(standard, sample=None)
        assert unit.item_hash == found[one, "standard"].item_hash
        assert (unit.sample.target, unit.sample.context) == (
            found[one, "standard"].sample.target,
            found[one, "standard"].sample.context,
        )
        shown = Image.open(io.BytesIO(image.data))
        assert shown.size == (plain.width, plain.height)


def test_every_name_of_a_set_is_a_condition() -> None:
    for names in SETS.values():
        assert [get_condition(name).name for name in names] == list(names)
