"""What is settled before a run starts: names of models, notes on profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.engines.profiles import choose_profile
from mmeval.runs.preparing import model_names, profile_note


def test_a_profile_that_wants_a_system_prompt_says_so() -> None:
    facts = choose_profile("q-insight")
    note = profile_note("m", facts)
    assert note is not None
    assert "profile q-insight expects a system prompt" in note
    assert str(facts["source"]) in note
    assert profile_note("m", {**facts, "system": "Be brief."}) is None
    assert profile_note("m", choose_profile("qwen2.5-vl")) is None


def test_models_get_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run/step-2", "run/step-10", "other/run/step-2"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert model_names([f"vllm:{tmp_path}/run/step-2", "hf:./run/step-10/", "tiny", "openai:org/name"]) == [
        "run/step-2", "run/step-10", "tiny", "org/name",
    ]  # fmt: skip
    alike = [f"hf:{tmp_path}/run/step-2", f"hf:{tmp_path}/other/run/step-2"]
    assert model_names(alike) == alike
