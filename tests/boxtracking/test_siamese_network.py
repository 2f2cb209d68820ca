"""The Siamese network: correlation against a loop, anchors, coordinates, and that it learns to find."""

from __future__ import annotations

import pytest
import torch

from shibori.boxtracking.siamese_network import (
    CELLS,
    RATIOS,
    SiameseNetwork,
    SiameseSize,
    anchors,
    decoded,
    depthwise_correlation,
    encoded,
    search_regions,
    siamese_loss,
)
from shibori.boxtracking.views import Features
from shibori.ops.region import boxes_into_cells, object_sizes, paired_iou, square_regions

SIZE = SiameseSize((6, 8), 12)
ONE = torch.zeros(1, dtype=torch.int64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> SiameseNetwork:
    torch.manual_seed(0)
    return SiameseNetwork(SIZE)


def test_correlation_equals_its_loop():
    search, reference = torch.randn(2, 3, 6, 5, generator=seeded()), torch.randn(2, 3, 4, 4, generator=seeded(1))
    correlated = depthwise_correlation(search, reference)
    assert correlated.shape == (2, 3, 3, 2)
    for k in range(2):
        for c in range(3):
            for i in range(3):
                for j in range(2):
                    wanted = (search[k, c, i : i + 4, j : j + 4] * reference[k, c]).mean()
                    torch.testing.assert_close(correlated[k, c, i, j], wanted)


def test_anchors_are_of_the_objects_area_about_the_cells():
    boxes = anchors(3)
    assert boxes.shape == (len(RATIOS), 3, 3, 4)
    extents = boxes[..., 2:] - boxes[..., :2]
    torch.testing.assert_close(extents.prod(-1), torch.full(extents.shape[:-1], float(CELLS**2)))
    torch.testing.assert_close(extents[:, 0, 0, 1] / extents[:, 0, 0, 0], torch.tensor(RATIOS))
    torch.testing.assert_close((boxes[2, 1, 2, :2] + boxes[2, 1, 2, 2:]) / 2, torch.tensor([2.5, 1.5]))


def test_decoding_undoes_encoding():
    boxes = torch.tensor([1.0, 2.0, 9.5, 6.0]).expand(len(RATIOS), 4, 4, 4)
    torch.testing.assert_close(decoded(encoded(boxes, anchors(4)), anchors(4)), boxes)


def picture(shift: int = 0) -> Features:
    """Features of 128 x 128 pixels in which something stands out at (40 + shift, 56), 24 pixels wide."""
    fine, coarse = (
        0.1 * torch.randn(1, 6, 32, 32, generator=seeded(2)),
        0.1 * torch.randn(1, 8, 16, 16, generator=seeded(3)),
    )
    thing = torch.randn(1, 8, 3, 3, generator=seeded(4))
    column = (28 + shift) // 8
    coarse[:, :, 5:8, column : column + 3] = thing
    fine[:, :, 10:16, 2 * column : 2 * column + 6] = thing[:, :6].repeat_interleave(2, 2).repeat_interleave(2, 3)
    return Features(fine, coarse, (4, 8))


def box(shift: int = 0) -> torch.Tensor:
    return torch.tensor([[24.0 + shift, 40.0, 48.0 + shift, 64.0]])


@pytest.mark.parametrize("count", [8, 16])
def test_a_response_covers_its_region(count: int):
    net = network().eval()
    reference = net.refer(picture(), box(), ONE)
    centre = torch.tensor([[36.0, 52.0]])
    response = net.respond(picture(), reference, centre, object_sizes(box()), ONE, count)
    assert response.logits.shape == (1, 5, count, count)
    assert response.boxes_xyxy.shape == (1, 5, count, count, 4)


def test_boxes_come_out_in_pixels():
    """Refinements of nothing are the anchors, and those lie about the place where one looks."""
    net = network().eval()
    final = net.correlator.read[1]
    torch.nn.init.zeros_(final.weight)
    torch.nn.init.zeros_(final.bias)
    reference = net.refer(picture(), box(), ONE)
    response = net.respond(picture(), reference, torch.tensor([[50.0, 60.0]]), torch.tensor([24.0]), ONE, 9)
    torch.testing.assert_close(response.boxes_xyxy[0, 2, 4, 4], torch.tensor([38.0, 48.0, 62.0, 72.0]))
    torch.testing.assert_close(response.boxes_xyxy[0, 2, 4, 5], torch.tensor([42.0, 48.0, 66.0, 72.0]))


def test_what_moves_by_a_cell_is_answered_a_cell_further():
    """Everything is seen through the same convolutions: no place is special."""
    net = network().eval()
    reference = net.refer(picture(), box(), ONE)
    here = net.respond(picture(), reference, torch.tensor([[36.0, 52.0]]), torch.tensor([24.0]), ONE, 8)
    further = net.respond(picture(), reference, torch.tensor([[40.0, 52.0]]), torch.tensor([24.0]), ONE, 8)
    torch.testing.assert_close(here.logits[..., 1:], further.logits[..., :-1], atol=1e-4, rtol=1e-3)


def test_where_nothing_is_the_loss_has_no_box():
    logits, deltas = torch.zeros(1, 5, 8, 8), torch.zeros(1, 5, 8, 8, 4)
    loss = siamese_loss(logits, deltas, torch.tensor([[1.0, 1.0, 7.0, 7.0]]), torch.tensor([False]))
    assert float(loss.box) == 0
    torch.testing.assert_close(loss.same, torch.tensor(2.0).log())


def test_a_long_object_has_an_anchor_all_the_same():
    """With none its correlator would learn nothing from it."""
    true = torch.tensor([[0.0, 6.0, 16.0, 8.0]])
    assert paired_iou(anchors(16), true[:, None, None]).max() < 0.6
    deltas = torch.ones(1, 5, 16, 16, 4)
    loss = siamese_loss(torch.zeros(1, 5, 16, 16), deltas, true, torch.tensor([True]))
    assert float(loss.box) > 0


@torch.no_grad()
def test_several_things_in_one_place_are_each_looked_for_alone():
    net, features, ones = network().eval(), picture(0), torch.zeros(3, dtype=torch.int64)
    references = net.refer(features, torch.cat([box(shift) for shift in (0, 9, 17)]), ones)
    centre, size = torch.tensor([[50.0, 54.0]]), torch.tensor([21.0])
    together = net.resemble(features, references.discriminator, centre, size, ONE, 12)
    alone = net.respond(features, references, centre.expand(3, 2), size.expand(3), ones, 12).logits
    assert together.shape == (3, len(RATIOS), 12, 12)
    torch.testing.assert_close(together, alone)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_it_learns_to_find_one_object_wherever_it_goes():
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    shifts = [0, 8, 16, 24, 32]
    features = [picture(shift) for shift in shifts]
    batch = Features(torch.cat([f.fine for f in features]), torch.cat([f.coarse for f in features]), (4, 8))
    true = torch.cat([box(shift) for shift in shifts])
    pictures, first = torch.arange(len(shifts)), torch.zeros(len(shifts), dtype=torch.int64)
    centres, sizes, count = torch.tensor([[52.0, 52.0]]).expand(len(shifts), 2), object_sizes(true), 16
    answered = square_regions(centres, sizes * (count / CELLS))
    net.train()
    for _ in range(60):
        reference = net.refer(batch, box().expand(len(shifts), 4), first)
        logits, deltas = net.compare(batch, reference, search_regions(centres, sizes, count), pictures, count)
        there = torch.ones(len(shifts), dtype=torch.bool)
        loss = siamese_loss(logits, deltas, boxes_into_cells(true, answered, count), there)
        optimiser.zero_grad()
        (loss.same + loss.box).backward()
        optimiser.step()
    response = net.respond(batch, reference, centres, sizes, pictures, count)
    best = response.logits.flatten(1).argmax(1)
    found = response.boxes_xyxy.flatten(1, 3)[first + torch.arange(len(shifts)), best]
    assert paired_iou(found, true).min() > 0.7
