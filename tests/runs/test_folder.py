"""Manifest, tables and their reader."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from mmeval.core.errors import DataError, StorageError, UsageError
from mmeval.core.hashing import sha256_bytes
from mmeval.reports.build import _write as write_page
from mmeval.runs import tables
from mmeval.runs.file_tasks import recorded_cards
from mmeval.runs.folder import link_media, open_run, row_count, subset_pairs
from mmeval.runs.manifest import (
    SCHEMA_VERSION,
    Manifest,
    ModelRecord,
    TaskRecord,
    TornManifestError,
    read_manifest,
    write_manifest,
)
from mmeval.runs.schema import results_schema, samples_schema
from mmeval.runs.writer import RunWriter, lock_folder

X = sha256_bytes(b"x")


def manifest(**changes: Any) -> Manifest:
    models = [
        ModelRecord(
            name=name, spec=f"fake:{name}", engine="fake", engine_version="1", identity={"a": 1}, identity_digest="d",
            shared_identity=True,
        )
        for name in ("late", "early")
    ]  # fmt: skip
    task = TaskRecord(
        name="t", protocol="default", family="f", title="T", items_digest=None, ask_digest="a", score_digest="s",
        metrics=["accuracy"], samples=3, available=None, limit=0.5,
    )  # fmt: skip
    values: dict[str, Any] = {
        "run_id": "r", "name": "n", "status": "complete", "created": "2025-01-01T00:00:00+00:00", "command": ["mmeval"],
        "config": {"limit": 0.5}, "config_digest": "c", "versions": {"python": "3"}, "hardware": {}, "seeds": {"run": 0},
        "models": models, "tasks": [task], "conditions": ["standard"],
    }  # fmt: skip
    return Manifest(**{**values, **changes})


def row(model: str, sample: str, repeat: int = 0) -> dict[str, Any]:
    return {
        "model": model, "task": "t", "protocol": "default", "family": "f", "condition": "standard", "sample_id": sample,
        "repeat": repeat, "cluster": sample, "outcome": "scored", "score": 1.0, "correct": True,
        "scores": {"iou": 0.5}, "subsets": {"kind": "a | b"}, "status": "ok", "response": "ä\u2028",
        "media": [{"sha256": "x", "width": 1, "height": 2, "kind": "image", "format": "png"}],
    }  # fmt: skip


ROWS = [
    ((m, 0, 0, p, r), row(("late", "early")[m], f"s{p}", r)) for m in range(2) for p in range(300) for r in range(2)
]


def write(folder: Path, rows: list[Any], samples: int = 300) -> None:
    with RunWriter(folder) as writer:
        for order, values in rows:
            writer.add(order, values)
        for position in range(samples):
            writer.add_sample((0, 0, position), {"task": "t", "sample_id": f"s{position}", "subsets": {"kind": "a"}})
        writer.finish()
    write_manifest(folder, manifest())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(tmp_path / "run", ROWS)
    return tmp_path / "run"


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "run.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"schema_version": SCHEMA_VERSION + 1},
            r"run\.json: schema_version is 2, this mmeval reads 1(.|\n)*version that wrote",
        ),
        ({"schema_version": None}, "schema_version is None"),
        ({"status": "perhaps"}, r"run\.json: key status"),
        ({"surprise": 1}, r"run\.json: key surprise"),
        (
            {"surprise": 1, "versions": {"mmeval": "99.1"}},
            r"key surprise is not known here: the run was written by mmeval 99\.1(.|\n)*use mmeval 99\.1",
        ),
        ({"models": [{}]}, r"run\.json: key models\.0\."),
        ({"config": {"tasks": 1.5}}, r"run\.json: key config: (.*)tasks: a list is expected"),
        ({"config": {"file_tasks": []}}, r"run\.json: key config: (.*)file_tasks: a mapping is expected"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named_by_key(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    write_manifest(tmp_path, manifest())
    rewrite(tmp_path, **changes)
    with pytest.raises(DataError, match=says):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null"])
def test_a_broken_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DataError, match=r"run\.json"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_no_file_does_not_keep_its_reader_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(DataError, match="no ordinary file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"run_id": ', b"null", b"[]", bytes(64)])
def test_a_torn_manifest_is_told_from_one_that_does_not_fit(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(TornManifestError):
        read_manifest(tmp_path)


def test_another_table_in_the_place_of_one_is_named(run: Path) -> None:
    (run / "samples.parquet").write_bytes((run / "results.parquet").read_bytes())
    with pytest.raises(DataError, match=r"samples.parquet: there is no column"):
        list(open_run(run).rows("samples"))
    (run / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"results.parquet"):
        row_count(run / "results.parquet")


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="is not a run folder"):
            open_run(place)


def test_a_manifest_is_strict_json(tmp_path: Path) -> None:
    details = {"loss": float("nan"), "list": [float("inf"), 1.0]}
    model = manifest().models[0].model_copy(update={"details": details})
    write_manifest(tmp_path, manifest(models=[model]))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
    assert read_manifest(tmp_path).models[0].details == {"loss": None, "list": [None, 1.0]}


def test_a_crash_while_writing_leaves_the_old_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(tmp_path, manifest(status="running"))

    def crash(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        write_manifest(tmp_path, manifest(status="complete"))
    assert read_manifest(tmp_path).status == "running"


def test_one_model_of_a_run_is_addressed_by_name(run: Path) -> None:
    both, late = open_run(run), open_run(f"{run}#late")
    assert (both.models, late.models) == (["late", "early"], ["late"])
    assert (len(both.results()), len(late.results())) == (1200, 600)
    assert set(late.results(["score"])["model"]) == {"late"}
    with pytest.raises(UsageError, match=r"run has no model 'lat'(.|\n)*#late"):
        open_run(f"{run}#lat")


def test_a_folder_may_have_a_hash_in_its_name(run: Path) -> None:
    odd = run.rename(run.with_name("run#3"))
    assert open_run(odd).models == ["late", "early"]
    assert open_run(f"{odd}#early").models == ["early"]


def test_values_come_back(run: Path) -> None:
    first = open_run(run).results().iloc[0]
    assert first["scores"] == {"iou": 0.5}
    assert first["subsets"] == {"kind": "a | b"}
    assert first["response"] == "ä\u2028"
    assert first["media"][0]["height"] == 2
    assert first["error"] is None
    assert open_run(run).samples().iloc[2]["subsets"] == {"kind": "a"}
    assert subset_pairs({"kind": "a | b", "x": "c"}) == [("kind", "a"), ("kind", "b"), ("x", "c")]


@pytest.mark.parametrize("name", ["results.parquet", "samples.parquet"])
def test_a_missing_or_damaged_table_is_named(run: Path, name: str) -> None:
    path = run / name

    def use() -> None:
        found = open_run(run)
        found.results() if name.startswith("results") else found.samples()

    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"cannot read .*{name}"):
        use()
    path.unlink()
    with pytest.raises(
        DataError, match=rf"{name} is missing(.|\n)*run command again|{name} is missing(.|\n)*`mmeval run`"
    ):
        use()


def test_the_order_of_finishing_leaves_no_trace(run: Path, tmp_path: Path) -> None:
    mixed = ROWS[:]
    random.Random(3).shuffle(mixed)
    write(tmp_path / "other", mixed)
    for name in ("results.parquet", "samples.parquet"):
        assert (tmp_path / "other" / name).read_bytes() == (run / name).read_bytes()
    order = open_run(run).results()[["model", "sample_id", "repeat"]].to_numpy().tolist()
    assert order == [[values["model"], values["sample_id"], values["repeat"]] for _, values in ROWS]


def test_tables_have_the_declared_columns(run: Path) -> None:
    assert pq.read_schema(run / "results.parquet").equals(results_schema())
    assert pq.read_schema(run / "samples.parquet").equals(samples_schema())
    assert set(row("m", "s")) <= set(results_schema().names)


def test_a_row_delivered_twice_is_one_row_and_a_sample_keeps_its_first(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        for score in (0.0, 1.0):
            writer.add((0, 0, 0, 0, 0), {**row("m", "s"), "score": score})
            writer.add_sample((0, 0, 0), {"task": "t", "sample_id": f"s{score}"})
        writer.finish()
    assert pq.read_table(tmp_path / "results.parquet")["score"].to_pylist() == [1.0]
    assert pq.read_table(tmp_path / "samples.parquet")["sample_id"].to_pylist() == ["s0.0"]


def test_models_that_were_asked_alike_share_a_samples_row(tmp_path: Path) -> None:
    asked = {"late": "In pixels?", "early": "In pixels?", "other": "From 0 to 1000?"}
    with RunWriter(tmp_path) as writer:
        for model in (2, 0, 1):
            name = list(asked)[model]
            for position in range(2):
                values = {"task": "t", "sample_id": f"s{position}", "messages": asked[name]}
                writer.add_sample((0, 0, position), values, (model, name))
        writer.finish()
    write_manifest(tmp_path, manifest())
    found = pq.read_table(tmp_path / "samples.parquet").select(["sample_id", "messages", "models"]).to_pylist()
    assert found == [
        {"sample_id": f"s{position}", "messages": messages, "models": models}
        for position in range(2)
        for messages, models in (("In pixels?", ["late", "early"]), ("From 0 to 1000?", ["other"]))
    ]
    seen = list(open_run(f"{tmp_path}#early").rows("samples", ["sample_id", "messages"]))
    assert [row["messages"] for row in seen] == ["In pixels?"] * 2


def test_rows_are_streamed_with_all_their_values(run: Path) -> None:
    found = list(open_run(f"{run}#early").rows("results"))
    assert len(found) == 600
    assert {row["model"] for row in found} == {"early"}
    assert (found[0]["scores"], found[0]["subsets"], found[0]["error"]) == ({"iou": 0.5}, {"kind": "a | b"}, None)
    assert next(iter(open_run(run).rows("samples", ["sample_id"]))).keys() == {"sample_id", "models"}
    (run / "samples.parquet").unlink()
    with pytest.raises(DataError, match=r"samples\.parquet is missing"):
        list(open_run(run).rows("samples"))


def test_an_empty_run_has_empty_tables(tmp_path: Path) -> None:
    write(tmp_path, [], samples=0)
    assert open_run(tmp_path).results().empty


def test_many_rows_become_several_row_groups(tmp_path: Path) -> None:
    write(tmp_path, [((0, 0, 0, p, 0), row("late", str(p))) for p in range(tables.ROW_GROUP + 5)], samples=1)
    assert pq.read_metadata(tmp_path / "results.parquet").num_row_groups == 2


@pytest.mark.parametrize("name", ["rows.sqlite", "rows.sqlite-journal", "rows.sqlite.lock"])
def test_a_run_begins_again_over_what_a_killed_one_left(tmp_path: Path, name: str) -> None:
    if name.endswith(".lock"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"torn")
    with RunWriter(tmp_path) as writer:
        assert not (tmp_path / "rows.sqlite.lock").exists()
        writer.add((0, 0, 0, 0, 0), row("m", "s"))
        writer.finish()
    assert pq.read_table(tmp_path / "results.parquet").num_rows == 1


CHILD = """
import sys
from pathlib import Path
from mmeval.core.errors import UsageError
from mmeval.runs.writer import RunWriter
try:
    RunWriter(Path(sys.argv[1]))
except UsageError as error:
    print(error)
"""


def test_a_second_writer_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.add((0, 0, 0, 0, 0), row("m", "s"))
        writer.flush()
        with pytest.raises(UsageError, match="another mmeval process is writing"):
            RunWriter(tmp_path)
        other = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
        assert "another mmeval process is writing" in other.stdout
        assert "-o" in other.stdout
        writer.finish()
    assert pq.read_metadata(tmp_path / "results.parquet").num_rows == 1
    RunWriter(tmp_path).close()
    assert not list(tmp_path.glob("rows.sqlite*"))


def test_a_working_file_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "rows.sqlite").write_bytes(b"half a database")
    (tmp_path / "rows.sqlite-journal").write_bytes(b"x")
    write(tmp_path, ROWS[:2], samples=1)
    assert pq.read_metadata(tmp_path / "results.parquet").num_rows == 2


def test_a_crash_while_writing_leaves_the_old_table(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / "results.parquet").read_bytes()

    def crash(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(
        StorageError, match=r"run folder .* cannot be written: No space left(.|\n)*every committed answer is kept"
    ):
        write(run, ROWS[:10])
    assert (run / "results.parquet").read_bytes() == before
    assert len(open_run(run).results()) == 1200


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(
            StorageError, match=r"cannot be written: .*/file is a file, not a folder\n.*another folder with -o"
        ):
            RunWriter(folder)
    assert (tmp_path / "file").read_text() == "x"


def test_media_are_found_by_hash(run: Path) -> None:
    (run / "media" / f"{X}.webp").write_bytes(b"x")
    assert open_run(run).media(X) == (b"x", "webp")
    assert open_run(run).media("ab" * 32) is None


def test_nothing_but_the_media_of_a_hash_comes_out_of_a_folder(run: Path, tmp_path: Path) -> None:
    """A folder from elsewhere may name files beside it, hold links to them, and pipes that never end."""
    (tmp_path / "private.png").write_bytes(b"private")
    other = sha256_bytes(b"another")
    os.mkfifo(run / "media" / f"{X}.png")
    (run / "media" / f"{other}.png").symlink_to(tmp_path / "private.png")
    shown = open_run(run)
    for sha256 in (str(tmp_path / "private"), "../../private", other, X, "", "\0", "a" * 64 + "/../x"):
        assert shown.media(sha256) is None
    (run / "media" / f"{X}.webp").symlink_to(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"x")
    assert shown.media(X) == (b"x", "webp"), "a link to the very bytes is as good as they"


def test_linked_media_are_the_pictures_of_their_names(run: Path, tmp_path: Path) -> None:
    (tmp_path / "private").write_bytes(b"private")
    (tmp_path / "x").write_bytes(b"x")
    y = sha256_bytes(b"y")
    media = run / "media"
    (media / f"{X}.png").symlink_to(tmp_path / "x")
    (media / f"{'0' * 64}.png").symlink_to(tmp_path / "private")
    (media / f"{y}.jpeg").write_bytes(b"y")
    (media / "notes.txt").write_bytes(b"n")
    (media / "folder").mkdir()
    os.mkfifo(media / f"{'1' * 64}.png")
    (tmp_path / "joined").mkdir()
    link_media(run, tmp_path / "joined")
    found = {path.name: path for path in (tmp_path / "joined" / "media").iterdir()}
    assert found.keys() == {f"{X}.png", f"{y}.jpeg"}
    assert not any(path.is_symlink() for path in found.values())
    assert found[f"{X}.png"].read_bytes() == b"x"


NAMES = (".lock", "run.json.new", "results.parquet.new", "samples.parquet.new", "calls.parquet.new", "report.html.new")


def test_writing_into_a_folder_of_somebody_else_follows_no_link(tmp_path: Path) -> None:
    """A run folder that was unpacked may hold links of the names that are written; what they point to stays as it is."""
    precious, folder = tmp_path / "precious", tmp_path / "run"
    precious.write_text("precious")
    write(folder, ROWS[:10])
    manifest = read_manifest(folder)
    (folder / ".lock").unlink()
    for name in NAMES:
        (folder / name).symlink_to(precious)
    with pytest.raises(StorageError, match="cannot be written"):
        lock_folder(folder)
    (folder / ".lock").unlink()
    write(folder, ROWS)
    write_manifest(folder, manifest)
    write_page(folder / "report.html", b"<html>")
    assert precious.read_text() == "precious"
    assert not (folder / "report.html").is_symlink()
    assert len(open_run(folder).results()) == 1200


def test_map_columns_may_be_null(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.add((0, 0, 0, 0, 0), {"model": "m", "scores": None})
        writer.finish()
    assert pq.read_table(tmp_path / "results.parquet")["scores"].to_pylist() == [None]
    assert pa.types.is_map(results_schema().field("scores").type)


ODD = {
    "no outcome": lambda table: table.drop_columns(["outcome"]),
    "numbers as text": lambda table: table.set_column(11, "score", pa.array(["1"] * len(table))),
    "scores of no map": lambda table: table.set_column(13, "scores", pa.array([7] * len(table))),
    "lists as text": lambda table: table.set_column(17, "response", pa.array([["x"]] * len(table))),
    "no columns": lambda table: table.select([]),
}


@pytest.mark.parametrize("name", ODD)
def test_a_table_of_other_columns_is_damaged_and_no_bug(run: Path, name: str) -> None:
    path = run / "results.parquet"
    table = pq.read_table(path)
    assert [table.column_names[place] for place in (11, 13, 17)] == ["score", "scores", "response"]
    pq.write_table(ODD[name](table), path)
    for read in (lambda: open_run(run).results(), lambda: list(open_run(run).rows("results"))):
        with pytest.raises(DataError, match=r"cannot read .*results\.parquet: .*column"):
            read()


def test_text_that_is_no_unicode_is_damaged_and_no_bug(run: Path) -> None:
    path = run / "results.parquet"
    table = pq.read_table(path)
    bad = pa.Array.from_buffers(pa.string(), len(table), pa.array([b"\xff\xfe"] * len(table)).buffers())
    pq.write_table(table.set_column(17, "response", bad), path)
    with pytest.raises(DataError, match=r"cannot read .*results\.parquet"):
        open_run(run).results()


def test_numbers_of_another_width_are_the_same_table(run: Path) -> None:
    path = run / "results.parquet"
    table = pq.read_table(path)
    before = open_run(run).results()["score"].tolist()
    pq.write_table(table.set_column(6, "repeat", table["repeat"].cast(pa.int64())), path)
    assert open_run(run).results()["score"].tolist() == before


def test_decoding_of_a_task_is_numbers() -> None:
    with pytest.raises(ValidationError, match="top_p: a number is expected"):
        TaskRecord.model_validate({"sampling": {"top_p": [1], "stop": ["x"]}})


@pytest.mark.parametrize("files", [None, []])
def test_a_stored_card_without_its_file_is_named(files: Any) -> None:
    card = {
        "name": "file/x", "family": "file", "title": "x", "dataset": {"local": {"files": files}}, "answer": {"kind": "text"},
        "fields": {"question": "q", "answer": "a"}, "metrics": ["accuracy"],
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"run\.json(.|\n)*dataset\.local\.files|run\.json, tasks\.0\.card"):
        recorded_cards([TaskRecord.model_construct(card=card)])
