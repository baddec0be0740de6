"""The hash of a large file: parts of it stand for the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core import file_hashes
from mmeval.core.file_hashes import sample_hash


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_hashes, "BLOCKS", 4)
    monkeypatch.setattr(file_hashes, "BLOCK", 10)


@pytest.mark.parametrize(
    ("place", "seen"), [(0, True), (9, True), (50, False), (335, True), (340, False), (990, True), (999, True)]
)
def test_what_a_sampled_hash_sees(tmp_path: Path, place: int, seen: bool) -> None:
    content = bytearray(1000)
    path = tmp_path / "data"
    path.write_bytes(content)
    before = sample_hash(path)
    assert sample_hash(path) == before
    content[place] = 1
    path.write_bytes(content)
    assert (sample_hash(path) != before) is seen


@pytest.mark.parametrize("size", [0, 1, 10, 999, 1001])
def test_another_size_is_another_hash(tmp_path: Path, size: int) -> None:
    path, other = tmp_path / "data", tmp_path / "other"
    path.write_bytes(bytes(1000))
    other.write_bytes(bytes(size))
    assert sample_hash(path) != sample_hash(other)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone") as caught:
        sample_hash(tmp_path / "gone")
    assert caught.value.filename == str(tmp_path / "gone")
