"""The declarative folders are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core import resources
from mmeval.core.errors import StorageError
from mmeval.core.resources import resource_dir


def test_the_checkout_has_its_task_cards() -> None:
    assert (resource_dir("tasks") / "suites" / "demo.yaml").is_file()


def test_a_folder_beside_an_installed_package_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mmeval"
    (package / "_data" / "tasks").mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resource_dir("tasks") == package / "_data" / "tasks"
    (tmp_path / "pyproject.toml").touch()
    assert resource_dir("tasks") == tmp_path / "tasks"
    with pytest.raises(StorageError, match=r"judges.*\n.*reinstall"):
        resource_dir("judges")
