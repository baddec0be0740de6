"""Model profiles: shipped files, how one is chosen, inheritance, mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import EngineError, UsageError
from mmeval.engines.profiles import (
    PROFILE_DIR,
    Answer,
    Profile,
    Recommended,
    Resize,
    choose_profile,
    last_part,
    named_profile,
    read_profile,
    shipped_profiles,
)

NAMES = {
    "Qwen/Qwen2-VL-7B-Instruct": "qwen2-vl",
    "Qwen/QVQ-72B-Preview": "qwen2-vl",
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl",
    "Qwen/Qwen2.5-VL-72B-Instruct-AWQ": "qwen2.5-vl",
    "Qwen/Qwen3-VL-8B-Instruct": "qwen3-vl",
    "Qwen/Qwen3-VL-30B-A3B-Instruct": "qwen3-vl",
    "Qwen/Qwen3-VL-8B-Thinking": "qwen3-vl-thinking",
    "OpenGVLab/InternVL2_5-8B": "internvl",
    "OpenGVLab/InternVL3-8B": "internvl",
    "OpenGVLab/InternVL3_5-8B-HF": "internvl",
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": "llava-onevision",
    "openbmb/MiniCPM-V-2_6": "minicpm-v",
    "openbmb/MiniCPM-V-4_5": "minicpm-v",
    "openbmb/MiniCPM-o-2_6": "minicpm-v",
    "google/gemma-3-4b-it": "gemma3",
    "google/gemma-3-27b-it": "gemma3",
    "microsoft/Phi-4-multimodal-instruct": "phi-4-mm",
    "HuggingFaceTB/SmolVLM-Instruct": "smolvlm",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "smolvlm",
    "HuggingFaceM4/Idefics3-8B-Llama3": "smolvlm",
    "zai-org/GLM-4.1V-9B-Thinking": "glm-4v",
    "zai-org/GLM-4.5V": "glm-4v",
    "zai-org/GLM-4.6V-Flash": "glm-4v",
    "moonshotai/Kimi-VL-A3B-Instruct": "kimi-vl",
    "moonshotai/Kimi-VL-A3B-Thinking": "kimi-vl-thinking",
    "moonshotai/Kimi-VL-A3B-Thinking-2506": "kimi-vl-thinking-2506",
    "deepseek-ai/deepseek-vl2-tiny": "deepseek-vl2",
    "deepseek-ai/deepseek-vl2": "deepseek-vl2",
    "mistralai/Pixtral-12B-2409": "pixtral",
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": "pixtral",
    "allenai/Molmo-7B-D-0924": "molmo",
    "allenai/Molmo2-8B": "molmo2",
    "google/paligemma2-3b-mix-448": "paligemma",
    "tongxiao2002/Perception-R1-7B": "perception-r1",
    "PAPOGalaxy/PAPO-G-Qwen2.5-VL-7B": "papo",
    "PAPOGalaxy/PAPO-G-H-Qwen2.5-VL-7B": "papo",
    "chamber111/VPPO-7B": "vppo",
    "chamber111/VPPO-32B": "vppo",
    "chamber111/VPPO-8B": "vppo-8b",
    "LMMs-Lab-Turtle/SelfRewarded-R1-7B": "vision-sr1",
    "UCSC-VLAA/VLAA-Thinker-Qwen2.5VL-3B": "vlaa-thinker",
    "UCSC-VLAA/VLAA-Thinker-Qwen2.5VL-7B": "vlaa-thinker",
    "UCSC-VLAA/VLAA-Thinker-Qwen2VL-7B-Zero": "vlaa-thinker-qwen2",
    "hongxingli/SpatialLadder-3B": "spatialladder",
    "One-RL-to-See-Them-All/Orsta-7B": "orsta",
    "One-RL-to-See-Them-All/Orsta-32B-0326": "orsta",
    "ByteDance/Q-Insight": "q-insight",
    "Zery/Qwen2-VL-7B_visual_rft_lisa_IoU_reward": "visual-rft",
    "hqking/affordance-r1": "affordance-r1",
    "GUIAgent/MagicGUI_CPT": "magicgui",
    "GUIAgent/MagicGUI_RFT": "magicgui",
    "Rex1090/PEARL-7B": "pearl",
    "Rex1090/PEARL-8B": "pearl-8b",
    "KaiChen1998/RACRO-7B-CRO": "racro",
    "KaiChen1998/RACRO-7B-CRO-GRPO": "racro",
    "ob11/Qwen-VL-PRM-3B": "vl-prm",
    "Qiuchen-Wang/Qwen2.5-VL-7B-VRAG": "vrag-rl",
    "ZTE-AIM/3B-Curr-ReFT": "curr-reft",
    "russwang/ViCrit-7B": "vicrit",
}

CONFIGS: dict[str, dict[str, Any]] = {
    "qwen2-vl": {"model_type": "qwen2_vl", "vocab_size": 152064},
    "qwen2.5-vl": {"model_type": "qwen2_5_vl", "vocab_size": 151936},
    "qwen3-vl": {"model_type": "qwen3_vl", "text_config": {"vocab_size": 151936}},
    "kimi-vl": {"model_type": "kimi_vl", "architectures": ["KimiVLForConditionalGeneration"]},
}


def _family(name: str) -> str:
    base = shipped_profiles()[name].base
    return name if base is None else _family(base)


@pytest.mark.parametrize(
    ("config", "name", "coordinates"),
    [
        ({"model_type": "qwen2_vl", "vocab_size": 152064}, "qwen2-vl", "thousand"),
        ({"model_type": "qwen2_5_vl", "text_config": {"vocab_size": 152064}}, "qwen2.5-vl", "pixels"),
        ({"model_type": "qwen3_vl", "text_config": {"vocab_size": 151936}}, "qwen3-vl", "thousand"),
        ({"model_type": "qwen3_vl_moe"}, "qwen3-vl", "thousand"),
        ({"model_type": "qwen3_vl", "text_config": {"vocab_size": 512}}, "tiny", "thousand"),
        ({"model_type": "qwen2_vl", "text_config": {"vocab_size": 1024}}, "tiny", "thousand"),
        ({"model_type": "internvl"}, "internvl", "thousand"),
        ({"model_type": "other", "architectures": ["InternVLChatModel"]}, "internvl", "thousand"),
        ({"model_type": "glm4v_moe"}, "glm-4v", "thousand"),
        ({"model_type": "deepseek_vl_v2"}, "deepseek-vl2", "thousand"),
        ({"model_type": "minicpmv", "architectures": ["MiniCPMV"]}, "minicpm-v", "pixels"),
        ({"model_type": "llava_onevision"}, "llava-onevision", "pixels"),
        ({"model_type": "idefics3"}, "smolvlm", "pixels"),
        ({"model_type": "gemma3_text"}, "generic", "pixels"),
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
        *NAMES.items(),
        ("qwen2-vl-2b", "qwen2-vl"),
        ("tiny", "tiny"),
        ("tiny-early", "tiny"),
        ("tinyllava", "generic"),
        ("gpt-4o", "generic"),
        ("google/gemma-3-1b-it", "generic"),
        ("qwen2.5-vl-tests/other-model", "generic"),
    ],
)
def test_by_served_name(served: str, name: str) -> None:
    assert choose_profile(None, None, served)["name"] == name


@pytest.mark.parametrize(("hub_id", "name"), NAMES.items())
def test_a_name_fits_its_profile_and_at_most_its_families(hub_id: str, name: str) -> None:
    fitting = {
        profile.name
        for profile in shipped_profiles().values()
        for pattern in profile.match.names
        if re.search(pattern, last_part(hub_id), re.IGNORECASE)
    }
    assert name in fitting
    assert fitting <= {name, _family(name)}


def test_every_profile_but_generic_and_tiny_has_an_example_among_real_names() -> None:
    assert set(NAMES.values()) == set(shipped_profiles()) - {"generic", "tiny"}


@pytest.mark.parametrize(
    ("hub_id", "name"), [(hub_id, name) for hub_id, name in NAMES.items() if shipped_profiles()[name].base]
)
def test_a_trained_checkpoint_is_found_by_configuration_and_name_together(hub_id: str, name: str) -> None:
    config = CONFIGS[_family(name)]
    facts = choose_profile(None, config, None, hub_id)
    assert (facts["name"], facts["chosen_by"]) == (name, "config.json and name")
    assert choose_profile(None, config, hub_id)["name"] == name, "an endpoint whose checkpoint can be read"
    assert choose_profile(None, config)["name"] == _family(name), "without its name it is its family"
    folder = f"/data/ckpt/{last_part(hub_id)}/"
    assert choose_profile(None, config, None, folder)["name"] == name
    other = CONFIGS["kimi-vl" if _family(name) != "kimi-vl" else "qwen2-vl"]
    assert choose_profile(None, other, None, hub_id)["name"] == _family_of(other), (
        "a name never overrules a configuration"
    )


def _family_of(config: dict[str, Any]) -> str:
    return next(name for name, known in CONFIGS.items() if known is config)


def test_a_tiny_vocabulary_precedes_a_trained_checkpoint() -> None:
    config = {"model_type": "qwen3_vl", "text_config": {"vocab_size": 512}}
    assert choose_profile(None, config, None, "ckpt/pearl-8b-test")["name"] == "tiny"


def test_precedence_user_then_name_then_configuration() -> None:
    config, target = CONFIGS["qwen2.5-vl"], "tongxiao2002/Perception-R1-7B"
    assert choose_profile("orsta", config, "x", target)["name"] == "orsta"
    assert choose_profile("orsta", config, "x", target)["chosen_by"] == "--profile"
    assert choose_profile(None, config, "x", target)["name"] == "perception-r1"
    assert choose_profile(None, config, "x", "step-100")["chosen_by"] == "config.json"
    assert choose_profile(None, None, "qwen3-vl", target)["chosen_by"] == "name"
    assert choose_profile(None, None, "other", None)["chosen_by"] == "default"


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("owner/Name-7B", "Name-7B"),
        ("./ckpt/Name-7B//", "Name-7B"),
        ("C:\\models\\Name-7B\\", "Name-7B"),
        ("/cache/hub/models--owner--Name-7B/snapshots/0819c3ad", "Name-7B"),
        ("/cache/hub/models--owner--Name-7B/snapshots/", "Name-7B"),
        ("/cache/models--owner--Name-7B/snapshots-of-mine", "snapshots-of-mine"),
        ("Name-7B", "Name-7B"),
        ("", ""),
    ],
)
def test_last_part(target: str, part: str) -> None:
    assert last_part(target) == part


def test_the_users_word_wins_and_is_recorded(tmp_path: Path) -> None:
    facts = choose_profile("qwen3-vl", {"model_type": "qwen2_5_vl"}, "x")
    assert (facts["name"], facts["chosen_by"]) == ("qwen3-vl", "--profile")
    own = tmp_path / "own.yaml"
    own.write_text("name: own\ncoordinates: unit\ncoordinate_order: yx\nreasoning_tags: [hm]\n")
    facts = choose_profile(str(own))
    assert (facts["coordinates"], facts["coordinate_order"], facts["reasoning_tags"]) == ("unit", "yx", ["hm"])


def test_differences_that_decide_scores() -> None:
    spaces = {
        name: (facts["coordinates"], facts["coordinate_order"], facts.get("grid"))
        for name in shipped_profiles()
        if "coordinates_assumed" not in (facts := choose_profile(name))
    }
    assert spaces["qwen2-vl"] == ("thousand", "xy", None)
    assert spaces["qwen2.5-vl"] == ("pixels", "xy", 28)
    assert spaces["qwen3-vl"] == ("thousand", "xy", None)
    assert spaces["internvl"] == ("thousand", "xy", None)
    assert spaces["glm-4v"] == ("thousand", "xy", None)
    assert spaces["magicgui"] == spaces["visual-rft"] == spaces["qwen2-vl"]
    assert spaces["orsta"] == spaces["perception-r1"] == spaces["qwen2.5-vl"]
    assert spaces["pearl-8b"] == spaces["vppo-8b"] == spaces["qwen3-vl"]
    assert spaces["molmo"] == ("percent", "xy", None)
    assert spaces["molmo2"] == ("thousand", "xy", None)
    assert not spaces.keys() & {"paligemma", "smolvlm", "llava-onevision", "minicpm-v", "phi-4-mm", "pixtral"}


def test_answers_and_system_prompts_as_trained() -> None:
    facts = choose_profile("perception-r1")
    assert facts["answer"] == {"tag": "answer", "boxed": True}
    assert facts["sampling"] == {"temperature": 0.0, "top_k": 1, "max_tokens": 4096}
    assert choose_profile("papo")["answer"] == {"boxed": True}
    assert choose_profile("vision-sr1")["reasoning_tags"] == ["description", "think"]
    assert choose_profile("affordance-r1")["resize"] == {"factor": 28, "size": [840, 840]}
    assert choose_profile("glm-4v")["answer"] == {"marks": ["<|begin_of_box|>", "<|end_of_box|>"]}
    needing = {name for name in shipped_profiles() if choose_profile(name).get("needs_system")}
    assert needing == {"vlaa-thinker", "vlaa-thinker-qwen2", "q-insight", "magicgui"}
    for name in needing:
        assert choose_profile(name)["source"].startswith("https://")
        assert "system" not in choose_profile(name), "the text stays with its authors"


def test_inheritance_lays_keys_over_those_of_the_base(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("name: mine\nbase: qwen2.5-vl\nreasoning_tags: [plan]\nresize: {factor: 28, max_pixels: 1003520}\n")
    profile = named_profile(str(own))
    assert (profile.coordinates, profile.grid, profile.reasoning_tags) == ("pixels", 28, ("plan",))
    assert profile.resize == Resize(factor=28, max_pixels=1003520), "a section replaces that of the base"
    assert profile.match.model_types == ("qwen2_5_vl",)
    assert profile.match.names == ()
    assert profile.about == ""
    assert profile.facts("--profile")["base"] == "qwen2.5-vl"
    child = tmp_path / "child.yaml"
    child.write_text("name: child\nbase: mine.yaml\nmatch: {names: [child]}\n")
    profile = read_profile(child)
    assert (profile.reasoning_tags, profile.match.names) == (("plan",), ("child",))
    assert profile.match.model_types == ("qwen2_5_vl",)


def test_a_base_that_fails_is_refused_with_the_file_at_fault(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nbase: qwen2.5vl\n")
    with pytest.raises(UsageError, match=r"own\.yaml: base: unknown profile 'qwen2\.5vl'") as caught:
        read_profile(own)
    assert "qwen2.5-vl" in str(caught.value.remedy)
    own.write_text("name: own\nbase: other.yaml\n")
    other = tmp_path / "other.yaml"
    with pytest.raises(UsageError, match=r"cannot read .*other\.yaml"):
        read_profile(own)
    other.write_text("name: other\ncoordinate: pixels\n")
    with pytest.raises(UsageError, match=r"other\.yaml: the profile is not valid"):
        read_profile(own)
    other.write_text("name: other\nbase: own.yaml\n")
    with pytest.raises(UsageError, match=r"inherits from itself: own\.yaml → other\.yaml → own\.yaml"):
        read_profile(own)
    own.write_text("name: own\nbase: own.yaml\n")
    with pytest.raises(EngineError, match="inherits from itself"):
        choose_profile(str(own))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "valid dictionary"),
        ("name: broken\ncoordinate: pixels\n", "coordinate: Extra inputs"),
        ("name: broken\nbase: 3\n", "base: Input should be a valid string"),
        ("name: broken\nmatch: {names: ['(']}\n", r"match\.names: .*no regular expression"),
        ("name: broken\nresize: {min_pixels: 9, max_pixels: 4}\n", "resize: .*min_pixels 9 is greater"),
        ("name: broken\nresize: {size: [840]}\n", "resize.size"),
        ("name: broken\ngrid: 28\nresize: {factor: 32}\n", "grid 28 and resize.factor 32 differ"),
        ("name: broken\nanswer: {}\n", "answer: .*one of tag, boxed and marks"),
        ("name: broken\nneeds_system: true\n", "needs_system: give `source`"),
        ("name: broken\nsource: readme\n", "source: String should match"),
        ("name: broken\nsampling: {temperature: -1}\n", "sampling.temperature"),
        ("name: broken\nbase: generic\nmatch: [a]\n", "match: Input should be"),
    ],
)
def test_mistakes_in_keys(tmp_path: Path, text: str, message: str) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(text)
    with pytest.raises(UsageError, match=rf"broken\.yaml: the profile is not valid(.|\n)*{message}") as caught:
        read_profile(broken)
    assert caught.value.remedy == "see docs/profiles.md"


def test_mistakes_name_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did you mean qwen3-vl"):
        choose_profile("qwen3vl")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [")
    with pytest.raises(UsageError, match=r"not valid YAML|cannot read"):
        read_profile(broken)
    with pytest.raises(UsageError, match=r"not valid YAML|cannot read"):
        named_profile(str(tmp_path / "missing.yaml"))


def test_shipped_files_are_named_like_their_profiles_and_say_where_they_come_from() -> None:
    files = sorted(PROFILE_DIR.glob("*.yaml"))
    assert {file.stem for file in files} == set(shipped_profiles())
    for name, profile in shipped_profiles().items():
        assert profile.name == name
        assert profile.about
        assert profile.source or name in ("generic", "tiny")
        assert profile.base is None or profile.match.names, f"{name} can never be chosen"
        assert profile.system is None, "prompts of other projects are not shipped"


def test_the_documentation_lists_every_profile_with_its_coordinates() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    rows = {
        cells[0].strip("`"): cells
        for line in page.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]]
        if len(cells) == 8
    }
    assert rows.keys() == shipped_profiles().keys()
    shown = {"thousand": "0–1000", "unit": "0–1", "percent": "0–100", "pixels": "pixels"}
    for name, profile in shipped_profiles().items():
        space = shown[profile.coordinates] if "coordinates" in profile.model_fields_set else "–"
        assert rows[name][2].removesuffix("?") == space, name
        assert rows[name][3].removesuffix("?") == (profile.coordinate_order if space != "–" else "–"), name
        factor = profile.resize.factor if profile.resize else None
        assert rows[name][4] == (str(factor) if factor else "–"), name


PROFILES = st.builds(
    Profile,
    name=st.from_regex(r"\A[a-z0-9][a-z0-9.-]{0,12}\Z"),
    coordinates=st.sampled_from(["pixels", "unit", "thousand"]),
    reasoning_tags=st.lists(st.text(max_size=6)).map(tuple),
    system=st.none() | st.text(max_size=20),
    grid=st.none() | st.just(28),
    resize=st.none() | st.builds(Resize, size=st.none() | st.tuples(st.integers(1, 999), st.integers(1, 999))),
    answer=st.none() | st.builds(Answer, tag=st.just("answer"), marks=st.none() | st.tuples(st.text(), st.text())),
    sampling=st.none()
    | st.builds(Recommended, temperature=st.none() | st.floats(0, 2), top_k=st.none() | st.integers(-1, 100)),
)


@given(PROFILES)
def test_facts_are_json_and_survive_it(profile: Profile) -> None:
    facts = profile.facts("default")
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert all(value is not None for value in facts.values())


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_facts_of_the_shipped_ones_are_small(name: str) -> None:
    facts = choose_profile(name)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert len(json.dumps(facts)) < 600
    raw = yaml.safe_load((PROFILE_DIR / f"{name}.yaml").read_text(encoding="utf-8"))
    assert raw.get("base") == facts.get("base")
