"""Teacher-forced log-probabilities: how likely the model finds given tokens after a prompt."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from .inputs import Item


def extended(item: Item, continuation: list[int]) -> Item:
    """The inputs of prompt and continuation together; further values per token are 0 (text) for the continuation."""
    import torch

    room = (0, len(continuation))
    sequences = {name: torch.nn.functional.pad(value, room) for name, value in item.sequences.items()}
    return replace(item, ids=[*item.ids, *continuation], sequences=sequences)


def token_logprobs(model: Any, batch: dict[str, Any], continuations: list[list[int]]) -> list[list[float]]:
    """Natural logarithms of the probability of every continuation token given everything before it.

    Args:
        model: a transformers model.
        batch: rows of equal length whose last tokens are the continuations; nothing is padded.
        continuations: token ids of each row, at least one.
    """
    rows = _distributions(model, batch, continuations)
    return [_chosen(row[-len(tokens) :], tokens) for row, tokens in zip(rows, continuations, strict=True)]


def token_contrast(
    model: Any, first: dict[str, Any], second: dict[str, Any], continuation: list[int]
) -> tuple[list[float], list[float], list[float]]:
    """Scores of one continuation after two prompts, and KL(first || second) of each token's distribution in nats."""
    rows = [_distributions(model, batch, [continuation])[0][-len(continuation) :] for batch in (first, second)]
    divergence = (rows[0].exp() * (rows[0] - rows[1])).sum(dim=-1).clamp(min=0.0)
    return _chosen(rows[0], continuation), _chosen(rows[1], continuation), divergence.tolist()


def _distributions(model: Any, batch: dict[str, Any], continuations: list[list[int]]) -> Any:
    """Log-probabilities of the whole vocabulary for the last tokens, shape (rows, longest continuation, vocabulary)."""
    import torch

    longest = max(len(tokens) for tokens in continuations)
    keep = {"logits_to_keep": longest + 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    with torch.inference_mode():
        logits = model(**batch, use_cache=False, **keep).logits[:, -longest - 1 : -1].float()
    return logits.log_softmax(dim=-1)


def _chosen(row: Any, tokens: list[int]) -> list[float]:
    import torch

    places = torch.tensor(tokens, device=row.device).unsqueeze(1)
    found: list[float] = row.gather(1, places).squeeze(1).tolist()
    return found


def head_values(model: Any, batch: dict[str, Any]) -> list[list[float]]:
    """What the head of a sequence classification model gives for each row: its logits, one per label.

    Args:
        model: a transformers model for sequence classification.
        batch: rows of equal length.
    """
    import torch

    with torch.inference_mode():
        logits = model(**batch).logits.float()
    found: list[list[float]] = logits.reshape(logits.shape[0], -1).tolist()
    return found
