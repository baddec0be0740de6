"""Whatever a YAML file holds is refused by name, or read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmeval.core.errors import UsageError
from mmeval.core.yaml_files import read_yaml


def _lines(form: str) -> bytes:
    """Lines each of which names the one before it ten times."""
    lines = ["a0: &a0 {k: 1}"]
    lines += [form.format(n=n, refs=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 12)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"a: 1\nsince: 2026-13-45",
            r"x\.yaml, line 2: not valid YAML: 2026-13-45 is no date: month must be in 1\.\.12",
        ),
        (b"[" * 5000, r"x\.yaml.*: not valid YAML"),
        (b"a: \xff", r"x\.yaml: not valid YAML"),
        (b"a: 1\nb: {c: 1, c: 2}", r"x\.yaml, line 2: key 'c' stands in line 2 too"),
        (b"a: &a [*a]", r"x\.yaml: an alias stands within its own anchor"),
        (_lines("a{n}: &a{n} [{refs}]"), r"x\.yaml: its aliases stand for more values"),
        (_lines("a{n}: &a{n} {{k{n}: 1, <<: [{refs}]}}"), r"x\.yaml: its aliases stand for more values"),
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


def test_aliases_may_repeat_what_is_small(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("one: &one [1, 2]\ntwo: [*one, *one]\n")
    assert read_yaml(path)["two"] == [[1, 2], [1, 2]]


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(UsageError, match=r"cannot read .*pipe or a device"):
        read_yaml(tmp_path / "x.yaml")
