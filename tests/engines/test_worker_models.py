"""Loading and inputs of model families inside the worker, on small random models of stock architectures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.engines.worker.checkpoint import Loaded, Settings, load
from mmeval.engines.worker.decoding import Answer, Decoding, generate, resolve
from mmeval.engines.worker.failures import LoadError, RequestError
from mmeval.engines.worker.inputs import InputBuilder
from tests.engines.conftest import picture

pytestmark = pytest.mark.model

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
    "initializer_range": 0.4,
}
"""Untied and with large weights, so that the random models' answers depend on what they are shown."""
ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}


def _config(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkpoint / "config.json").read_text())
    return found


def _save(model: Any, checkpoint: Path, target: Path) -> Path:
    model.save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(checkpoint / name, target / name)
    return target


def _tokens(checkpoint: Path) -> dict[str, int]:
    config = _config(checkpoint)
    return {
        name: config[name]
        for name in ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    }


def _preprocessor(target: Path, **fields: Any) -> None:
    (target / "preprocessor_config.json").write_text(json.dumps(fields))


def qwen2(checkpoint: Path, target: Path) -> Path:
    import torch
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    torch.manual_seed(0)
    vocabulary = _config(checkpoint)["text_config"]["vocab_size"]
    config = Qwen2VLConfig(
        text_config={**TEXT, "vocab_size": vocabulary, "rope_parameters": ROPE},
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2, "patch_size": 8},
        tie_word_embeddings=False,
        **_tokens(checkpoint),
    )
    folder = _save(Qwen2VLForConditionalGeneration(config), checkpoint, target)
    _preprocessor(
        folder,
        image_processor_type="Qwen2VLImageProcessor",
        patch_size=8,
        merge_size=2,
        min_pixels=256,
        max_pixels=4096,
    )
    return folder


def qwen25(checkpoint: Path, target: Path) -> Path:
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(0)
    vocabulary = _config(checkpoint)["text_config"]["vocab_size"]
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 64,
        "patch_size": 8,
        "window_size": 32,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "vocab_size": vocabulary, "rope_parameters": ROPE},
        vision_config=vision,
        tie_word_embeddings=False,
        **_tokens(checkpoint),
    )
    folder = _save(Qwen2_5_VLForConditionalGeneration(config), checkpoint, target)
    _preprocessor(
        folder,
        image_processor_type="Qwen2VLImageProcessor",
        patch_size=8,
        merge_size=2,
        min_pixels=256,
        max_pixels=4096,
    )
    return folder


def llava(checkpoint: Path, target: Path) -> Path:
    """A family without a path of its own: everything comes from AutoProcessor."""
    import torch
    from transformers import (
        AutoTokenizer,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    full = _config(checkpoint)
    config = LlavaConfig(
        text_config=LlamaConfig(**TEXT, vocab_size=full["text_config"]["vocab_size"]),
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        ),
        image_token_index=full["image_token_id"],
    )
    LlavaForConditionalGeneration(config).save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(**sizes),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<|image_pad|>",
        chat_template=(checkpoint / "chat_template.jinja").read_text(),
    )
    processor.save_pretrained(target)
    return target


def text_only(checkpoint: Path, target: Path) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(**TEXT, vocab_size=_config(checkpoint)["text_config"]["vocab_size"])
    return _save(LlamaForCausalLM(config), checkpoint, target)


def conversation(text: str, images: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*({"image": index} for index in range(images)), {"text": text}]}]


def decoding(loaded: Loaded, **fields: Any) -> Decoding:
    return resolve({"max_tokens": 8, **fields}, loaded.defaults)


def answer(loaded: Loaded, items: list[Any], **fields: Any) -> list[Answer]:
    rows = [decoding(loaded, **fields) for _ in items]
    return generate(loaded, items, InputBuilder(loaded).collate(items), rows, lambda row: False)


@pytest.mark.parametrize("make", [qwen2, qwen25, llava])
def test_a_batch_answers_like_its_rows_alone(
    make: Callable[[Path, Path], Path], checkpoint: Path, tmp_path: Path
) -> None:
    loaded = load(Settings(str(make(checkpoint, tmp_path)), device="cpu"))
    builder = InputBuilder(loaded)
    shown = [
        [picture("red", (40, 64))],
        [picture("blue", (90, 30)), picture("green", (48, 48))],
        [picture("orange", (33, 77))],
    ]
    items = [
        builder.build(conversation(f"What is this{' here' * number}?", len(images)), images)
        for number, images in enumerate(shown)
    ]
    together = answer(loaded, items)
    alone = [answer(loaded, [item])[0] for item in items]
    assert [a.text for a in together] == [a.text for a in alone]
    assert [a.prompt_tokens for a in together] == [len(item.ids) for item in items]
    assert len({a.text for a in together}) > 1
    assert len({item.signature for item in items}) == 1


@pytest.mark.parametrize("make", [qwen2, qwen25])
def test_placeholders_match_the_processors_grid(
    make: Callable[[Path, Path], Path], checkpoint: Path, tmp_path: Path
) -> None:
    loaded = load(Settings(str(make(checkpoint, tmp_path)), device="cpu"))
    images = [picture("red", (40, 64)), picture("blue", (90, 30))]
    item = InputBuilder(loaded).build(conversation("?", 2), images)
    grids = item.tensors["image_grid_thw"]
    assert item.ids.count(loaded.config.image_token_id) == int(grids.prod(dim=1).sum()) // 4
    assert item.tensors["pixel_values"].shape[0] == int(grids.prod(dim=1).sum())


def test_pixel_limits_change_the_number_of_image_tokens(checkpoint: Path, tmp_path: Path) -> None:
    folder = str(qwen2(checkpoint, tmp_path))
    counts = []
    for limits in ({"max_pixels": 1024, "min_pixels": 256}, {"max_pixels": 65536, "min_pixels": 16384}):
        loaded = load(Settings(folder, device="cpu", **limits))
        item = InputBuilder(loaded).build(conversation("?", 1), [picture("red", (96, 96))])
        counts.append(item.ids.count(loaded.config.image_token_id))
    assert counts == [4, 64]


def test_a_text_model_reads_text_and_refuses_images(checkpoint: Path, tmp_path: Path) -> None:
    loaded = load(Settings(str(text_only(checkpoint, tmp_path)), device="cpu"))
    builder = InputBuilder(loaded)
    items = [builder.build(conversation("Hello", 0), []), builder.build(conversation("What is the time?", 0), [])]
    assert [a.text for a in answer(loaded, items)] == [answer(loaded, [item])[0].text for item in items]
    with pytest.raises(RequestError, match="text only"):
        builder.build(conversation("?", 1), [picture()])


def test_pixel_limits_mean_nothing_to_other_families(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="max_pixels"):
        load(Settings(str(text_only(checkpoint, tmp_path)), device="cpu", max_pixels=1000))


def _copy(checkpoint: Path, target: Path) -> Path:
    shutil.copytree(checkpoint, target, copy_function=shutil.copyfile)
    for path in (target, *target.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def test_without_a_chat_template(checkpoint: Path, tmp_path: Path) -> None:
    folder = _copy(checkpoint, tmp_path / "copy")
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(LoadError, match="no chat template"):
        load(Settings(str(folder)))
    older = {"chat_template": (checkpoint / "chat_template.jinja").read_text()}
    (folder / "chat_template.json").write_text(json.dumps(older))
    assert load(Settings(str(folder))).tokenizer.chat_template == older["chat_template"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"model_type": "no_such_model"}, "does not know this model"), ({"model_type": None}, "does not know this model")],
)
def test_an_unknown_architecture(change: dict[str, Any], message: str, checkpoint: Path, tmp_path: Path) -> None:
    folder = _copy(checkpoint, tmp_path / "copy")
    config = {**_config(checkpoint), **change}
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    with pytest.raises(LoadError, match=message):
        load(Settings(str(folder)))


def test_no_image_processor(checkpoint: Path, tmp_path: Path) -> None:
    folder = _copy(checkpoint, tmp_path / "copy")
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink()
    with pytest.raises(LoadError, match="image processor"):
        load(Settings(str(folder)))


def test_settings_that_cannot_be(checkpoint: Path) -> None:
    import torch

    with pytest.raises(LoadError, match="dtype"):
        load(Settings(str(checkpoint), dtype="int8", device="cpu"))
    with pytest.raises(LoadError, match="max_model_len"):
        load(Settings(str(checkpoint), device="cpu", max_model_len=10**7))
    if not torch.cuda.is_available():
        with pytest.raises(LoadError, match="device 'cuda'"):
            load(Settings(str(checkpoint), device="cuda"))


def test_damaged_weights_are_no_traceback(checkpoint: Path, tmp_path: Path) -> None:
    folder = _copy(checkpoint, tmp_path / "copy")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(LoadError, match="model cannot be loaded"):
        load(Settings(str(folder), device="cpu"))


def test_decoding_left_to_the_engine_follows_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    folder = _copy(checkpoint, tmp_path / "copy")
    generation = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.05}
    (folder / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": [2]}))
    loaded = load(Settings(str(folder), device="cpu"))
    left = decoding(loaded, temperature=None)
    assert (left.temperature, left.top_p, left.repetition_penalty, left.top_k) == (0.7, 0.8, 1.05, 0)
    said = decoding(loaded, temperature=0.0, top_p=1.0, repetition_penalty=1.0)
    assert (said.temperature, said.top_p, said.repetition_penalty) == (0.0, 1.0, 1.0)


def test_images_and_template_must_agree(checkpoint: Path) -> None:
    loaded = load(Settings(str(checkpoint), device="cpu"))
    loaded.tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}{% endfor %}"
    with pytest.raises(RequestError, match="shows 0 of 1 images"):
        InputBuilder(loaded).build(conversation("?", 1), [picture()])
    with pytest.raises(RequestError, match=r"image 2 of 2 cannot be decoded"):
        InputBuilder(loaded).build(conversation("?", 2), [picture(), b"garbage"])
