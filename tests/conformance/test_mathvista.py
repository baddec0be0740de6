"""MathVista's official scores, reproduced from the published outputs, and how often rules alone agree.

`python tests/conformance/test_mathvista.py` prints the table of docs/conformance.md.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.metrics import estimate, estimate_subsets
from mmeval.verifiers.base import Verifier, verify
from mmeval.verifiers.mathvista import (
    MathVistaOfficialVerifier,
    MathVistaRulesVerifier,
    is_forced_choice,
    row_context,
    subsets,
)

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT.parent / "shared" / "realdata" / "mathvista.tar.xz"
KINDS = ("text", "integer", "float", "list")
EXCERPT: list[dict[str, Any]] = json.loads((ROOT / "tests/data/mathvista/excerpt.json").read_text(encoding="utf-8"))
PUBLISHED_2023 = ("gpt4_2shot_code", "idefics")


def unpack(folder: Path) -> Path:
    """Unpack the archive; return the folder that holds `results/` and `expected.json`."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("**/expected.json")).parent


def read(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found


def text_of(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    return value if isinstance(value, str) else ""


def scored(rows: Mapping[str, Mapping[str, Any]], verifier: Verifier, field: str) -> list[dict[str, Any]]:
    """Return rows of a results table, scored from the text in `field`; a missing text is an empty one."""
    table = []
    for pid, row in rows.items():
        verdict = verify(verifier, Response("ok", text_of(row, field)), row["answer"], row_context(row))
        table.append(
            {
                "sample_id": pid, "repeat": 0, "cluster": "", "outcome": verdict.outcome, "score": verdict.score,
                "correct": verdict.correct, "scores": verdict.scores, "subsets": subsets(row),
            }
        )  # fmt: skip
    return table


def agreement(rows: Mapping[str, Mapping[str, Any]]) -> tuple[Counter[tuple[str, bool, str]], int, int]:
    """Return counts of (answer type, officially right, rules: right, wrong or none), forced choices, forced and right."""
    counts: Counter[tuple[str, bool, str]] = Counter()
    forced = lucky = 0
    for row, found in zip(rows.values(), scored(rows, MathVistaRulesVerifier(), "response"), strict=True):
        official = bool(row.get("true_false"))
        rules = "none" if found["outcome"] == "no_answer" else ("right" if found["correct"] else "wrong")
        counts[row["answer_type"], official, rules] += 1
        if is_forced_choice(text_of(row, "extraction"), row_context(row)):
            forced += 1
            lucky += official
    return counts, forced, lucky


def table_line(name: str, counts: Counter[tuple[str, bool, str]], forced: int, lucky: int) -> str:
    """Return the line of one file in docs/conformance.md."""
    total = counts.total()

    def share(kinds: Sequence[str]) -> str:
        chosen = {key: count for key, count in counts.items() if key[0] in kinds}
        agree = sum(count for (_, official, rules), count in chosen.items() if official == (rules == "right"))
        return f"{100 * agree / sum(chosen.values()):.1f}"

    def of(official: bool, rules: str) -> int:
        return sum(count for (_, was, found), count in counts.items() if (was, found) == (official, rules))

    right = sum(of(True, rules) for rules in ("right", "wrong", "none"))
    cells = [
        name.removeprefix("results/"), f"{100 * right / total:.1f}",
        f"{100 * (of(True, 'right') + of(False, 'right')) / total:.1f}",
        share(KINDS), share(["text"]), share(["integer"]), share(["float"]),
        of(True, "none"), of(True, "wrong"), of(False, "right"), f"{forced} ({lucky})",
    ]  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not ARCHIVE.exists():
        pytest.skip(f"the published outputs are not here ({ARCHIVE.name} in ../shared/realdata)")
    return unpack(tmp_path_factory.mktemp("mathvista"))


def casts(reproduced_by: str) -> list[str]:
    if reproduced_by == "both":
        return ["current", "2023"]
    return ["2023"] if reproduced_by.startswith("int(extraction)") else ["current"]


def relabel(rows: dict[str, dict[str, Any]], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Give rows that were rewritten after the scoring the skills that they had when they were scored.

    In ChatGPT's file the two rows without extraction carry the skills of a later release; the other files of the
    earlier release say which they had.
    """
    rewritten = [pid for pid, row in rows.items() if "extraction" not in row]
    assert rewritten == ["2", "4"]
    for pid in rewritten:
        rows[pid]["metadata"]["skills"] = others[pid]["metadata"]["skills"]


@pytest.mark.realdata
def test_every_file_gets_its_official_scores(data: Path) -> None:
    expected = read(data, "expected.json")
    assert len(expected) == 10
    for name, entry in expected.items():
        rows = read(data, name)
        if "chatgpt" in name:
            relabel(rows, read(data, "results/bard/output_bard.json"))
        official = read(data, name.replace("output_", "scores_"))
        for cast in casts(entry["reproduced_by"]):
            table = scored(rows, MathVistaOfficialVerifier({"cast": cast}), "extraction")
            for pid, found in zip(rows, table, strict=True):
                assert bool(found["correct"]) == bool(rows[pid].get("true_false")), (name, cast, pid)
            overall = estimate("accuracy", table)
            assert overall.value is not None
            assert overall.coverage == 1.0
            assert round(overall.value * overall.n) == entry["official"]["correct"] == official["average"]["correct"]
            assert str(round(100 * overall.value, 2)) == official["average"]["accuracy"]
            found_subsets = estimate_subsets("accuracy", table)
            assert set(found_subsets) == set(official) - {"average"}
            for column, labels in found_subsets.items():
                printed = {
                    label: {
                        "accuracy": f"{100 * found.value:.2f}",
                        "correct": round(found.value * found.n),
                        "total": found.n,
                    }
                    for label, found in labels.items()
                    if found.value is not None
                }
                assert printed == official[column], (name, cast, column)


@pytest.mark.realdata
def test_the_other_cast_does_not_reproduce(data: Path) -> None:
    """The casts differ where expected.json says so: the test above would not notice one that ignored the option."""
    expected = read(data, "expected.json")
    for name, entry in expected.items():
        if entry["reproduced_by"] == "both":
            continue
        (cast,) = casts(entry["reproduced_by"])
        other = "current" if cast == "2023" else "2023"
        table = scored(read(data, name), MathVistaOfficialVerifier({"cast": other}), "extraction")
        right = sum(bool(row["correct"]) for row in table)
        key = "head_script_correct" if other == "current" else "strict_int_correct"
        assert right == entry["recomputed"][key] != entry["official"]["correct"]


@pytest.mark.realdata
def test_the_table_of_agreement_is_the_documented_one(data: Path) -> None:
    document = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    for name in read(data, "expected.json"):
        counts, forced, lucky = agreement(read(data, name))
        line = table_line(name, counts, forced, lucky)
        assert line in document, f"docs/conformance.md lacks\n{line}\n(python tests/conformance/test_mathvista.py)"
        # Rules alone may find nothing; they must hardly ever find right what is officially wrong.
        wrongly = sum(count for (_, official, rules), count in counts.items() if not official and rules == "right")
        assert wrongly <= 0.03 * counts.total()


@pytest.mark.parametrize("row", EXCERPT, ids=lambda row: f"{row['file'].split('_', 1)[1]}-{row['pid']}")
def test_excerpt(row: dict[str, Any]) -> None:
    """Rows of the published files, without the archive."""
    cast = "2023" if any(part in row["file"] for part in PUBLISHED_2023) else "current"
    verifier = MathVistaOfficialVerifier({"cast": cast})
    verdict = verify(verifier, Response("ok", text_of(row, "extraction")), row["answer"], row_context(row))
    assert bool(verdict.correct) == bool(row.get("true_false"))
    if "prediction" in row:
        assert verdict.extracted == row["prediction"]


def test_the_casts() -> None:
    integer = AnswerContext(options={"answer_type": "integer", "question_type": "free_form"})
    current, published = MathVistaOfficialVerifier(), MathVistaOfficialVerifier({"cast": "2023"})
    cases = {"5": ("5", "5"), "5.5": ("5", None), "5.0": ("5", None), "-0.5": ("0", None), "1,000": (None, None),
             "": (None, None), "inf": (None, None), "nan": (None, None), "1e3": ("1000", None), " 7 ": ("7", "7")}  # fmt: skip
    for text, (now, then) in cases.items():
        assert current.parse(text, integer).value == now
        assert published.parse(text, integer).value == then
    assert current.version != published.version
    with pytest.raises(DataError, match="cast"):
        MathVistaOfficialVerifier({"cast": "2024"})


def test_the_official_choice_rule() -> None:
    choices = ("12 cm", "b", "9")
    context = AnswerContext(choices=choices, options={"answer_type": "text", "question_type": "multi_choice"})
    verifier = MathVistaOfficialVerifier()
    cases = {
        "A": "12 cm",
        "(b)": "b",
        "it is (C), not (A)": "9",
        " B ": "b",
        "b": "b",
        "12 c": "12 cm",
        "D": "b",
        "": "b",
    }
    for text, option in cases.items():
        assert verifier.parse(text, context).value == option, text
    forced = {text: is_forced_choice(text, context) for text in cases}
    assert forced == {**dict.fromkeys(cases, False), "12 c": True, "D": True, "": True}
    tied = AnswerContext(choices=("xx", "yy"), options=context.options)
    assert verifier.parse("zz", tied).value == "xx"
    assert verifier.match("9", "C", context).correct is True
    assert verifier.match("9", "9", context).correct is True


def test_floats_lists_and_bad_rows() -> None:
    verifier = MathVistaOfficialVerifier()
    fine = AnswerContext(options={"answer_type": "float", "question_type": "free_form", "precision": 1.0})
    assert verifier.parse("1.25", fine).value == "1.2"
    assert verifier.parse("1.2 m", fine).value is None
    listed = AnswerContext(options={"answer_type": "list", "question_type": "free_form"})
    assert verifier.parse("[1,2]", listed).value == "[1,2]"  # compared as written
    for options in ({}, {"answer_type": "float"}, {"answer_type": "text", "question_type": "multi_choice"}):
        with pytest.raises(DataError):
            verifier.parse("1.0", AnswerContext(options=options))
    with pytest.raises(DataError, match="string"):
        verifier.match("5", 5, fine)
    with pytest.raises(DataError, match="metadata"):
        subsets({"pid": "1"})


@pytest.mark.parametrize(
    ("kind", "precision", "response", "value"),
    [
        ("integer", None, "So the answer is 12.", "12"),
        ("integer", None, "The answer is 5.5", "5.5"),
        ("integer", None, "1,000", "1000"),
        ("integer", None, "3 or 4", None),
        ("float", 1, "It is 1.25 m long.", "1.2"),
        ("float", 2, "The answer is 2", "2.0"),
        ("list", None, "The final list is [2014,2016].", "[2014, 2016]"),
        ("list", None, "[2007, 2008] at first, then [1, 2]", "[1, 2]"),
        ("list", None, "none", None),
        ("text", None, "The correct answer is (B).", "No"),
        ("text", None, "I cannot say", None),
    ],
)
def test_rules_only(kind: str, precision: int | None, response: str, value: str | None) -> None:
    question = "multi_choice" if kind == "text" else "free_form"
    context = AnswerContext(
        choices=("Yes", "No") if kind == "text" else (),
        options={"answer_type": kind, "question_type": question, "precision": precision},
    )
    assert MathVistaRulesVerifier().parse(response, context).value == value


def test_rules_match_lists_whatever_their_spacing() -> None:
    context = AnswerContext(options={"answer_type": "list", "question_type": "free_form"})
    assert MathVistaRulesVerifier().match("[1, 2]", "[1,2]", context).correct is True


def test_subsets_of_a_row() -> None:
    row = {
        "pid": "1", "question_type": "free_form", "answer_type": "float",
        "metadata": {"language": "english", "source": "X", "skills": ["a", "b"], "img_width": 5},
    }  # fmt: skip
    assert subsets(row) == {
        "question_type": "free_form", "answer_type": "float", "language": "english", "source": "X", "skills": "a | b",
    }  # fmt: skip


def print_table() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = unpack(Path(folder))
        for name in read(root, "expected.json"):
            print(table_line(name, *agreement(read(root, name))))


if __name__ == "__main__":
    print_table()
