"""Following one box with a Siamese network: which of all answers is the object (SiamRPN, Sec. 4.3; DaSiamRPN, Sec. 3).

A search is local as long as the object is found: an answer far off, or of another size or shape, must look more like
the object to be believed. The region grows while it is lost (DaSiamRPN, Sec. 3.4), and then only looks count. What
looked like the object and was not it is remembered, and what looks like that is believed less (DaSiamRPN, Sec. 3.3).
Symbols: N distractors, A anchors at each of n x n cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from shibori.boxtracking.siamese_network import CELLS, Reference, Response, SiameseNetwork
from shibori.boxtracking.views import View
from shibori.ops.kernels import suppress
from shibori.ops.region import box_centres, centre_form, corner_form, object_sizes, paired_iou

PROPOSALS = 500
"""Most answers that are compared with the distractors; those for one thing are many."""


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
    distractor_share: float = 0.5
    """How much it counts against an answer that it looks like a distractor: alpha of DaSiamRPN, Eq. 4."""
    distractor_score: float = 0.5
    """Something beside the object is a distractor if it looks so much like it."""
    apart: float = 0.1
    """Most IoU of a distractor with the object, and with another one."""
    new_distractors: int = 2
    """Most that are remembered of one frame; 0 for none at all."""
    most_distractors: int = 6
    """Most that are remembered, the latest ones."""


@dataclass(frozen=True)
class Found:
    """The best answer of a search."""

    box_xyxy: Tensor
    """(4,) float32 in pixels of the view."""
    score: float
    """The discriminator's, in [0, 1]."""
    distractors_xyxy: Tensor
    """(N, 4) float32, what else looks like the object, the most alike first."""


def refer(network: SiameseNetwork, view: View, box_xyxy: Tensor) -> Reference:
    """Remember the object in a box, (4,) float32 in pixels of the view."""
    return network.refer(view.features, box_xyxy[None], _only_picture(box_xyxy))


def search(
    network: SiameseNetwork,
    view: View,
    reference: Reference,
    box_xyxy: Tensor,
    rule: SearchRule,
    num_lost: int = 0,
    distractors: Tensor | None = None,
) -> Found:
    """Look for an object.

    Args:
        network: in evaluation mode.
        view: of the frame.
        reference: of the object.
        box_xyxy: (4,) float32, where it was last, in pixels of the view.
        rule: how to look.
        num_lost: frames since it was last found; 0 searches locally.
        distractors: (N, C, 7, 7) ``Reference.discriminator`` of each, N above 0; None where there are none.
    """
    size, centre = object_sizes(box_xyxy)[None], box_centres(box_xyxy)[None]
    count = min(_count(view, float(size), rule, num_lost), rule.most_count)
    place = centre, size, _only_picture(box_xyxy), count
    response = network.respond(view.features, reference, *place)
    against = None
    if distractors is not None:
        against = network.resemble(view.features, distractors, *place).sigmoid().mean(0)
    return choose(response, box_xyxy, rule, is_local=num_lost == 0, against=against)


def choose(
    response: Response, box_xyxy: Tensor, rule: SearchRule, is_local: bool, against: Tensor | None = None
) -> Found:
    """The best of all answers for one object.

    Args:
        response: of one object.
        box_xyxy: (4,) where it was last.
        rule: what counts against an answer.
        is_local: whether place, size and shape count at all.
        against: (A, n, n) how much each answer looks like the distractors, in [0, 1] (DaSiamRPN, Eq. 4).
    """
    scores = response.logits[0].sigmoid()  # (A, n, n)
    boxes = response.boxes_xyxy[0]
    if not is_local:
        best = _best(boxes, scores, against, rule)
        return _found(boxes, scores, best, boxes.reshape(-1, 4)[best], rule)
    similar = shape_penalty(boxes, box_xyxy, rule.penalty)
    window = cosine_window(scores.shape[-1], scores.device)
    ranked = (1 - rule.window_share) * scores * similar + rule.window_share * window
    best = _best(boxes, ranked, against, rule)
    score = float(scores.flatten()[best])
    trust = rule.inertia * score * float(similar.flatten()[best])
    (centre, extent), (_, before) = centre_form(boxes.reshape(-1, 4)[best]), centre_form(box_xyxy)
    return _found(boxes, scores, best, corner_form(centre, before + trust * (extent - before)), rule)


def _best(boxes_xyxy: Tensor, ranks: Tensor, against: Tensor | None, rule: SearchRule) -> int:
    """The number of the best answer. Distractors decide between things, not between the answers for one thing."""
    flat = ranks.flatten()
    if against is None:
        return int(flat.argmax())
    likely = flat.topk(min(PROPOSALS, len(flat))).indices
    things = likely[suppress(boxes_xyxy.reshape(-1, 4)[likely], flat[likely], rule.apart)]
    return int(things[(flat[things] - rule.distractor_share * against.flatten()[things]).argmax()])


def _found(boxes_xyxy: Tensor, scores: Tensor, best: int, box_xyxy: Tensor, rule: SearchRule) -> Found:
    """The answer number ``best``, with a box of its own."""
    return Found(box_xyxy, float(scores.flatten()[best]), distractors_beside(boxes_xyxy, scores, box_xyxy, rule))


def distractors_beside(boxes_xyxy: Tensor, scores: Tensor, object_xyxy: Tensor, rule: SearchRule) -> Tensor:
    """What looks like the object and is apart from it (DaSiamRPN, Sec. 3.3).

    Args:
        boxes_xyxy: (A, n, n, 4) all answers.
        scores: (A, n, n) how much each looks like the object.
        object_xyxy: (4,) where the object is.
        rule: what counts as a distractor, and how many do.

    Returns:
        (N, 4) boxes, the most alike first.
    """
    alike = (scores > rule.distractor_score) & (paired_iou(boxes_xyxy, object_xyxy) <= rule.apart)
    boxes = boxes_xyxy[alike]
    return boxes[suppress(boxes, scores[alike], rule.apart)[: rule.new_distractors]]


def shape_penalty(boxes_xyxy: Tensor, last_xyxy: Tensor, strength: float) -> Tensor:
    """(...,) factors in (0, 1]: less for boxes of another size or shape than the last one (SiamRPN, Eq. 14).

    Args:
        boxes_xyxy: (..., 4).
        last_xyxy: (4,).
        strength: k of the equation.
    """
    sizes = object_sizes(boxes_xyxy) / object_sizes(last_xyxy)
    shapes = _shape(boxes_xyxy) / _shape(last_xyxy)
    change = torch.maximum(sizes, 1 / sizes.clamp_min(1e-6)) * torch.maximum(shapes, 1 / shapes)
    return torch.exp(-strength * (change - 1))


def _shape(boxes_xyxy: Tensor) -> Tensor:
    """(..., 4) -> (...) width to height."""
    extents = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp_min(1e-3)
    return extents[..., 0] / extents[..., 1]


def cosine_window(count: int, device: torch.device | None = None) -> Tensor:
    """(1, n, n) in [0, 1], one in the middle (SiamRPN, Sec. 4.3)."""
    window = torch.hann_window(count + 2, periodic=False, device=device)[1:-1]
    return torch.outer(window, window)[None]


def _count(view: View, size: float, rule: SearchRule, num_lost: int) -> int:
    """Cells along the side of the region that is searched: the frame from its middle to its far corner is the most."""
    whole = 2 * max(view.size_hw) / (size / CELLS)
    return round(min(rule.count * rule.growth**num_lost, max(whole, rule.count)))


def _only_picture(like: Tensor) -> Tensor:
    return torch.zeros(1, dtype=torch.int64, device=like.device)
