"""Numbers over several tasks: what suites declare, what a run can show, how sure it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmeval.core.errors import UsageError
from mmeval.runs.aggregates import SuiteMean, suite_means
from mmeval.runs.folder import Run, open_run
from mmeval.runs.manifest import AggregateRecord, MemberRecord
from mmeval.tasks.aggregates import members_of, plan_aggregates
from mmeval.tasks.suites import Suite, read_suite
from tests.analysis.conftest import RECORD, write_run
from tests.cli.conftest import mmeval, zygote

__all__ = ["mmeval", "zygote"]

SUITE = """\
tasks: [one@official, two@official, three]
aggregates:
  - {name: Both, mean: [one@official, two@official], clusters: shared}
  - {name: All, mean: [one@official, two@official, "three:all:pair"]}
"""


def suite(tmp_path: Path, text: str = SUITE, name: str = "pair") -> Suite:
    (tmp_path / f"{name}.yaml").write_text(text)
    return read_suite(tmp_path / f"{name}.yaml")


class TestPlan:
    ASKED = frozenset({("one", "official"), ("two", "official"), ("three", "default")})

    def test_members_with_protocol_and_metric(self, tmp_path: Path) -> None:
        found, notes = plan_aggregates({"pair": suite(tmp_path)}, ["pair"], self.ASKED)
        assert [one.name for one in found] == ["Both", "All"]
        assert [one.key for one in found[1].members] == ["one@official", "two@official", "three"]
        assert [one.metric for one in found[1].members] == ["", "", "all:pair"]
        assert [one.shared for one in found] == [True, False]
        assert notes == []

    def test_a_missing_member_is_told_of_named_suites_only(self, tmp_path: Path) -> None:
        asked = {("one", "official"), ("two", "official")}
        found, notes = plan_aggregates({"pair": suite(tmp_path)}, ["pair"], asked)
        assert [one.name for one in found] == ["Both"]
        assert notes == ["suite pair: All is not shown, because three is not in this run"]
        # The tasks one by one show the mean too, and nobody asked for the other.
        assert plan_aggregates({"pair": suite(tmp_path)}, ["one@official", "two@official"], asked) == (found, [])

    def test_suites_inside_suites_and_protocols(self, tmp_path: Path) -> None:
        suites = {
            "pair": suite(tmp_path, SUITE.replace("@official", "")),
            "outer": suite(tmp_path, "tasks: [pair]", "outer"),
        }
        found, notes = plan_aggregates(suites, ["outer@official"], {("one", "official"), ("two", "official")})
        assert [one.name for one in found] == ["Both"]
        assert len(notes) == 1

    def test_an_unknown_metric_is_told(self, tmp_path: Path) -> None:
        broken = suite(tmp_path, SUITE.replace("all:pair", "al:pair"))
        with pytest.raises(UsageError, match="suite pair: All: unknown metric 'al:pair'"):
            plan_aggregates({"pair": broken}, ["pair"], self.ASKED)

    def test_the_protocol_of_a_selector_is_that_of_members_without_one(self, tmp_path: Path) -> None:
        keys = [one.key for one in members_of(suite(tmp_path).file.aggregates[1], "quick")]
        assert keys == ["one@official", "two@official", "three@quick"]


def two_tasks(tmp_path: Path, *, same_clusters: bool, shared: bool, n: int = 300) -> Run:
    """One run of two tasks with strongly dependent verdicts; the clusters may have the same names."""
    generator = np.random.default_rng(0)
    first = generator.random(n) < 0.6
    second = np.where(generator.random(n) < 0.95, first, ~first)
    rows = [
        {"id": f"{task}{i}", "right": bool(right), "task": task, "cluster": f"q{i}" if same_clusters else f"{task}{i}"}
        for task, verdicts in (("one", first), ("two", second))
        for i, right in enumerate(verdicts)
    ]
    run = open_run(write_run(tmp_path / f"run-{same_clusters}-{shared}", rows, name="one"))
    return with_aggregate(run, [("one", "accuracy"), ("two", "accuracy")], shared)


def with_aggregate(run: Run, members: list[tuple[str, str]], shared: bool = False) -> Run:
    tasks = [
        run.manifest.tasks[0].model_copy(update={"name": name}) for name in dict.fromkeys(task for task, _ in members)
    ]
    record = AggregateRecord(
        name="Mean", suite="s", shared=shared,
        members=[MemberRecord(task=task, protocol="default", metric=metric) for task, metric in members],
    )  # fmt: skip
    return Run(run.path, run.manifest.model_copy(update={"tasks": tasks, "aggregates": [record]}))


def only(run: Run) -> SuiteMean:
    (row,) = suite_means(run)
    return row


def width(row: SuiteMean) -> float:
    assert row.interval is not None
    return row.interval.high - row.interval.low


class TestNumbers:
    def test_value_and_interval_of_independent_members(self, tmp_path: Path) -> None:
        row = only(two_tasks(tmp_path, same_clusters=False, shared=False))
        values = row.values
        assert None not in values
        assert row.value == pytest.approx(sum(values) / 2)  # type: ignore[arg-type]
        assert (row.n, row.clusters, row.share, row.coverage, row.note) == (600, 600, True, 1.0, "")
        assert row.interval is not None
        assert row.interval.method == "mover"
        error = math.sqrt(sum(value * (1 - value) / 300 for value in values)) / 2  # type: ignore[operator]
        assert width(row) == pytest.approx(2 * 1.96 * error, rel=0.05)

    def test_shared_clusters_are_drawn_together(self, tmp_path: Path) -> None:
        apart = only(two_tasks(tmp_path, same_clusters=True, shared=False))
        together = only(two_tasks(tmp_path, same_clusters=True, shared=True))
        assert together.value == apart.value
        assert (apart.clusters, together.clusters) == (600, 300)
        assert together.interval is not None
        assert together.interval.method == "cluster-bootstrap-bca-t"
        # Two nearly equal answers to each question are little more than one.
        assert width(together) == pytest.approx(math.sqrt(2) * width(apart), rel=0.1)

    def test_the_same_images_are_the_same_clusters(self, tmp_path: Path) -> None:
        rows = [
            {"id": f"{task}{i}", "right": i % 2 == 0, "task": task, "cluster": f"image-{i}"} for task in ("one", "two") for i in range(40)
        ]  # fmt: skip
        run = open_run(write_run(tmp_path / "run", rows, name="one"))
        assert only(with_aggregate(run, [("one", "accuracy"), ("two", "accuracy")])).clusters == 40

    def test_several_metrics_of_one_task(self, tmp_path: Path) -> None:
        """HallusionBench's headline: the mean of aAcc, fAcc and qAcc, whose units depend on each other."""
        rows = [
            {
                "id": f"{s}-{f}-{q}", "right": (s + f + q) % 4 != 0, "cluster": f"{s}/{f}",
                "subsets": {"figure": f"{s}/{f}", "question": f"{s}/{q}"},
            }
            for s in range(40) for f in range(2) for q in range(3)
        ]  # fmt: skip
        run = open_run(write_run(tmp_path / "run", rows))
        names = ["accuracy", "all:figure", "all:question"]
        row = only(with_aggregate(run, [(RECORD["name"], name) for name in names]))
        assert row.tasks == ("quiz", "quiz:all:figure", "quiz:all:question")
        assert row.value == pytest.approx(sum(row.values) / 3)  # type: ignore[arg-type]
        # Questions join the figures of a set.
        assert row.clusters == 40
        assert row.n == 240 + 80 + 120

    def test_a_mean_of_a_macro_mean_keeps_its_weights(self, tmp_path: Path) -> None:
        rows = [
            {"id": f"{task}{i}", "right": i % 3 == 0, "task": task, "subsets": {"kind": "a" if i < 6 else "b"}}
            for task in ("one", "two")
            for i in range(30)
        ]
        run = open_run(write_run(tmp_path / "run", rows, name="one"))
        row = only(with_aggregate(run, [("one", "macro:kind"), ("two", "accuracy")]))
        assert row.value == pytest.approx(((2 / 6 + 8 / 24) / 2 + 1 / 3) / 2)

    def test_what_cannot_be_shown_says_why(self, tmp_path: Path) -> None:
        rows = [{"id": f"one{i}", "right": True, "task": "one"} for i in range(5)]
        run = open_run(write_run(tmp_path / "run", rows, name="one"))
        row = only(with_aggregate(run, [("one", "accuracy"), ("two", "accuracy")]))
        assert (row.value, row.interval, row.note) == (None, None, "not shown: two has no value")
        lacking = only(with_aggregate(run, [("one", "accuracy"), ("one", "all:pair")]))
        assert lacking.value is None
        assert "pair" in lacking.note

    def test_without_aggregates_nothing_is_read(self, tmp_path: Path) -> None:
        run = open_run(write_run(tmp_path / "run", [{"id": "a", "right": True}]))
        (run.path / "results.parquet").unlink()
        assert suite_means(run) == []


def test_from_suite_to_report(mmeval: Callable[..., Any], tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    (cards / "suites").mkdir(parents=True)
    for name in ("one", "two"):
        (cards / f"{name}.yaml").write_text(
            f"name: {name}\nfamily: custom\ntitle: {name}\ndataset: {{local: {{files: ['{name}.jsonl']}}}}\n"
            "fields: {id: id, answer: answer}\nanswer: {kind: yes-no}\n"
        )
        rows = [{"id": f"{name}{i}", "question": "Is it?", "answer": "yes" if i % 2 else "no"} for i in range(10)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [{"id": f"{name}{i}", "response": "Yes."} for name in ("one", "two") for i in range(10)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (cards / "suites/both.yaml").write_text("tasks: [one, two]\naggregates: [{name: Both of them, mean: [one, two]}]\n")
    command = ("run", "-m", "replay:answers.jsonl", "--task-path", "cards", "--data-dir", ".")
    done = mmeval(*command, "-t", "both", "-o", "runs/a", "--json")
    assert done.code == 0, done.err
    (found,) = done.json["suites"]
    assert (found["name"], found["value"], found["n"], found["suite"]) == ("Both of them", 0.5, 20, "both")
    assert found["ci"][0] < 0.5 < found["ci"][1]
    assert (found["tasks"], found["metrics"], found["values"]) == (["one", "two"], ["accuracy"] * 2, [0.5, 0.5])
    page = (tmp_path / "runs/a/report.html").read_text()
    assert "Both of them" in page
    assert "mean of one, two" in page
    # A copied folder keeps it.
    (tmp_path / "runs/a").rename(tmp_path / "copy")
    (row,) = suite_means(open_run(tmp_path / "copy"))
    assert row.value == 0.5
    shown = mmeval(*command, "-t", "both", "-o", "runs/b")
    assert "suite both, Both of them: replay:answers.jsonl 50.0 (" in shown.out
    part = mmeval(*command, "-t", "one", "-o", "runs/c", "--json")
    assert part.json["suites"] == []


def test_scored_again_under_another_protocol(mmeval: Callable[..., Any], tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    (cards / "suites").mkdir(parents=True)
    for name in ("one", "two"):
        (cards / f"{name}.yaml").write_text(
            f"name: {name}\nfamily: custom\ntitle: {name}\ndataset: {{local: {{files: ['{name}.jsonl']}}}}\n"
            "fields: {id: id, answer: answer}\nanswer: {kind: yes-no}\nprotocols: {strict: {metrics: [f1]}}\n"
        )
        rows = [{"id": f"{name}{i}", "question": "Is it?", "answer": "yes" if i % 4 else "no"} for i in range(8)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [{"id": f"{name}{i}", "response": "Yes."} for name in ("one", "two") for i in range(8)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (cards / "suites/both.yaml").write_text(
        "tasks: [one, two]\naggregates: [{name: Plain, mean: [one, two]}, {name: Strict, mean: [one@strict, two@strict]}]\n"
    )
    common = ("--task-path", "cards")
    done = mmeval(
        "run", "-m", "replay:answers.jsonl", *common, "--data-dir", ".", "-t", "one,two", "-o", "runs/a", "--json"
    )
    assert [(mean["name"], mean["value"]) for mean in done.json["suites"]] == [("Plain", 0.75)]
    again = mmeval("score", "runs/a", "--protocol", "strict", *common, "-o", "runs/b", "--json")
    assert again.code == 0, again.err
    (mean,) = again.json["suites"]
    assert (mean["name"], mean["metrics"]) == ("Strict", ["f1", "f1"])
    assert mean["value"] == pytest.approx(2 * 6 / (6 + 8))
