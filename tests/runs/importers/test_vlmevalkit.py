"""Files of VLMEvalKit: what is read, what its spreadsheets damage, and that no row is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UsageError
from mmeval.runs.importers import vlmevalkit
from mmeval.runs.importers.formats import FORMATS
from mmeval.runs.importers.predictions import Prediction, Reading, check_columns, verdict_of
from mmeval.runs.importers.tables import CELL_LIMIT, Cell, as_written, cell_of, read_table

TOY = Path(__file__).parents[2] / "data" / "importers" / "vlmevalkit"


def read(*paths: Path, **options: Any) -> tuple[dict[str, Prediction], Reading]:
    reading = Reading(**options)
    found = list(vlmevalkit.read(paths, reading))
    assert len(found) + reading.lost.total() == reading.found
    return {entry.id: entry for entry in found}, reading


def workbook(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    book.save(path)
    return path


def test_every_row_of_the_workbook_is_there_and_damage_is_told() -> None:
    found, reading = read(TOY / "toy_Toy.xlsx")
    assert len(found) == reading.found == 12
    problems = {name: entry.problem for name, entry in found.items() if entry.problem}
    assert set(problems) == {"3", "4", "8"}
    assert f"cut off at {CELL_LIMIT}" in problems["3"]
    assert "empty" in problems["4"]
    assert "None, NA" in problems["4"]
    assert "date" in problems["8"]
    assert [found[name].response for name in ("0", "5", "6", "7")] == ["B", "12", "True", "=B"]
    notes = "\n".join(reading.notes)
    assert "a number where the model wrote text, so its spelling is lost (0012 is 12, 12.0 is 12), 1× (5)" in notes
    assert "true or false where the model wrote text, so its spelling is lost, 1× (6)" in notes
    assert "a formula; the answer is what stands in it, 1× (7)" in notes


def test_an_endpoint_s_failure_is_an_error_and_no_answer() -> None:
    found, _ = read(TOY / "toy_Toy.xlsx")
    assert (found["9"].status, found["9"].response) == ("error", None)
    assert "Failed to obtain answer via API" in (found["9"].error or "")


def test_control_characters_are_read_as_the_writer_meant_them() -> None:
    found, _ = read(TOY / "toy_Toy.xlsx")
    assert found["10"].response == "Step one.\r\nC"


def test_question_options_gold_and_verdict_come_from_the_file() -> None:
    found, _ = read(TOY / "toy_Toy.xlsx")
    own = found["1"].own
    assert own is not None
    assert (own.question, own.choices, own.answer) == ("What is in picture 1?", ("red", "blue", "12"), "A")
    assert own.values["category"] == "colour"
    assert (found["0"].official, found["0"].stored_score, found["1"].official) == (True, 1.0, False)
    assert found["2"].judge_verdict == "Match Log: B. "


def test_options_with_a_gap_are_not_known() -> None:
    found, _ = read(TOY / "toy_Toy.xlsx")
    own = found["11"].own
    assert own is not None
    assert own.choices == ()
    assert "option B is empty although C is not" in own.problem


def test_a_text_task_scores_no_answer_whose_spelling_is_lost() -> None:
    found, _ = read(TOY / "toy_Toy.xlsx", kind="text")
    assert "compares spelling" in found["5"].problem
    assert "compares spelling" in found["6"].problem
    assert found["7"].problem == ""


@pytest.mark.parametrize("name", ["toy_Toy.tsv", "toy_Toy.json"])
def test_other_formats_hold_the_same(name: str) -> None:
    found, _ = read(TOY / name)
    workbook_rows, _ = read(TOY / "toy_Toy.xlsx")
    for identifier in ("0", "1", "2"):
        assert found[identifier].response == workbook_rows[identifier].response
        assert found[identifier].own is not None
        assert found[identifier].own.choices == ("red", "blue", "12")


def test_a_json_null_is_a_lost_answer_and_an_empty_text_is_none(tmp_path: Path) -> None:
    rows = '[{"index": 0, "prediction": NaN}, {"index": 1, "prediction": ""}, {"index": 2, "prediction": "A", "thinking": "hm"}]'
    (tmp_path / "a.json").write_text(rows)
    found, _ = read(tmp_path / "a.json")
    assert "empty" in found["0"].problem
    assert (found["1"].problem, found["1"].response) == ("", "")
    assert found["2"].reasoning == "hm"


def test_a_text_table_of_floats_was_written_anew_by_a_reader_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("index\tprediction\n0\t12.0\n1\t\n2\t-7.0\n")
    found, reading = read(tmp_path / "a.tsv")
    assert [found[name].response for name in "02"] == ["12", "-7"]
    assert any("spelling is lost" in note and "(0, 2)" in note for note in reading.notes)
    (tmp_path / "b.tsv").write_text("index\tprediction\n0\t12.0\n1\t12\n")
    found, reading = read(tmp_path / "b.tsv")
    assert [entry.response for entry in found.values()] == ["12.0", "12"]
    assert reading.notes == []


def test_a_cell_in_the_last_corner_of_a_workbook_is_no_million_rows(tmp_path: Path) -> None:
    """Rows and columns that a file leaves out were made, and each cell of them looked at: 17 billion for 5 KB."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["index", "question", None, "prediction"], [0, "q", "stray", "A"], [], [1]):
        sheet.append(row)
    sheet["XFD1048576"] = "x"
    book.save(tmp_path / "a.xlsx")
    found = [{name: cell.value for name, cell in row.items()} for row in read_table(tmp_path / "a.xlsx")]
    assert found == [
        {"index": 0, "question": "q", "prediction": "A"},
        {"index": 1, "question": None, "prediction": None},
    ]


def test_options_as_a_list_and_the_gold_letter_beside_the_text(tmp_path: Path) -> None:
    row = ["index", "question", "choices", "answer", "answer_option", "prediction", "res", "log"]
    path = workbook(
        tmp_path / "m_MathVista_MINI_gpt.xlsx",
        [row, [0, "q", "['3/11', '8/11']", "8/11", "B", "(B)", "B", "Prefetch succeed"], [1, "q", "", "14", None, "14 cm", "14", "Succeed"]],
    )  # fmt: skip
    found, reading = read(path)
    first, second = found["0"].own, found["1"].own
    assert first is not None
    assert second is not None
    assert (first.choices, first.answer, found["0"].extraction) == (("3/11", "8/11"), "B", "B")
    assert (second.choices, second.answer, found["1"].extraction) == ((), "14", "14")
    assert any("rules decided 1 rows, its judge the other 1" in note for note in reading.notes)


def test_gold_answers_that_are_texts_of_options_become_letters(tmp_path: Path) -> None:
    rows = [["index", "question", "A", "B", "answer", "prediction"], [0, "q", "red", "blue", "blue", "B"]]
    found, _ = read(workbook(tmp_path / "a.xlsx", rows))
    assert found["0"].own is not None
    assert found["0"].own.answer == "B"


def test_ids_come_from_the_card_s_column_or_the_index(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["index", "id", "prediction"], [0.0, "v1_0", "A"], [1.0, "v1_1", "B"]])
    assert set(read(path)[0]) == {"0", "1"}
    assert set(read(path, id_column="id")[0]) == {"v1_0", "v1_1"}
    assert set(read(path, id_column="pid")[0]) == {"0", "1"}
    assert set(read(path, columns={"id": "id"})[0]) == {"v1_0", "v1_1"}


def test_odd_columns_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["nr", "output", "right"], [5, "A", 0]])
    with pytest.raises(DataError, match=r"no column 'prediction'(.|\n)*--column response="):
        read(path)
    with pytest.raises(DataError, match="no column of ids"):
        read(path, columns={"response": "output"})
    found, _ = read(path, columns={"response": "output", "id": "nr", "verdict": "right"})
    assert (found["5"].response, found["5"].official) == ("A", False)


def test_a_folder_gives_its_scored_table(tmp_path: Path) -> None:
    folder = tmp_path / "T20260101"
    folder.mkdir()
    workbook(folder / "m_Toy.xlsx", [["index", "prediction"], [0, "A"]])
    workbook(folder / "m_Toy_gpt.xlsx", [["index", "prediction", "hit"], [0, "A", 1]])
    (folder / "status.json").write_text('{"a": 1}')
    (folder / "m_Toy_acc.csv").write_text('"split","Overall"\n"none","1.0"\n')
    found, _ = read(tmp_path)
    assert found["0"].official is True
    workbook(folder / "m_Other.xlsx", [["index", "prediction"], [0, "A"]])
    with pytest.raises(DataError, match="several tables of predictions"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pkl", b"\x80", "pickle files can run code"),
        ("a.xls", b"x", "old format"),
        ("a.xlsx", b"no zip", "not a readable workbook"),
        ("a.xlsx", b"PK\x05\x06" + bytes(18), "workbook"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"3", "no table"),
        ("a.txt", b"x", "no table"),
        ("a.tsv", b"index\tprediction\n\tA\n", "the id is empty"),
        ("a.tsv", b"index\tprediction\n0\t\xff\n", "UTF-8"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_path_and_a_doubled_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "no.xlsx")
    with pytest.raises(DataError, match="'index' is there twice"):
        read(workbook(tmp_path / "a.xlsx", [["index", "index"], [0, 1]]))


@pytest.mark.parametrize(
    ("value", "kind", "cell"),
    [
        (None, "n", Cell(None, "empty")),
        ("", "s", Cell(None, "empty")),
        ("text", "s", Cell("text")),
        ("x" * CELL_LIMIT, "s", Cell("x" * CELL_LIMIT, "cut")),
        ("x" * (CELL_LIMIT - 1), "s", Cell("x" * (CELL_LIMIT - 1))),
        ("😀" * 16_383 + "x", "s", Cell("😀" * 16_383 + "x", "cut")),
        ("=1+2", "f", Cell("=1+2", "formula")),
        (object(), "f", Cell(None, "error")),
        ("#NAME?", "e", Cell("#NAME?", "error")),
        (12, "n", Cell(12, "number")),
        (False, "b", Cell(False, "boolean")),
    ],
)
def test_cells(value: Any, kind: str, cell: Cell) -> None:
    assert cell_of(value, kind) == cell


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (12, "12"), (12.0, "12"), (12.5, "12.5"), (1e300, "1e+300"), (True, "True"), ("012", "012")],
)
def test_values_as_they_were_written(value: Any, text: str | None) -> None:
    assert as_written(value) == text


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (True, (True, 1.0)), (1, (True, 1.0)), (0.0, (False, 0.0)), ("True", (True, 1.0)), ("1.0", (True, 1.0)),
        ("Correct", (True, 1.0)), ("wrong", (False, 0.0)), (0.5, (None, 0.5)), (4, (None, 4.0)), (None, (None, None)),
        ("B", (None, None)), (float("nan"), (None, None)), ([1], (None, None)),
    ],
)  # fmt: skip
def test_verdicts_as_other_tools_store_them(value: Any, verdict: tuple[bool | None, float | None]) -> None:
    assert verdict_of(value) == verdict


@pytest.mark.parametrize(
    ("pair", "says"),
    [("response", "ROLE=COLUMN is expected"), ("respnse=output", "did you mean response"), ("=x", "ROLE=COLUMN")],
)
def test_columns_are_checked(pair: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_columns(FORMATS["vlmevalkit"], [pair])
    with pytest.raises(UsageError, match="has no columns"):
        check_columns(FORMATS["mathvista"], ["response=output"])
    assert check_columns(FORMATS["vlmevalkit"], ["response=a=b"]) == {"response": "a=b"}


@given(
    st.lists(
        st.one_of(st.none(), st.text(alphabet="AB =\t\n#@1", max_size=6), st.integers(-9, 9), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_any_column_of_answers_is_read_row_by_row(tmp_path_factory: pytest.TempPathFactory, answers: list[Any]) -> None:
    path = tmp_path_factory.mktemp("any") / "a.json"
    path.write_text(json.dumps([{"index": number, "prediction": answer} for number, answer in enumerate(answers)]))
    found, reading = read(path)
    assert len(found) == reading.found == len(answers) == len(list(read_table(path)))
    for number, answer in enumerate(answers):
        assert bool(found[str(number)].problem) == (answer is None)


def test_accepted_answers_that_stand_as_a_list_in_a_cell_are_several(tmp_path: Path) -> None:
    """TextVQA, DocVQA and OCRBench keep their golds so; elsewhere a gold in brackets is the answer itself."""
    rows = [
        ("index", "question", "answer", "prediction"),
        ("0", "What is written?", "['STOP', 'stop sign']", "stop"),
        ("1", "Which years?", "[2014, 2016]", "2014"),
        ("2", "Which word?", "[unclear", "x"),
    ]
    path = workbook(tmp_path / "m_D.xlsx", rows)
    golds = {}
    for kind in ("text", None, "list"):
        found, _ = read(path, kind=kind)
        golds[kind] = [entry.own.answer for entry in found.values() if entry.own]
        assert [entry.own.values["answer"] for entry in found.values() if entry.own] == golds[kind]
    assert golds["text"] == golds[None] == [["STOP", "stop sign"], "[2014, 2016]", "[unclear"]
    assert golds["list"] == [str(row[2]) for row in rows[1:]]


def test_a_workbook_with_a_flipped_bit_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["index", "prediction"], *([n, f"text {n * n}"] for n in range(12))])
    kept, whole = path.read_bytes(), list(read_table(path))
    refused = 0
    for place in range(30, len(kept), len(kept) // 40):
        path.write_bytes(kept[:place] + bytes([kept[place] ^ 4]) + kept[place + 1 :])
        try:
            found = list(read_table(path))
        except DataError:
            refused += 1
        else:
            assert found == whole, place
    assert refused > 20
