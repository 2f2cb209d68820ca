"""Closed-form ridge regression: the online classifier of strnn (Sec. 2.3, Eq. 3), batched and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor


def fit_ridge(samples: Tensor, targets: Tensor, weights: Tensor, penalty: Tensor | float) -> Tensor:
    """Minimise ``sum_n w_n (x_n . W - y_n)^2 + penalty |W|^2`` by Cholesky.

    Args:
        samples: (B, N, D) float32 features.
        targets: (B, N) float32 labels.
        weights: (B, N) float32, not negative.
        penalty: added to the diagonal; positive.

    Returns:
        (B, D) the classifier ``W``.
    """
    # A Gram matrix rounded to bfloat16 is not positive definite.
    with torch.autocast(samples.device.type, enabled=False):
        weighted = samples * weights[:, :, None]
        gram = weighted.transpose(1, 2) @ samples
        gram = gram + penalty * torch.eye(samples.shape[2], dtype=samples.dtype, device=samples.device)
        moment = (weighted * targets[:, :, None]).sum(1)
        return torch.cholesky_solve(moment[:, :, None], torch.linalg.cholesky(gram))[:, :, 0]


def balanced_weights(labels: Tensor) -> Tensor:
    """Sample weights under which the object and everything else count the same, summing to one.

    Args:
        labels: (B, N) in [0, 1].
    """
    positive = labels / labels.sum(1, keepdim=True).clamp_min(1e-3)
    negative = (1 - labels) / (1 - labels).sum(1, keepdim=True).clamp_min(1e-3)
    return 0.5 * (positive + negative)
