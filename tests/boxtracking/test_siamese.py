"""What looks like the object and is not: remembered beside it, and believed less afterwards (DaSiamRPN, Sec. 3.3).

The network is made by hand, not trained: it compares colours, place by place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.boxtracking.siamese import SiameseTarget, SiameseTracker
from shibori.boxtracking.siamese_network import RATIOS, SiameseNetwork, SiameseSize
from shibori.boxtracking.siamese_search import SearchRule
from shibori.boxtracking.views import ViewRule, ViewTrunk

SIDE, GAP = 32, 40
RED, GREEN, BLUE, GREY = (230, 30, 30), (30, 220, 30), (30, 30, 230), (120, 120, 120)
OBJECT, DISTRACTOR = (RED, RED, BLUE, GREEN), (RED, RED, BLUE, BLUE)
"""Colours of quarters, row by row: the two have three in common."""
GAIN, HALF = 30.0, 0.38
"""The correlation of the object with itself is .5, with the distractor .4: scores of about .97 and .65."""


class Colours(ViewTrunk):
    """How much of a position is red, green or blue."""

    strides, channels = (4, 8), (3, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        shares = (images - images.mean(1, keepdim=True) > 1).float()
        return functional.avg_pool2d(shares, 4), functional.avg_pool2d(shares, 8)


@torch.no_grad()
def comparing() -> SiameseNetwork:
    """Log-odds rise with the share of the object whose colours are the same; boxes are the anchors."""
    network = SiameseNetwork(SiameseSize(Colours.channels, 3)).eval()
    nn.init.zeros_(network.enter[0].weight)
    network.enter[0].weight[:, :3, 0, 0] = torch.eye(3)
    for branch in (network.discriminator, network.correlator):
        nn.init.dirac_(branch.embed_reference[0].weight)
        nn.init.dirac_(branch.embed_search[0].weight)
        nn.init.dirac_(branch.read[0][0].weight)
        nn.init.zeros_(branch.read[1].weight)
        nn.init.zeros_(branch.read[1].bias)
    nn.init.constant_(network.discriminator.read[1].weight, GAIN)
    nn.init.constant_(network.discriminator.read[1].bias, -GAIN * HALF - 2)
    network.discriminator.read[1].bias[RATIOS.index(1.0)] += 2  # all is square here
    return network


def tracker(**changes: float) -> SiameseTracker:
    views, rule = ViewRule((160,), least_side=1), replace(SearchRule(), **changes)
    return SiameseTracker(Colours(), comparing(), views, rule, torch.device("cpu"))


def square(left: int, top: int = 64) -> np.ndarray:
    return np.array([left, top, left + SIDE, top + SIDE], np.float64)


def painted(*things: tuple[tuple, int]) -> np.ndarray:
    image = np.full((160, 160, 3), GREY, np.uint8)
    half = SIDE // 2
    for colours, left in things:
        for place, colour in enumerate(colours):
            top, x = 64 + half * (place // 2), left + half * (place % 2)
            image[top : top + half, x : x + half] = colour
    return image


def lefts(tracker: SiameseTracker) -> list[float]:
    """The camera stands still, moves by so much that the distractor is where the object was, and stands still."""
    target = tracker.begin(tracker.see(scene(64)), square(64))
    tracked = [target.follow(tracker.see(scene(left))) for left in (64, 64, 64 + GAP, 64 + GAP)]
    assert all(each.is_found for each in tracked)
    return [float(each.box_xyxy[0]) for each in tracked]


def scene(left: int) -> np.ndarray:
    """The object, and the distractor on its left."""
    return painted((OBJECT, left), (DISTRACTOR, left - GAP))


def test_a_distractor_that_comes_to_where_the_object_was_is_not_taken_for_it():
    assert lefts(tracker()) == pytest.approx([64, 64, 64 + GAP, 64 + GAP], abs=4)


@pytest.mark.parametrize("without", [{"new_distractors": 0}, {"distractor_share": 0.0}])
def test_without_a_memory_of_distractors_it_is(without: dict):
    assert lefts(tracker(**without)) == pytest.approx([64, 64, 64, 64], abs=4)


def begun(rule_of: SiameseTracker) -> SiameseTarget:
    target = rule_of.begin(rule_of.see(scene(64)), square(64))
    assert isinstance(target, SiameseTarget)
    return target


def test_distractors_are_seen_in_the_first_frame_and_the_latest_are_kept():
    searcher = tracker(most_distractors=3)
    target = begun(searcher)
    (first,) = target._distractors
    assert first.overlap(square(64 - GAP)) > 0.7
    for _ in range(4):
        target.follow(searcher.see(scene(64)))
    assert len(target._distractors) == 3
    assert all(each is not first for each in target._distractors)


def test_what_a_mask_says_is_the_object_is_no_distractor():
    """Of the frame that was last followed; those of frames before stay."""
    searcher = tracker()
    target = begun(searcher)
    target.follow(searcher.see(scene(64)))
    assert len(target._distractors) == 2
    target.settle(square(64 - GAP))
    assert len(target._distractors) == 1
    target.settle(square(64 - GAP))
    assert len(target._distractors) == 1


def test_alone_on_its_ground_an_object_has_none():
    searcher = tracker()
    target = searcher.begin(searcher.see(painted((OBJECT, 64))), square(64))
    assert target._distractors == []
    assert target.follow(searcher.see(painted((OBJECT, 70)))).box_xyxy[0] == pytest.approx(70, abs=4)
