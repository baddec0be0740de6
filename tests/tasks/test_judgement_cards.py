"""Cards of image quality and reward benchmarks on own rows in the data sets' own schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmeval.core.types import Response, Sample, TextPart
from mmeval.metrics import estimate
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

REGISTRY = Registry([])
LISTS = {
    "koniq-10k": ("test_koniq_2k", [7.05, 40.0, 62.5, 83.5]), "spaq": ("test_spaq_2k", [4.0, 40.0, 60.0, 93.67]),
    "kadid-10k": ("test_kadid_2k", [1.0, 2.5, 4.0, 4.93]), "live-wild": ("test_livew_1k", [3.42, 30.0, 60.0, 92.43]),
    "agiqa-3k": ("test_agiqa_3k", [0.0, 1.5, 3.0, 4.49]), "csiq": ("test_csiq_866", [0.0, 0.3, 0.6, 1.0]),
    "pipal": ("test_pipal_5k", [1100.0, 1300.0, 1450.0, 1700.0]),
}  # fmt: skip


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), "grey").save(path)


def opened(task: str, protocol: str, folder: Path) -> tuple[Task, list[Sample]]:
    loaded = Task.load(REGISTRY.cards[task], protocol)
    return loaded, [build() for _, build in loaded.open(DataOptions(data_dir=folder)).samples(AskStyle())]


def table(task: Task, samples: list[Sample], answers: list[str]) -> list[dict[str, Any]]:
    rows = []
    for sample, answer in zip(samples, answers, strict=True):
        found = verify(task.verifier, Response("ok", answer), sample.target, sample.context)
        rows.append(
            {
                "sample_id": sample.id, "repeat": 0, "cluster": sample.cluster, "outcome": found.outcome, "score": found.score,
                "correct": found.correct, "scores": dict(found.scores), "subsets": dict(sample.subsets),
            }
        )  # fmt: skip
    return rows


@pytest.mark.parametrize("task", LISTS)
@pytest.mark.parametrize("protocol", ["default", "visualquality-r1", "direct"])
def test_the_opinion_given_back_correlates_perfectly(task: str, protocol: str, tmp_path: Path) -> None:
    name, opinions = LISTS[task]
    rows = [{"id": str(i), "image": f"images/I0{i}_01_01.png", "gt_score": value} for i, value in enumerate(opinions)]
    (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    for row in rows:
        picture(tmp_path / str(row["image"]))
    loaded, samples = opened(task, protocol, tmp_path)
    opinion = [loaded.verifier.unanswered(s.target, s.context)["opinion"] for s in samples]  # type: ignore[attr-defined]
    assert all(1 - 1e-9 <= value <= 5 for value in opinion)
    assert (opinion[0] > opinion[-1]) == (task == "csiq")
    found = table(loaded, samples, [f'<answer>{{"rating": {max(1.0, value):.12f}}}</answer>' for value in opinion])
    for metric in ("plcc", "srcc", "krcc"):
        assert estimate(metric, found).value == pytest.approx(1.0, abs=1e-9)
    assert estimate("rmse", found).value == pytest.approx(0.0, abs=1e-9)
    if task in ("kadid-10k", "pipal", "csiq"):
        assert samples[0].cluster.startswith("I00")


def shown(sample: Sample) -> str:
    return "".join(part.text for message in sample.messages for part in message.parts if isinstance(part, TextPart))


def perfect(task: Task, rows: list[dict[str, Any]]) -> bool:
    """Whether every metric is 1, but for the share of first answers and votes over more repeats than there are."""
    values = {metric: estimate(metric, rows).value for metric in task.card.metrics}
    first = values.pop("mean:first:answered")
    votes = [value for name, value in values.items() if name.startswith("vote@")]
    rest = [value for name, value in values.items() if not name.startswith("vote@")]
    assert first == sum(row["scores"]["first"] for row in rows) / len(rows)
    return set(rest) == {1.0} and set(votes) <= {1.0, None}


@pytest.mark.parametrize(("task", "protocol"), [("multimodal-rewardbench", "default"), ("multimodal-rewardbench", "official-rule"), ("mm-rlhf-rewardbench", "default")])  # fmt: skip
def test_pairs_are_shown_in_both_orders(task: str, protocol: str, tmp_path: Path) -> None:
    picture(tmp_path / "p.png")
    if task == "multimodal-rewardbench":
        rows: list[dict[str, Any]] = [
            {"ID": "math_1", "Text": "How many?", "Image": "p.png", "Output1": "GOOD", "Output2": "BAD", "Better": "Output1", "Meta": {"Category": "reasoning"}},
            {"ID": "pairs_2", "Text": "Who?", "Image": "p.png", "Output1": "BAD", "Output2": "GOOD", "Better": "Output2", "Meta": {"Category": "safety"}},
        ]  # fmt: skip
        (tmp_path / "all_data.json").write_text(json.dumps(rows), encoding="utf-8")
    else:
        rows = [{"question": "How many?", "image": "p.png", "chosen": "GOOD", "rejected": "BAD", "Task": "mcq"}] * 2
        (tmp_path / "mm_reward_bench.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    loaded, samples = opened(task, protocol, tmp_path)
    assert len(samples) == len({sample.id for sample in samples}) == 4
    assert [sample.target for sample in samples].count("A") == 2
    for sample in samples:
        assert (shown(sample).index("GOOD") < shown(sample).index("BAD")) == (sample.target == "A")
    brackets = task == "multimodal-rewardbench"
    gold = [
        f"[[{s.target}]]" if brackets else f"Overall Judgment: Answer {' AB'.index(s.target)} is better."
        for s in samples
    ]
    found = table(loaded, samples, gold)
    assert perfect(loaded, found)
    always = table(loaded, samples, ["[[A]]" if brackets else "Answer 1 is better."] * 4)
    assert (estimate("accuracy", always).value, estimate(loaded.card.metrics[1], always).value) == (0.5, 0.0)
    assert estimate("mean:first:answered", always).value == 1.0
    assert estimate("consistent:pair", always).value == 0.0
    # The two rows of MM-RLHF are one and the same pair here, asked twice.
    wrong = [str("BA"["AB".index(sample.target)]) for sample in samples]
    inverted = table(
        loaded, samples, [f"[[{v}]]" if brackets else f"Answer {' AB'.index(v)} is better." for v in wrong]
    )
    assert (estimate("accuracy", inverted).value, estimate("consistent:pair", inverted).value) == (0.0, 1.0)


@pytest.mark.parametrize("protocol", ["default", "parity", "votes-10", "scalar"])
def test_vl_rewardbench(protocol: str, tmp_path: Path) -> None:
    import datasets

    cell = Image.new("RGB", (16, 16), "grey")
    pairs = [
        ("mathverse_1", ["GOOD", "BAD"], [0, 1]),
        ("RLAIF-2", ["BAD", "GOOD"], [1, 0]),
        ("svit-detail-3", ["GOOD", "BAD..."], [0, 1]),
    ]
    columns = {
        "id": [name for name, _, _ in pairs], "query": ["Which?"] * 3, "response": [texts for _, texts, _ in pairs],
        "human_ranking": [ranks for _, _, ranks in pairs], "image": [cell] * 3,
    }  # fmt: skip
    folder = tmp_path / "MMInstruction/VL-RewardBench/data"
    folder.mkdir(parents=True)
    features = datasets.Features(
        {"id": datasets.Value("string"), "query": datasets.Value("string"), "response": datasets.Sequence(datasets.Value("string")), "human_ranking": datasets.Sequence(datasets.Value("int64")), "image": datasets.Image()}
    )  # fmt: skip
    datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / "test-00000-of-00001.parquet")
    loaded, samples = opened("vl-rewardbench", protocol, tmp_path)
    assert len(samples) == (6 if protocol == "default" else 3)
    if protocol == "scalar":
        answers = [sample.context.options["answers"]["AB".index(sample.target)] for sample in samples]
        assert set(answers) == {"GOOD"}
        assert {shown(sample) for sample in samples} == {"Which?"}
        return
    for sample in samples:
        assert (shown(sample).index("GOOD") < shown(sample).index("BAD")) == (sample.target == "A")
    assert {sample.subsets["group"] for sample in samples} == {"reasoning", "hallucination", "general"}
    gold = [f"Overall Judgment: Answer {' AB'.index(sample.target)} is better." for sample in samples]
    found = table(loaded, samples, gold)
    assert perfect(loaded, found)


def test_q_bench_and_degradations(tmp_path: Path) -> None:
    import datasets

    cell = Image.new("RGB", (16, 16), "grey")
    columns = {
        "id": ["0", "1"], "question": ["Is it sharp?", "What blurs it?"], "option0": ["Yes", "Motion"], "option1": ["No", "Rain"],
        "option2": ["N/A", "Fog"], "option3": ["N/A", "Dust"], "question_type": [0, 1], "question_concern": [0, 3],
        "correct_choice": ["B", "D"], "image": [cell] * 2,
    }  # fmt: skip
    folder = tmp_path / "q-future/Q-Bench-HF/data"
    folder.mkdir(parents=True)
    datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image()).to_parquet(
        folder / "dev-00000-of-00001.parquet"
    )
    loaded, samples = opened("q-bench-a1", "default", tmp_path)
    assert [(len(s.context.choices), s.target) for s in samples] == [(2, "B"), (4, "D")]
    assert samples[1].subsets == {"type": "what", "concern": "in-context other"}
    assert estimate("accuracy", table(loaded, samples, ["B", "D"])).value == 1.0
    picture(tmp_path / "p.png")
    rows = [
        {"image": "p.png", "distortion_class": kind, "severity": level}
        for kind, level in (("jpeg", "slight"), (None, None))
    ]
    (tmp_path / "degradation.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    loaded, samples = opened("degradation", "default", tmp_path)
    said = [
        '<answer>{"distortion_class": "compression", "severity": "slight"}</answer>',
        '{"distortion_class": "null", "severity": "null"}',
    ]
    found = table(loaded, samples, said)
    assert [estimate(metric, found).value for metric in loaded.card.metrics] == [1.0] * 3
