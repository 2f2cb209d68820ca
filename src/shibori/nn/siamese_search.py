"""Following one box with a Siamese network: which of all answers is the object (SiamRPN, Sec. 4.3; DaSiamRPN, Sec. 3).

A search is local as long as the object is found: an answer far off, or of another size or shape, must look more like
the object to be believed. The region grows while it is lost (DaSiamRPN, Sec. 3.4), and then only looks count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from shibori.nn.siamese import CELLS, Reference, Response, SiameseNetwork
from shibori.nn.views import View
from shibori.ops.region import box_centres, centre_form, corner_form, object_sizes


@dataclass(frozen=True)
class SearchRule:
    """How an object is looked for."""

    count: int = 20
    """Cells along the side of a local search; an object has 6."""
    growth: float = 1.5
    """The region's side grows by so much with every frame in which the object is lost, up to the whole frame."""
    most_count: int = 120
    """Cells along the side of the largest region."""
    window_share: float = 0.3
    """Weight of a cosine window about the last place."""
    penalty: float = 0.1
    """How much a change of size or shape counts against an answer."""
    inertia: float = 0.15
    """Most that a new size counts against the old one."""
    least_score: float = 0.3
    """The object is lost where nothing looks as much like it."""
    least_score_again: float = 0.6
    """One that was lost is found again where something does."""


@dataclass(frozen=True)
class Found:
    """The best answer of a search."""

    box_xyxy: Tensor
    """(4,) float32 in pixels of the view."""
    score: float
    """The discriminator's, in [0, 1]."""


def refer(network: SiameseNetwork, view: View, box_xyxy: Tensor) -> Reference:
    """Remember the object in a box, (4,) float32 in pixels of the view."""
    return network.refer(view.features, box_xyxy[None], _only_picture(box_xyxy))


def search(
    network: SiameseNetwork, view: View, reference: Reference, box_xyxy: Tensor, rule: SearchRule, num_lost: int = 0
) -> Found:
    """Look for an object.

    Args:
        network: in evaluation mode.
        view: of the frame.
        reference: of the object.
        box_xyxy: (4,) float32, where it was last, in pixels of the view.
        rule: how to look.
        num_lost: frames since it was last found; 0 searches locally.
    """
    size, centre = object_sizes(box_xyxy), box_centres(box_xyxy)
    count = _count(view, float(size), rule, num_lost)
    response = network.respond(
        view.features, reference, centre[None], size[None], _only_picture(box_xyxy), min(count, rule.most_count)
    )
    return choose(response, box_xyxy, rule, is_local=num_lost == 0)


def choose(response: Response, box_xyxy: Tensor, rule: SearchRule, is_local: bool) -> Found:
    """The best of all answers for one object.

    Args:
        response: of one object.
        box_xyxy: (4,) where it was last.
        rule: what counts against an answer.
        is_local: whether place, size and shape count at all.
    """
    scores = response.logits[0].sigmoid()  # (A, n, n)
    boxes = response.boxes_xyxy[0]
    if not is_local:
        best = int(scores.argmax())
        return Found(boxes.reshape(-1, 4)[best], float(scores.flatten()[best]))
    similar = torch.exp(-rule.penalty * (_change(boxes, box_xyxy) - 1))
    window = torch.hann_window(scores.shape[-1] + 2, periodic=False, device=scores.device)[1:-1]
    ranked = (1 - rule.window_share) * scores * similar + rule.window_share * window[:, None] * window
    best = int(ranked.argmax())
    score = float(scores.flatten()[best])
    trust = rule.inertia * score * float(similar.flatten()[best])
    (centre, extent), (_, before) = centre_form(boxes.reshape(-1, 4)[best]), centre_form(box_xyxy)
    return Found(corner_form(centre, before + trust * (extent - before)), score)


def _change(boxes_xyxy: Tensor, before_xyxy: Tensor) -> Tensor:
    """(..., 4) and (4,) -> (...): by how much sizes and shapes differ, as a ratio of 1 or more."""
    sizes = object_sizes(boxes_xyxy) / object_sizes(before_xyxy)
    extents, before = centre_form(boxes_xyxy)[1], centre_form(before_xyxy)[1]
    shapes = (extents[..., 0] / extents[..., 1]) / (before[0] / before[1])
    return torch.maximum(sizes, 1 / sizes) * torch.maximum(shapes, 1 / shapes)


def _count(view: View, size: float, rule: SearchRule, num_lost: int) -> int:
    """Cells along the side of the region that is searched: the frame from its middle to its far corner is the most."""
    whole = 2 * max(view.size_hw) / (size / CELLS)
    return round(min(rule.count * rule.growth**num_lost, max(whole, rule.count)))


def _only_picture(like: Tensor) -> Tensor:
    return torch.zeros(1, dtype=torch.int64, device=like.device)
