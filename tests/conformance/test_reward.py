"""Multimodal RewardBench's example of judgements gives its official accuracy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmeval.core.types import AnswerContext
from mmeval.verifiers.registry import get_verifier
from tests.conformance.support import expectations, json_lines, right, table_row


@pytest.mark.realdata
@pytest.mark.parametrize("style", ["bracket", "bracket-official"])
def test_example_of_multimodal_rewardbench(style: str, published: Callable[[str], Path]) -> None:
    folder = published("multimodal_rewardbench")
    verifier = get_verifier("pair-verdict", {"style": style})
    entries = json_lines(folder / "example.jsonl")
    rows = [table_row(verifier, entry["ID"], entry["output"], entry["Label"], AnswerContext()) for entry in entries]
    assert {row["outcome"] for row in rows} == {"scored"}
    assert f"{right(rows)}/{len(rows)}" == expectations(folder)["example.jsonl"]["recomputed"]
