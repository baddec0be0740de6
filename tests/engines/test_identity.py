"""Content hashes of checkpoints: a copy is the same model, an overwritten file another."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from mmeval.core import file_hashes
from mmeval.core.errors import EngineError
from mmeval.engines.identity import hash_checkpoint, identity_files, resolve_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in the form of a checkpoint; its files look old enough to be memoised."""
    place = tmp_path / "checkpoint"
    (place / "additional_chat_templates").mkdir(parents=True)
    (place / "config.json").write_text('{"model_type": "qwen3_vl"}')
    (place / "model.safetensors").write_bytes(b"weights" * 1000)
    (place / "tokenizer.json").write_text("{}")
    (place / "chat_template.jinja").write_text("{{ messages }}")
    (place / "additional_chat_templates" / "tool.jinja").write_text("x")
    (place / "README.md").write_text("words")
    (place / "training_args.bin").write_bytes(b"no part of the model")
    (place / "global_step4").mkdir()
    (place / "global_step4" / "optimizer.pt").write_bytes(b"neither")
    return place


@pytest.fixture
def memo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(file_hashes, "SETTLED_S", -1.0)
    return tmp_path / "cache" / "hashes.json"


def test_files_that_can_change_an_answer(folder: Path) -> None:
    assert [path.relative_to(folder).as_posix() for path in identity_files(folder)] == [
        "additional_chat_templates/tool.jinja",
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_a_copy_is_the_same_model_wherever_it_lies(folder: Path, memo: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "renamed")
    first = hash_checkpoint(folder, memo=memo)
    second = hash_checkpoint(tmp_path / "elsewhere" / "renamed", memo=memo)
    assert first.json() == second.json()
    assert str(tmp_path) not in str(first.json())


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "chat_template.jinja", "tokenizer.json"])
def test_a_file_overwritten_in_place_makes_another_model(name: str, folder: Path, memo: Path) -> None:
    before = hash_checkpoint(folder, memo=memo)
    path = folder / name
    data, state = path.read_bytes(), path.stat()
    with path.open("r+b") as stream:
        stream.write(bytes([data[0] ^ 1]))
    # The same size, inode and modification time: only the change time tells.
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_ino == state.st_ino
    after = hash_checkpoint(folder, memo=memo)
    assert before.digest != after.digest
    assert {key for key in before.files if before.files[key] != after.files[key]} == {name}


def test_unchanged_files_are_not_read_again(folder: Path, memo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hash_checkpoint(folder, memo=memo)
    monkeypatch.setattr(file_hashes.hashlib, "file_digest", None)
    assert hash_checkpoint(folder, memo=memo) == first


def test_fresh_files_are_not_memoised(folder: Path, tmp_path: Path) -> None:
    now = time.time()
    os.utime(folder / "config.json", (now, now))
    memo = tmp_path / "hashes.json"
    hash_checkpoint(folder, memo=memo)
    assert not memo.exists()


def test_a_broken_or_read_only_memo_costs_only_time(folder: Path, memo: Path) -> None:
    memo.parent.mkdir()
    memo.write_text("{ broken")
    first = hash_checkpoint(folder, memo=memo)
    assert hash_checkpoint(folder, memo=memo) == first
    blocked = memo.parent / "file"
    blocked.write_text("")
    assert hash_checkpoint(folder, memo=blocked / "hashes.json") == first


def test_resolving(folder: Path, tmp_path: Path) -> None:
    assert resolve_checkpoint(str(folder)) == (folder.resolve(), None)
    with pytest.raises(EngineError, match="is a file"):
        resolve_checkpoint(str(folder / "config.json"))
    for word in ("./nowhere", "/nowhere/else", "one/two/three", "name"):
        with pytest.raises(EngineError, match="there is no folder"):
            resolve_checkpoint(word)


def test_a_hub_id_is_found_in_the_local_cache_with_its_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / commit
    shutil.copytree(folder, snapshot)
    asked = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str], local_files_only: bool = False) -> str:
        asked.append((name, revision, local_files_only))
        return str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert resolve_checkpoint("org/name", "v2") == (snapshot, commit)
    assert asked == [("org/name", "v2", True)]


def test_a_hub_id_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    errors = pytest.importorskip("huggingface_hub.errors")

    def download(*_: object, **__: object) -> str:
        raise errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(EngineError, match=r"org/name is no folder here.*no connection"):
        resolve_checkpoint("org/name")
