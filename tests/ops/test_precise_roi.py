"""Precise RoI pooling against a fine sum, and its gradients against differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.precise_roi import precise_roi_pool

FINE = 64
"""Samples along the side of a bin."""


def summed(features: Tensor, box: Tensor, bins: int) -> Tensor:
    """(C, h, w) and (4,) -> (C, m, m): the mean of many bilinear samples of every bin."""
    padded = functional.pad(features, (1, 1, 1, 1))  # beyond the map there is nothing
    extent = torch.tensor([padded.shape[2], padded.shape[1]], dtype=box.dtype)
    steps = (torch.arange(bins * FINE, dtype=box.dtype) + 0.5) / (bins * FINE)
    x, y = (box[axis] + steps * (box[axis + 2] - box[axis]) for axis in (0, 1))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None] + 1
    samples = functional.grid_sample(padded[None], 2 * places / extent - 1, align_corners=False)
    return functional.avg_pool2d(samples, FINE)[0]


@pytest.mark.parametrize(
    "box", [(1.2, 0.7, 6.9, 4.1), (2.0, 2.0, 3.0, 3.0), (2.3, 1.1, 2.6, 1.3), (-3.0, -1.5, 9.0, 7.0)]
)
@pytest.mark.parametrize("bins", [1, 3])
def test_equals_a_fine_sum(box: tuple[float, ...], bins: int):
    features = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    boxes = torch.tensor(box, dtype=torch.float64)
    pooled = precise_roi_pool(features[None], boxes[None, None], bins)[0, 0]
    torch.testing.assert_close(pooled, summed(features, boxes, bins), atol=2e-3, rtol=0)


def test_every_map_has_its_own_boxes():
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(3, 4, 6, 8, generator=generator)
    corners = torch.rand(3, 5, 2, generator=generator) * 4
    boxes = torch.cat([corners, corners + 0.5 + 3 * torch.rand(3, 5, 2, generator=generator)], -1)
    pooled = precise_roi_pool(features, boxes, 2)
    assert pooled.shape == (3, 5, 4, 2, 2)
    for k in range(3):
        for n in range(5):
            alone = precise_roi_pool(features[k : k + 1], boxes[k : k + 1, n : n + 1], 2)[0, 0]
            torch.testing.assert_close(pooled[k, n], alone)


def test_the_mean_of_what_is_even_is_that():
    pooled = precise_roi_pool(torch.full((1, 1, 8, 8), 3.0), torch.tensor([[[1.0, 2.0, 6.5, 5.5]]]), 4)
    torch.testing.assert_close(pooled, torch.full((1, 1, 1, 4, 4), 3.0))


def test_beyond_the_map_there_is_nothing():
    pooled = precise_roi_pool(torch.ones(1, 1, 4, 4), torch.tensor([[[10.0, 0.0, 14.0, 4.0]]]), 2)
    assert not pooled.any()


def test_gradients_of_boxes_and_features():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1, 2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[[0.6, 0.8, 4.3, 3.9], [-0.7, 1.2, 2.2, 6.1]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda maps, places: precise_roi_pool(maps, places, 3), (features, boxes))
