"""Start the Qwen2-VL twin from the trained Qwen3-VL model: `python -m scripts.train_tiny.transplant RUN OUT`.

Both share widths, depth, tokenizer and most shapes. What the twin lacks is left out (learned positions, deepstack) or
folded into what it has (the normalisation of queries and keys becomes a fixed scale per head, measured on training
batches). A short training run then repairs the difference.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .architecture import build_model
from .batches import CLIP_BATCH, STILL_BATCH, BatchStream
from .forward import BatchedModel
from .losses import Objective, to_tensors, word_ids
from .packing import Encoder, Packer

CALIBRATION_BATCHES = 4

RENAMED = (
    (".mlp.linear_fc1.", ".mlp.fc1."), (".mlp.linear_fc2.", ".mlp.fc2."), (".merger.norm.", ".merger.ln_q."),
    (".merger.linear_fc1.", ".merger.mlp.0."), (".merger.linear_fc2.", ".merger.mlp.2."),
)  # fmt: skip


def head_scales(objective: Objective, encoder: Encoder) -> dict[str, Tensor]:
    """Mean of 1 / root mean square of each head's queries and keys, by the projection's name."""
    sums: dict[str, Tensor] = {}
    width = objective.model.head_width

    def watch(name: str) -> Any:
        def hook(module: torch.nn.Module, inputs: Any, output: Tensor) -> None:
            heads = output.unflatten(-1, (-1, width)).flatten(0, 1)
            inverse = heads.pow(2).mean(-1).add(1e-6).rsqrt().mean(0)
            sums[name] = sums.get(name, torch.zeros_like(inverse)) + inverse / CALIBRATION_BATCHES

        return hook

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in objective.model.wrapped.named_modules()
        if name.endswith(("q_proj", "k_proj"))
    ]
    stream = BatchStream(Packer(encoder, STILL_BATCH.length), Packer(encoder, CLIP_BATCH.length), 0)
    with torch.no_grad():
        for _ in range(CALIBRATION_BATCHES):
            objective.hidden(to_tensors(stream.next(1.0)))
    for handle in handles:
        handle.remove()
    return sums


def transplanted(source: Objective, target: Objective, encoder: Encoder) -> dict[str, Tensor]:
    """A state for `target` with every weight of `source` that fits."""
    scales = head_scales(source, encoder)
    width = source.model.head_width
    given = source.model.wrapped.state_dict()
    state = target.model.wrapped.state_dict()
    for name, value in given.items():
        for old, new in RENAMED:
            name = name.replace(old, new) if ".visual." in name else name
        if name in state and state[name].shape == value.shape:
            state[name] = value.clone()
    for name, scale in scales.items():
        norm = given[name.replace("_proj", "_norm") + ".weight"]
        rows = scale.repeat_interleave(width) * norm.repeat(len(scale))
        state[name + ".weight"] = given[name + ".weight"] * rows[:, None]
    target.model.wrapped.load_state_dict(state)
    target.dense_head.load_state_dict(source.dense_head.state_dict())
    return target.state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="folder of the trained run: tokenizer.json and state.pt")
    parser.add_argument("out", help="file for the twin's first state")
    options = parser.parse_args()
    folder = Path(options.run)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    encoder = Encoder(tokenizer)
    objectives = []
    for arch in ("qwen3_vl", "qwen2_vl"):
        model = build_model(arch, tokenizer, seed=0)
        width = model.config.text_config.hidden_size
        objectives.append(Objective(BatchedModel(model), width, False, word_ids(encoder)))
    source, target = objectives
    source.load_state_dict(torch.load(folder / "state.pt", weights_only=True)["objective"])
    torch.save({"objective": transplanted(source, target, encoder)}, options.out)


if __name__ == "__main__":
    main()
