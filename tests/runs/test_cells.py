"""Cells of a run's tables that hold no JSON, or JSON of another form: every command names file, row, column and remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mmeval.cli.main import cli
from mmeval.core.errors import UsageError
from mmeval.runs.cells import BrokenCellError, json_cell, messages_cell, size_in

ROW = {"task": "quiz", "sample_id": "q1", "condition": "blind", "cell": ""}
POLICY = "version: 1\nrules: [{id: a, task: '*', kind: no_regression, min_effect: 0.05}]\n"


def run_command(*arguments: str | Path) -> None:
    CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    run_command(
        "run", "-m", "chance", "-t", "synthetic/count", "--limit", "4", "--cache", folder / "cache.sqlite", "--no-report",
        "--no-media", "-o", folder / "good",
    )  # fmt: skip
    (folder / "gate.yaml").write_text(POLICY)
    return folder


def damaged(runs: Path, table: str, column: str, cell: str) -> Path:
    """A copy of the run with one cell replaced, and a score digest of another card."""
    folder = runs / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(runs / "good", folder)
    path = folder / f"{table}.parquet"
    found = pq.read_table(path)
    place = found.schema.get_field_index(column)
    cells = [cell, *found.column(column).to_pylist()[1:]]
    pq.write_table(found.set_column(place, found.schema.field(place), pa.array(cells, pa.string())), path)
    manifest = json.loads((folder / "run.json").read_bytes())
    manifest["tasks"][0]["score_digest"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def commands(runs: Path) -> dict[str, Sequence[str | Path]]:
    bad, good, cache = runs / "bad", runs / "good", ("--cache", runs / "cache.sqlite")
    return {
        "report": ("report", bad, "-o", runs / "report.html"),
        "compare": ("compare", good, bad),
        "gate": ("gate", "--baseline", good, "--candidate", bad, "--policy", runs / "gate.yaml"),
        "score": ("score", bad, "-o", runs / "scored", "--overwrite", "--no-report", *cache),
        "label": ("judge", "label", bad, "error-type", "--judge", "fake", *cache),
    }


@pytest.mark.parametrize(
    ("names", "column", "cell"),
    [
        (("compare", "gate", "score", "label", "report"), "context", "{broken"),
        (("compare", "score", "report"), "context", "[1]"),
        (("score",), "context", '{"options": 7}'),
        (("score",), "context", '{"image_size": "64x64"}'),
        (("compare", "score", "label"), "target", ""),
        (("score", "label"), "extras", "7"),
        (("label",), "extras", '{"judge": 7}'),
        (("label",), "extras", '{"facts": [7]}'),
        (("report",), "messages", "null-"),
        (("report",), "messages", '{"a": 1}'),
        (("report",), "messages", '[{"role": "user", "parts": [7]}]'),
    ],
)
def test_a_broken_cell_is_named_by_every_command(runs: Path, names: Sequence[str], column: str, cell: str) -> None:
    folder = damaged(runs, "samples", column, cell)
    for name in names:
        with pytest.raises(
            UsageError, match=f"{folder}/samples.parquet: sample '.*' of synthetic/count, column {column}: "
        ):
            run_command(*commands(runs)[name])


def test_a_broken_answer_is_named_by_the_report(runs: Path) -> None:
    folder = damaged(runs, "results", "extracted", "[1, 2")
    with pytest.raises(UsageError, match=f"{folder}/results.parquet: .*column extracted: no JSON"):
        run_command(*commands(runs)["report"])


def test_cells_are_read_or_named() -> None:
    assert json_cell("t.parquet", {**ROW, "cell": None}, "cell", dict) is None
    assert json_cell("t.parquet", {**ROW, "cell": "[1]"}, "cell", list) == [1]
    with pytest.raises(
        BrokenCellError, match=r"^t.parquet: sample 'q1' of quiz, condition blind, column cell: no JSON"
    ):
        json_cell("t.parquet", ROW, "cell")
    with pytest.raises(BrokenCellError, match=r"column cell: '\[1\]' is not an object\n  -> delete the run's tables"):
        json_cell("t.parquet", {**ROW, "cell": "[1]"}, "cell", dict)
    assert messages_cell("t.parquet", {**ROW, "messages": None}) == []
    with pytest.raises(BrokenCellError, match="entry 1 is no message"):
        messages_cell("t.parquet", {**ROW, "messages": '[{"role": "user", "parts": [{"media": true}]}]'})
    assert size_in("t.parquet", ROW, {"size": [3, 4]}, "size") == (3, 4)
    with pytest.raises(BrokenCellError, match="size is not a width and a height"):
        size_in("t.parquet", ROW, {"size": [3]}, "size")
