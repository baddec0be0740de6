"""From predictions to a run folder: where samples come from, what joins what, and that no row is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.runs.importers.build import Import, Imported, import_predictions
from mmeval.runs.importers.formats import get_format
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading
from mmeval.runs.importers.samples import Wanted
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

DATA = Path(__file__).parents[2] / "data" / "importers"
XLSX = DATA / "vlmevalkit" / "toy_Toy.xlsx"
LMMS = DATA / "lmms-eval" / "20260101_000000_samples_toy.jsonl"
CARD: dict[str, Any] = {
    "name": "toy",
    "family": "demo",
    "title": "A demonstration",
    "dataset": {"local": {"files": ["toy.jsonl"]}},
    "fields": {"id": "id", "images": ["image"], "choices": "options"},
    "answer": {"kind": "choice", "target": "letter"},
    "subsets": {"kind": "category"},
}
FRAME = [
    "sample_id",
    "repeat",
    "outcome",
    "score",
    "correct",
    "response",
    "error",
    "reason",
    "subsets",
    "cluster",
    "status",
]


def card(**sections: Any) -> Task:
    raw = copy.deepcopy(CARD)
    for name, value in sections.items():
        raw[name] = {**raw[name], **value} if isinstance(value, dict) and isinstance(raw.get(name), dict) else value
    return Task.load(CardFile("toy", Path("toy.yaml"), raw))


def run(
    folder: Path,
    format_: str,
    *paths: Path,
    task: Task | None = None,
    data_dir: Path | None = None,
    allow_unknown: bool = False,
    stored_scores: bool = False,
    **reading: Any,
) -> tuple[Imported, pd.DataFrame]:
    told = Reading(**reading)
    wanted = Wanted(task, "toy", data_dir, allow_unknown)
    what = Import(wanted, "m", folder / "run", paths, ["mmeval"], format_, stored_scores)
    found = import_predictions(get_format(format_).load()(paths, told), told, what)
    table = pd.read_parquet(folder / "run" / "results.parquet").set_index(["sample_id", "repeat"], drop=False)
    assert found.read == found.rows + sum(found.lost.values()), "every answer is a row, or reported as lost"
    return found, table


def notes(found: Imported) -> str:
    return "\n".join(found.manifest.notes)


def data_set(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "toy.jsonl").write_text("\n".join(json.dumps({"image": None, **row}) for row in rows) + "\n")
    return folder


def test_without_the_data_set_the_file_s_own_questions_are_scored(tmp_path: Path) -> None:
    found, table = run(tmp_path, "vlmevalkit", XLSX, task=card(), kind="choice")
    assert (found.rows, len(table)) == (12, 12)
    outcomes = dict(zip(table["sample_id"], table["outcome"], strict=True))
    assert {name: outcomes[name] for name in ("3", "4", "8", "11")} == dict.fromkeys(("3", "4", "8", "11"), "unscored")
    assert outcomes["9"] == "error"
    assert bool(table.loc[("0", 0), "correct"])
    assert dict(table.loc[("1", 0), "subsets"]) == {"kind": "colour"}
    assert table.loc[("2", 0), "cluster"] == table.loc[("3", 0), "cluster"] == "1.png", "one picture, one cluster"
    text = notes(found)
    assert "scored with the questions, options and answers that the file itself holds (add --data-dir" in text
    assert "unscored, 1× (3): the answer is cut off at 32767 characters" in text
    assert "option B is empty although C is not" in text
    assert found.agreement is not None
    assert found.agreement[1] == 7, "verdicts of rows that count"
    assert found.manifest.status == "incomplete"


def test_damaged_answers_leave_no_text_that_could_be_scored_later(tmp_path: Path) -> None:
    _, table = run(tmp_path, "vlmevalkit", XLSX, task=card())
    for name in ("3", "4", "8"):
        row = table.loc[(name, 0)]
        assert pd.isna(row["response"])
        assert row["status"] == "error"
        assert row["error"] == row["reason"]


def test_stored_scores_are_taken_when_they_are_asked_for(tmp_path: Path) -> None:
    found, table = run(tmp_path, "vlmevalkit", XLSX, task=card(), stored_scores=True)
    assert "the scores are the ones that the files hold" in notes(found)
    assert found.agreement is None
    assert bool(table.loc[("2", 0), "correct"]), "its judge read what the rules do not"
    assert table.loc[("3", 0), "outcome"] == "unscored", "damaged answers stay unscored"
    with pytest.raises(DataError, match="hold no scores"):
        run(tmp_path, "vlmevalkit", DATA / "vlmevalkit" / "toy_Toy.json", task=card(), stored_scores=True)


ITEMS = [
    {"id": f"q{number}", "question": f"What is in picture {number}?", "options": ["a cat", "a dog", "a boat"], "answer": answer, "category": "x"}
    for number, answer in enumerate("BACB")
]  # fmt: skip


def test_the_card_s_data_set_is_joined_by_row_where_the_file_counts_rows(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", ITEMS)
    found, table = run(tmp_path, "lmms-eval", LMMS, task=card(), data_dir=data, id_column="id")
    assert set(table["sample_id"]) == {"q0", "q1", "q2", "q3"}
    assert bool(table.loc[("q0", 0), "correct"])
    assert table.loc[("q3", 0), "outcome"] == "unscored"
    assert dict(found.lost) == {"the same answer once more, through another filter": 1}
    assert "1 left out: the same answer once more" in notes(found)


def test_another_split_is_noticed(tmp_path: Path) -> None:
    rows = [{**row, "question": f"Another {row['id']}", "answer": "C"} for row in ITEMS]
    data = data_set(tmp_path / "data", rows)
    with pytest.raises(DataError, match=r"row 0 of toy is another question(.|\n)*another split or version"):
        run(tmp_path, "lmms-eval", LMMS, task=card(), data_dir=data, id_column="id")


def test_rows_are_not_counted_in_a_part_of_a_data_set(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", ITEMS)
    part = card(dataset={"where": {"category": ["x"]}})
    with pytest.raises(DataError, match="keeps a part of them"):
        run(tmp_path, "lmms-eval", LMMS, task=part, data_dir=data, id_column="id")


def test_documents_that_fit_the_card_are_read_as_its_rows(tmp_path: Path) -> None:
    path = DATA / "lmms-eval" / "with_doc_samples_toy.jsonl"
    task = card(fields={"id": "qid"}, subsets={})
    found, table = run(tmp_path, "lmms-eval", path, task=task, id_column="qid")
    assert set(table["sample_id"]) == {"q0", "q1"}
    assert (table["outcome"] == "scored").all()
    assert found.agreement == (2, 2)


def test_options_in_columns_of_their_own_are_read_where_the_card_finds_none(tmp_path: Path) -> None:
    """RealWorldQA's question holds its options on the hub, and has none in VLMEvalKit's table."""
    task = card(
        fields={"choices": "= question | lettered", "answer": "answer", "answer_type": "= 'open'", "images": []},
        answer={"kind": "mixed"},
        subsets={},
    )
    table = write(
        tmp_path / "m_D.jsonl",
        {"index": "0", "question": "Stop?", "A": "Yes", "B": "No", "answer": "A", "prediction": "A. Yes", "hit": 1},
        {"index": "1", "question": "Stop?", "A": "Yes", "B": "No", "answer": "A", "prediction": "No", "hit": 0},
    )
    found, _ = run(tmp_path, "vlmevalkit", table, task=task)
    assert (found.rows, found.agreement) == (2, (2, 2))


def test_ids_that_the_card_makes_of_a_row_are_made_of_the_file_s_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        *(
            {"index": n, "part": "a", "nr": n, "question": "q?", "A": "x", "B": "y", "answer": "B", "prediction": "B"}
            for n in range(2)
        ),
    )
    task = card(fields={"id": "= part ~ '-' ~ nr"}, subsets={})
    _, table = run(tmp_path, "vlmevalkit", path, task=task)
    assert set(table["sample_id"]) == {"a-0", "a-1"}
    _, table = run(tmp_path, "vlmevalkit", path, task=task, columns={"id": "index"})
    assert set(table["sample_id"]) == {"0", "1"}, "the user's column goes first"
    _, table = run(tmp_path, "vlmevalkit", path, task=card(fields={"id": "= part"}, subsets={}))
    assert set(table["sample_id"]) == {"0", "1"}, "not the ids of single rows"
    _, table = run(tmp_path, "vlmevalkit", path, task=card(fields={"id": "= other"}, subsets={}))
    assert set(table["sample_id"]) == {"0", "1"}
    data = data_set(tmp_path / "data", [{**ITEMS[0], "part": "a", "nr": number} for number in range(2)])
    _, table = run(tmp_path, "vlmevalkit", path, task=task, data_dir=data)
    assert set(table["sample_id"]) == {"a-0", "a-1"}


def test_samples_without_an_answer_are_missing(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", [*ITEMS, {**ITEMS[0], "id": "q4"}])
    found, table = run(tmp_path, "lmms-eval", LMMS, task=card(), data_dir=data, id_column="id")
    assert found.missing == 1
    assert table.loc[("q4", 0), "error"] == "no prediction for this sample"


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_unknown_ids_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", ITEMS)
    path = write(tmp_path / "p.jsonl", {"id": "q0", "response": "B"}, {"id": "zz", "response": "A"}, {"id": "zz", "repeat": 1, "response": "A"})  # fmt: skip
    with pytest.raises(DataError, match=r"'zz' is not in toy \(1 such ids: zz\)(.|\n)*--allow-unknown"):
        run(tmp_path, "jsonl", path, task=card(), data_dir=data)
    found, table = run(tmp_path, "jsonl", path, task=card(), data_dir=data, allow_unknown=True)
    assert dict(found.lost) == {"no such sample in the data set": 2}
    assert "2 answers are left out, no such sample in the data set: zz" in notes(found)
    assert set(table["sample_id"]) == {"q0", "q1", "q2", "q3"}


def test_rows_that_hold_another_question_than_the_data_set_are_told(tmp_path: Path) -> None:
    data = data_set(
        tmp_path / "data", [{**ITEMS[0], "id": "0", "question": "Another?", "answer": "A"}, {**ITEMS[1], "id": "1"}]
    )
    path = write(
        tmp_path / "t.jsonl",
        {"index": 0, "question": "What is in picture 0?", "answer": "B", "prediction": "B"},
        {"index": 1, "question": "What is in picture 1?", "answer": "A", "prediction": "A"},
    )
    found, _ = run(tmp_path, "vlmevalkit", path, task=card(), data_dir=data)
    assert "1 of 2 rows hold another question and answer than the data set: 0" in notes(found)


def test_epochs_are_repeats_and_errors_are_errors(tmp_path: Path) -> None:
    task = card(fields={"choices": None}, answer={"kind": "yes-no", "target": "value"}, subsets={})
    found, table = run(tmp_path, "inspect", DATA / "inspect" / "toy.eval", task=task)
    assert len(table) == 4
    assert table.loc[("b", 1), "outcome"] == "error"
    assert [bool(table.loc[key, "correct"]) for key in (("a", 0), ("a", 1), ("b", 0))] == [True, False, True]
    assert found.agreement == (3, 3)
    assert found.manifest.repeats == 2


KINDS = [
    ([("x", "y")], ["A"], "choice"),
    ([(), ()], ["Yes", "no"], "yes-no"),
    ([(), ()], ["12", "1.5"], "number"),
    ([(), ()], ["a boat", "12"], "mixed"),
    ([("x", "y"), ()], ["B", "12"], "mixed"),
]


@pytest.mark.parametrize(("choices", "answers", "kind"), KINDS)
def test_a_name_without_a_card_is_scored_by_what_the_file_holds(
    tmp_path: Path, choices: list[tuple[str, ...]], answers: list[str], kind: str
) -> None:
    predictions = [
        Prediction(str(number), f"f, row {number}", response=answer, own=OwnItem("q?", answer, options))
        for number, (options, answer) in enumerate(zip(choices, answers, strict=True))
    ]
    reading = Reading(found=len(predictions))
    what = Import(Wanted(None, "mine"), "m", tmp_path / "run", [DATA / "SOURCE.md"], [])
    found = import_predictions(iter(predictions), reading, what)
    table = pd.read_parquet(tmp_path / "run" / "results.parquet")
    assert table["correct"].tolist() == [True] * len(answers)
    assert f"answers of kind {kind} are scored" in notes(found)


def test_a_reader_that_loses_rows_is_a_bug(tmp_path: Path) -> None:
    what = Import(Wanted(None, "mine"), "m", tmp_path / "run", [DATA / "SOURCE.md"], [])
    with pytest.raises(RuntimeError, match="2 answers stand in the files, 1 were read and 0 reported as lost"):
        import_predictions(iter([Prediction("a", "f", score=1.0)]), Reading(found=2), what)
    reading = Reading(found=1)
    reading.lose("because")
    with pytest.raises(DataError, match=r"no predictions \(1 left out: because\)"):
        import_predictions(iter([]), reading, what)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEFGH"), st.one_of(st.none(), st.sampled_from(["B", "A", "", "a dog"]))),
        unique_by=lambda pair: pair[0],
        min_size=1,
    )
)
def test_counts_in_are_rows_and_reported_losses(tmp_path: Path, rows: list[tuple[str, str | None]]) -> None:
    data = data_set(tmp_path / "data", [{**ITEMS[0], "id": name} for name in "ABCD"])
    table = [
        {"index": name, "question": "What is in picture 0?", "prediction": answer, "answer": "B"}
        for name, answer in rows
    ]
    path = tmp_path / "t.json"
    path.write_text(json.dumps(table))
    known = [name for name, _ in rows if name in "ABCD"]
    if not known:
        with pytest.raises(DataError, match="none of the"):
            run(tmp_path, "vlmevalkit", path, task=card(), data_dir=data, allow_unknown=True)
        return
    found, written = run(tmp_path, "vlmevalkit", path, task=card(), data_dir=data, allow_unknown=True)
    assert found.rows == len(known)
    assert len(written) == 4
    lost = {name for name, answer in rows if answer is None and name in "ABCD"}
    assert set(written[written["outcome"] == "unscored"]["sample_id"]) == lost
