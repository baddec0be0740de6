"""A data file becomes a card: selectors, names, what every format gives, and the YAML that asks the same."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import DataError, MmevalError, UsageError
from mmeval.core.types import MediaPart, Sample, TextPart
from mmeval.core.yaml_files import read_yaml
from mmeval.tasks import file_task
from mmeval.tasks.answers import KINDS, Wanted
from mmeval.tasks.card_text import card_text
from mmeval.tasks.check import explain
from mmeval.tasks.file_selector import split_selectors, task_name
from mmeval.tasks.file_task import FileOptions, portable, read_file_card, stored_card
from mmeval.tasks.opened import RowError
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile, Registry
from mmeval.tasks.task import Task


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 9), colour).save(buffer, "PNG")
    return buffer.getvalue()


PNG = base64.b64encode(png()).decode()
BLUE = base64.b64encode(png("blue")).decode()
CHOICE = [
    {"index": str(n), "question": f"Which, {n}?", "A": "red", "B": "green", "C": "blue" if n else "", "answer": "AB"[n % 2],
     "category": f"k{n % 2}", "image": PNG if n == 0 else "0"}
    for n in range(4)
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tsv", ".csv"):
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def task_of(path: Path, options: FileOptions | None = None) -> Task:
    ((card, protocol),) = Registry(files=options).resolve([f"file:{path}"])
    assert explain(card) is None
    return Task.load(card, protocol)


def samples_of(task: Task) -> list[Sample]:
    return [build() for _, build in task.open(DataOptions()).samples(AskStyle())]


def samples(path: Path, options: FileOptions | None = None) -> list[Sample]:
    return samples_of(task_of(path, options))


def asked(sample: Sample) -> str:
    return "\n".join(part.text for part in sample.messages[-1].parts if isinstance(part, TextPart))


def test_an_lmudata_file_is_asked_as_it_is(tmp_path: Path) -> None:
    found = samples(write(tmp_path / "MMBench_DEV.tsv", CHOICE))
    assert [sample.id for sample in found] == ["0", "1", "2", "3"]
    assert [sample.target for sample in found] == ["A", "B", "A", "B"]
    assert [media.read() for sample in found for media in sample.media] == [png()] * 4
    assert asked(found[0]) == "Which, 0?\n(A) red\n(B) green\nAnswer with the letter of the correct option."
    assert found[1].context.choices == ("red", "green", "blue")
    assert dict(found[1].subsets) == {"category": "k1"}
    assert found[0].task == "file/mmbench_dev"


def test_every_format_gives_the_same_samples(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(png())
    rows: list[dict[str, Any]] = [
        {"id": f"r{n}", "prompt": f"Which, {n}?", "options": ["red", "green"], "label": n % 2, "img": "pictures/a.png"}
        for n in range(3)
    ]
    text = [{**row, "options": str(row["options"])} for row in rows]
    expected = None
    for name in ("a.jsonl", "a.json", "a.parquet", "a.csv", "a.tsv"):
        made = text if name.endswith(("csv", "tsv")) else rows
        # Index or position? A 0 and no 2 tell.
        found = samples(write(tmp_path / name, made))
        shown = [(sample.id, asked(sample), sample.target, sample.media[0].read(), sample.item) for sample in found]
        expected = expected or shown
        assert shown == expected
    assert expected is not None
    assert [entry[2] for entry in expected] == ["A", "B", "A"]


def test_image_structs_and_lists_of_parquet(tmp_path: Path) -> None:
    rows = [
        {"question": f"<image 1> or <image 2>? {n}", "images": [{"bytes": png(), "path": None}, {"bytes": png("blue"), "path": None}],
         "answer": "first"}
        for n in range(3)
    ]  # fmt: skip
    (found, *_) = samples(write(tmp_path / "x.parquet", rows))
    assert [media.read() for media in found.media] == [png(), png("blue")]
    assert [part.index for part in found.messages[0].parts if isinstance(part, MediaPart)] == [0, 1]
    assert "<image" not in asked(found)


def test_marks_of_images_that_rows_do_not_have_stay_text(tmp_path: Path) -> None:
    rows = [
        {"question": "<image1> and <image2>?", "image": PNG, "answer": "x"},
        {"question": "<image1>?", "image": PNG, "answer": "y"},
    ]
    card = read_file_card(write(tmp_path / "x.jsonl", rows), FileOptions())
    assert card.raw["prompt"] == {"placeholder": "<image{i}>", "unmatched": "text"}
    rows[0]["question"] = "<image1>!"
    card = read_file_card(write(tmp_path / "x.jsonl", rows), FileOptions())
    assert card.raw["prompt"] == {"placeholder": "<image{i}>"}


def test_a_hint_and_options_that_the_question_lists(tmp_path: Path) -> None:
    rows = [
        {**row, "hint": "Look." if n else "", "question": f"Which? A. red B. green C. {row['C']}"}
        for n, row in enumerate(CHOICE)
    ]
    first, second, *_ = samples(write(tmp_path / "x.tsv", rows))
    assert asked(first) == "Which? A. red B. green C. \nAnswer with the letter of the correct option."
    assert asked(second) == "Hint: Look.\nWhich? A. red B. green C. blue\nAnswer with the letter of the correct option."
    assert second.context.choices == ("red", "green", "blue")


def test_rows_without_options_are_open_questions(tmp_path: Path) -> None:
    rows = [
        {"question": "Which?", "choices": "['red', 'green']", "answer": "green"},
        {"question": "How many?", "choices": "[]", "answer": "3"},
        {"question": "How many?", "choices": "", "answer": "2.5"},
    ]
    first, second, third = samples(write(tmp_path / "x.csv", rows))
    assert (first.target, second.target, third.target) == ("B", "3", "2.5")
    assert [sample.context.options["answer_type"] for sample in (first, second, third)] == [
        "choice",
        "number",
        "number",
    ]
    assert asked(second) == "How many?\nAnswer with a number."


def test_keys_that_only_some_json_rows_have(tmp_path: Path) -> None:
    rows = [
        {"question": "Which?", "A": "red", "B": "green", "answer": "A", "subject": "x"},
        {"question": "Which?", "A": "red", "B": "green", "C": "blue", "answer": "C", "subject": "y", "image": PNG},
        {"question": "Which?", "A": "red", "B": "green", "answer": "B", "subject": "x"},
        {"question": "Which?", "A": "red", "B": "green", "subject": "x"},
    ]
    found = samples(write(tmp_path / "x.jsonl", rows))
    assert [sample.context.choices for sample in found] == [
        ("red", "green"),
        ("red", "green", "blue"),
        *[("red", "green")] * 2,
    ]
    assert [sample.target for sample in found] == ["A", "C", "B", None]
    assert [len(sample.media) for sample in found] == [0, 1, 0, 0]


def test_names_of_columns_may_be_anything(tmp_path: Path) -> None:
    odd = 'Quest"ion }} \\ é 😀'
    rows = [{odd: "Which?", "My answer": "yes", "hin't": "h", "k\n": n % 2} for n in range(3)]
    options = FileOptions({"question": [odd], "answer": ["My answer"], "hint": ["hin't"], "category": ["k\n"]})
    first, *_ = samples(write(tmp_path / "x.jsonl", [*rows, {odd: "Who?", "My answer": "no"}]), options)
    assert asked(first) == "Hint: h\nWhich?\nAnswer yes or no."
    assert dict(first.subsets) == {"k\n": "0"}


def test_the_card_holds_the_content_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", CHOICE)
    task = task_of(path)
    assert task.open(DataOptions()).description()["files"][0]["sha256"] == task.card.dataset.local.sha256  # type: ignore[union-attr]
    write(tmp_path / "x.tsv", CHOICE[:2])
    with pytest.raises(DataError, match="its content is not the one"):
        task.open(DataOptions())
    assert task_of(path).card.dataset != task.card.dataset


def test_the_card_of_a_large_file_holds_a_sample_of_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmeval.tasks.local_files.READ_WHOLE", 10)
    monkeypatch.setattr("mmeval.tasks.local_files.hash_files", None)  # the whole is not read
    path = write(tmp_path / "x.tsv", CHOICE)
    task = task_of(path)
    local = task.card.dataset.local  # type: ignore[union-attr]
    assert local is not None
    assert (local.sha256, len(local.sampled_sha256 or "")) == (None, 64)
    assert task.open(DataOptions()).description()["files"][0]["sampled_sha256"] == local.sampled_sha256
    write(tmp_path / "x.tsv", CHOICE[:2])
    with pytest.raises(DataError, match=r"its content is not the one .*dataset\.local\.sampled_sha256"):
        task.open(DataOptions())


def test_a_bad_row_is_its_own_fault(tmp_path: Path) -> None:
    rows = [
        *(
            {**row, "options": str([row["A"], row["B"]]), "A": "", "B": "", "C": "", "id": n}
            for n, row in enumerate(CHOICE * 5)
        )
    ]
    rows[3]["options"] = "['red', 'green' 'x']"
    rows[4]["image"] = "99"
    rows[5]["answer"] = "Z"
    for row in rows:
        row.pop("index")
    rows = [{"index": str(n), **row} for n, row in enumerate(rows)]
    task = task_of(write(tmp_path / "x.tsv", rows))
    faults = {}
    for _, build in task.open(DataOptions()).samples(AskStyle()):
        try:
            build()
        except RowError as error:
            faults[error.identifier] = error.message
    assert set(faults) == {"3", "4", "5"}
    for row in rows:
        row["options"] = "oops"
    with pytest.raises(DataError, match=r"row 1: 'oops' is no list(.|\n)*--column choices"):
        task_of(write(tmp_path / "x.tsv", rows))


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("question\tanswer\n")
    with pytest.raises(DataError, match=r"x\.tsv: the file has no rows"):
        task_of(tmp_path / "x.tsv")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("MathVista_MINI.tsv", "file/mathvista_mini"),
        ("a b (1).csv", "file/a-b-1"),
        ("..hidden.tsv", "file/hidden"),
        ("x@y.jsonl", "file/x-y"),
        ("é.tsv", "file/data-" + __import__("hashlib").sha256("é".encode()).hexdigest()[:8]),
    ],
)
def test_the_name_of_a_files_task(tmp_path: Path, name: str, task: str) -> None:
    assert task_name(Path(name)) == task
    assert task_of(write(tmp_path / name, CHOICE)).name == task


def test_selectors_are_parted_at_commas_but_not_within_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.tsv", "a.tsv", "b.csv", "notes.txt", "c@d.tsv"):
        write(tmp_path / name, CHOICE) if name != "notes.txt" else (tmp_path / name).write_text("x")
    assert split_selectors(["demo, mathvista@official", "file:a,b.tsv"]) == [
        "demo",
        "mathvista@official",
        "file:a,b.tsv",
    ]
    assert split_selectors(["file:a.tsv,file:b.csv,demo"]) == ["file:a.tsv", "file:b.csv", "demo"]
    assert split_selectors(["file:*"]) == ["file:a,b.tsv", "file:a.tsv", "file:b.csv", "file:c@d.tsv"]
    assert split_selectors(["file:*.tsv"])[0] == "file:a,b.tsv"
    assert [card.name for card, _ in Registry().resolve(["file:*.tsv"])] == ["file/a-b", "file/a", "file/c-d"]
    with pytest.raises(UsageError, match=r"-t file:\*\.parquet: no data file matches"):
        split_selectors(["file:*.parquet"])


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("file:x.tvs", r"'x\.tvs' is of no format that mmeval reads"),
        ("file:y.tsv", r"-t file:y\.tsv: no such file\n  -> did you mean x\.tsv"),
        ("file:absent/y.tsv", r"no such file"),
        ("file:" + 5000 * "y" + ".tsv", r"no such file"),
        ("file:", r"is of no format that mmeval reads"),
        ("file:x.tsv@official", r"unknown protocol of file/x 'official'"),
    ],
)
def test_a_selector_that_names_no_file_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selector: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.tsv", CHOICE)
    with pytest.raises(UsageError, match=says):
        [Task.load(card, protocol) for card, protocol in Registry().resolve([selector])]


def test_two_files_of_one_name_do_not_mix(tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "x.tsv", CHOICE) for folder in "ab"]
    with pytest.raises(UsageError, match="would both be called file/x"):
        Registry().resolve([f"file:{path}" for path in paths])
    assert len(Registry().resolve([f"file:{paths[0]}", f"file:{paths[0]}"])) == 1


def test_a_card_may_not_take_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: file/x\n")
    with pytest.raises(UsageError, match="names that begin with file/"):
        Registry([tmp_path]).resolve(["file/x"])


def test_a_stored_card_is_read_without_looking_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.tsv", CHOICE)
    card = read_file_card(path, FileOptions())
    kept = portable(card)
    assert str(tmp_path) not in json.dumps(kept)
    assert stored_card(f"file:{path}", json.loads(json.dumps(kept))).raw == card.raw
    monkeypatch.setattr(file_task, "first_rows", None)
    ((found, _),) = Registry(made=[stored_card(f"file:{path}", kept)]).resolve([f"file:{path}"])
    assert found.raw == card.raw
    for broken in (
        {**kept, "dataset": "x"},
        {**kept, "dataset": {"local": 5}},
        {**kept, "answer": {"kind": "essay"}},
        {},
    ):
        with pytest.raises(UsageError, match="file_tasks"):
            stored_card(f"file:{path}", broken)


VARIANTS: list[tuple[str, list[dict[str, Any]], FileOptions]] = [
    ("lmu.tsv", CHOICE, FileOptions()),
    ("[odd] name.tsv", [{**row, "hint": 'Say "x": {y} # z', "question": "<image> " + row["question"]} for row in CHOICE], FileOptions()),
    ("open.csv", [{"question": f"How many? {n}", "answer": n + 2, "note": "x"} for n in range(3)], FileOptions()),
    ("mixed.jsonl", [{"question": "q", "choices": ["a", "b"] if n % 2 else [], "answer": "a" if n % 2 else "2"} for n in range(6)], FileOptions()),
    ("yes.csv", [{"text": f"q {n}", "label": n % 2, "type: of": f"k{n % 2}"} for n in range(4)], FileOptions({"category": ["type: of"]}, Wanted("yes-no"))),
    ("export.csv", [{name: cell for name, cell in row.items() if name != "answer"} for row in CHOICE], FileOptions({"answer": []})),
    ("few.jsonl", [{"question": "q", "answers": ["x", "y"]}, {"question": "q", "answers": ["z"], "image": PNG}], FileOptions()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "options"), VARIANTS, ids=[name for name, _, _ in VARIANTS])
def test_the_written_card_asks_the_same(
    tmp_path: Path, name: str, rows: list[dict[str, Any]], options: FileOptions
) -> None:
    path = write(tmp_path / "data" / name, rows)
    made = read_file_card(path, options)
    yaml_path = tmp_path / "cards" / "own.yaml"
    yaml_path.parent.mkdir()
    yaml_path.write_text(card_text("own/card", made, yaml_path), encoding="utf-8")
    file = CardFile("own/card", yaml_path, read_yaml(yaml_path))
    assert explain(file) is None
    written, original = Task.load(file), task_of(path, options)
    sampling = original.sampling
    assert written.ask_digest(sampling, "x") == original.ask_digest(sampling, "x")
    assert written.score_digest() == original.score_digest()
    assert written.card.dataset.rows == len(rows)
    pairs = list(zip(samples_of(written), samples_of(original), strict=True))
    assert len(pairs) == len(rows)
    for first, second in pairs:
        assert (first.id, first.item, first.messages, first.target) == (
            second.id,
            second.item,
            second.messages,
            second.target,
        )
        assert dict(first.subsets) == dict(second.subsets)
        assert [media.read() for media in first.media] == [media.read() for media in second.media]
    assert "#" in yaml_path.read_text()


CELL = (
    st.none()
    | st.text(max_size=8)
    | st.integers(-3, 9)
    | st.booleans()
    | st.lists(st.text(max_size=3), max_size=4)
    | st.just(PNG)
)
KEY = st.sampled_from(["question", "answer", "A", "B", "C", "choices", "image", "index", "hint", "category"]) | st.text(
    max_size=5
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(KEY, CELL, max_size=7), min_size=1, max_size=5))
def test_any_file_is_a_task_or_a_named_fault(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = write(tmp_path_factory.mktemp("t") / "x.jsonl", rows)
    remedy = "x"
    try:
        task = task_of(path)
        for _, build in task.open(DataOptions()).samples(AskStyle()):
            try:
                build()
            except RowError as error:
                remedy = remedy and error.remedy
    except MmevalError as error:
        remedy = error.remedy
    assert remedy


@pytest.mark.parametrize(
    ("options", "kind"),
    [(FileOptions({"answer": []}), "choice"), (FileOptions({"answer": []}, Wanted("text")), "text")],
)
def test_a_file_without_answers_is_asked_for_export(tmp_path: Path, options: FileOptions, kind: str) -> None:
    rows = [{name: cell for name, cell in row.items() if name != "answer"} for row in CHOICE]
    path = write(tmp_path / "x.tsv", rows)
    task = task_of(path, options)
    assert (task.card.answer.kind, task.card.answer.withheld, task.card.fields.answer) == (kind, True, None)
    found = samples_of(task)
    assert [sample.target for sample in found] == [None] * 4
    assert ("(A) red" in asked(found[0])) == (kind == "choice")
    with pytest.raises(DataError, match="no column for the answer"):
        task_of(path)


def test_boxes_that_a_table_holds_as_text(tmp_path: Path) -> None:
    rows = [
        {"question": "Where?", "image": PNG, "answer": "[1, 2, 3, 4]"},
        {"question": "Where?", "image": PNG, "answer": "[5, 6, 7.5, 8]"},
    ]
    found = samples(write(tmp_path / "x.tsv", rows), FileOptions(answers=Wanted("box")))
    assert [sample.target for sample in found] == [[1, 2, 3, 4], [5, 6, 7.5, 8]]


def test_marks_without_an_image_column_are_refused(tmp_path: Path) -> None:
    rows = [{"question": f"What is in <image {n}>?", "answer": "x"} for n in (1, 2)]
    path = write(tmp_path / "x.jsonl", rows)
    with pytest.raises(DataError, match=r"row 1: the question shows an image \(<image 1>\), and no column of x\.jsonl"):
        task_of(path)
    assert "<image 1>" in asked(samples(path, FileOptions({"image": []}))[0])


def test_images_that_lie_below_the_data_folder(tmp_path: Path) -> None:
    for place, colour in (
        (tmp_path / "x" / "a.png", "red"),
        (tmp_path / "data" / "a.png", "blue"),
        (tmp_path / "data" / "b.png", "blue"),
    ):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(png(colour))
    rows = [{"question": "q", "answer": "x", "image": name} for name in ("a.png", "b.png", "../b.png")]
    opened = task_of(write(tmp_path / "x" / "x.jsonl", rows)).open(DataOptions(tmp_path / "data"))
    first, second, outside = [build for _, build in opened.samples(AskStyle())]
    assert [build().media[0].read() for build in (first, second)] == [png(), png("blue")]
    with pytest.raises(RowError, match="leaves the data folder"):
        outside()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_valid_card(tmp_path: Path, kind: str) -> None:
    golds: dict[str, Any] = {
        "choice": "A",
        "yes-no": "yes",
        "text": "x",
        "box": "[1, 2, 3, 4]",
        "boxes": "[[1, 2, 3, 4]]",
        "point": "[1, 2]",
        "mask": "[[1, 1, 5, 1, 5, 5]]",
    }
    rows = [{"question": "q", "image": PNG, "A": "a", "B": "b", "answer": golds.get(kind, "3")}]
    task = task_of(write(tmp_path / "x.tsv", rows), FileOptions(answers=Wanted(kind)))
    assert task.card.answer.kind == kind
    (sample,) = samples_of(task)
    assert sample.target is not None
    assert sample.context.choices == (("a", "b") if kind == "choice" else ())


def test_nested_values_and_expressions_are_columns_too(tmp_path: Path) -> None:
    rows = [
        {"m": {"q": f"Is it, {n}?", "a b": {"gold": n % 2}, "h": "Look."}, "k": {"s": "xy"[n % 2]}} for n in range(4)
    ]
    options = FileOptions(
        {
            "question": ["m.q"],
            "answer": ["m.a b.gold"],
            "hint": ["m.h"],
            "category": ["k.s"],
            "id": ["= m.q | length ~ m.q[-2]"],
        },
        Wanted("yes-no"),
    )
    found = samples(write(tmp_path / "x.jsonl", rows), options)
    assert [sample.target for sample in found] == ["no", "yes", "no", "yes"]
    assert [sample.id for sample in found] == ["90", "91", "92", "93"]
    assert asked(found[0]) == "Hint: Look.\nIs it, 0?\nAnswer yes or no."
    assert dict(found[1].subsets) == {"k.s": "y"}
    mixed = [
        {"question": "q", "o": {"list": "red;green" if n % 2 else ""}, "answer": "red" if n % 2 else 7}
        for n in range(4)
    ]
    options = FileOptions({"choices": ["= o.list.split(';') if o.list else none"]})
    first, second, *_ = samples(write(tmp_path / "y.jsonl", mixed), options)
    assert (first.target, second.target, second.context.choices) == (7, "A", ("red", "green"))
    numbers = samples(
        write(tmp_path / "z.jsonl", mixed), FileOptions({**options.columns, "answer": ["= [answer, 0] | first"]})
    )
    assert [sample.target for sample in numbers] == [7, "A", 7, "A"]


@pytest.mark.parametrize("question", [{"en": "How many?"}, ["How many?"]])
def test_a_question_that_is_no_text_is_not_asked_as_python_shows_it(tmp_path: Path, question: Any) -> None:
    path = write(tmp_path / "x.jsonl", [{"id": n, "question": question, "answer": n} for n in range(3)])
    with pytest.raises(
        DataError, match=r"row 1: the question \(column 'question'\) is a (dict|list), no text"
    ) as caught:
        samples(path)
    assert "--column question=NAME" in caught.value.remedy
