"""What processes that mmeval starts are given, and where Python looks for modules in them."""

from __future__ import annotations

import os
import sys

import pytest

from mmeval.cli.main import main
from mmeval.core.secrets import VARIABLES, childs_environment


def test_children_get_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "sk-0123456789abcdef")
    monkeypatch.setenv("HF_TOKEN", "hf")
    found = childs_environment()
    assert "sk-0123456789abcdef" not in found.values()
    assert found["HF_TOKEN"] == "hf", "models are fetched with it"
    assert found["PATH"] == os.environ["PATH"]


def test_children_do_not_search_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.delenv("PYTHONSAFEPATH")
    monkeypatch.setattr(sys, "argv", ["mmeval", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert os.environ["PYTHONSAFEPATH"] == "1"
