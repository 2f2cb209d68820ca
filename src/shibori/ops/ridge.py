"""Closed-form ridge regression: the online classifier of strnn (Sec. 2.3, Eq. 3), differentiable.

All that the solution needs of the samples are two sums, so samples that arrive later are added at the cost of their own
number, and none has to be kept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class RidgeSums(NamedTuple):
    """What is known of all samples so far: N of them with D channels, and K targets each."""

    gram: Tensor
    """(..., D, D) ``X X^T``, the sum of the outer products of the samples."""
    moment: Tensor
    """(..., D, K) ``X Y^T``, the sum of each sample times its targets."""


def ridge_sums(samples: Tensor, targets: Tensor) -> RidgeSums:
    """The sums of (..., N, D) samples with (..., N, K) targets."""
    turned = samples.transpose(-1, -2)
    return RidgeSums(turned @ samples, turned @ targets)


def add_sums(first: RidgeSums, second: RidgeSums) -> RidgeSums:
    """The sums of both sets of samples. Where one has fewer targets, its samples have zero for the others."""
    count = max(first.moment.shape[-1], second.moment.shape[-1])
    moments = [functional.pad(sums.moment, (0, count - sums.moment.shape[-1])) for sums in (first, second)]
    return RidgeSums(first.gram + second.gram, moments[0] + moments[1])


def solve_ridge(sums: RidgeSums, penalty: Tensor | float) -> Tensor:
    """``W* = (X X^T + penalty I)^-1 X Y^T`` (Eq. 3) by Cholesky.

    Args:
        sums: of the samples.
        penalty: positive.

    Returns:
        (..., D, K) one column a target.
    """
    identity = torch.eye(sums.gram.shape[-1], dtype=sums.gram.dtype, device=sums.gram.device)
    return torch.cholesky_solve(sums.moment, torch.linalg.cholesky(sums.gram + penalty * identity))


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
        moment = (weighted * targets[:, :, None]).sum(1)[:, :, None]
        return solve_ridge(RidgeSums(weighted.transpose(1, 2) @ samples, moment), penalty)[:, :, 0]


def ridge_score(traits: Tensor, samples: Tensor, labels: Tensor, penalty: Tensor) -> Tensor:
    """How far each place of a map is on the object's side of a classifier fitted on samples: about -1 to 1.

    Args:
        traits: (B, D, h, w) float32.
        samples: (B, N, D) float32.
        labels: (B, N) share of each sample that is the object, in [0, 1]; both sides weigh the same.
        penalty: () any number; its softplus is the penalty of ``fit_ridge``.

    Returns:
        (B, 1, h, w).
    """
    with_one = functional.pad(samples, (0, 1), value=1.0)
    positive = functional.softplus(penalty) + 1e-3
    classifier = fit_ridge(with_one, 2 * labels - 1, balanced_weights(labels), positive)
    return torch.einsum("bdhw,bd->bhw", functional.pad(traits, (0, 0, 0, 0, 0, 1), value=1.0), classifier)[:, None]


def balanced_weights(labels: Tensor) -> Tensor:
    """Sample weights under which the object and everything else count the same, summing to one.

    Args:
        labels: (B, N) in [0, 1].
    """
    positive = labels / labels.sum(1, keepdim=True).clamp_min(1e-3)
    negative = (1 - labels) / (1 - labels).sum(1, keepdim=True).clamp_min(1e-3)
    return 0.5 * (positive + negative)
