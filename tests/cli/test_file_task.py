"""Any file is a task, through the real command line."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

GOLDS = ["A", "B", "B", "A", "B", "A", "A", "B", "A", "B", "A", "B"]


def png(number: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (number, 99, 7)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """An LMUData file of twelve rows, two to an image."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "My Set_v1.tsv"
    lines = ["index\tquestion\tA\tB\tanswer\tcategory\timage"]
    for number, gold in enumerate(GOLDS):
        image = png(number) if number % 2 == 0 else str(number - 1)
        lines.append(f"{number}\tWhich, {number}?\tred\tgreen\t{gold}\tk{number // 2 % 3}\t{image}")
    path.write_text("\n".join(lines) + "\n")
    return path


def results(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["model"], row["sample_id"]): row for row in pq.read_table(folder / "results.parquet").to_pylist()}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


RUN = ("run", "-m", "chance,fake", "-t", "file:data/My Set_v1.tsv", "--no-report", "--json")


def test_a_file_is_run_repeated_resumed_and_compared(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    first = mmeval(*RUN)
    assert first.code == 0, first.err
    assert (
        "file/my-set_v1 (My Set_v1.tsv): kind choice; question=question; id=index; images=image; choices=A, B;"
        in first.err
    )
    assert "answer=answer (letter); subsets category" in first.err
    folder = tmp_path / first.json["run"]
    assert folder.name.startswith("chance+fake_file-my-set_v1_")
    rows = results(folder)
    assert len(rows) == 24
    assert len({row["cluster"] for row in rows.values()}) == 6
    assert {row["task"] for row in rows.values()} == {"file/my-set_v1"}
    kept = manifest(folder)["config"]["file_tasks"]["file:data/My Set_v1.tsv"]
    assert kept["answer"] == {"kind": "choice", "target": "letter"}
    assert len(kept["dataset"]["local"]["sha256"]) == 64

    assert mmeval(*RUN).json["run"] == first.json["run"]
    again = mmeval("run", "--config", f"{folder}/run.json", "-o", "again", "--no-report", "--json")
    assert again.code == 0, again.err
    assert manifest(tmp_path / "again")["tasks"] == manifest(folder)["tasks"]
    assert manifest(tmp_path / "again")["config_digest"] == manifest(folder)["config_digest"]
    assert again.json["counts"]["asked"] == 0

    compared = mmeval("compare", f"{folder}#chance", f"{folder}#fake", "--json", "--by", "all")
    assert compared.code == 0, compared.err
    assert {entry["task"] for entry in compared.json["comparisons"]} == {"file/my-set_v1"}
    (tmp_path / "gate.yaml").write_text(
        "version: 1\ndefaults: {min_n: 5}\nrules:\n  - {id: low, task: 'file/*', kind: floor, value: 0.01}\n"
    )
    gated = mmeval(
        "gate", "--baseline", f"{folder}#chance", "--candidate", f"{folder}#fake", "--policy", "gate.yaml", "--json"
    )
    assert gated.code == 0, gated.err
    assert "file/my-set_v1" in gated.out
    assert mmeval("report", str(folder)).code == 0


def test_answers_are_scored_again_without_the_file(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    assert mmeval(*RUN, "-o", "a").code == 0
    table.unlink()
    scored = mmeval("score", "a", "-o", "b", "--no-report", "--json")
    assert scored.code == 0, scored.err
    before, after = results(tmp_path / "a"), results(tmp_path / "b")
    assert {key: row["score"] for key, row in before.items()} == {key: row["score"] for key, row in after.items()}
    # Another version of the rules on one side: compare scores both again, by the card that the run holds.
    record = manifest(tmp_path / "b")
    record["tasks"][0]["score_digest"] = "0" * 64
    (tmp_path / "b" / "run.json").write_text(json.dumps(record))
    compared = mmeval("compare", "a#fake", "b#chance", "--json")
    assert compared.code == 0, compared.err


def test_a_changed_file_is_another_run(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    first = mmeval(*RUN)
    table.write_text(table.read_text().replace("Which, 3?", "Which one, 3?"))
    second = mmeval(*RUN)
    assert second.json["run"] != first.json["run"]
    repeated = mmeval("run", "--config", f"{first.json['run']}/run.json", "-o", "again", "--no-report")
    assert repeated.code == 2
    assert "its content is not the one that the card was made for" in repeated.err
    assert not (tmp_path / "again").exists()


def test_columns_and_kinds_are_given(mmeval: Callable[..., Any], tmp_path: Path) -> None:
    lines = [{"a": f"How many, {n}?", "b": "Why?", "n": n % 2, "z": n} for n in range(6)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    bare = mmeval("run", "-m", "fake", "-t", "file:x.jsonl", "--no-report")
    assert bare.code == 2
    assert "x.jsonl: no column for the question" in bare.err
    given = ("-t", "file:x.jsonl", "--column", "question=a", "--column", "answer=n", "--column", "id=z")
    unclear = mmeval("run", "-m", "fake", *given, "--no-report")
    assert unclear.code == 2
    assert "all answers are 0 or 1" in unclear.err
    done = mmeval("run", "-m", "chance", *given, "--answer-kind", "yes-no", "-o", "r", "--no-report", "--json")
    assert done.code == 0, done.err
    assert {row["target"] for row in results(tmp_path / "r").values()} == {'"yes"', '"no"'}
    again = mmeval("run", "--config", "r/run.json", "-o", "again", "--no-report", "--json")
    assert again.code == 0, again.err
    assert manifest(tmp_path / "again")["tasks"] == manifest(tmp_path / "r")["tasks"]
    # What is said anew on the command line wins over what the configuration holds.
    numbers = mmeval(
        "run", "--config", "r/run.json", *given, "--answer-kind", "number", "-o", "n", "--no-report", "--json"
    )
    assert numbers.code == 0, numbers.err
    assert {row["target"] for row in results(tmp_path / "n").values()} == {"0", "1"}
    (tmp_path / "c.yaml").write_text(
        "models: [chance]\ntasks: ['file:x.jsonl']\ncolumns: [question=a, answer=n, id=z]\nanswer_kind: number\n"
    )
    by_file = mmeval("run", "--config", "c.yaml", "-o", "y", "--no-report", "--json")
    assert by_file.code == 0, by_file.err
    assert manifest(tmp_path / "y")["tasks"] == manifest(tmp_path / "n")["tasks"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-t", "demo", "--column", "question=x"), "say how a data file is read, and no task names one"),
        (("-t", "file:data/absent.tsv"), "-t file:data/absent.tsv: no such file"),
        (("-t", "file:data/My Set_v1.tsv", "--column", "answr=x"), "unknown role of --column 'answr'"),
        (("-t", "file:data/My Set_v1.tsv", "--answer-kind", "essay"), "unknown --answer-kind 'essay'"),
        (("-t", "file:data/My Set_v1.tsv", "--answer-form", "word"), "unknown --answer-form 'word'"),
        (("-t", "file:data/My Set_v1.tsv@official"), "unknown protocol of file/my-set_v1 'official'"),
    ],
)
def test_a_wrong_option_ends_with_code_2(
    mmeval: Callable[..., Any], table: Path, arguments: tuple[str, ...], says: str
) -> None:
    found = mmeval("run", "-m", "fake", *arguments)
    assert found.code == 2
    assert says in found.err


def test_a_file_is_shown_rehearsed_and_imported(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    selector = "file:data/My Set_v1.tsv"
    shown = mmeval("tasks", "show", selector, "--sample", "3", "--json")
    assert shown.code == 0, shown.err
    (entry,) = shown.json["tasks"]
    assert entry["name"] == "file/my-set_v1"
    assert entry["sample"]["target"] == GOLDS[3]
    rehearsed = mmeval("run", "-m", "fake", "-t", selector, "--dry-run")
    assert rehearsed.code == 0
    assert "file/my-set_v1@default: 12 samples, 12 images" in rehearsed.out
    assert not (tmp_path / "runs").exists()
    (tmp_path / "p.jsonl").write_text(
        "".join(json.dumps({"id": str(n), "response": g}) + "\n" for n, g in enumerate(GOLDS))
    )
    imported = mmeval("import", "jsonl", "p.jsonl", "-t", selector, "--model", "mine", "--no-report", "--json")
    assert imported.code == 0, imported.err
    assert imported.json["run"] == "runs/mine_file-my-set_v1"
    assert imported.json["leaderboard"][0]["value"] == 1.0
    assert mmeval(*RUN, "-o", "r").code == 0
    both = mmeval("compare", "r#fake", "runs/mine_file-my-set_v1", "--allow-protocol", "--json")
    assert both.code == 0, both.err
    assert both.json["comparisons"][0]["n"] == 12


def test_a_card_is_written_that_asks_the_same(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    made = mmeval("tasks", "new", "own/set", "--from", "data/My Set_v1.tsv", "-o", "cards/set.yaml")
    assert made.code == 2
    assert "cards" in made.err
    (tmp_path / "cards").mkdir()
    made = mmeval("tasks", "new", "own/set", "--from", "data/My Set_v1.tsv", "-o", "cards/set.yaml")
    assert made.code == 0, made.err
    assert mmeval("tasks", "check", "cards/set.yaml").code == 0
    card = mmeval(
        "run",
        "-m",
        "chance:most-frequent",
        "-t",
        "own/set",
        "--task-path",
        "cards",
        "-o",
        "card",
        "--no-report",
        "--json",
    )
    file = mmeval(
        "run", "-m", "chance:most-frequent", "-t", "file:data/My Set_v1.tsv", "-o", "file", "--no-report", "--json"
    )
    assert card.code == file.code == 0, card.err + file.err
    first, second = (manifest(tmp_path / name)["tasks"][0] for name in ("card", "file"))
    for key in ("items_digest", "ask_digest", "score_digest", "metrics", "subset_columns", "samples", "dataset"):
        assert first[key] == second[key], key
    assert card.json["leaderboard"][0]["value"] == file.json["leaderboard"][0]["value"]
    assert mmeval("tasks", "new", "own/set", "--from", "data/My Set_v1.tsv", "-o", "cards/set.yaml").code == 2
    assert mmeval("tasks", "new", "file/set", "--from", "data/My Set_v1.tsv").code == 2
    assert mmeval("tasks", "new", "own/set", "--column", "question=q").code == 2


def test_a_limit_takes_a_part(mmeval: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    done = mmeval(
        "run", "-m", "fake", "-t", "file:data/My Set_v1.tsv", "--limit", "5", "-o", "r", "--no-report", "--json"
    )
    assert done.code == 0, done.err
    assert len(results(tmp_path / "r")) == 5
