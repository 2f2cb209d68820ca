"""The rounds of training: what they count, and what they are fed. Networks are made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from shibori.systems.trackprop.losses import DICE_WEIGHT, Batch, RoundsLoss, RoundsTraining, _free_sides
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.training.losses import dice_loss

SIDE = 48


def made_batch(count: int = 3, num_frames: int = 4) -> Batch:
    """A red box that moves over green; the last frame is the first one from twice as far away."""
    images = torch.zeros(count, num_frames, 3, SIDE, SIDE, dtype=torch.uint8)
    images[:, :, 1] = 180
    masks = torch.zeros(count, num_frames, SIDE, SIDE, dtype=torch.uint8)
    windows = torch.tensor([0.0, 0, SIDE, SIDE]).repeat(count, num_frames, 1)
    for slot in range(count):
        for t in range(num_frames - 1):
            masks[slot, t, 12:36, 6 + 4 * t + slot : 30 + 4 * t + slot] = 1
        masks[slot, -1, 18:30, 15 + slot // 2 : 27 + slot // 2] = 1
    windows[:, -1] = torch.tensor([-SIDE / 2, -SIDE / 2, 1.5 * SIDE, 1.5 * SIDE])
    inside = masks.bool()[:, :, None].expand(-1, -1, 3, -1, -1)
    images[inside] = (
        torch.tensor([230, 20, 20], dtype=torch.uint8)
        .view(3, 1, 1)
        .expand(3, SIDE, SIDE)
        .repeat(count, num_frames, 1, 1, 1)[inside]
    )
    return Batch(images, masks, torch.zeros_like(masks), windows)


class Scripted(RegionNetwork):
    """Knows what is red, or says one number everywhere; notes what it is given."""

    def __init__(self, constant: float | None = None) -> None:
        super().__init__(None)
        self.constant = constant
        self.given: list[tuple[str, Tensor]] = []

    def see(self, images: Tensor) -> Seen:
        return Seen(images, None)

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        assert matched is None
        return self._answer("propagate", seen, previous)

    def segment(self, seen: Seen, guidance: Tensor, matched: Tensor | None) -> Tensor:
        return self._answer("segment", seen, guidance)

    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        self.given.append(("before", before))
        return self._answer("correct", seen, guidance)

    def _answer(self, name: str, seen: Seen, planes: Tensor) -> Tensor:
        self.given.append((name, planes))
        if self.constant is not None:
            return torch.full_like(planes, self.constant)
        return torch.where(seen.images[:, :1] > seen.images[:, 1:2], 12.0, -12.0)


def losses(network: Scripted, seed: int = 0, hard_share: float = 1.0) -> RoundsLoss:
    return RoundsTraining(network)(made_batch(), hard_share, seed)


def test_who_is_right_everywhere_loses_nothing():
    found = losses(Scripted())
    assert found.total < 1e-3
    assert found.iou_first == found.iou_later == found.iou_propagated == 1
    assert found.iou_before <= 1


def test_who_says_nothing_loses_what_can_be_counted_by_hand():
    """Log-odds of zero: ln 2 a pixel, and half of every pixel in the Dice overlap."""
    found = losses(Scripted(0.0))
    masks = made_batch().masks.float()
    by_frame = [math.log(2) + DICE_WEIGHT * dice_loss(torch.zeros(3, SIDE, SIDE), masks[:, t]).mean() for t in range(4)]
    assert found.first == pytest.approx(float(by_frame[3]))
    assert found.later == pytest.approx(float(by_frame[3] + by_frame[2]) / 2)
    assert found.propagated == pytest.approx(float(by_frame[1] + by_frame[2]) / 2)
    assert found.total == pytest.approx(float(found.first + found.later + found.propagated))


def test_only_the_hardest_pixels_count():
    """All pixels that are wrong are a part of those that are counted."""
    wrong = Scripted(4.0)
    whole, hard = losses(wrong), losses(wrong, hard_share=0.2)
    assert hard.first > whole.first
    assert losses(Scripted(0.0), hard_share=0.2).first == pytest.approx(float(losses(Scripted(0.0)).first))


def test_the_same_seed_draws_the_same_marks_and_noise():
    given = []
    for seed in (0, 0, 1):
        network = Scripted()
        losses(network, seed)
        given.append(network.given)
    assert [name for name, _ in given[0]] == [
        "segment",
        "before",
        "correct",
        "propagate",
        "propagate",
        "before",
        "correct",
    ]
    assert all(one.equal(other) for (_, one), (_, other) in zip(given[0], given[1], strict=True))
    assert not all(one.equal(other) for (_, one), (_, other) in zip(given[0], given[2], strict=True))


def test_networks_are_given_marks_and_masks_in_their_range():
    network = Scripted()
    losses(network)
    for name, planes in network.given:
        least, most = (-1, 1) if name in ("segment", "correct") else (0, 1)
        assert planes.shape == (3, 1, SIDE, SIDE)
        assert planes.min() >= least
        assert planes.max() <= most
    first = network.given[0][1]
    truth = made_batch().masks[:, 3:].bool()
    assert first[truth].amax() == 1
    assert first[truth].mean() > first[~truth].mean() + 0.05


def test_previous_masks_are_the_networks_own_and_copies_of_the_present_one():
    """Sec. 4: a network that is always right still sees previous masks that are not."""
    batch, wrong, right = made_batch(), 0, 0
    for seed in range(12):
        network = Scripted()
        RoundsTraining(network)(batch, 1.0, seed)
        last = [planes for name, planes in network.given if name == "propagate"][1]
        same = (last[:, 0].round() == batch.masks[:, 1]).flatten(1).all(1)
        right, wrong = right + int(same.sum()), wrong + int((~same).sum())
    assert right > 12
    assert wrong > 3


def test_sides_are_free_that_the_mask_does_not_touch():
    mask = torch.zeros(8, 8)
    mask[0:3, 4:8] = 1
    assert _free_sides(mask) == (True, False, False, True)
    assert _free_sides(torch.zeros(4, 4)) == (True,) * 4


def test_a_batch_moves_as_one():
    moved = made_batch().on(torch.device("meta"))
    assert {part.device.type for part in moved} == {"meta"}
    assert np.shape(moved.images) == (3, 4, 3, SIDE, SIDE)
