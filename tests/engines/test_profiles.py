"""Model profiles: shipped files, how one is chosen, mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import EngineError, UsageError
from mmeval.engines.profiles import choose_profile, named_profile, read_profile, shipped_profiles


@pytest.mark.parametrize(
    ("config", "name", "coordinates"),
    [
        ({"model_type": "qwen2_vl", "vocab_size": 152064}, "qwen2-vl", "thousand"),
        ({"model_type": "qwen2_5_vl", "text_config": {"vocab_size": 152064}}, "qwen2.5-vl", "pixels"),
        ({"model_type": "qwen3_vl", "text_config": {"vocab_size": 151936}}, "qwen3-vl", "thousand"),
        ({"model_type": "qwen3_vl", "text_config": {"vocab_size": 512}}, "tiny", "thousand"),
        ({"model_type": "qwen2_vl", "text_config": {"vocab_size": 1024}}, "tiny", "thousand"),
        ({"model_type": "internvl"}, "internvl", "thousand"),
        ({"model_type": "other", "architectures": ["InternVLChatModel"]}, "internvl", "thousand"),
        ({"model_type": "llava"}, "generic", "pixels"),
        ({}, "generic", "pixels"),
    ],
)
def test_by_configuration(config: dict[str, Any], name: str, coordinates: str) -> None:
    facts = choose_profile(None, config)
    assert (facts["name"], facts["coordinates"]) == (name, coordinates)


@pytest.mark.parametrize(
    ("served", "name"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("qwen2-vl-2b", "qwen2-vl"),
        ("Qwen3-VL-8B-Thinking", "qwen3-vl"),
        ("OpenGVLab/InternVL3-8B", "internvl"),
        ("tiny", "tiny"),
        ("tiny-early", "tiny"),
        ("tinyllava", "generic"),
        ("gpt-4o", "generic"),
        ("qwen2.5-vl-tests/other-model", "generic"),
    ],
)
def test_by_served_name(served: str, name: str) -> None:
    assert choose_profile(None, None, served)["name"] == name


def test_the_users_word_wins_and_is_recorded(tmp_path: Path) -> None:
    facts = choose_profile("qwen3-vl", {"model_type": "qwen2_5_vl"}, "x")
    assert (facts["name"], facts["chosen_by"]) == ("qwen3-vl", "--profile")
    own = tmp_path / "own.yaml"
    own.write_text("name: own\ncoordinates: unit\ncoordinate_order: yx\nreasoning_tags: [hm]\n")
    facts = choose_profile(str(own))
    assert (facts["coordinates"], facts["coordinate_order"], facts["reasoning_tags"]) == ("unit", "yx", ["hm"])


def test_mistakes_name_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did you mean qwen3-vl"):
        choose_profile("qwen3vl")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: broken\ncoordinate: pixels\n")
    with pytest.raises(UsageError, match=r"broken\.yaml(.|\n)*coordinate"):
        read_profile(broken)
    broken.write_text("name: [")
    with pytest.raises(UsageError, match="cannot be read"):
        read_profile(broken)
    with pytest.raises(UsageError, match="cannot be read"):
        named_profile(str(tmp_path / "missing.yaml"))


def test_shipped_files_are_named_like_their_profiles() -> None:
    for name, profile in shipped_profiles().items():
        assert profile.name == name
        assert profile.about
