"""What the trackers' networks are trained to do: ATOM's IoU prediction (Sec. 3.1) and SiamRPN's two branches.

Symbols: K pairs, N boxes each.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.boxtracking.atom.estimation import TEST_COUNT, IouNetwork, estimation_regions
from shibori.boxtracking.pairs import Pairs
from shibori.boxtracking.siamese_network import CELLS as SIAMESE_CELLS
from shibori.boxtracking.siamese_network import SiameseLoss, SiameseNetwork, search_regions, siamese_loss
from shibori.boxtracking.views import Features
from shibori.ops.region import (
    box_centres,
    boxes_into_cells,
    centre_form,
    corner_form,
    object_sizes,
    paired_iou,
    square_regions,
)

CANDIDATES = 16
"""Boxes whose IoU is predicted, for each pair (Sec. 3.1)."""
LEAST_IOU = 0.1
"""Of a candidate with the object's box (Sec. 3.1)."""
SEARCH_COUNT = 16
"""Cells along the region in which the Siamese network is trained to find the object."""
SIZE_NOISE = 0.2
"""Deviation of the logarithm of the size an object is supposed to have."""


class TrackerLoss(NamedTuple):
    """Scalars: what is minimised, and its parts."""

    total: Tensor
    iou: Tensor
    """Squared error of the predicted IoU."""
    same: Tensor
    """See ``SiameseLoss``."""
    box: Tensor
    """See ``SiameseLoss``."""


class TrackerTraining(nn.Module):
    """Both networks, and their losses on one batch of pairs."""

    def __init__(self, iou: IouNetwork, siamese: SiameseNetwork) -> None:
        super().__init__()
        self.iou, self.siamese = iou, siamese

    def forward(self, features: Features, pairs: Pairs) -> TrackerLoss:
        """The losses; chance comes from torch's generator."""
        iou = self.iou_loss(features, Pairs(*(part[pairs.is_there] for part in pairs)))
        same, box = self.siamese_loss(features, pairs)
        return TrackerLoss(4 * iou + same + box, iou, same, box)

    def iou_loss(self, features: Features, pairs: Pairs) -> Tensor:
        """() the squared error of the predicted IoU of boxes about objects, all of which are there."""
        modulation = self.iou.refer(features, pairs.reference_xyxy, pairs.reference_picture)
        sizes = object_sizes(pairs.test_xyxy)
        centres = box_centres(pairs.test_xyxy) + 0.3 * sizes[:, None] * _even(len(sizes), 2)
        regions = estimation_regions(centres, sizes * (SIZE_NOISE * torch.randn(len(sizes))).exp().to(sizes))
        tested = self.iou.look(features, regions, pairs.test_picture, modulation)
        true = boxes_into_cells(pairs.test_xyxy[:, None], regions, TEST_COUNT)
        candidates = draw_candidates(true[:, 0], CANDIDATES)
        predicted = self.iou.predict(tested, modulation, candidates)
        return functional.mse_loss(predicted, paired_iou(candidates, true))

    def siamese_loss(self, features: Features, pairs: Pairs) -> SiameseLoss:
        """The losses of both branches, where the object is supposed to be more or less of its size."""
        reference = self.siamese.refer(features, pairs.reference_xyxy, pairs.reference_picture)
        sizes = object_sizes(pairs.test_xyxy)
        supposed = sizes * (SIZE_NOISE * torch.randn(len(sizes))).exp().to(sizes)
        reach = SEARCH_COUNT / SIAMESE_CELLS / 2 - 0.4  # in sizes: the object's middle stays inside
        centres = box_centres(pairs.test_xyxy) + reach * supposed[:, None] * _even(len(sizes), 2)
        logits, deltas = self.siamese.compare(
            features,
            reference,
            search_regions(centres, supposed, SEARCH_COUNT),
            pairs.test_picture,
            SEARCH_COUNT,
        )
        answered = square_regions(centres, supposed * (SEARCH_COUNT / SIAMESE_CELLS))
        true = boxes_into_cells(pairs.test_xyxy, answered, SEARCH_COUNT)
        return siamese_loss(logits, deltas, true, pairs.is_there)


def _even(*shape: int) -> Tensor:
    """Even noise between -1 and 1."""
    return 2 * torch.rand(shape) - 1


def draw_candidates(boxes_xyxy: Tensor, count: int) -> Tensor:
    """(K, 4) -> (K, count, 4): boxes with Gaussian noise of several strengths, none too far off (Sec. 3.1).

    Too far is an IoU below ``LEAST_IOU``; such a draw is pulled towards the true box until it is near enough.
    """
    centres, extents = centre_form(boxes_xyxy[:, None])
    strength = torch.tensor([0.05, 0.1, 0.2, 0.3, 0.5])[torch.randint(5, (len(boxes_xyxy), count, 1))]
    shift = strength * torch.randn(len(boxes_xyxy), count, 2)
    stretch = strength * torch.randn(len(boxes_xyxy), count, 2)
    boxes = corner_form(centres + shift * extents, extents * stretch.exp())
    for _ in range(4):
        is_far = paired_iou(boxes, boxes_xyxy[:, None]) < LEAST_IOU
        boxes = torch.where(is_far[..., None], (boxes + boxes_xyxy[:, None]) / 2, boxes)
    return boxes
