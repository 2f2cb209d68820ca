"""Target estimation (ATOM, Sec. 3.1): how well does a box fit the object that another box of another frame shows?

The network is trained offline to predict the IoU of any box with the object's; a box is then refined by climbing that
prediction's gradient. Both frames are seen through square regions cut into cells (``ops/region.py``), twice as many
along a side for the trunk's fine features.

Ours, in ``compact``: part of the coarse features are vectors that were trained to be matched. Each cell of the test
frame is matched with the cells of the reference frame, inside its box and outside, and the map of what came from inside
is pooled in and about the test box. Where features are few and training is short, that says most.

Symbols: K objects, N boxes each, C channels, n cells along the side of a region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.boxtracking.views import Features
from shibori.nn.backbones import ConvNorm
from shibori.ops.precise_roi import precise_roi_pool
from shibori.ops.region import (
    box_centres,
    boxes_into_cells,
    centre_form,
    corner_form,
    object_sizes,
    square_regions,
)
from shibori.ops.roi import roi_align

CELLS = 6
"""Coarse cells along the size of an object."""
REFERENCE_COUNT, TEST_COUNT = 18, 20
"""Coarse cells along the side of a region: the object and its surroundings, and where its box may be."""
FINE_BINS, COARSE_BINS = 5, 3
"""Of a test box, as in the paper's Fig. 3; the reference box has 3 and 1."""
MATCH_BINS, MATCH_REACH = 8, 2.0
"""Of the map of matches, in a box so many times as large as the test box: they show what it misses."""
FIRST_SHARPNESS = 30.0
"""By which the cosine of two vectors is multiplied, before training."""


@dataclass(frozen=True)
class EstimationSize:
    """One preset of the IoU network."""

    channels: tuple[int, int]
    """Of the trunk's fine and coarse features."""
    fine_width: int
    """Channels of the fine modulation vector."""
    coarse_width: int
    """Channels of the coarse modulation vector."""
    hidden: int
    """Of the predictor."""
    match_channels: int
    """The last of the coarse features, which are matched; 0, as in the paper: none are."""


class Modulation(NamedTuple):
    """What the reference frame says of K objects."""

    fine: Tensor
    """(K, C)."""
    coarse: Tensor
    """(K, C)."""
    vectors: Tensor
    """(K, C, n * n) the reference's, of unit length, to be matched; C is 0 where none are."""
    is_inside: Tensor
    """(K, n * n) bool, which of them are in the reference box."""


class Tested(NamedTuple):
    """A region of a frame in which an object is looked for, ready for any number of boxes."""

    fine: Tensor
    """(K, C, 2 n, 2 n)."""
    coarse: Tensor
    """(K, C, n, n)."""
    matches: Tensor
    """(K, 1, n, n) from -1, where a cell matches what was outside of the reference box, to 1 for what was inside."""


class IouNetwork(nn.Module):
    """The reference branch, the test branch and the predictor (Fig. 3)."""

    def __init__(self, size: EstimationSize) -> None:
        super().__init__()
        self.size = size
        fine, coarse = size.fine_width, size.coarse_width
        self.reference_fine = ConvNorm(size.channels[0], fine)
        self.reference_coarse = ConvNorm(size.channels[1], coarse)
        self.modulate_fine = nn.Linear(9 * fine + coarse, fine)
        self.modulate_coarse = nn.Linear(9 * fine + coarse, coarse)
        self.test_fine = nn.Sequential(ConvNorm(size.channels[0], fine), ConvNorm(fine, fine))
        self.test_coarse = nn.Sequential(ConvNorm(size.channels[1], coarse), ConvNorm(coarse, coarse))
        self.judge_fine = nn.Sequential(nn.Linear(FINE_BINS**2 * fine, size.hidden), nn.ReLU())
        self.judge_coarse = nn.Sequential(nn.Linear(COARSE_BINS**2 * coarse, size.hidden), nn.ReLU())
        parts = 2
        if size.match_channels:
            parts = 3
            self.sharpness = nn.Parameter(torch.tensor(FIRST_SHARPNESS).log())
            self.judge_match = nn.Sequential(nn.Linear(MATCH_BINS**2, size.hidden), nn.ReLU())
        self.quality_head = nn.Sequential(
            nn.Linear(parts * size.hidden, size.hidden), nn.ReLU(), nn.Linear(size.hidden, 1)
        )

    def refer(self, features: Features, boxes_xyxy: Tensor, picture: Tensor) -> Modulation:
        """Learn an object's looks from one frame.

        Args:
            features: of B pictures.
            boxes_xyxy: (K, 4) float32 in pixels.
            picture: (K,) int64, which picture each is in.
        """
        regions = estimation_regions(box_centres(boxes_xyxy), object_sizes(boxes_xyxy), REFERENCE_COUNT)
        fine, coarse = self._sampled(features, regions, picture, REFERENCE_COUNT)
        boxes = boxes_into_cells(boxes_xyxy[:, None], regions, REFERENCE_COUNT)
        pooled_fine = precise_roi_pool(self.reference_fine(fine).float(), 2 * boxes, 3)
        pooled_coarse = precise_roi_pool(self.reference_coarse(coarse).float(), boxes, 1)
        pooled = torch.cat([pooled_fine.flatten(1), pooled_coarse.flatten(1)], 1)
        is_inside = _cells_inside(boxes[:, 0], REFERENCE_COUNT).flatten(1)
        vectors = self._vectors(coarse)
        return Modulation(self.modulate_fine(pooled).float(), self.modulate_coarse(pooled).float(), vectors, is_inside)

    def look(self, features: Features, regions: Tensor, picture: Tensor, modulation: Modulation) -> Tested:
        """The test branch up to its pooling: (K, 4) ``estimation_regions`` of the pictures, for the K objects."""
        fine, coarse = self._sampled(features, regions, picture, TEST_COUNT)
        matches = self._matches(self._vectors(coarse), modulation)
        return Tested(self.test_fine(fine).float(), self.test_coarse(coarse).float(), matches)

    def predict(self, tested: Tested, modulation: Modulation, boxes_in_cells: Tensor) -> Tensor:
        """How well boxes fit.

        Args:
            tested: regions of the frame.
            modulation: of the objects that are looked for in them.
            boxes_in_cells: (K, N, 4) float32, each with an area; gradients flow to them.

        Returns:
            (K, N) float32: the IoU with the object's box, about 0 to 1.
        """
        fine = precise_roi_pool(tested.fine, 2 * boxes_in_cells, FINE_BINS)
        coarse = precise_roi_pool(tested.coarse, boxes_in_cells, COARSE_BINS)
        seen_fine = (fine * modulation.fine[:, None, :, None, None]).flatten(2)
        seen_coarse = (coarse * modulation.coarse[:, None, :, None, None]).flatten(2)
        judged = [self.judge_fine(seen_fine), self.judge_coarse(seen_coarse)]
        if self.size.match_channels:
            seen_match = precise_roi_pool(tested.matches, _grown(boxes_in_cells, MATCH_REACH), MATCH_BINS)
            judged.append(self.judge_match(seen_match.flatten(2)))
        return self.quality_head(torch.cat(judged, -1))[..., 0].float()

    def _vectors(self, coarse: Tensor) -> Tensor:
        channels = coarse.shape[1] - self.size.match_channels
        return functional.normalize(coarse[:, channels:].float().flatten(2), dim=1)

    def _sampled(self, features: Features, regions: Tensor, picture: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """(K, C, 2 n, 2 n) and (K, C, n, n), as the convolutions take them."""
        fine = roi_align(features.fine, regions, picture, 2 * count, features.strides[0])
        coarse = roi_align(features.coarse, regions, picture, count, features.strides[1])
        dtype = next(self.test_fine.parameters()).dtype
        return fine.to(dtype), coarse.to(dtype)

    def _matches(self, vectors: Tensor, modulation: Modulation) -> Tensor:
        """(K, C, n * n) -> (K, 1, n, n).

        Both sides count the same, however many cells they have. Beyond the frame, where there are no vectors, it is 0.
        """
        if not self.size.match_channels:
            return vectors.new_zeros(len(vectors), 0, TEST_COUNT, TEST_COUNT)
        with torch.autocast(vectors.device.type, enabled=False):
            similarity = torch.einsum("kcq,kcr->kqr", vectors, modulation.vectors) * self.sharpness.exp()
            inside = modulation.is_inside[:, None]
            odds = _mean_exp(similarity, inside) - _mean_exp(similarity, ~inside)
            return torch.tanh(odds / 2).view(-1, 1, TEST_COUNT, TEST_COUNT)


def _mean_exp(values: Tensor, counted: Tensor) -> Tensor:
    """(K, q, r) and (K, 1, r) bool -> (K, q): the logarithm of the mean of the exponentials of those that count."""
    number = counted.sum(-1).clamp_min(1)
    return values.masked_fill(~counted, -1e4).logsumexp(-1) - number.log()


def _cells_inside(boxes_in_cells: Tensor, count: int) -> Tensor:
    """(K, 4) -> (K, count, count) bool: the cells whose middle is in the box."""
    middles = torch.arange(count, device=boxes_in_cells.device) + 0.5
    low, high = boxes_in_cells[:, :2, None], boxes_in_cells[:, 2:, None]  # (K, 2, 1)
    is_within = (middles >= low) & (middles < high)  # (K, 2, count): along x and y
    return is_within[:, 1, :, None] & is_within[:, 0, None, :]


def _grown(boxes: Tensor, factor: float) -> Tensor:
    """Boxes with their sides multiplied about their centres."""
    centres, extents = centre_form(boxes)
    return corner_form(centres, extents * factor)


def estimation_regions(centres_xy: Tensor, sizes: Tensor, count: int = TEST_COUNT) -> Tensor:
    """(K, 2) centres and (K,) ``object_sizes`` -> (K, 4) regions of ``count`` coarse cells a side."""
    return square_regions(centres_xy, sizes * (count / CELLS))


@dataclass(frozen=True)
class RefinementRule:
    """How a box is refined (Sec. 3.3)."""

    num_starts: int = 10
    """Boxes that are refined: the one that is known, and others about it."""
    shift: float = 0.12
    """Largest random shift of a start, in shares of the box's sides."""
    stretch: float = 0.2
    """Largest random change of the logarithm of a start's sides."""
    steps: int = 5
    """Of gradient ascent."""
    step_length: float = 0.05
    """Change of a box, in shares of its sides, for a gradient of one."""
    num_best: int = 3
    """The mean of so many of the best boxes is the answer."""


def refine_boxes(
    network: IouNetwork, tested: Tested, modulation: Modulation, starts: Tensor, rule: RefinementRule
) -> tuple[Tensor, Tensor]:
    """Climb the predicted IoU from every start, and average the best.

    The coordinates are (cx / w, cy / h, log w, log h) of the start's w and h (Sec. 3.1), so that a step does as much
    to a large box as to a small one. A box keeps the best place on its way.

    Args:
        network: predicts the IoU.
        tested: (1, ...) region of the frame.
        modulation: (1, ...) of the object.
        starts: (N, 4) boxes in cells.
        rule: how to climb.

    Returns:
        (4,) the box in cells, and () its predicted IoU.
    """
    centres, extents = centre_form(starts)
    change = torch.zeros_like(starts)
    best_change, best_iou = change, torch.full_like(starts[:, 0], -torch.inf)
    for step in range(rule.steps + 1):
        with torch.enable_grad():
            moving = change.clone().requires_grad_()
            iou = network.predict(tested, modulation, _changed(centres, extents, moving)[None])[0]
            (slope,) = torch.autograd.grad(iou.sum(), moving)
        is_better = iou.detach() > best_iou
        best_iou = torch.where(is_better, iou.detach(), best_iou)
        best_change = torch.where(is_better[:, None], change, best_change)
        if step < rule.steps:
            change = (change + rule.step_length * slope).clamp(-1, 1)
    chosen = best_iou.topk(min(rule.num_best, len(starts))).indices
    return _changed(centres, extents, best_change)[chosen].mean(0), best_iou[chosen].mean()


def _changed(centres: Tensor, extents: Tensor, change: Tensor) -> Tensor:
    return corner_form(centres + change[:, :2] * extents, extents * change[:, 2:].exp())


def draw_starts(box: Tensor, rule: RefinementRule, generator: torch.Generator) -> Tensor:
    """(4,) -> (N, 4): the box itself, then random ones about it."""
    noise = 2 * torch.rand((rule.num_starts, 4), generator=generator).to(box.device) - 1
    noise[0] = 0
    limits = torch.tensor([rule.shift, rule.shift, rule.stretch, rule.stretch], device=box.device)
    centre, extent = centre_form(box)
    return _changed(centre.expand(len(noise), 2), extent.expand(len(noise), 2), noise * limits)
