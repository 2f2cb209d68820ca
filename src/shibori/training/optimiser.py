"""How parameters are optimised."""

from __future__ import annotations

from typing import Any

from torch import nn, optim


def parameter_groups(
    network: nn.Module, weight_decay: float, slow: nn.Module | None = None, slow_factor: float = 1.0
) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only, not for biases, norms and temperatures.

    Args:
        network: all that is trained.
        weight_decay: of AdamW.
        slow: a part of the network that starts from trained weights.
        slow_factor: its share of the learning rate.
    """
    slow_ids = set() if slow is None else {id(p) for p in slow.parameters()}
    trained = [p for p in network.parameters() if p.requires_grad]
    kinds = [(p, slow_factor if id(p) in slow_ids else 1.0, weight_decay if p.ndim > 1 else 0.0) for p in trained]
    groups = []
    for factor in sorted({factor for _, factor, _ in kinds}, reverse=True):
        for decay in sorted({decay for _, _, decay in kinds}, reverse=True):
            chosen = [p for p, *kind in kinds if kind == [factor, decay]]
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "rate_factor": factor})
    return groups


def load_optimiser(optimiser: optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up a checkpoint's moments. Each group keeps its own share of the rate, which older checkpoints lack."""
    factors = [group["rate_factor"] for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, factor in zip(optimiser.param_groups, factors, strict=True):
        group["rate_factor"] = factor


def set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step: of each group its own share of ``rate``."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate_factor"]
