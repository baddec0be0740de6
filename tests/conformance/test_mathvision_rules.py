"""The rules for expressions on the published responses to MATH-Vision's free-form questions, beside the official verdicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.expression import ExpressionVerifier
from tests.conformance.support import expectations, json_lines

MORE_READ = {
    "GPT4-CoT (Text Only)": {"705", "733", "821", "1253", "1713", "1817", "1864", "2642", "2900"},
    "Gemini-Pro-CoT": {"1212", "2208", "2940"},
    "Qwen-VL-Plus": {"493", "1544", "2601", "2634", "2877", "2964", "2990"},
    "InternLM-XComposer2-VL": {"1"},
    "SPHINX-v2": {"2634"},
}
"""Right answers that the official script cannot read: units, a percent sign, number words, a sentence, a boxed gold."""
TWO_DECIMALS = {
    "GPT4-CoT (Text Only)": {"2825"},
    "Gemini-Pro-CoT": {"2825"},
    "Qwen-VL-Plus": {"2822"},
    "InternLM-XComposer2-VL": {"2822"},
}
"""Other numbers that are equal at the two decimals at which the official script compares (0 and 7³/(2¹²·13²))."""


@pytest.mark.realdata
def test_every_difference_from_the_official_verdict_is_known(published: Callable[[str], Path]) -> None:
    folder = published("mathvision")
    free = {row["id"]: row["answer"] for row in json_lines(folder / "data" / "test.jsonl") if not row["options"]}
    assert len(free) == 1508
    verifier = ExpressionVerifier()
    files = sorted(expectations(folder))
    assert len(files) == 8
    for name in files:
        only_here, only_there = set(), set()
        for row in json_lines(folder / name):
            if row["id"] not in free:
                continue
            found = verify(verifier, Response("ok", row["response"]), free[row["id"]], AnswerContext())
            assert found.outcome in ("scored", "no_answer"), (name, row["id"], found.reason)
            if found.correct and not row["correct"]:
                only_here.add(row["id"])
            elif row["correct"] and not found.correct:
                only_there.add(row["id"])
        model = Path(name).stem
        assert only_here == MORE_READ.get(model, set()), name
        assert only_there == TWO_DECIMALS.get(model, set()), name
