"""The two architectures of the embedded models and their untrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .tokenizer import END_OF_TEXT, IMAGE_PAD, TURN_END, VIDEO_PAD, VISION_END, VISION_START

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ARCHITECTURES = ("qwen3_vl", "qwen2_vl")

PATCH_SIZE = 8  # pixels
MERGE_SIZE = 2  # patches per visual token, along each axis
TEMPORAL_PATCH_SIZE = 2  # frames; a still image is counted twice
# 288x288 becomes 96x96 and 384x288 becomes 112x80 within these limits (width x height, pixels of area).
MIN_PIXELS = 9216
MAX_PIXELS = 9600
MAX_VIDEO_PIXELS = 16 * MAX_PIXELS
IMAGE_MEAN = (0.5, 0.5, 0.5)
IMAGE_STD = (0.5, 0.5, 0.5)
POSITION_GRID = 12  # learned positions along each axis: one per patch of a 96x96 image
VOCABULARY_MULTIPLE = 64
MAX_POSITIONS = 4096


def _text_settings(arch: str, vocabulary: int, ids: dict[str, int]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "max_position_embeddings": MAX_POSITIONS,
        "rms_norm_eps": 1e-6,
        "bos_token_id": ids[END_OF_TEXT],
        "eos_token_id": ids[TURN_END],
        "pad_token_id": ids[END_OF_TEXT],
        "tie_word_embeddings": True,
    }
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 10000.0}
    if arch == "qwen3_vl":
        settings |= {
            "hidden_size": 192, "intermediate_size": 384, "num_hidden_layers": 4,
            "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 32,
        }  # fmt: skip
        rope |= {"mrope_section": [6, 5, 5], "mrope_interleaved": True}
    else:
        settings |= {
            "hidden_size": 192, "intermediate_size": 384, "num_hidden_layers": 4,
            "num_attention_heads": 6, "num_key_value_heads": 3,
        }  # fmt: skip
        rope |= {"mrope_section": [6, 5, 5]}
    settings["rope_parameters"] = rope
    return settings


def _vision_settings(arch: str, text_width: int) -> dict[str, Any]:
    shared = {
        "depth": 4, "in_channels": 3, "patch_size": PATCH_SIZE,
        "temporal_patch_size": TEMPORAL_PATCH_SIZE, "spatial_merge_size": MERGE_SIZE,
    }  # fmt: skip
    if arch == "qwen3_vl":
        return shared | {
            "hidden_size": 128, "intermediate_size": 384, "out_hidden_size": text_width, "num_heads": 4,
            "num_position_embeddings": POSITION_GRID**2, "deepstack_visual_indexes": [1],
        }  # fmt: skip
    return shared | {"embed_dim": 128, "hidden_size": text_width, "num_heads": 4, "mlp_ratio": 3}


def build_model(arch: str, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """A randomly initialised float32 model of architecture `arch` for `tokenizer`.

    Raises:
        ValueError: `arch` is not one of `ARCHITECTURES`.
    """
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForImageTextToText, GenerationConfig

    if arch not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {arch!r}; choose one of {', '.join(ARCHITECTURES)}")
    names = (END_OF_TEXT, TURN_END, VISION_START, VISION_END, IMAGE_PAD, VIDEO_PAD)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in names}
    vocabulary = -(-len(tokenizer) // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    text = _text_settings(arch, vocabulary, ids)
    config = CONFIG_MAPPING[arch](
        text_config=text,
        vision_config=_vision_settings(arch, text["hidden_size"]),
        image_token_id=ids[IMAGE_PAD],
        video_token_id=ids[VIDEO_PAD],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    config.architectures = [type(model).__name__]
    model.generation_config = GenerationConfig(
        bos_token_id=ids[END_OF_TEXT],
        eos_token_id=[ids[TURN_END], ids[END_OF_TEXT]],
        pad_token_id=ids[END_OF_TEXT],
        do_sample=False,
    )
    return model
