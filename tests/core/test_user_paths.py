"""`~` in paths, also where nobody knows the home folder."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from mmeval.core.user_paths import home_folder, user_path


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without an entry and without $HOME, as containers have them."""

    def nobody(user: object) -> None:
        raise KeyError(user)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder() == tmp_path
    assert user_path("~/ckpt") == tmp_path / "ckpt"
    assert user_path("ckpt/~") == Path("ckpt/~")


def test_a_name_that_nobody_has_is_a_path_like_any_other(homeless: None) -> None:
    assert user_path("~nobody-here/rows.jsonl") == Path("~nobody-here/rows.jsonl")
    assert home_folder() is None
