"""VLMEvalKit's own stored verdicts, wherever its rules alone made them, and its scores of MathVista's published files."""

from __future__ import annotations

import csv
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import UNDECIDED, verify
from mmeval.verifiers.mathvista import row_context
from mmeval.verifiers.registry import get_verifier

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
pytestmark = pytest.mark.realdata

MATHVISTA = {
    "bard/output_bard.json": 338,
    "chatgpt/output_chatgpt.json": 216,
    "gpt4/output_gpt4.json": 143,
    "gpt4/output_gpt4_2shot_code.json": 221,
    "gpt4/output_gpt4_2shot_solution.json": 174,
    "gpt4/output_gpt4_2shot_solution_use_ocr.json": 229,
    "idefics/output_idefics_9b_instruct.json": 192,
    "llava/output_llava_llama_2_13b.json": 258,
    "llavar/output_llavar.json": 232,
    "random/output_random_guess.json": 179,
}
"""Right answers of 1,000 under VLMEvalKit's final match on the official extractions (from a transcription of its rule; three are published)."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("realdata")

    def unpack(name: str) -> Path:
        archive = REALDATA / f"{name}.tar.xz"
        if not archive.exists():
            pytest.skip("../shared/realdata is not here")
        if not (folder / name).exists():
            with tarfile.open(archive) as opened:
                opened.extractall(folder, filter="data")
        return folder / name

    return unpack


def workbook(path: Path) -> list[dict[str, Any]]:
    import openpyxl

    rows = openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True)
    header = [str(name) for name in next(rows)]
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", MATHVISTA)
def test_mathvista_final_match_on_official_extractions(unpacked: Callable[[str], Path], name: str) -> None:
    rows = json.loads((unpacked("mathvista") / "results" / name).read_text(encoding="utf-8"))
    verifier = get_verifier("vlmevalkit-mathvista", {})
    right = 0
    for row in rows.values():
        target = row["answer"]
        if row["question_type"] == "multi_choice":
            target = "ABCDEFGHIJ"[row["choices"].index(target)]
        text = row.get("extraction", "")
        found = verify(verifier, Response("ok", str(text)), target, row_context(row))
        assert found.outcome in {"scored", "no_answer"}, found.reason
        right += bool(found.correct)
    assert right == MATHVISTA[name]


@pytest.mark.parametrize(
    ("archive", "file", "rows"),
    [
        ("hallusionbench", "vila_8b/vila_8b_HallusionBench_auxmatch.xlsx", 951),
        ("pope", "vlmevalkit/vila_8b/vila_8b_POPE_auxmatch.xlsx", 5127),
    ],
)
def test_yes_or_no_as_stored(unpacked: Callable[[str], Path], archive: str, file: str, rows: int) -> None:
    table = workbook(unpacked(archive) / file)
    verifier = get_verifier("vlmevalkit-yes-no", {})
    stored = {"Yes": "yes", "No": "no", "Unknown": None}
    for row in table:
        found = verify(verifier, Response("ok", str(row["prediction"])), row["answer"], AnswerContext())
        assert (found.extracted, found.correct) == (stored[row["extracted"]], row["score"]), row
    assert len(table) == rows


def test_cv_bench_wherever_the_rules_decided(unpacked: Callable[[str], Path]) -> None:
    folder = unpacked("cvbench")
    with (folder / "gpt-4.1_CV-Bench-3D_hits.csv").open(encoding="utf-8") as handle:
        stored = {row["index"]: row for row in csv.DictReader(handle)}
    verifier = get_verifier("vlmevalkit-choice", {})
    counts: Counter[str] = Counter()
    for row in workbook(folder / "gpt-4.1_CV-Bench-3D.xlsx"):
        context = AnswerContext(choices=tuple(str(row[letter]) for letter in "AB" if row[letter] is not None))
        found = verify(verifier, Response("ok", row["prediction"]), row["answer"], context)
        mine = stored[str(row["index"])]
        assert found.extracted == (mine["can_infer"] or None)
        if found.extracted:
            assert bool(found.correct) == (mine["hit"] == "1")
        counts["rules" if found.extracted else "judge"] += 1
    assert counts == {"rules": 269, "judge": 931}


@pytest.mark.parametrize(
    ("file", "right", "unread"),
    [
        ("Qwen2.5-VL-3B-Instruct/T20250425_G92bfa89f/Qwen2.5-VL-3B-Instruct_LogicVista_gpt4o-mini.xlsx", 177, 38),
        ("LLaVA-CoT/T20250426_Ga32ffdf2/LLaVA-CoT_LogicVista_gpt4o-mini.xlsx", 160, 13),
    ],
)
def test_logic_vista_from_the_letters_that_its_judge_extracted(
    unpacked: Callable[[str], Path], file: str, right: int, unread: int
) -> None:
    verifier = get_verifier("vlmevalkit-logicvista", {})
    counts: Counter[str] = Counter()
    for row in workbook(unpacked("logicvista") / "vlmevalkit" / file):
        found = verify(verifier, Response("ok", row["res"] or ""), row["answer"], AnswerContext())
        assert bool(found.correct) == bool(row["hit"])
        counts[found.outcome] += 1
        counts["right"] += bool(found.correct)
    assert (counts["right"], counts["no_answer"], counts["scored"] + counts["no_answer"]) == (right, unread, 447)


def test_mmmu_by_rules_alone(unpacked: Callable[[str], Path]) -> None:
    """2.3: LLaVA-1.5 13B, 326 of 847 choice rows (the official parser: 328)."""
    verifier = get_verifier("vlmevalkit-mmmu", {})
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted((unpacked("mmmu") / "example_outputs/llava1.5_13b").glob("*/output.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            choices = tuple(row["index2ans"].values()) if row["question_type"] == "multiple-choice" else ()
            found = verify(verifier, Response("ok", row["response"]), row["answer"], AnswerContext(choices=choices))
            kind = "open" if not choices else "choice"
            counts[kind, "right" if found.correct else "wrong"] += 1
            counts[kind, "undecided"] += found.outcome == "no_answer" or UNDECIDED in found.scores
    assert counts["choice", "right"] == 326
    assert counts["choice", "right"] + counts["choice", "wrong"] == 847
    assert (counts["open", "right"], counts["open", "wrong"], counts["open", "undecided"]) == (1, 52, 51)
    assert counts["choice", "undecided"] == 3


CARD = """name: {name}
family: demo
title: A workbook of VLMEvalKit
dataset: {{local: {{files: ["none.tsv"]}}}}
fields: {{id: index{fields}}}
answer: {{kind: {kind}, target: {target}, verifier: {verifier}{more}}}
"""


def card(
    folder: Path, name: str, kind: str, verifier: str, target: str = "value", fields: str = "", more: str = ""
) -> str:
    folder.mkdir(exist_ok=True)
    text = CARD.format(name=name, kind=kind, verifier=verifier, target=target, fields=fields, more=more)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("archive", "file", "verdicts", "right"),
    [
        ("hallusionbench", "vila_8b/vila_8b_HallusionBench_auxmatch.xlsx", 951, 497),
        ("pope", "vlmevalkit/vila_8b/vila_8b_POPE_auxmatch.xlsx", 5127, 4576),
    ],
)
def test_workbooks_of_yes_or_no_through_the_command_line(
    unpacked: Callable[[str], Path],
    command: Callable[..., Any],
    tmp_path: Path,
    archive: str,
    file: str,
    verdicts: int,
    right: int,
) -> None:
    cards = card(tmp_path / "cards", "words", "yes-no", "vlmevalkit-yes-no")
    path = str(unpacked(archive) / file)
    found = command("import", "vlmevalkit", path, "-t", "words", "--task-path", cards, "--model", "m", "--no-report")
    assert found["returned"] == 0, found["stderr"]
    assert found["agreement"] == {"equal": verdicts, "verdicts": verdicts}
    assert (found["read"], found["lost"]) == (verdicts, {})
    cell = found["leaderboard"][0]
    assert round(cell["value"] * verdicts) == right
    assert cell["clusters"] <= cell["n"], "questions about one picture are dependent"


def test_the_workbook_of_cv_bench_through_the_command_line(
    unpacked: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    cards = card(tmp_path / "cards", "letters", "choice", "vlmevalkit-choice", "letter", ", choices: options")
    path = str(unpacked("cvbench") / "gpt-4.1_CV-Bench-3D.xlsx")
    found = command("import", "vlmevalkit", path, "-t", "letters", "--task-path", cards, "--model", "m", "--no-report")
    assert found["returned"] == 0, found["stderr"]
    outcomes = found["leaderboard"][0]["outcomes"]
    assert (outcomes["scored"], outcomes["no_answer"]) == (269, 931)


@pytest.mark.parametrize(("folder", "right"), [("Qwen2.5-VL-3B-Instruct", 177), ("LLaVA-CoT", 160)])
def test_the_folder_of_logic_vista_through_the_command_line(
    unpacked: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path, folder: str, right: int
) -> None:
    """Of a run's folder the scored table is read; by its own scores, and by the letters that its judge extracted."""
    cards = card(tmp_path / "cards", "logic", "text", "vlmevalkit-logicvista", more=", reads: extraction")
    path = str(unpacked("logicvista") / "vlmevalkit" / folder)
    for options in (["-t", "logic", "--task-path", cards], ["-t", "logicvista-of-vlmevalkit"]):
        found = command("import", "vlmevalkit", path, *options, "--model", "m", "--no-report", "--overwrite")
        assert found["returned"] == 0, found["stderr"]
        cell = found["leaderboard"][0]
        assert (round(cell["value"] * 447), cell["n"]) == (right, 447)
        assert found["agreement"] in (None, {"equal": 447, "verdicts": 447})


@pytest.mark.parametrize("folder", ["Qwen2.5-VL-3B-Instruct", "LLaVA-CoT"])
def test_logic_vista_by_its_card_joins_the_benchmark_s_own_data(
    unpacked: Callable[[str], Path], command: Callable[..., Any], folder: str
) -> None:
    """Every skill as VLMEvalKit's own table has it; its TSV lacks one of the 448 questions."""
    root = unpacked("logicvista")
    path = root / "vlmevalkit" / folder
    arguments = (
        "import",
        "vlmevalkit",
        str(path),
        "-t",
        "logicvista@vlmevalkit",
        "--model",
        "m",
        "--no-report",
        "--overwrite",
    )
    found = command(*arguments)
    assert found["returned"] == 6
    assert "the file has 447 of the 448 samples" in found["stderr"]
    assert found["agreement"] == {"equal": 447, "verdicts": 447}
    with next(path.rglob("*_score.csv")).open(encoding="utf-8") as handle:
        stored = {row["Task&Skill"]: row for row in csv.DictReader(handle)}
    skills = {row["subset"][1]: row for row in found["subsets"] if row["subset"][0] == "skill"}
    for name, row in stored.items():
        cell = found["leaderboard"][0] if name == "Overall" else skills[name]
        assert (cell["n"], round(cell["value"] * cell["n"])) == (int(row["tot"]), int(row["hit"])), name
    joined = command(*arguments, "--data-dir", str(root / "official"))
    assert (joined["counts"]["error"], joined["agreement"]) == (1, {"equal": 447, "verdicts": 447})


def test_a_workbook_of_mathvista_in_vlmevalkit_s_own_columns(
    unpacked: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    """Bard's published answers, laid out as VLMEvalKit writes them: question, choices as text, answer_option, res."""
    import openpyxl

    columns = [
        "index",
        "question",
        "answer",
        "question_type",
        "answer_type",
        "choices",
        "answer_option",
        "task",
        "skills",
    ]
    rows = json.loads((unpacked("mathvista") / "results/bard/output_bard.json").read_text(encoding="utf-8"))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([*columns, "prediction", "res", "log"])
    for number, row in enumerate(rows.values()):
        choices = row["choices"] or []
        letter = "ABCDEFGH"[choices.index(row["answer"])] if choices else None
        about = [number, row["query"], row["answer"], row["question_type"], row["answer_type"], str(choices), letter]
        labels = [row["metadata"]["task"], str(row["metadata"]["skills"])]
        sheet.append([*about, *labels, row["response"], row["extraction"], "Succeed"])
    path = tmp_path / "bard_MathVista_MINI_gpt.xlsx"
    book.save(path)
    # The skills are those of the earlier release, as in the file.
    found = command(
        "import", "vlmevalkit", str(path), "-t", "mathvista@vlmevalkit-extraction", "--model", "bard", "--no-report"
    )
    assert found["returned"] == 0, found["stderr"]
    assert round(found["leaderboard"][0]["value"] * 1000) == MATHVISTA["bard/output_bard.json"]
    subsets = {tuple(row["subset"]): row["n"] for row in found["subsets"]}
    assert (subsets["task", "figure question answering"], subsets["skills", "arithmetic reasoning"]) == (269, 339)
    assert "without category, context, grade, language, source, precision, which it does not hold" in found["stderr"]
