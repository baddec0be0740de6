"""Whatever a YAML file holds is refused by name, or read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core.errors import UsageError
from mmeval.core.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"since: 2026-13-45", r"x\.yaml: not valid YAML: month must be in 1\.\.12"),
        (b"[" * 5000, r"x\.yaml.*: not valid YAML"),
        (b"a: \xff", r"x\.yaml: not valid YAML"),
        (b"a: 1\nb: {c: 1, c: 2}", r"x\.yaml, line 2: key 'c' stands in line 2 too"),
        (b"!!python/object/apply:os.getcwd []", r"x\.yaml, line 1: not valid YAML"),
    ],
)
def test_mistakes_name_the_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_yaml(path)


def test_a_merged_mapping_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("one: &one {a: 1}\ntwo: {<<: *one, a: 2}\n")
    assert read_yaml(path)["two"] == {"a": 2}
