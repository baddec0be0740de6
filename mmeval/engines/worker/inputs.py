"""From messages and image bytes to model inputs, and from several requests' inputs to one left-padded batch."""

from __future__ import annotations

import inspect
import io
import re
from dataclasses import dataclass, field
from typing import Any

from .checkpoint import Loaded
from .failures import RequestError

_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
"""Private-use characters around the number of a marker that stood in the user's own text."""


@dataclass
class Item:
    """The inputs of one request."""

    ids: list[int]
    """Prompt tokens, image placeholders expanded."""
    tensors: dict[str, Any] = field(default_factory=dict)
    """Further inputs that are joined along their first dimension (pixel values, grids)."""
    sequences: dict[str, Any] = field(default_factory=dict)
    """Further inputs with one value per token, 1-D."""

    @property
    def signature(self) -> tuple[Any, ...]:
        """Items of equal signature can share a batch."""
        shapes = sorted((name, tuple(value.shape[1:]), str(value.dtype)) for name, value in self.tensors.items())
        return (*shapes, *sorted(self.sequences))


def decode_images(blobs: list[bytes]) -> list[Any]:
    """Decode image bytes to RGB.

    Raises:
        RequestError: naming the image that cannot be decoded.
    """
    from PIL import Image

    images = []
    for number, blob in enumerate(blobs, 1):
        try:
            # Of the formats in which images are sent, see PreparedImage.
            with Image.open(io.BytesIO(blob), formats=("JPEG", "PNG", "WEBP")) as image:
                images.append(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise RequestError(f"image {number} of {len(blobs)} cannot be decoded: {error}") from error
    return images


class InputBuilder:
    """Builds the inputs that a loaded model wants."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._parameters = frozenset(inspect.signature(loaded.model.forward).parameters)
        self._image_token: int | None = None
        self._markers: list[str] = []
        if loaded.image_processor is not None:
            self._image_token = int(loaded.config.image_token_id)
            known = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
            tokens = [
                int(getattr(loaded.config, name)) for name in known if getattr(loaded.config, name, None) is not None
            ]
            self._markers = [loaded.tokenizer.convert_ids_to_tokens(token) for token in tokens]

    def build(self, messages: list[dict[str, Any]], blobs: list[bytes], complete: bool = False) -> Item:
        """Return the inputs of one request.

        Args:
            messages: `{"role", "content"}`; content is a list of `{"text": …}` and `{"image": index of the blob}`.
            blobs: encoded images in the order of their appearance.
            complete: the conversation ends with the answer; otherwise the model is to write the next turn.

        Raises:
            RequestError: an image that cannot be decoded, a prompt that the template refuses or that is too long.
        """
        images = decode_images(blobs)
        if images and self._loaded.image_processor is None and self._loaded.processor is None:
            raise RequestError("this model reads text only")
        try:
            item = self._build(messages, images, not complete)
        except RequestError:
            raise
        except Exception as error:  # templates and processors raise anything on input that they do not like
            raise RequestError(f"the prompt cannot be prepared: {type(error).__name__}: {error}") from error
        self.check_length(item)
        return item

    def check_length(self, item: Item) -> None:
        """Refuse a prompt that leaves no room in the context.

        Raises:
            RequestError: with status `too_long`.
        """
        limit = self._loaded.max_model_len
        if len(item.ids) >= limit:
            raise RequestError(f"the prompt has {len(item.ids)} tokens, the context {limit}", "too_long")

    def _build(self, messages: list[dict[str, Any]], images: list[Any], prompted: bool) -> Item:
        if self._loaded.image_processor is not None:
            return self._qwen(messages, images, prompted)
        if self._loaded.processor is not None:
            return self._generic(messages, images, prompted)
        return Item(self.tokens(_render(self._loaded.tokenizer, _as_strings(messages), prompted)))

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, no special tokens added."""
        found: list[int] = self._loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def token_texts(self, tokens: list[int]) -> list[str]:
        """Text of each token by itself."""
        return [self._loaded.tokenizer.decode([token]) for token in tokens]

    def _qwen(self, messages: list[dict[str, Any]], images: list[Any], prompted: bool) -> Item:
        conversation = [
            {"role": m["role"], "content": [self._content(part) for part in m["content"]]} for m in messages
        ]
        text = _render(self._loaded.tokenizer, conversation, prompted)
        ids = self._literal_tokens(text)
        if not images:
            return Item(ids)
        shown = ids.count(self._image_token) if self._image_token is not None else 0
        if shown != len(images):
            raise RequestError(f"the chat template shows {shown} of {len(images)} images")
        pixels = self._loaded.image_processor(images=images, return_tensors="pt")
        merge = int(self._loaded.image_processor.merge_size) ** 2
        counts = iter((pixels["image_grid_thw"].prod(dim=1) // merge).tolist())
        expanded: list[int] = []
        for token in ids:
            expanded.extend([token] * (next(counts) if token == self._image_token else 1))
        return Item(expanded, {name: pixels[name] for name in ("pixel_values", "image_grid_thw")})

    def _content(self, part: dict[str, Any]) -> dict[str, Any]:
        if "image" in part:
            return {"type": "image"}
        text = part["text"]
        for number, marker in enumerate(self._markers):
            text = text.replace(marker, f"{_OPEN}{number}{_CLOSE}")
        return {"type": "text", "text": text}

    def _literal_tokens(self, text: str) -> list[int]:
        """Tokens of a rendered prompt in which the user's own image markers are plain text, not images."""
        pieces = re.split(f"{_OPEN}(\\d+){_CLOSE}", text)
        if len(pieces) == 1:
            return self.tokens(text)
        ids: list[int] = []
        for position, piece in enumerate(pieces):
            if position % 2 == 0:
                ids.extend(self.tokens(piece))
            else:
                literal = self._loaded.tokenizer(
                    self._markers[int(piece)], add_special_tokens=False, split_special_tokens=True
                )
                ids.extend(literal["input_ids"])
        return ids

    def _generic(self, messages: list[dict[str, Any]], images: list[Any], prompted: bool) -> Item:
        conversation = [
            {
                "role": m["role"],
                "content": [
                    {"type": "image", "image": images[p["image"]]} if "image" in p else {"type": "text", **p}
                    for p in m["content"]
                ],
            }
            for m in messages
        ]
        encoded = self._loaded.processor.apply_chat_template(
            conversation, add_generation_prompt=prompted, tokenize=True, return_dict=True, return_tensors="pt"
        )
        ids = encoded["input_ids"]
        item = Item([int(token) for token in ids[0].tolist()])
        for name, value in encoded.items():
            if name in ("input_ids", "attention_mask") or not hasattr(value, "shape"):
                continue
            if tuple(value.shape) == tuple(ids.shape):
                item.sequences[name] = value[0]
            else:
                item.tensors[name] = value
        return item

    def collate(self, items: list[Item]) -> dict[str, Any]:
        """Join items to one batch: tokens padded on the left, everything else along its first dimension."""
        import torch

        model = self._loaded.model
        rows, width = len(items), max(len(item.ids) for item in items)
        ids = torch.full((rows, width), self._loaded.pad_token, dtype=torch.long)
        mask = torch.zeros((rows, width), dtype=torch.long)
        for row, item in enumerate(items):
            ids[row, width - len(item.ids) :] = torch.tensor(item.ids)
            mask[row, width - len(item.ids) :] = 1
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._image_token is not None and "mm_token_type_ids" in self._parameters:
            batch["mm_token_type_ids"] = ((ids == self._image_token) & mask.bool()).int()
        for name in items[0].sequences:
            values = torch.zeros((rows, width), dtype=items[0].sequences[name].dtype)
            for row, item in enumerate(items):
                values[row, width - len(item.ids) :] = item.sequences[name]
            batch[name] = values
        for name in dict.fromkeys(name for item in items for name in item.tensors):
            joined = torch.cat([item.tensors[name] for item in items if name in item.tensors])
            batch[name] = joined.to(model.dtype) if joined.is_floating_point() else joined
        return {name: value.to(model.device) for name, value in batch.items()}


def _render(renderer: Any, conversation: list[dict[str, Any]], prompted: bool) -> str:
    text: str = renderer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=prompted)
    return text


def _as_strings(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Text-only templates take one string per message."""
    return [{"role": m["role"], "content": "\n".join(part["text"] for part in m["content"])} for m in messages]
