"""Losses against plain Python and their limits."""

from __future__ import annotations

import math

import pytest
import torch

from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou


def made_case(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(batch, 5, 8, generator=generator), (
        torch.rand(batch, 5, 8, generator=generator) > 0.6
    ).float()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.15, 1e-6])
def test_hard_pixels_are_the_worst_ones(share: float):
    logits, masks = made_case()
    for row, found in enumerate(hard_pixel_cross_entropy(logits, masks, share).tolist()):
        losses = sorted(
            (
                -math.log(1 / (1 + math.exp(-x if y else x)))
                for x, y in zip(logits[row].ravel().tolist(), masks[row].ravel().tolist(), strict=True)
            ),
            reverse=True,
        )
        counted = losses[: max(int(40 * share), 1)]
        assert found == pytest.approx(sum(counted) / len(counted), rel=1e-4)


def test_fewer_pixels_cost_more_and_only_they_get_gradients():
    logits, masks = made_case(1)
    logits.requires_grad_()
    losses = [hard_pixel_cross_entropy(logits, masks, share) for share in (1.0, 0.5, 0.1)]
    assert losses[0] < losses[1] < losses[2]
    losses[2].sum().backward()
    assert int((logits.grad != 0).sum()) == 4


def test_dice_equals_its_definition():
    logits, masks = made_case()
    for row, found in enumerate(dice_loss(logits, masks).tolist()):
        probs = [1 / (1 + math.exp(-x)) for x in logits[row].ravel().tolist()]
        truth = masks[row].ravel().tolist()
        smooth = 1e-3 * 40
        overlap = 2 * sum(p * y for p, y in zip(probs, truth, strict=True)) + smooth
        assert found == pytest.approx(1 - overlap / (sum(probs) + sum(truth) + smooth), rel=1e-4)


@pytest.mark.parametrize("empty", [True, False])
def test_dice_is_zero_for_the_truth_and_one_for_its_opposite(empty: bool):
    masks = torch.zeros(1, 40, 40)
    if not empty:
        masks[:, 10:30, 5:35] = 1
    sure = 100 * (2 * masks - 1)
    assert dice_loss(sure, masks).item() == pytest.approx(0, abs=1e-6)
    assert dice_loss(-sure, masks).item() > 0.99


def test_iou_of_thresholded_masks():
    logits = torch.tensor([[[5.0, 0.1, -0.1, -5]], [[-1, -1, -1, -1]], [[-1, -1, -1, -1]], [[1, 1, -1, -1]]])
    masks = torch.tensor([[[1.0, 0, 1, 0]], [[0, 0, 0, 0]], [[1, 0, 0, 0]], [[1, 1, 0, 0]]])
    assert mask_iou(logits, masks).tolist() == pytest.approx([1 / 3, 1.0, 0.0, 1.0])
