"""Muon for the weight matrices (K. Jordan et al., 2024: momentum, orthogonalised by Newton-Schulz), AdamW for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.95)
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # quintic coefficients of the reference implementation
NEWTON_SCHULZ_STEPS = 5
LEARNING_RATE_FACTOR = 2.5  # of Muon's rate over AdamW's
UPDATE_SCALE = 0.2  # makes an orthogonal update as large (root mean square) as AdamW's usually are


def orthogonalise(matrices: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices, roughly, of a stack (count, rows, columns)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is orthogonalised; matrices of one shape are handled together."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(list(params), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                directions = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if not state:
                        state["momentum"] = torch.zeros_like(parameter)
                    state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                    directions.append(parameter.grad.lerp(state["momentum"], MOMENTUM))
                updates = orthogonalise(torch.stack(directions))
                size = LEARNING_RATE_FACTOR * UPDATE_SCALE * max(shape) ** 0.5 * group["lr"]
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-size)


def make_optimizers(
    module: torch.nn.Module, learning_rate: float, weight_decay: float, muon: bool
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside transformer blocks and mergers, AdamW for all other parameters."""
    matrices, others = [], []
    seen: set[int] = set()
    for name, parameter in module.named_parameters():
        if id(parameter) in seen or not parameter.requires_grad:
            continue
        seen.add(id(parameter))
        outside = any(part in name for part in ("embed", "dense_head", "lm_head"))
        (matrices if muon and parameter.ndim == 2 and not outside else others).append(parameter)
    decayed = [p for p in others if p.ndim >= 2]
    plain = [p for p in others if p.ndim < 2]
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=ADAM_BETAS,
        fused=True,
    )
    return [adam, Muon(matrices, learning_rate, weight_decay)] if matrices else [adam]
