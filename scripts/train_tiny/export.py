"""Checkpoint folders that transformers 4.57 and 5.x, vLLM and LMDeploy all load.

transformers 5 writes newer spellings than the others read: one processor_config.json for both processors, only
`rope_parameters`, a tokenizer class of its own. The files here carry both spellings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .architecture import (
    IMAGE_MEAN,
    IMAGE_STD,
    MAX_PIXELS,
    MAX_VIDEO_PIXELS,
    MERGE_SIZE,
    MIN_PIXELS,
    PATCH_SIZE,
    TEMPORAL_PATCH_SIZE,
)
from .tokenizer import CHAT_TEMPLATE, MODEL_MAX_LENGTH, SPECIAL_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PROCESSORS = {
    "qwen3_vl": ("Qwen3VLProcessor", "Qwen3VLVideoProcessor"),
    "qwen2_vl": ("Qwen2VLProcessor", "Qwen2VLVideoProcessor"),
}
BICUBIC = 3


def _write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _image_settings(max_pixels: int) -> dict[str, Any]:
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD),
        "rescale_factor": 1 / 255,
        "resample": BICUBIC,
        "patch_size": PATCH_SIZE,
        "temporal_patch_size": TEMPORAL_PATCH_SIZE,
        "merge_size": MERGE_SIZE,
        "size": {"shortest_edge": MIN_PIXELS, "longest_edge": max_pixels},
        "min_pixels": MIN_PIXELS,
        "max_pixels": max_pixels,
    }


def _both_rope_spellings(config: dict[str, Any]) -> dict[str, Any]:
    text = config["text_config"]
    rope = text["rope_parameters"]
    text["rope_theta"] = rope["rope_theta"]
    text["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
    config["torch_dtype"] = config["dtype"]
    config.pop("transformers_version", None)
    return config


def _tokenizer_settings(processor: str) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "processor_class": processor,
        "model_max_length": MODEL_MAX_LENGTH,
        "clean_up_tokenization_spaces": False,
        "bos_token": None,
        "unk_token": None,
        "eos_token": SPECIAL_TOKENS[2],
        "pad_token": SPECIAL_TOKENS[0],
        "additional_special_tokens": [SPECIAL_TOKENS[1], *SPECIAL_TOKENS[3:]],
        "chat_template": CHAT_TEMPLATE,
    }


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `model` in bfloat16 with all files an engine needs. The model itself is left as it is."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arch = model.config.model_type
    processor, video_processor = PROCESSORS[arch]
    state = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the embedding table
    }
    weights = folder / "model.safetensors"
    save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)

    config = model.config.to_dict()
    for part in (config, config["text_config"], config["vision_config"]):
        part["dtype"] = "bfloat16"
        part.pop("_name_or_path", None)
    _write(folder, "config.json", _both_rope_spellings(config))
    generation = model.generation_config.to_diff_dict()
    generation.pop("transformers_version", None)
    generation["do_sample"] = False
    _write(folder, "generation_config.json", generation)

    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder, "tokenizer_config.json", _tokenizer_settings(processor))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    _write(folder, "processor_config.json", {"processor_class": processor})
    image = _image_settings(MAX_PIXELS)
    _write(
        folder, "preprocessor_config.json",
        image | {"image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": processor},
    )  # fmt: skip
    video = _image_settings(MAX_VIDEO_PIXELS) | {"do_sample_frames": True, "fps": 2, "min_frames": 4}
    video |= {"max_frames": 768, "video_processor_type": video_processor, "processor_class": processor}
    _write(folder, "video_preprocessor_config.json", video)
