"""Logs of Inspect, and zip files that are none."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.runs.importers import archive, inspect_log
from mmeval.runs.importers.archive import Archive
from mmeval.runs.importers.predictions import Prediction, Reading

TOY = Path(__file__).parents[2] / "data" / "importers" / "inspect"
HEADER = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}
SAMPLE = {
    "id": 1, "epoch": 1, "input": "q", "target": "A", "scores": {},
    "output": {"choices": [{"message": {"content": "A"}, "stop_reason": "stop"}]},
}  # fmt: skip


def read(*paths: Path, **options: Any) -> tuple[list[Prediction], Reading]:
    reading = Reading(**options)
    found = list(inspect_log.read(paths, reading))
    assert len(found) + reading.lost.total() == reading.found
    return found, reading


def log(path: Path, *samples: dict[str, Any], header: Any = HEADER, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for number, sample in enumerate(samples):
            opened.writestr(f"samples/{number}_epoch_1.json", json.dumps(sample))
        opened.writestr("header.json", json.dumps(header))
    return path


@pytest.mark.parametrize("name", ["toy.eval", "toy.json"])
def test_samples_epochs_verdicts_and_errors(name: str) -> None:
    found, reading = read(TOY / name)
    assert [(entry.id, entry.repeat, entry.status) for entry in found] == [
        ("a", 0, "ok"), ("a", 1, "ok"), ("b", 0, "ok"), ("b", 1, "error"),
    ]  # fmt: skip
    assert [entry.response for entry in found] == ["Yes", "No", "No, there is none.", None]
    assert [entry.official for entry in found] == [True, False, True, False]
    assert found[1].reasoning == "I see one."
    assert "connection reset" in (found[3].error or "")
    assert (found[0].finish_reason, found[0].prompt_tokens, found[0].completion_tokens) == ("stop", 9, 2)
    assert found[0].own is not None
    assert (found[0].own.question, found[0].own.answer, found[0].own.values) == (
        "Is there a cat?",
        "Yes",
        {"level": "easy"},
    )
    assert reading.expected == 2
    assert reading.notes == [f"{name}: log of task cats with model toy/model"]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("C", (True, 1.0)), ("I", (False, 0.0)), ("P", (None, 0.5)), ("N", (False, 0.0)), (1, (True, 1.0)), (0.25, (None, 0.25)),
        (True, (True, 1.0)), ({"a": 1}, (None, None)), ("B", (None, None)), (float("nan"), (None, None)),
    ],
)  # fmt: skip
def test_grades(tmp_path: Path, value: Any, verdict: Any) -> None:
    found, _ = read(log(tmp_path / "a.eval", SAMPLE | {"scores": {"match": {"value": value}}}))
    assert (found[0].official, found[0].stored_score) == verdict


def test_the_scorer_is_named_where_there_are_several(tmp_path: Path) -> None:
    scores = {"match": {"value": "C"}, "model_graded": {"value": "I", "explanation": "no"}}
    path = log(tmp_path / "a.eval", SAMPLE | {"scores": scores})
    found, reading = read(path)
    assert found[0].official is True
    assert any("scorer 'match'; there are model_graded too" in note for note in reading.notes)
    found, _ = read(path, columns={"verdict": "model_graded"})
    assert (found[0].official, found[0].judge_verdict) == (False, "no")
    with pytest.raises(DataError, match=r"no scorer 'x'(.|\n)*match, model_graded"):
        read(path, columns={"verdict": "x"})


@pytest.mark.parametrize(
    ("output", "status", "text", "stop"),
    [
        ({"choices": [{"message": {"content": "A"}, "stop_reason": "max_tokens"}]}, "ok", "A", "length"),
        ({"choices": [{"message": {"content": ""}, "stop_reason": "content_filter"}]}, "refused", None, "content_filter"),
        ({"choices": [{"message": {"content": "I can't."}, "stop_reason": "content_filter"}]}, "ok", "I can't.", "content_filter"),
        ({"choices": [{"message": {"content": None}}]}, "ok", "", None),
        ({"choices": [], "completion": "A"}, "ok", "A", None),
        ({"choices": [], "error": "overloaded"}, "error", None, None),
        ({}, "error", None, None),
        (None, "error", None, None),
    ],
)  # fmt: skip
def test_outputs(tmp_path: Path, output: Any, status: str, text: str | None, stop: str | None) -> None:
    found, _ = read(log(tmp_path / "a.eval", SAMPLE | {"output": output}))
    assert (found[0].status, found[0].response, found[0].finish_reason) == (status, text, stop)


def test_chats_choices_and_several_targets(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "image", "image": "attachment://9"}, {"type": "text", "text": "attachment://7"}]}]  # fmt: skip
    sample = SAMPLE | {"input": chat, "choices": ["x", "y"], "target": ["A", "B"], "attachments": {"7": "Which?"}}
    own = read(log(tmp_path / "a.eval", sample))[0][0].own
    assert own is not None
    assert (own.question, own.choices, own.answer) == ("Which?", ("x", "y"), ["A", "B"])


def test_a_sample_in_parts(tmp_path: Path) -> None:
    shell = SAMPLE | {"output": {"choices": [{"message": {"content": "attachment://2"}}]}}
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as opened:
        opened.writestr("samples/1_epoch_1/sample.json", json.dumps(shell))
        opened.writestr("samples/1_epoch_1/attachments/0.json", json.dumps(["a", "b"]))
        opened.writestr("samples/1_epoch_1/attachments/2.json", json.dumps(["the long answer"]))
        opened.writestr("samples/1_epoch_1/events/0.json", "[]")
        opened.writestr("header.json", json.dumps(HEADER))
    assert [entry.response for entry in read(tmp_path / "a.eval")[0]] == ["the long answer"]


def test_a_log_that_was_cut_off_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as opened:
        opened.writestr("samples/1_epoch_1.json", json.dumps(SAMPLE))
        opened.writestr("_journal/start.json", json.dumps({"eval": {"task": "t"}}))
    _, reading = read(tmp_path / "a.eval")
    assert any("not written (it was cut off)" in note for note in reading.notes)
    _, reading = read(log(tmp_path / "b.eval", SAMPLE, header=HEADER | {"status": "error", "invalidated": True}))
    assert any("status is error" in note for note in reading.notes)
    assert any("invalidated" in note for note in reading.notes)


def zstandard(path: Path, frames: int = 1) -> Path:
    """Write a log whose members are packed with zstd, as Inspect does under Python 3.14."""
    content = {"samples/1_epoch_1.json": json.dumps(SAMPLE).encode(), "header.json": json.dumps(HEADER).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as opened:
        for name, data in content.items():
            size = -(-len(data) // frames)
            packed = b"".join(
                pa.compress(data[at : at + size], "zstd").to_pybytes() for at in range(0, len(data), size)
            )
            opened.writestr(name, packed)
            info = opened.infolist()[-1]
            info.compress_type, info.file_size, info.CRC = 93, len(data), zlib.crc32(data)
    return path


@pytest.mark.parametrize("frames", [1, 3])
def test_zstd_is_read(tmp_path: Path, frames: int) -> None:
    assert [entry.response for entry in read(zstandard(tmp_path / "a.eval", frames))[0]] == ["A"]


def test_zstd_that_cannot_be_read_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zstandard(tmp_path / "a.eval")
    monkeypatch.setattr(pa, "Codec", type("Codec", (), {"is_available": staticmethod(lambda name: False)}))
    with pytest.raises(DataError, match=r"inspect log convert --to json"):
        read(path)


def damage(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """Write a log, and then another directory of members than its content."""
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("samples/1_epoch_1.json", json.dumps(SAMPLE))
        opened.writestr("header.json", json.dumps(HEADER))
        change(opened.infolist()[0])
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"filename": "../../samples/1_epoch_1.json"}, "points out of the file"),
        ({"filename": "/samples/1_epoch_1.json"}, "points out of the file"),
        ({"filename": "C:/samples/1_epoch_1.json"}, "points out of the file"),
        ({"filename": "samples\\..\\..\\1.json"}, "points out of the file"),
        ({"file_size": 1 << 40}, "GiB unpacked"),
        ({"file_size": 600 << 20}, "600 MiB unpacked"),
        ({"file_size": 10}, "damaged|not the one"),
        ({"CRC": 1}, "damaged|not the one"),
        ({"compress_type": 99}, "packed by method 99"),
        ({"compress_type": 93}, "damaged"),
    ],
)
def test_members_that_are_not_what_they_say(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    def apply(info: zipfile.ZipInfo) -> None:
        for name, value in change.items():
            setattr(info, name, value)

    with pytest.raises(DataError, match=says) as caught:
        read(damage(tmp_path / "a.eval", apply))
    assert "a.eval" in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.eval"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("samples/1_epoch_1.json", b"0" * (4 << 20))
        opened.writestr("header.json", json.dumps(HEADER))
    assert (tmp_path / "a.eval").stat().st_size < 10_000
    with Archive(tmp_path / "a.eval", 64 << 20, "log") as opened_log, pytest.raises(DataError, match="4 MiB unpacked"):
        opened_log.read(opened_log.members["samples/1_epoch_1.json"], 1 << 20)
    with pytest.raises(DataError, match="GiB unpacked"):
        Archive(tmp_path / "a.eval", 1 << 20, "log")


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 1)
    with pytest.raises(DataError, match="2 members are too many"):
        read(log(tmp_path / "a.eval", SAMPLE))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.eval", b"not a zip", "not a readable log"),
        ("a.json", b'{"samples": []}', "no log of Inspect"),
        ("a.json", b"[1]", "no log of Inspect"),
    ],
)
def test_files_that_are_no_logs(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(tmp_path / name)


def test_logs_without_header_or_ids(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as opened:
        opened.writestr("samples/1_epoch_1.json", json.dumps(SAMPLE))
    with pytest.raises(DataError, match=r"header\.json is missing"):
        read(tmp_path / "a.eval")
    for sample in ({"epoch": 1}, {"id": 1, "epoch": 0}, {"id": 1, "epoch": True}):
        with pytest.raises(DataError, match="id and epoch"):
            read(log(tmp_path / "b.eval", sample))
    log(tmp_path / "c.eval", SAMPLE)
    with pytest.raises(DataError, match="several logs"):
        read(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a.eval"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.eval"):
        read(path)
