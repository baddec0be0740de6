"""Batched forward pass over the weights of a transformers Qwen3-VL or Qwen2-VL model.

The library's own forward handles one flat list of images and a plain causal mask. Training needs several questions
behind one image (a block mask) and rows of fixed shape that `torch.compile` can specialise on; the results are the
same (tests/scripts/test_train_tiny.py compares them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .architecture import MERGE_SIZE, PATCH_SIZE, TEMPORAL_PATCH_SIZE


@dataclass(frozen=True, slots=True)
class VisionGrid:
    """Position tables of one patch grid (rows x columns), in the model's block order."""

    rows: int
    columns: int
    cosine: Tensor  # (patches, head width)
    sine: Tensor
    learned_index: Tensor | None  # (patches, 4) rows of the learned position table; None without such a table
    learned_weight: Tensor | None  # (patches, 4)


def rotate_half(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def root_mean_square_norm(module: Any, x: Tensor) -> Tensor:
    return F.rms_norm(x.float(), (x.shape[-1],), module.weight, module.variance_epsilon)


class BatchedModel(torch.nn.Module):
    """Wraps a transformers model; parameters are shared, nothing is copied."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.wrapped = model
        self.visual = model.model.visual
        self.language = model.model.language_model
        text = model.config.text_config
        self.head_width: int = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        self.deepstack: list[int] = list(getattr(model.config.vision_config, "deepstack_visual_indexes", []))
        self.learned_positions = hasattr(self.visual, "pos_embed")
        self._grids: dict[tuple[int, int], VisionGrid] = {}

    def grid(self, rows: int, columns: int) -> VisionGrid:
        """Position tables for an image of `rows` x `columns` patches (cached)."""
        key = (rows, columns)
        if key not in self._grids:
            self._grids[key] = self._make_grid(rows, columns)
        return self._grids[key]

    def _make_grid(self, rows: int, columns: int) -> VisionGrid:
        from transformers import vision_utils

        shape = torch.tensor([[1, rows, columns]])
        places = vision_utils.get_vision_position_ids(shape, MERGE_SIZE)
        cosine, sine = self.visual.rotary_pos_emb(torch.zeros(1), places)
        if not self.learned_positions:
            return VisionGrid(rows, columns, cosine, sine, None, None)
        index, weight = vision_utils.get_vision_interpolation_indices_and_weights(
            shape,
            num_grid_per_side=self.visual.num_grid_per_side,
            mode=self.visual.interpolation_mode,
            align_corners=self.visual.interpolation_align_corners,
            spatial_merge_size=MERGE_SIZE,
        )
        return VisionGrid(rows, columns, cosine, sine, index, weight)

    def see(self, patches: Tensor, grid: VisionGrid) -> tuple[Tensor, list[Tensor]]:
        """Visual tokens of images that share one grid.

        Args:
            patches: (images, patches, 3 * 8 * 8) normalised pixels in block order.
        Returns:
            (images * tokens, width) tokens, and the same for each deepstack level.
        """
        projection = self.visual.patch_embed.proj
        # A still image fills both frames of a temporal patch with the same pixels: sum the kernel over time instead.
        kernel = projection.weight.view(-1, 3, TEMPORAL_PATCH_SIZE, PATCH_SIZE, PATCH_SIZE).sum(2).flatten(1)
        x = F.linear(patches, kernel, projection.bias)
        if grid.learned_index is not None and grid.learned_weight is not None:
            x = x + (self.visual.pos_embed(grid.learned_index) * grid.learned_weight[:, :, None]).sum(1)
        images, length, width = x.shape
        levels: list[Tensor] = []
        for number, block in enumerate(self.visual.blocks):
            heads = block.attn.num_heads
            joint = block.attn.qkv(block.norm1(x)).view(images, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            query, key, value = joint.unbind(0)
            query = (query * grid.cosine + rotate_half(query) * grid.sine).to(value.dtype)
            key = (key * grid.cosine + rotate_half(key) * grid.sine).to(value.dtype)
            mixed = F.scaled_dot_product_attention(query, key, value)
            x = x + block.attn.proj(mixed.transpose(1, 2).reshape(images, length, width))
            x = x + block.mlp(block.norm2(x))
            if number in self.deepstack:
                merger = self.visual.deepstack_merger_list[self.deepstack.index(number)]
                levels.append(merger(x.reshape(-1, width)))
        return self.visual.merger(x.reshape(-1, width)), levels

    def rotary(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine, each (rows, 1, length, head width), for positions (3, rows, length)."""
        cosine, sine = self.language.rotary_emb(torch.zeros(1), positions)
        return cosine[:, None], sine[:, None]

    def read(
        self, ids: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor, visual_index: Tensor, seen: list[Tensor]
    ) -> Tensor:
        """Hidden states (rows, length, width) of the language model.

        Args:
            ids: (rows, length) token ids.
            mask: (rows, 1, length, length), True where attention is allowed.
            visual_index: (rows, length) row of each `seen` table that replaces the token, or -1 for text.
            seen: visual tokens, then the deepstack levels.
        """
        is_visual = (visual_index >= 0)[..., None]
        gather = visual_index.clamp(min=0)
        embedded = self.language.embed_tokens(ids)
        x = torch.where(is_visual, seen[0][gather].to(embedded.dtype), embedded)
        for number, layer in enumerate(self.language.layers):
            x = x + self._attend(layer.self_attn, root_mean_square_norm(layer.input_layernorm, x), rotary, mask)
            x = x + layer.mlp(root_mean_square_norm(layer.post_attention_layernorm, x))
            if number + 1 < len(seen):
                x = x + torch.where(is_visual, seen[number + 1][gather].to(x.dtype), 0.0)
        return root_mean_square_norm(self.language.norm, x)

    def _attend(self, attention: Any, x: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        rows, length, _ = x.shape
        query = attention.q_proj(x).view(rows, length, -1, self.head_width)
        key = attention.k_proj(x).view(rows, length, -1, self.head_width)
        value = attention.v_proj(x).view(rows, length, -1, self.head_width).transpose(1, 2)
        if hasattr(attention, "q_norm"):
            query = root_mean_square_norm(attention.q_norm, query)
            key = root_mean_square_norm(attention.k_norm, key)
        query, key = query.transpose(1, 2), key.transpose(1, 2)
        cosine, sine = rotary
        query = (query * cosine + rotate_half(query) * sine).to(value.dtype)
        key = (key * cosine + rotate_half(key) * sine).to(value.dtype)
        repeats = query.shape[1] // key.shape[1]
        mixed = F.scaled_dot_product_attention(
            query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1), attn_mask=mask
        )
        output: Tensor = attention.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))
        return output

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary; the output projection is the embedding table."""
        return F.linear(hidden, self.language.embed_tokens.weight)
