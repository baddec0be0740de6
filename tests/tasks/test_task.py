"""A card and a row become a sample; hashes say which numbers compare."""

from __future__ import annotations

import copy
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmeval.conditions.base import get_condition
from mmeval.core.errors import DataError
from mmeval.core.types import MediaPart, PreparedMedia, Response, Sample, TextPart
from mmeval.pipeline.media import prepare_image
from mmeval.tasks.opened import OpenTask, RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.task import Task, item_hash
from mmeval.verifiers.base import verify

STYLE = AskStyle()
CARD: dict[str, Any] = {
    "name": "demo/one",
    "family": "demo",
    "title": "A demonstration",
    "dataset": {"local": {"files": ["*.jsonl"]}},
    "fields": {"id": "id", "images": ["image"], "choices": "options", "cluster": "scene"},
    "answer": {"kind": "choice", "target": "letter"},
    "subsets": {"kind": "kind"},
}
ROW = {
    "id": "r1",
    "question": "Which?",
    "options": ["red", "blue"],
    "answer": "B",
    "scene": "s1",
    "kind": "easy",
    "image": None,
}


def task(override: str | None = None, **sections: Any) -> Task:
    raw = copy.deepcopy(CARD)
    for name, value in sections.items():
        raw[name] = {**raw[name], **value} if isinstance(value, dict) and isinstance(raw.get(name), dict) else value
    return Task.load(CardFile("demo/one", Path("demo.yaml"), raw), prompt_override=override)


def opened(folder: Path, rows: list[dict[str, Any]], made: Task | None = None, **options: Any) -> OpenTask:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return (made or task()).open(DataOptions(folder, **options))


def sample(folder: Path, made: Task | None = None, style: AskStyle = STYLE, **row: Any) -> Sample:
    return next(iter(opened(folder, [{**ROW, **row}], made).samples(style)))[1]()


def picture(colour: str = "red", size: tuple[int, int] = (40, 20)) -> PreparedMedia:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return PreparedMedia("image", (prepare_image(buffer.getvalue(), "x")[0],))


def asked(found: Sample) -> str:
    return "".join(part.text for message in found.messages for part in message.parts if isinstance(part, TextPart))


def test_a_row_becomes_a_sample(tmp_path: Path) -> None:
    found = sample(tmp_path, image="a.png")
    assert (found.id, found.target, found.cluster, dict(found.subsets)) == ("r1", "B", "s1", {"kind": "easy"})
    assert found.context.choices == ("red", "blue")
    assert asked(found) == "Which?\n(A) red\n(B) blue\nAnswer with the letter of the correct option."
    assert found.messages[0].parts[0] == MediaPart(0)
    assert found.media[0].path == tmp_path / "a.png"
    assert "B" not in json.dumps(dict(found.context.options))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": None}, "column 'question' is null"),
        ({"id": None}, "column 'id' is null"),
        ({"answer": "C"}, "'C' is no letter of the 2 choices"),
        ({"options": "red"}, "is no list"),
        ({"image": 5}, "column image: a cell of type int"),
        ({"image": "../x.png"}, "leaves the data folder"),
    ],
)
def test_a_bad_row_is_named_by_file_and_row(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=rf"rows\.jsonl, row 1.*{says}") as caught:
        sample(tmp_path, **row)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "fields",
    [{"cluster": "= scene_id"}, {"images": ["= picture if pictures else picture"]}, {"answer": "= answers | first"}],
)
def test_a_column_that_an_expression_needs_is_named_with_the_nearest(tmp_path: Path, fields: dict[str, Any]) -> None:
    key = next(iter(fields))
    with pytest.raises(DataError, match=rf"rows\.jsonl, row 1: column '\w+' is missing .*fields\.{key}") as caught:
        opened(tmp_path, [ROW] * 3, task(fields=fields))
    meant = {"cluster": "scene", "images": "image", "answer": "answer"}[key]
    assert meant in caught.value.remedy.split("?")[0] or key == "images"


@pytest.mark.parametrize(("form", "gold"), [("index", 1), ("position", 2), ("index", "1"), ("position", 2.0)])
def test_options_in_columns_of_their_own(tmp_path: Path, form: str, gold: Any) -> None:
    columns = task(fields={"choices": ["A", "option b", "C"]}, answer={"kind": "choice", "target": form})
    row = {**ROW, "A": "red", "option b": "blue", "C": "", "answer": gold}
    ((_, build),) = opened(tmp_path, [row], columns).samples(STYLE)
    found = build()
    assert found.context.choices == ("red", "blue")
    assert found.target == "B"
    with pytest.raises(DataError, match=r"row 1: column 'C' is missing \(the card names it in fields\.choices\)"):
        opened(tmp_path, [{name: value for name, value in row.items() if name != "C"}], columns)
    for wrong in (-1, 3, "x", None):
        broken = opened(tmp_path, [row, {**row, "id": "r2", "answer": wrong}], columns)
        last = [build for _, build in broken.samples(STYLE)][1]
        if wrong is None:
            assert last().target is None
        else:
            with pytest.raises(RowError, match=rf"row 2: answer {form} .* is outside the 2 choices"):
                last()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "answer"}
    with pytest.raises(DataError, match=r"rows\.jsonl, row 1: column 'answer' is missing(.|\n)*id, image"):
        next(iter(opened(tmp_path, [row]).samples(STYLE)))[1]()


def test_a_withheld_answer_has_no_target(tmp_path: Path) -> None:
    withheld = task(answer={"kind": "choice", "target": "letter", "withheld": True})
    ((_, build),) = opened(tmp_path, [{**ROW, "answer": None}], withheld).samples(STYLE)
    assert build().target is None
    verdict = verify(withheld.verifier, Response("ok", text="A"), None, build().context)
    assert (verdict.outcome, verdict.extracted) == ("unscored", "A")
    assert "not published" in (verdict.reason or "")


@pytest.mark.parametrize("count", [1, 5, 200])
@pytest.mark.parametrize("answer", [None, "", "  "])
def test_a_revision_whose_answers_are_all_null_is_refused_up_front(tmp_path: Path, count: int, answer: Any) -> None:
    rows = [{**ROW, "id": str(n), "answer": answer, "answer_option": "A"} for n in range(count)]
    with pytest.raises(DataError, match=r"rows\.jsonl, row 1: no gold answer in 'answer' \(fields\.answer\)") as caught:
        opened(tmp_path, rows)
    assert "answer_option" in caught.value.remedy.split(";")[0]
    assert "answer.withheld" in caught.value.remedy
    rows[min(count, 64) - 1]["answer"] = "A"
    assert opened(tmp_path, rows).available is None


def test_null_clusters_do_not_tie_rows_together(tmp_path: Path) -> None:
    found = sample(tmp_path, scene=None)
    assert found.cluster == ""
    assert task().settle(found, [picture()]).cluster.startswith("image-")
    assert task().settle(found, []).cluster == "r1"
    rows = [{**ROW, "id": str(number), "scene": None} for number in range(10)]
    assert opened(tmp_path, rows, limit=4).size == 4


def test_an_empty_data_set_is_an_error_with_and_without_a_limit(tmp_path: Path) -> None:
    for options in ({}, {"limit": 3}):
        with pytest.raises(DataError, match="task demo/one: the data set has no rows"):
            list(opened(tmp_path, [], **options).samples(STYLE))
    nothing = task(dataset={"where": {"kind": ["hard"]}})
    with pytest.raises(DataError, match=r"no rows(.|\n)*dataset\.where"):
        list(opened(tmp_path, [ROW], nothing).samples(STYLE))


def ids(task: OpenTask) -> dict[int, str]:
    """What each position is called in the results, and what is wrong with it after a bar."""
    found = {}
    for position, build in task.samples(STYLE):
        try:
            found[position] = build().id
        except RowError as error:
            named = "rows.jsonl, row" in error.message and error.remedy
            found[position] = f"{error.identifier}|{error.message if named else 'not named'}"
    return found


BROKEN: list[dict[str, Any]] = [
    {**ROW, "id": None},
    {**ROW, "answer": "Z"},
    {**ROW, "id": "r2"},
    {**ROW, "id": "r2", "options": ["other", "options"]},
    {**ROW, "id": "r3", "image": 5},
    {**ROW, "id": "r4", "image": "https://host/x.png"},
    {**ROW, "id": " "},
    {**ROW, "id": "r5"},
    {**ROW, "id": "r2"},
    {key: value for key, value in ROW.items() if key != "id"},
    {**{key: value for key, value in ROW.items() if key != "kind"}, "id": "r6"},
    {**{key: value for key, value in ROW.items() if key != "scene"}, "id": "r7"},
    *({**ROW, "id": f"x{number}", "scene": f"s{number}"} for number in range(8)),
]


def test_a_row_at_fault_keeps_its_own_id_and_the_others_run(tmp_path: Path) -> None:
    found = ids(opened(tmp_path, BROKEN))
    assert [name.split("|")[0] for name in found.values()] == [
        "row 1 (no id)", "r1", "r2", "r2 (again, row 4)", "r3", "r4", "row 7 (no id)", "r5", "r2 (again, row 9)",
        "row 10 (no id)", "r6", "r7", *(f"x{number}" for number in range(8)),
    ]  # fmt: skip
    says = {
        0: "column 'id' is null", 1: "'Z' is no letter", 3: "id 'r2' is there twice, row 3 has it already",
        4: "column image: a cell of type int", 5: "is a web address", 6: "column 'id' (fields.id) is empty",
        8: "id 'r2' is there twice", 9: "column 'id' is missing (the card names it in fields.id)",
        10: "column 'kind' is missing (the card names it in subsets.kind)",
        11: "column 'scene' is missing (the card names it in fields.cluster)",
    }  # fmt: skip
    assert {position for position, name in found.items() if "|" in name} == set(says)
    for position, text in says.items():
        assert text in found[position]


@pytest.mark.parametrize("limit", [1, 4, 9, 15])
def test_ids_and_faults_do_not_depend_on_the_limit(tmp_path: Path, limit: int) -> None:
    every = ids(opened(tmp_path, BROKEN))
    for seed in range(4):
        some = ids(opened(tmp_path, BROKEN, limit=limit, limit_seed=seed))
        assert some == {position: every[position] for position in some}


def test_a_card_that_fits_none_of_the_first_rows_is_refused(tmp_path: Path) -> None:
    rows = [{**ROW, "id": str(number), "answer": "red"} for number in range(40)]
    for options in ({}, {"limit": 3}):
        with pytest.raises(DataError, match=r"rows\.jsonl, row 1: answer 'red' is no letter"):
            opened(tmp_path, rows, **options)
        assert opened(tmp_path, [*rows[:15], {**ROW, "id": "good"}, *rows[15:]], **options)


@pytest.mark.parametrize("options", [{}, {"limit": 2}, {"limit": 0.5}])
def test_a_missing_subset_column_is_refused_with_and_without_a_limit(tmp_path: Path, options: dict[str, Any]) -> None:
    made = task(subsets={"kind": "knid"})
    rows = [{**ROW, "id": str(number)} for number in range(6)]
    says = (
        r"rows\.jsonl, row 1: column 'knid' is missing .*subsets\.kind(.|\n)*did you mean kind(.|\n)*answer, id, image"
    )
    with pytest.raises(DataError, match=says):
        opened(tmp_path, rows, made, **options)


def test_a_generator_without_the_subset_column_is_refused() -> None:
    card = Registry().cards["synthetic/existence"]
    raw = {**card.raw, "subsets": {"asked": "asked_bye"}}
    with pytest.raises(DataError, match=r"synthetic/existence, item 0: column 'asked_bye'(.|\n)*did you mean asked_by"):
        Task.load(CardFile(card.name, card.path, raw)).open(DataOptions(limit=2))


def test_a_prompt_that_a_row_does_not_fit_names_the_row(tmp_path: Path) -> None:
    made = task("{{ question }} {{ row.hint.upper() }}")
    rows = [{**ROW, "hint": "x"}, {**ROW, "id": "r2"}]
    found = ids(opened(tmp_path, rows, made))
    assert found[1].startswith("r2|")
    assert "rows.jsonl, row 2: prompt template" in found[1]


def test_a_row_without_gold_says_which_column_of_which_file_is_empty(tmp_path: Path) -> None:
    for empty in (None, "", " "):
        rows = [{**ROW, "answer": empty}, {**ROW, "id": "r2"}]
        found = next(iter(opened(tmp_path, rows).samples(STYLE)))[1]()
        assert found.target is None
        verdict = verify(task().verifier, Response("ok", text="A"), None, found.context)
        assert verdict.outcome == "unscored"
        assert re.search(r"no gold answer in 'answer' \(fields\.answer\) of rows\.jsonl", verdict.reason or "")
        assert "asking again does not help" in (verdict.reason or "")
    assert "no gold" not in str(sample(tmp_path).context.options)


def test_a_limit_takes_the_same_rows_in_order(tmp_path: Path) -> None:
    rows = [{**ROW, "id": str(number), "scene": f"s{number // 2}"} for number in range(20)]
    some = opened(tmp_path, rows, limit=6)
    positions = [position for position, _ in some.samples(STYLE)]
    assert positions == sorted(some.selected or ())
    assert len(positions) == some.size == 6
    assert some.available == 20
    assert all((position ^ 1) in positions for position in positions)
    assert [build().id for _, build in some.samples(STYLE)] == [str(position) for position in positions]
    assert opened(tmp_path, rows, limit=6, limit_seed=1).selected != some.selected


def test_a_limited_generator_keeps_whole_clusters() -> None:
    card = Registry().cards["synthetic/existence"]
    made = Task.load(card)
    for limit in (1, 2, 3, 7, 0.01, 600):
        found = [build() for _, build in made.open(DataOptions(limit=limit)).samples(STYLE)]
        clusters = [one.cluster for one in found]
        assert {clusters.count(name) for name in clusters} == {2}, limit
    assert len(found) == 600


@pytest.mark.parametrize(
    ("name", "asked"),
    [("attribute", (2, 4)), ("box", (2, 4)), ("count", (2, 4)), ("existence", (2, 4)), ("chart", (1, 5))],
)
def test_an_odd_limit_of_a_generator_is_rounded_down_to_whole_clusters(name: str, asked: tuple[int, int]) -> None:
    made = Task.load(Registry().cards[f"synthetic/{name}"])
    assert tuple(made.open(DataOptions(limit=limit)).size for limit in (1, 5)) == asked


def test_the_item_hash_is_of_the_source_item(tmp_path: Path) -> None:
    red, blue = [picture()], [picture("blue")]
    base = item_hash(sample(tmp_path), red)
    assert item_hash(sample(tmp_path), [picture()]) == base
    other_prompt = task("Please: {{ question }}")
    assert item_hash(sample(tmp_path, other_prompt), red) == base
    assert item_hash(sample(tmp_path, task(prompt={"system": "x"})), red) == base
    assert item_hash(sample(tmp_path, style=AskStyle(coordinates="unit", system="be brief")), red) == base
    blind = get_condition("blind").sample
    assert blind is not None
    assert item_hash(blind(sample(tmp_path)), red) == base
    assert item_hash(sample(tmp_path, kind="hard", scene="s2"), red) == base
    changed = [
        item_hash(sample(tmp_path, answer="A"), red),
        item_hash(sample(tmp_path, question="Which one?"), red),
        item_hash(sample(tmp_path, options=["red", "green"]), red),
        item_hash(sample(tmp_path, options=["blue", "red"]), red),
        item_hash(sample(tmp_path, id="r2"), red),
        item_hash(sample(tmp_path), blue),
        item_hash(sample(tmp_path), [*red, *blue]),
        item_hash(sample(tmp_path), [*blue, *red]),
        item_hash(sample(tmp_path), []),
    ]
    assert len({base, *changed}) == 1 + len(changed)


def test_an_ablated_image_belongs_to_the_same_item(tmp_path: Path) -> None:
    source = picture()
    grey = replace(source.images[0], sha256="0" * 64, data=b"")
    assert item_hash(sample(tmp_path), [PreparedMedia("image", (grey,))]) == item_hash(sample(tmp_path), [source])


def ask(made: Task, condition: str = "standard", **sampling: Any) -> str:
    return made.ask_digest(replace(made.sampling, **sampling), condition)


RATING: dict[str, Any] = {"answer": {"kind": "rating", "target": "value"}, "fields": {"choices": None}}


def test_the_ask_digest_covers_all_that_is_asked() -> None:
    base = task()
    digests = [
        ask(base),
        ask(base, "blind"),
        ask(base, max_tokens=7),
        ask(base, temperature=0.5),
        ask(task("{{ question }}")),
        ask(task("{{ question }} ")),
        ask(task("{{ question }}", prompt={"system": "be brief"})),
        ask(task("{{ question }}", prompt={"placeholder": "<image>"})),
        ask(task(prompt={"column": "query"})),
        ask(task(prompt={"instruction": "Say it."})),
        ask(task(prompt={"system": "be brief"})),
        ask(task(prompt={"placeholder": "<image>"})),
        ask(task(answer={"kind": "text"})),
        ask(task(fields={"images": []})),
        ask(task(**RATING)),
        ask(task(**{**RATING, "answer": {"kind": "rating", "options": {"low": 0, "high": 10}}})),
    ]
    assert len(set(digests)) == len(digests)
    assert ask(task(title="Another", subsets={}, answer={"target": "text"})) == digests[0]
    assert ask(base, seed=5) == digests[0]
    assert ask(task(prompt={"template": "{{ question }}"})) == ask(task("{{ question }}"))


def test_a_prompt_file_replaces_a_prompt_column(tmp_path: Path) -> None:
    made = task("Q: {{ question }}", prompt={"column": "query", "system": "be brief"})
    assert asked(sample(tmp_path, made)) == "be briefQ: Which?"
    with pytest.raises(DataError, match="prompt column 'query' is missing or empty"):
        sample(tmp_path, task(prompt={"column": "query"}))


def test_the_score_digest_covers_all_that_scores() -> None:
    box = {"answer": {"kind": "box", "target": "value"}, "metrics": ["iou"]}
    digests = [
        task().score_digest(),
        task(answer={"target": "text"}).score_digest(),
        task(answer={"options": {"answer_tags": "result"}}).score_digest(),
        task(answer={"row_options": ["kind"]}).score_digest(),
        task(answer={"verifier": "text"}).score_digest(),
        task(metrics=["accuracy", "mean"]).score_digest(),
        task(**box).score_digest(),
        task(answer={**box["answer"], "coordinates": "unit"}, metrics=["iou"]).score_digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert task(prompt={"system": "x"}, decoding={"max_tokens": 5}).score_digest() == digests[0]


@pytest.mark.parametrize(
    ("space", "target", "expected"),
    [
        ("pixels", [4, 2, 8, 6], [4, 2, 8, 6]),
        ("unit", [0.1, 0.1, 0.5, 1], [4, 2, 20, 20]),
        ("thousand", [100, 100, 500, 1000], [4, 2, 20, 20]),
    ],
)
def test_gold_becomes_pixels_of_the_original_image(
    tmp_path: Path, space: str, target: list[float], expected: list[float]
) -> None:
    answer = {"kind": "box", "target": "value", "coordinates": space}
    made = task(answer=answer, fields={"choices": None}, metrics=["iou"])
    found = sample(tmp_path, made, answer=target)
    settled = made.settle(found, [picture()])
    assert settled.target == expected
    assert (settled.context.image_size, settled.context.sent_size) == ((40, 20), (40, 20))
    assert item_hash(found, [picture()]) == item_hash(settled, [picture()])
    assert made.settle(found, []).context.image_size is None


def test_the_profile_shapes_the_prompt(tmp_path: Path) -> None:
    made = task(answer={"kind": "point", "target": "value"}, fields={"choices": None})
    style = AskStyle(
        coordinates="thousand", coordinate_order="yx", system="sys", reasoning_tags=("<think>", "</think>")
    )
    found = sample(tmp_path, made, style, answer=[1, 2])
    assert asked(found) == "sysWhich?\nAnswer with one point as [y, x] in coordinates from 0 to 1000."
    assert (found.context.coordinates, found.context.coordinate_order) == ("thousand", "yx")
    assert found.context.options["reasoning_tags"] == ["<think>", "</think>"]
    own = task(answer={"kind": "point", "target": "value"}, fields={"choices": None}, prompt={"system": "card"})
    assert asked(sample(tmp_path, own, style, answer=[1, 2])).startswith("cardWhich?")


def test_rows_of_mixed_kinds(tmp_path: Path) -> None:
    made = task(answer={"kind": "mixed", "target": "letter"}, fields={"answer_type": "kind"})
    closed = sample(tmp_path, made, kind="choice")
    assert "(A) red" in asked(closed)
    free = sample(tmp_path, made, kind="number", answer="12")
    assert free.target == "12"
    assert asked(free) == "Which?\nAnswer with a number."
    with pytest.raises(DataError, match="'essay' has no default instruction"):
        sample(tmp_path, made, kind="essay")
