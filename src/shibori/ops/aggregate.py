"""Soft aggregation of objects that were segmented one by one (trackprop, Sec. 3.3, Eq. 1 to 3)."""

from __future__ import annotations

import torch
from torch import Tensor

LOGIT_LIMIT = 12.0
"""Logits are clamped to this before exponentiation: odds of 160,000 to one are certainty enough."""


def aggregate_logits(logits: Tensor) -> Tensor:
    """One distribution over background and objects from independent object-against-background logits.

    With p'_i = exp(logit_i) (Eq. 1), P_i = p'_i / (1 + sum p') and P_0 = 1 / (1 + sum p') (Eq. 2).

    Args:
        logits: (N, ...) log-odds of each of N objects.

    Returns:
        (N + 1, ...) probabilities that sum to one; row 0 is the background.
    """
    clamped = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    background = torch.zeros_like(clamped[:1])
    return torch.softmax(torch.cat([background, clamped]), dim=0)
