"""Target estimation: predictions rise with the true IoU, and climbing them improves boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.boxtracking.atom.estimation import (
    TEST_COUNT,
    RefinementRule,
    draw_starts,
    estimation_regions,
    refine_boxes,
)
from shibori.boxtracking.losses import draw_candidates
from shibori.boxtracking.presets import build_iou_network, build_trunk
from shibori.ops.region import box_centres, boxes_into_cells, object_sizes, paired_iou

from ..moving import batch, trained

RULE = RefinementRule()


@pytest.fixture(scope="module")
def seen():
    """A test batch as the trained network sees it: tested regions, modulation, true boxes in cells."""
    network = trained().iou
    features, pairs = batch(build_trunk("tiny"), np.random.default_rng(5), 8)
    with torch.no_grad():
        modulation = network.refer(features, pairs.reference_xyxy, pairs.reference_picture)
        regions = estimation_regions(box_centres(pairs.test_xyxy), object_sizes(pairs.test_xyxy))
        tested = network.look(features, regions, pairs.test_picture, modulation)
    return tested, modulation, boxes_into_cells(pairs.test_xyxy[:, None], regions, TEST_COUNT)


def test_the_iou_of_boxes_is_predicted(seen):
    """Trained for seconds on other things of the kind, it ranks boxes of new ones."""
    tested, modulation, true = seen
    torch.manual_seed(3)
    candidates = draw_candidates(true[:, 0], 32)
    with torch.no_grad():
        predicted = trained().iou.predict(tested, modulation, candidates)
    ious = paired_iou(candidates, true)
    assert np.corrcoef(predicted.flatten(), ious.flatten())[0, 1] > 0.6
    assert (predicted - ious).square().mean() < 0.6 * ious.var()


def test_refined_boxes_fit_better(seen):
    tested, modulation, true = seen
    network = trained().iou
    before, after = [], []
    for k in range(len(true)):
        one = type(tested)(*(part[k : k + 1] for part in tested))
        which = type(modulation)(*(part[k : k + 1] for part in modulation))
        extent = true[k, 0, 2:] - true[k, 0, :2]
        start = true[k, 0] + 0.2 * torch.cat([extent, extent])
        starts = draw_starts(start, RULE, torch.Generator().manual_seed(k))
        box, _ = refine_boxes(network, one, which, starts, RULE)
        before.append(float(paired_iou(start, true[k, 0])))
        after.append(float(paired_iou(box, true[k, 0])))
    assert np.mean(after) > np.mean(before) + 0.1


def test_climbing_never_goes_down(seen):
    """Every box keeps the best place on its way, so that more steps never predict less."""
    tested, modulation, true = seen
    one, which = type(tested)(*(p[:1] for p in tested)), type(modulation)(*(p[:1] for p in modulation))
    starts = draw_starts(true[0, 0] + 1.0, RULE, torch.Generator().manual_seed(0))
    predicted = [
        float(refine_boxes(trained().iou, one, which, starts, RefinementRule(steps=steps))[1]) for steps in (0, 2, 6)
    ]
    assert predicted == sorted(predicted)
    assert predicted[2] > predicted[0]


def test_starts_are_the_box_and_others_about_it():
    box = torch.tensor([2.0, 4.0, 10.0, 8.0])
    starts = draw_starts(box, RULE, torch.Generator().manual_seed(0))
    assert starts.shape == (RULE.num_starts, 4)
    torch.testing.assert_close(starts[0], box)
    centres = (starts[:, :2] + starts[:, 2:]) / 2
    assert ((centres - torch.tensor([6.0, 6.0])).abs() <= RULE.shift * torch.tensor([8.0, 4.0]) + 1e-5).all()
    assert (starts[1:] != box).any(1).all()


def test_objects_of_one_batch_do_not_mix(seen):
    tested, modulation, true = seen
    with torch.no_grad():
        together = trained().iou.predict(tested, modulation, true)
        alone = trained().iou.predict(
            type(tested)(*(p[3:4] for p in tested)), type(modulation)(*(p[3:4] for p in modulation)), true[3:4]
        )
    torch.testing.assert_close(together[3:4], alone, atol=1e-5, rtol=1e-4)


def test_it_overfits_a_few_boxes():
    network = build_iou_network("tiny")
    features, pairs = batch(build_trunk("tiny"), np.random.default_rng(1), 3)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    regions = estimation_regions(box_centres(pairs.test_xyxy), object_sizes(pairs.test_xyxy))
    true = boxes_into_cells(pairs.test_xyxy[:, None], regions, TEST_COUNT)
    torch.manual_seed(0)
    candidates = draw_candidates(true[:, 0], 16)
    losses = []
    for _ in range(60):
        modulation = network.refer(features, pairs.reference_xyxy, pairs.reference_picture)
        tested = network.look(features, regions, pairs.test_picture, modulation)
        predicted = network.predict(tested, modulation, candidates)
        loss = (predicted - paired_iou(candidates, true)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.005
    assert losses[-1] < 0.1 * losses[0]
