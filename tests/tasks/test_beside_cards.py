"""What lies beside a card or a data file: judges of its own, folders, packed files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import yaml

from mmeval.core.errors import UsageError
from mmeval.core.resources import resource_dir
from mmeval.pipeline.chain import Chain
from mmeval.tasks.check import explain
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task

CARD = {
    "name": "mine", "family": "custom", "title": "Mine", "dataset": {"local": {"files": ["a.jsonl"]}},
    "fields": {"question": "q", "answer": "a"}, "answer": {"kind": "text"}, "judges": [{"card": "my-judge", "when": "not_right"}],
}  # fmt: skip


def write(place: Path, name: str) -> None:
    """Write a judge card: ours under another name."""
    judge = yaml.safe_load((resource_dir("judges") / "equivalence.yaml").read_text(encoding="utf-8"))
    judge.pop("calibration", None)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.yaml").write_text(
        yaml.safe_dump({**judge, "name": name, "title": "Of my own"}, sort_keys=False), encoding="utf-8"
    )


@pytest.mark.parametrize(("cards", "judges"), [("t", "t/judges"), ("t", "judges"), ("t/deep", "t/judges")])
def test_a_judge_beside_or_above_the_card_is_found(cards: str, judges: str, tmp_path: Path) -> None:
    write(tmp_path / judges, "my-judge")
    (tmp_path / cards).mkdir(parents=True, exist_ok=True)
    (tmp_path / cards / "mine.yaml").write_text(yaml.safe_dump(CARD), encoding="utf-8")
    file = Registry([tmp_path / "t"]).cards["mine"]
    assert explain(file) is None
    (step,) = Chain.of(Task.load(file), True).steps
    assert (step.card.name, step.card.title) == ("my-judge", "Of my own")


def test_a_judge_of_the_same_name_comes_first_and_without_one_it_is_unknown(tmp_path: Path) -> None:
    card = CARD | {"judges": [{"card": "equivalence", "when": "not_right"}]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    write(tmp_path / "judges", "equivalence")
    (step,) = Chain.of(Task.load(Registry([tmp_path]).cards["mine"]), True).steps
    assert step.card.title == "Of my own"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CARD), encoding="utf-8")
    found = explain(Registry([tmp_path]).cards["mine"])
    assert found is not None
    assert "my-judge" in found.message


def test_a_folder_and_a_packed_file_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(UsageError, match="this is a folder") as folder:
        Registry().resolve([f"file:{tmp_path / 'dir.csv'}"])
    assert "*.jsonl" in folder.value.remedy
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"question,answer\na,1\n"))
    with pytest.raises(UsageError, match="packed files are not read") as packed:
        Registry().resolve([f"file:{tmp_path / 'x.csv.gz'}"])
    assert "gunzip -k x.csv.gz" in packed.value.remedy
