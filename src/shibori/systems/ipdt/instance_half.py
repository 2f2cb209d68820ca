"""The instance-level half of the dual tracker (Sec. 3.3): a Siamese region proposal network at work.

Boxes are xyxy float64 in pixels of the frame, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.boxtracking.siamese_network import CELLS, Reference, Response, SiameseNetwork
from shibori.boxtracking.siamese_search import cosine_window, shape_penalty
from shibori.boxtracking.views import FrameViews
from shibori.ops.region import box_centres, object_sizes
from shibori.systems.ipdt.rule import InstanceRule

Box = NDArray[np.float64]


@dataclass(frozen=True)
class InstanceSight:
    """Where the object is, as far as the network can tell."""

    box: Box
    """(4,) pixels of the frame, may reach beyond it."""
    score: float
    """Probability of being the target, in [0, 1]."""


class InstanceHalf:
    """The network and its numbers; one for all objects.

    Args:
        network: prepared for inference.
        rule: where to look and what to prefer.
    """

    def __init__(self, network: SiameseNetwork, rule: InstanceRule) -> None:
        self.network, self.rule = network, rule

    def begin(self, frame: FrameViews, box: Box) -> Reference:
        """The RoI features of a candidate, embedded for both branches."""
        view = frame.of(box)
        return self.network.refer(view.features, view.boxes_into(box)[None], _first())

    def follow(self, reference: Reference, frame: FrameViews, box: Box) -> InstanceSight:
        """Look around the last place for a box of about the last size."""
        view = frame.of(box)
        last = view.boxes_into(box)[None]
        count = int(self.rule.reach * CELLS) | 1
        response = self.network.respond(
            view.features, reference, box_centres(last), object_sizes(last), _first(), count
        )
        probs = response.logits[0].float().sigmoid()
        fitness = probs * shape_penalty(response.boxes_xyxy[0], last[0], self.rule.scale_penalty)
        share = self.rule.window_share
        place = int((fitness * (1 - share) + cosine_window(count) * share).argmax())
        chosen, score = _at(response, place)
        kept = self.rule.inertia * (1 - min(score, 1.0))
        settled = _resized(chosen, last[0], kept)
        return InstanceSight(view.boxes_out(settled), score)

    def search(self, reference: Reference, frame: FrameViews, box: Box) -> InstanceSight:
        """Look for a box of about the last size in the whole frame."""
        view = frame.of(box)
        last = view.boxes_into(box)[None]
        size = float(object_sizes(last)[0])
        count = min(int(np.ceil(max(view.size_hw) / size * CELLS)) + 1, self.rule.most_cells)
        middle = torch.tensor([[view.size_hw[1] / 2, view.size_hw[0] / 2]], device=last.device)
        response = self.network.respond(view.features, reference, middle, object_sizes(last), _first(), count)
        probs = response.logits[0].float().sigmoid()
        place = int((probs * shape_penalty(response.boxes_xyxy[0], last[0], self.rule.scale_penalty)).argmax())
        chosen, score = _at(response, place)
        return InstanceSight(view.boxes_out(chosen), score)


def _at(response: Response, place: int) -> tuple[Tensor, float]:
    """(4,) the box of a place, and its probability of being the target."""
    return response.boxes_xyxy[0].flatten(0, -2)[place], float(response.logits[0].flatten()[place].sigmoid())


def _resized(box_xyxy: Tensor, last_xyxy: Tensor, kept: float) -> Tensor:
    """The box with a share of the last one's extents in its own."""
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    extents = (1 - kept) * (box_xyxy[2:] - box_xyxy[:2]) + kept * (last_xyxy[2:] - last_xyxy[:2])
    return torch.cat([centre - extents / 2, centre + extents / 2])


def _first() -> Tensor:
    """The one object is in the one picture."""
    return torch.zeros(1, dtype=torch.int64)
