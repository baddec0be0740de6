"""Compact columns say what the table says, and the leaderboard made of them what the rows say."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmeval.core.errors import DataError
from mmeval.metrics import get_metric, summarise
from mmeval.metrics.collect import collect
from mmeval.metrics.columns import Columns, Texts
from mmeval.runs import columns as compact
from mmeval.runs import folder
from mmeval.runs.columns import read_columns
from mmeval.runs.folder import Run
from mmeval.runs.leaderboard import leaderboard, results_columns
from mmeval.runs.manifest import Manifest, ModelRecord, TaskRecord
from mmeval.runs.schema import results_schema

MODELS = ["m", "mödel"]
CONDITIONS = ["standard", "blind"]
METRICS = {
    "a": [
        "accuracy", "mean", "mean:strict", "pass@1", "macro:subject", "all:problem", "all:cluster", "all:sample", "robustness:problem",
        "majority@1",
    ],
    "b": ["f1", "recall", "yes_rate", "macro:subject:f1"],
}  # fmt: skip


def awkward(seed: int, size: int = 60) -> list[dict[str, Any]]:
    """Rows of two tasks, models and conditions: nulls, repeats, labels of several parts, ids that look like labels."""
    draw = np.random.default_rng(seed)
    rows = []
    for task in METRICS:
        for model in MODELS:
            for condition in CONDITIONS:
                for number in draw.permutation(500)[:size].tolist():
                    for repeat in range(1 + number % 2):
                        luck = float(draw.random())
                        outcome = (
                            "scored" if luck < 0.7 else "no_answer" if luck < 0.9 else ("error", "unscored")[number % 2]
                        )
                        scored = outcome == "scored"
                        value = float(draw.random())
                        scores: list[tuple[str, float]] | None = [("strict", round(value, 1))]
                        scores += (
                            [("guessed", 1.0), ("guess_share", 1 / 3)] if outcome == "no_answer" and number % 4 else []
                        )
                        scores += [("judged", float(number % 2)), ("rule_correct", value)] if number % 5 else []
                        rows.append({
                            "model": model, "task": task, "protocol": "default", "condition": condition,
                            "sample_id": f"{('', 'é', 'x | ')[number % 3]}{number}", "repeat": repeat,
                            "cluster": (None, "", f"k{number % 7}", "s:1", "é")[number % 5],
                            "outcome": outcome, "score": value if scored else None, "correct": value > 0.5 if scored else None,
                            "scores": scores if scored or number % 3 else None,
                            "extracted": ('"yes"', '"no"')[number % 2] if scored else None, "target": '"yes"' if value > 0.3 else '"no"',
                            "finish_reason": ("stop", "length", None)[number % 3], "reason": (None, "refusal", "empty", "?")[number % 4],
                            "completion_tokens": None if number % 9 == 0 else number * 37, "latency_s": value if number % 11 else None,
                            "subsets": [("subject", ("s1", "s2", "s1 | s2", "")[number % 4]), ("problem", f"p{number // 7}")],
                        })  # fmt: skip
    return rows


def run_of(where: Path, rows: list[dict[str, Any]], model: str | None = None) -> Run:
    pq.write_table(pa.Table.from_pylist(rows, schema=results_schema()), where / "results.parquet", row_group_size=50)
    tasks = [
        TaskRecord(
            name=name, protocol="default", family="f", title="T", items_digest=None, ask_digest="", score_digest="", metrics=metrics,
            subset_columns=["subject"], group_columns=["problem"], samples=1, available=1,
        )
        for name, metrics in METRICS.items()
    ]  # fmt: skip
    models = [
        ModelRecord(
            name=name, spec=name, engine="e", engine_version="1", identity={}, identity_digest="", shared_identity=True
        )
        for name in MODELS
    ]
    manifest = Manifest(
        run_id="r", name="n", status="complete", created="2026-01-01T00:00:00+00:00", command=[], config={}, config_digest="",
        versions={}, hardware={}, seeds={}, models=models, tasks=tasks, conditions=CONDITIONS,
    )  # fmt: skip
    return Run(where, manifest, model)


@pytest.fixture(params=[4096, 1], ids=["few words", "many words"])
def small_batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "FEW_WORDS", request.param)
    monkeypatch.setattr(folder, "READ_ROWS", 64)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("model", [None, "mödel"])
def test_columns_hold_what_the_frame_holds(tmp_path: Path, model: str | None) -> None:
    run = run_of(tmp_path, awkward(0), model)
    names = results_columns([get_metric(name) for names in METRICS.values() for name in names], ["subject", "nothing"])
    frame, found = run.results(names), read_columns(run, names)
    assert found.size == len(frame)
    for name in names:
        cells, expected = found[name], frame[name].to_numpy()
        if isinstance(cells, Texts):
            assert list(cells) == expected.tolist() == [cells[row] for row in range(len(cells))], name
            words = cells.words.to_pylist()
            assert not cells.ordered or words == sorted(set(words)), name
        else:
            assert np.array_equal(cells.astype(float), np.array(expected, dtype=float), equal_nan=True), name


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", range(3))
def test_the_leaderboard_is_what_the_rows_say(tmp_path: Path, seed: int) -> None:
    rows = awkward(seed)
    run = run_of(tmp_path, rows)
    cells = leaderboard(run, by_subset=True, all_metrics=True)
    assert len([cell for cell in cells if cell.subset is None]) == len(MODELS) * len(CONDITIONS) * sum(
        map(len, METRICS.values())
    )
    for cell in cells:
        own = [
            row
            for row in rows
            if (row["model"], row["task"], row["condition"]) == (cell.model, cell.task, cell.condition)
            and (cell.subset is None or cell.subset[1] in dict(row["subsets"])["subject"].split(" | "))
        ]
        metric = get_metric(cell.estimate.metric)
        assert cell.estimate == summarise(metric, collect(metric, own)), metric.name
        answered = [row for row in own if row["outcome"] in ("scored", "no_answer")]
        silent = [row for row in answered if row["outcome"] == "no_answer"]
        assert cell.truncated == sum(row["finish_reason"] == "length" for row in answered) / len(answered)
        assert cell.no_answer == len(silent) / len(answered)
        assert sum(cell.unread.values()) == len(silent)
        for column, mean in (("completion_tokens", cell.completion_tokens), ("latency_s", cell.latency_s)):
            known = [row[column] for row in answered if row[column] is not None]
            assert mean == pytest.approx(sum(known) / len(known), rel=1e-12)
        judged = [dict(row["scores"] or []).get("judged") for row in answered]
        assert cell.judged == (judged.count(1.0) / len(judged) if any(one is not None for one in judged) else None)
        drawn = sum(dict(row["scores"] or []).get("guessed") == 1.0 for row in answered)
        assert (cell.guesses.rows if cell.guesses else 0) == drawn


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("empty", [True, False])
def test_clusters_without_their_names_keep_their_order(tmp_path: Path, empty: bool) -> None:
    rows = [row for row in awkward(0) if empty or row["cluster"]]
    run = run_of(tmp_path, rows)
    named, bare = (read_columns(run, ["sample_id", "cluster"], bare).texts("cluster") for bare in ((), ("cluster",)))
    names, places = [name or "" for name in named], [max(code, -1) for code in bare.codes.tolist()]
    first = 0 if "" not in bare.words.to_pylist() else 1
    assert [0 if place < first else 1 + place - first for place in places] == [
        sorted({"", *names}).index(name) for name in names
    ]


@pytest.mark.usefixtures("small_batches")
def test_ids_are_not_spelled_but_in_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []

    def spying(run: Run, names: Sequence[str], unspelled: Collection[str] = ()) -> Columns:
        asked.append(set(unspelled))
        return read_columns(run, names, unspelled)

    monkeypatch.setattr("mmeval.runs.leaderboard.read_columns", spying)
    rows = awkward(0)
    leaderboard(run_of(tmp_path, rows))
    assert asked == [{"sample_id", "cluster"}]
    again = next(row for row in rows if row["outcome"] == "scored")
    with pytest.raises(
        DataError, match=re.escape(f"sample {again['sample_id']!r}, repeat {again['repeat']}, occurs twice")
    ):
        leaderboard(run_of(tmp_path, [*rows, again]))
    assert asked[-1] == set()


def test_a_table_without_rows_has_no_cells(tmp_path: Path) -> None:
    assert leaderboard(run_of(tmp_path, [])) == []


def test_a_column_that_is_missing_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path, [])
    pq.write_table(pa.table({"model": ["m"]}), tmp_path / "results.parquet")
    with pytest.raises(DataError, match="there is no column"):
        leaderboard(run)
