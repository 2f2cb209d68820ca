"""ATOM at work (Sec. 3.3, 3.4): classify to find the object roughly, estimate to find its box, learn from the frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.boxtracking.atom.augmentation import (
    AugmentationRule,
    augmented_patches,
    shifted_centres,
    with_dropout,
)
from shibori.boxtracking.atom.classification import (
    CELLS,
    ClassificationRule,
    TargetClassifier,
    label_map,
    normalised,
)
from shibori.boxtracking.atom.estimation import (
    TEST_COUNT,
    IouNetwork,
    RefinementRule,
    draw_starts,
    estimation_regions,
    refine_boxes,
)
from shibori.boxtracking.atom.localisation import LocalisationRule, Located, localise
from shibori.boxtracking.target import Target, TargetState, TrackedBox, Tracker
from shibori.boxtracking.views import FrameViews, View, ViewRule, ViewTrunk
from shibori.ops.normalise import normalise_images
from shibori.ops.region import (
    box_centres,
    boxes_into_cells,
    boxes_out_of_cells,
    centre_form,
    corner_form,
    object_sizes,
    square_regions,
)
from shibori.ops.roi import roi_align

SAMPLE_COUNT = 20
"""Cells along the side of a sample: five times the object's size (Sec. 3.3)."""
WIDEST_COUNT = 160
"""The whole frame is searched in no more cells than these along a side."""
PATCH_GRID = 32


@dataclass(frozen=True)
class AtomRule:
    """All numbers of ATOM at work."""

    classification: ClassificationRule = field(default_factory=ClassificationRule)
    """How the classifier learns."""
    augmentation: AugmentationRule = field(default_factory=AugmentationRule)
    """What it learns first."""
    localisation: LocalisationRule = field(default_factory=LocalisationRule)
    """When the object is found."""
    refinement: RefinementRule = field(default_factory=RefinementRule)
    """How its box is."""
    least_iou_again: float = 0.3
    """A box that is found again is believed where the IoU network predicts as much for it."""
    most_growth: float = 1.4
    """Largest ratio of an object's sides from one frame to the next."""
    seed: int = 0
    """Of the random starts."""


class AtomTracker(Tracker):
    """ATOM for any number of objects.

    Args:
        trunk: gives the features.
        network: predicts the IoU; in evaluation mode.
        views: how finely frames are looked at.
        rule: numbers.
        device: of both.
    """

    def __init__(
        self, trunk: ViewTrunk, network: IouNetwork, views: ViewRule, rule: AtomRule, device: torch.device
    ) -> None:
        self.trunk, self.network, self.views, self.rule, self.device = trunk, network, views, rule, device

    def see(self, image: NDArray[np.uint8]) -> FrameViews:
        return FrameViews(image, self.trunk, self.views, self.device)

    def begin(self, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> Target:
        return AtomTarget(self, frame, box_xyxy)


class AtomTarget(Target):
    """One object that ATOM follows."""

    def __init__(self, tracker: AtomTracker, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> None:
        self._tracker, self._rule = tracker, tracker.rule
        self._box = np.asarray(box_xyxy, np.float64)
        self._is_lost = False
        self._num_frames = 0
        self._generator = torch.Generator().manual_seed(self._rule.seed)
        with torch.no_grad():
            view = frame.of(self._box)
            self._picture = torch.zeros(1, dtype=torch.int64, device=tracker.device)
            box = view.boxes_into(self._box)
            self._modulation = tracker.network.refer(view.features, box[None], self._picture)
            samples, labels = self._first_samples(frame, view, box)
        self._classifier = TargetClassifier(samples, labels, self._rule.classification, self._generator)

    def settle(self, box_xyxy: NDArray[np.float64]) -> None:
        self._box = np.asarray(box_xyxy, np.float64)
        self._is_lost = False

    @torch.no_grad()
    def follow(self, frame: FrameViews) -> TrackedBox:
        self._num_frames += 1
        view = frame.of(self._box)
        box = view.boxes_into(self._box)
        size = object_sizes(box)
        region, count = self._search_region(view, box, size)
        sample = normalised(self._sample(view, region[None], count))
        expected = None if self._is_lost else _middle(count)
        located = localise(self._classifier.scores(sample), expected, float(CELLS), self._rule.localisation)
        if located.state is TargetState.LOST:
            return self._lost(located.score)
        refined, iou = self._refined(view, box, self._place(located, region, count))
        if self._is_lost and float(iou) < self._rule.least_iou_again:
            return self._lost(located.score)
        self._is_lost = False
        self._box = view.boxes_out(refined)
        self._learn(view, refined, located)
        return TrackedBox(self._box, min(located.score, 1.0), located.state)

    def _lost(self, score: float) -> TrackedBox:
        self._is_lost = True
        return TrackedBox(self._box, min(score, 1.0), TargetState.LOST)

    def _search_region(self, view: View, box: Tensor, size: Tensor) -> tuple[Tensor, int]:
        """(4,) around the last place, or, for what is lost, the whole frame; and the cells along its side."""
        if not self._is_lost:
            return square_regions(box_centres(box), size * (SAMPLE_COUNT / CELLS)), SAMPLE_COUNT
        height, width = view.size_hw
        cell = max(float(size) / CELLS, max(height, width) / WIDEST_COUNT)
        count = max(-(-max(height, width) // cell), 1)
        middle = box.new_tensor([width / 2, height / 2])
        return square_regions(middle, box.new_tensor(count * cell)), int(count)

    def _sample(self, view: View, regions: Tensor, count: int) -> Tensor:
        """(K, 4) regions -> (K, C, n, n) of the coarse features."""
        index = self._picture.expand(len(regions))
        return roi_align(view.features.coarse, regions, index, count, view.features.strides[1])

    def _place(self, located: Located, region: Tensor, count: int) -> Tensor:
        """(2,) in pixels of the view."""
        cell = (region[2] - region[0]) / count
        return region[:2] + cell * region.new_tensor(located.place_xy)

    def _refined(self, view: View, box: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """The box about the place that was found, (4,) in pixels of the view, and its predicted IoU."""
        network, rule = self._tracker.network, self._rule
        regions = estimation_regions(place[None], object_sizes(box)[None])
        tested = network.look(view.features, regions, self._picture, self._modulation)
        _, extent = centre_form(box)
        start = boxes_into_cells(corner_form(place, extent)[None], regions, TEST_COUNT)[0]
        starts = draw_starts(start, rule.refinement, self._generator)
        refined, iou = refine_boxes(network, tested, self._modulation, starts, rule.refinement)
        centre, sides = centre_form(boxes_out_of_cells(refined[None], regions, TEST_COUNT)[0])
        sides = torch.minimum(torch.maximum(sides, extent / rule.most_growth), extent * rule.most_growth)
        return corner_form(centre, sides), iou

    def _learn(self, view: View, box: Tensor, located: Located) -> None:
        """Remember the frame where it is sure enough, and learn now and then, at once from a hard negative."""
        rule = self._rule.classification
        is_hard = located.state is TargetState.HARD_NEGATIVE
        if located.state is not TargetState.UNCERTAIN:
            region = square_regions(box_centres(box), object_sizes(box) * (SAMPLE_COUNT / CELLS))
            sample = normalised(self._sample(view, region[None], SAMPLE_COUNT))
            label = self._label(sample.new_tensor([_middle(SAMPLE_COUNT)]))
            self._classifier.remember(sample, label, rule.hard_learning_rate if is_hard else rule.learning_rate)
        if is_hard or self._num_frames % rule.every == 0:
            self._classifier.learn()

    def _label(self, centres: Tensor) -> Tensor:
        return label_map(centres, SAMPLE_COUNT, self._rule.classification.label_deviation)

    def _first_samples(self, frame: FrameViews, view: View, box: Tensor) -> tuple[Tensor, Tensor]:
        """The first frame's samples, (N, C, n, n) normalised, and their labels."""
        rule, size, centre = self._rule.augmentation, object_sizes(box), box_centres(box)
        side = size * (SAMPLE_COUNT / CELLS)
        centres = shifted_centres(centre, size, [(0.0, 0.0), *rule.shifts])
        plain = self._sample(view, square_regions(centres, side.expand(len(centres))), SAMPLE_COUNT)
        dropped = with_dropout(plain[:1], rule, self._generator)
        samples = normalised(torch.cat([plain, dropped, self._augmented(frame, view, size)]))
        places = (centre - centres) * (CELLS / size) + SAMPLE_COUNT / 2
        middle = places[:1].expand(len(samples) - len(plain), 2)
        return samples, self._label(torch.cat([places, middle]))

    def _augmented(self, frame: FrameViews, view: View, size: Tensor) -> Tensor:
        """(P, C, n, n) of the patches."""
        rule, tracker = self._rule.augmentation, self._tracker
        reach = SAMPLE_COUNT / CELLS
        pixels = reach * min(float(size), rule.pixels_per_size)
        patch_side = max(round(pixels / PATCH_GRID), 2) * PATCH_GRID
        frame_size = float(object_sizes(torch.from_numpy(self._box)))
        middle = (self._box[:2] + self._box[2:]) / 2
        patches = augmented_patches(frame.image, middle, frame_size * reach, patch_side, rule)
        features = tracker.trunk.see(normalise_images(patches.to(tracker.device)))
        whole = torch.tensor([[0.0, 0.0, patch_side, patch_side]], device=tracker.device).expand(len(patches), 4)
        index = torch.arange(len(patches), device=tracker.device)
        return roi_align(features.coarse, whole, index, SAMPLE_COUNT, features.strides[1])


def _middle(count: int) -> tuple[float, float]:
    return count / 2, count / 2
