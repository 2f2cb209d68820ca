"""Random Fourier features: a linear classifier on them is a Gaussian kernel classifier (Rahimi and Recht, 2007)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def draw_waves(channels: int, num_waves: int, seed: int) -> tuple[Tensor, Tensor]:
    """Directions (C, M) and phases (M,) of M waves for ``fourier_features``, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(channels, num_waves, generator=generator)
    return directions, 2 * math.pi * torch.rand(num_waves, generator=generator)


def fourier_features(points: Tensor, directions: Tensor, phases: Tensor) -> Tensor:
    """Features whose dot product is about ``exp(-|p - q|^2 / 2)`` for points p and q.

    Args:
        points: (..., C), divided by the width of the kernel.
        directions: (C, M) normally distributed.
        phases: (M,) in 0..2 pi.

    Returns:
        (..., M), of length about one.
    """
    return torch.cos(points @ directions + phases) * math.sqrt(2 / phases.shape[0])
