"""Every shipped card runs end to end on a fixture in its data set's own schema; a card without one fails here.

A fixture is a folder of the card's name in tests/data (see its README), read with `--data-dir tests/data`.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from mmeval.core.errors import DataError
from mmeval.runs.judge import needs_judge
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from tests.cli.conftest import environment

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
NAMES = sorted(REGISTRY.cards)
REASONS = {"no row counts", "undefined for these rows (0/0)", "one cluster", "no spread between clusters, and no bounds"}  # fmt: skip
OF_MEANS = {"wilson", "t", "cr1-t", "wilson on clusters", "range (one cluster)"}
OF_OTHERS = {"bootstrap-bca-t", "cluster-bootstrap-bca-t", "stratified-bootstrap-bca-t", "stratified-cluster-bootstrap-bca-t", "wilson on clusters", "range (one cluster)"}  # fmt: skip


def protocol_of(name: str) -> str | None:
    """The protocol that is run here: the default, or the first that rules decide; None where results are imported."""
    file = REGISTRY.cards[name]
    default = Task.load(file)
    if default.card.answer.reads == "extraction" and not default.card.judges:
        return None
    for protocol in ("default", *file.raw.get("protocols", {})):
        if not needs_judge(Task.load(file, protocol)):
            return protocol
    return "default"


PROTOCOLS = {name: protocol_of(name) for name in NAMES}
IMPORTED = [name for name, protocol in PROTOCOLS.items() if protocol is None]
JUDGED = [name for name, protocol in PROTOCOLS.items() if protocol and needs_judge(Task.load(REGISTRY.cards[name], protocol))]  # fmt: skip
RUN = [name for name in NAMES if name not in IMPORTED and name not in JUDGED]


class Retriever(BaseHTTPRequestHandler):
    """A retriever that finds one white page."""

    def do_POST(self) -> None:
        """Answer any query."""
        image = io.BytesIO()
        Image.new("RGB", (56, 56), "white").save(image, "PNG")
        page = {"id": "page/1", "image": base64.b64encode(image.getvalue()).decode()}
        body = json.dumps({"results": [page]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `mmeval run` with the fixtures, and with a retriever for the cards that search."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Retriever)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/search"
    command = [
        sys.executable,
        "-m",
        "mmeval",
        "run",
        "--data-dir",
        str(DATA),
        "--no-report",
        "--json",
        "--retriever",
        address,
    ]
    try:
        done = subprocess.run(
            [*command, *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300
        )
    finally:
        server.shutdown()
        server.server_close()
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def chance(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The leaderboard and the rows of one run of all cards that have a fixture, at most six samples of each."""
    folder = tmp_path_factory.mktemp("every-card")
    asked = [f"{name}@{PROTOCOLS[name]}" for name in RUN if has_fixture(name)]
    code, out, err = run(
        folder, "-m", "chance", "-t", ",".join(asked), "--limit", "6", "-o", "out", "--allow-errors", "1"
    )
    assert code == 0, err
    rows = pq.read_table(folder / "out/results.parquet").to_pylist()
    return {"cells": json.loads(out)["leaderboard"], "rows": rows}


@cache
def has_fixture(name: str) -> bool:
    """Whether the rows of a card are there."""
    try:
        Task.load(REGISTRY.cards[name], str(PROTOCOLS[name])).open(DataOptions(data_dir=DATA))
    except DataError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_a_fixture(name: str) -> None:
    if name not in IMPORTED:
        assert has_fixture(name), f"write rows in the data set's schema into tests/data/{name}"


@pytest.mark.parametrize("name", RUN)
def test_rows_are_scored_and_every_metric_has_a_value(name: str, chance: dict[str, Any]) -> None:
    protocol = PROTOCOLS[name]
    card = Task.load(REGISTRY.cards[name], str(protocol)).card
    rows = [row for row in chance["rows"] if (row["task"], row["protocol"]) == (name, protocol)]
    assert rows
    expected = {"unscored"} if card.answer.withheld else {"scored", "no_answer", "unscored"}
    assert {row["outcome"] for row in rows} <= expected, [row["error"] or row["reason"] for row in rows]
    if not card.answer.withheld:
        assert any(row["outcome"] in ("scored", "no_answer") for row in rows), [row["reason"] for row in rows]
    cells = {cell["metric"]: cell for cell in chance["cells"] if (cell["task"], cell["protocol"]) == (name, protocol)}
    assert list(cells) == card.metrics
    for metric, cell in cells.items():
        if cell["ci"] is None:
            assert cell["no_ci"] in REASONS, metric
            assert cell["value"] is not None or cell["n"] == 0 or "0/0" in cell["no_ci"]
            continue
        assert cell["no_ci"] is None
        low, high = cell["ci"]
        assert low - 1e-9 <= cell["value"] <= high + 1e-9, metric
        plain = metric == "accuracy" or metric.startswith(("mean", "iou", "all:"))
        assert cell["ci_method"] in (OF_MEANS if plain else OF_MEANS | OF_OTHERS), metric


@pytest.mark.parametrize("name", IMPORTED)
def test_a_card_of_imported_results_says_so_when_it_is_run(name: str, tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "-m", "chance", "-t", name)
    assert code == 2
    assert "mmeval import" in err


@pytest.mark.model
def test_the_embedded_model_answers_a_card_of_every_family(tmp_path: Path) -> None:
    """One card of each family with its real pictures and frames, and those that cannot do without a judge."""
    first: dict[str, str] = {}
    for name in RUN:
        first.setdefault(str(REGISTRY.cards[name].raw["family"]), name)
    asked = [f"{name}@{PROTOCOLS[name]}" for name in first.values()] + JUDGED
    code, out, err = run(
        tmp_path, "-m", "tiny", "-t", ",".join(asked), "--limit", "1", "--judge", "tiny", "-o", "out", "--allow-errors", "1", "--sampling", "max_tokens=8"
    )  # fmt: skip
    assert code == 0, err
    rows = pq.read_table(tmp_path / "out/results.parquet").to_pylist()
    assert {row["task"] for row in rows} == {selector.partition("@")[0] for selector in asked}
    assert all(row["response"] is not None for row in rows), [row["error"] for row in rows]
    assert {cell["task"] for cell in json.loads(out)["leaderboard"]} == {row["task"] for row in rows}
