"""Cards whose metrics group rows: checked, run, reported, compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

CARD = """\
name: variants
family: custom
title: Variants
dataset: {local: {files: ["variants.jsonl"]}}
fields: {id: id, answer: answer, cluster: qid}
answer: {kind: yes-no}
metrics: ["all:question", accuracy, "robustness:question", "macro:subject", f1]
subsets: {subject: subject}
groups: {question: qid}
"""


def write(folder: Path, card: str = CARD) -> None:
    (folder / "cards").mkdir(exist_ok=True)
    (folder / "cards/variants.yaml").write_text(card)
    rows = [
        {"id": f"{q}-{v}", "qid": f"Q{q}", "question": "Is it?", "answer": "yes" if v else "no", "subject": f"s{q % 2}"}
        for q in range(12)
        for v in range(3)
    ]
    (folder / "variants.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [{"id": row["id"], "response": "Yes." if int(row["qid"][1:]) % 3 else row["answer"]} for row in rows]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))


def test_groups_go_all_the_way(mmeval: Callable, tmp_path: Path) -> None:
    write(tmp_path)
    assert mmeval("tasks", "check", "cards/variants.yaml").code == 0
    common = ("-t", "variants", "--task-path", "cards", "--data-dir", ".")
    done = mmeval("run", "-m", "replay:answers.jsonl", *common, "-o", "runs/a", "--json")
    assert done.code == 0, done.err
    cells = {cell["metric"]: cell for cell in done.json["leaderboard"]}
    # Every third question is answered as asked; the others with yes, wrong for one variant of three.
    assert cells["all:question"]["value"] == 4 / 12
    assert (cells["all:question"]["n"], cells["all:question"]["unit"]) == (12, "group of question")
    assert cells["all:question"]["ci_method"] == "wilson"
    assert round(cells["accuracy"]["value"], 4) == round((12 + 16) / 36, 4)
    assert round(cells["robustness:question"]["value"], 4) == round(12 / 28, 4)
    assert {tuple(cell["subset"]) for cell in done.json["subsets"]} == {("subject", "s0"), ("subject", "s1")}
    manifest = json.loads((tmp_path / "runs/a/run.json").read_text())
    assert manifest["tasks"][0]["group_columns"] == ["question"]
    page = (tmp_path / "runs/a/report.html").read_text()
    assert "all:question" in page
    assert '["question","Q1"]' not in page
    limited = mmeval("run", "-m", "replay:answers.jsonl", *common, "-o", "runs/part", "--limit", "7", "--json")
    part = next(cell for cell in limited.json["leaderboard"] if cell["metric"] == "all:question")
    assert (part["n"], part["coverage"]) == (2, 1.0)  # two whole questions
    compared = mmeval("compare", "runs/a", "runs/a", "--json")
    assert compared.code == 2
    other = mmeval("run", "-m", "chance:most-frequent", *common, "-o", "runs/b", "--json")
    assert other.code == 0, other.err
    found = mmeval("compare", "runs/b", "runs/a", "--by", "all", "--json").json["comparisons"]
    assert found[0]["unit"] == "group of question"
    assert found[0]["candidate"] == 4 / 12
    assert {one["subset"][0] for one in found if one["subset"]} == {"subject"}


def test_check_names_what_metrics_lack(mmeval: Callable, tmp_path: Path) -> None:
    write(tmp_path, CARD.replace("{question: qid}", "{qestion: qid, subject: subject, cluster: qid, 'a/b': qid}")
          .replace("kind: yes-no", "kind: text").replace("macro:subject", "weighted:accuracy:hardness"))  # fmt: skip
    found = mmeval("tasks", "check", "cards/variants.yaml")
    assert found.code == 2
    for line in (
        "metrics: 'all:question' groups by 'question', which is neither a subset nor a group of the card (did you mean",
        "metrics: 'weighted:accuracy:hardness' weighs by 'hardness', which is neither a score of the verifier nor a group",
        "metrics: 'f1' is about answers of yes and no, and answer.kind is 'text'",
        "groups.subject: it stands under subsets already",
        "groups.cluster: metrics know 'cluster' without it",
        "groups.a/b: the name of a group has no '/' and no ':'",
    ):
        assert line in found.err


def test_a_missing_column_of_a_group_is_told_before_anything_is_asked(mmeval: Callable, tmp_path: Path) -> None:
    write(tmp_path, CARD.replace("{question: qid}", "{question: question_id}"))
    found = mmeval("run", "-m", "chance", "-t", "variants", "--task-path", "cards", "--data-dir", ".", "-o", "runs/a")
    assert found.code == 2
    assert "groups.question" in found.err
