"""MathVerse's two judges in a row, from the command line: extraction from the last words, then the comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.cli.test_judge_run import judging

DATA = str(Path(__file__).parents[1] / "data")
RESPONSE = " ".join(["word"] * 60 + ["so", "the", "answer", "is", "C"])


def reply(text: str) -> str:
    """Extract the last word; call it right where the gold stands beside it."""
    identity = re.findall(r'"id": "(r[0-9a-f]+)"', text)[-1]
    if "EXTRACTION" not in text:
        assert text.count("word") == 25, "only the last 30 words are shown"
        return json.dumps({"id": identity, "answer": "C"})
    target = re.search(r"<<<TARGET \S+\n(.*)\n", text)
    assert target is not None
    return json.dumps({"id": identity, "reason": "compared", "equivalent": target.group(1) == "C"})


def test_both_steps_decide_every_row(mmeval: Callable, tmp_path: Path) -> None:
    with judging(reply) as endpoint:
        done = mmeval(
            "run", "-m", "fake", "--engine-arg", f"answer={RESPONSE}", "-t", "mathverse@official-vision-only", "--data-dir", DATA,
            "--judge", "openai:echo", "--judge-base-url", endpoint.url, "--no-report", "--json", "-o", "runs/r",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert len(endpoint.bodies) == 6
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet").set_index("sample_id")
    assert dict(rows["score"]) == {"13": 1.0, "14": 0.0, "15": 0.0}
    assert all("mathverse-score" in verifier for verifier in rows["verifier"])


def test_without_a_judge_the_official_protocol_is_refused(mmeval: Callable) -> None:
    done = mmeval("run", "-m", "chance", "-t", "mathverse@official", "--data-dir", DATA)
    assert done.code == 2
    assert "--judge" in done.err
