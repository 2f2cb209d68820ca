"""Candidates and losses of the trackers' networks."""

from __future__ import annotations

import numpy as np
import torch

from shibori.boxtracking.losses import LEAST_IOU, TrackerTraining, draw_candidates
from shibori.boxtracking.presets import build_iou_network, build_siamese, build_trunk
from shibori.ops.region import paired_iou

from .moving import batch


def test_candidates_are_of_all_qualities_and_none_is_too_far():
    torch.manual_seed(0)
    boxes = torch.tensor([[2.0, 3.0, 12.0, 7.0], [0.0, 0.0, 5.0, 5.0]])
    ious = paired_iou(draw_candidates(boxes, 400), boxes[:, None])
    assert ious.min() >= LEAST_IOU
    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        assert ((ious > low) & (ious <= high)).float().mean() > 0.05


def training():
    torch.manual_seed(0)
    return TrackerTraining(build_iou_network("tiny"), build_siamese("tiny"))


def test_the_total_is_the_weighted_sum_of_its_parts_and_reaches_every_parameter():
    run, (features, pairs) = training(), batch(build_trunk("tiny"), np.random.default_rng(0), 3)
    loss = run(features, pairs)
    torch.testing.assert_close(loss.total, 4 * loss.iou + loss.same + loss.box)
    loss.total.backward()
    assert all(parameter.grad is not None for parameter in run.parameters())


def test_what_is_not_there_teaches_the_discriminator_alone():
    run, (features, pairs) = training(), batch(build_trunk("tiny"), np.random.default_rng(0), 3)
    one_there = pairs._replace(is_there=torch.tensor([True, False, False]))
    torch.manual_seed(1)
    loss = run.siamese_loss(features, one_there)
    alone = type(pairs)(*(part[:1] for part in one_there))
    assert float(loss.same.detach()) > 0
    torch.manual_seed(1)
    nothing = run.siamese_loss(features, pairs._replace(is_there=torch.zeros(3, dtype=torch.bool)))
    assert float(nothing.box.detach()) == 0
    assert len(alone.is_there) == 1
