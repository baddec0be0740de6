"""What a run says of the profile that applies."""

from __future__ import annotations

from mmeval.engines.profiles import choose_profile
from mmeval.runs.execute import _profile_note


def test_a_profile_that_wants_a_system_prompt_says_so() -> None:
    facts = choose_profile("q-insight")
    note = _profile_note("m", facts)
    assert note is not None
    assert "profile q-insight expects a system prompt" in note
    assert str(facts["source"]) in note
    assert _profile_note("m", {**facts, "system": "Be brief."}) is None
    assert _profile_note("m", choose_profile("qwen2.5-vl")) is None
