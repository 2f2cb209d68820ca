"""How parameters are optimised."""

from __future__ import annotations

from typing import Any

from torch import nn, optim


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only, not for biases, norms and temperatures."""
    kernels = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    rest = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step, for all groups."""
    for group in optimiser.param_groups:
        group["lr"] = rate
