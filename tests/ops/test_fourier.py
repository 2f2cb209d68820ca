"""The features against the kernel they stand for."""

from __future__ import annotations

import torch

from shibori.ops.fourier import draw_waves, fourier_features


def test_dot_products_come_near_the_gaussian_kernel():
    torch.manual_seed(0)
    points = torch.randn(20, 3)
    features = fourier_features(points, *draw_waves(3, 20000, seed=1))
    kernel = torch.exp(-torch.cdist(points, points).square() / 2)
    torch.testing.assert_close(features @ features.T, kernel, atol=0.04, rtol=0)


def test_more_waves_come_nearer():
    torch.manual_seed(0)
    points = torch.randn(30, 3)
    kernel = torch.exp(-torch.cdist(points, points).square() / 2)
    errors = []
    for count in (50, 5000):
        features = fourier_features(points, *draw_waves(3, count, seed=1))
        errors.append((features @ features.T - kernel).square().mean().item())
    assert errors[1] < errors[0] / 20


def test_the_same_seed_draws_the_same():
    first, second, other = (draw_waves(4, 6, seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])
