"""Re-identification at work (Sec. 2.1): where in a frame an object might be, and what would start there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.kernels import suppress
from shibori.ops.roi import enlarged, mask_boxes, roi_align
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.templates import Templates
from shibori.tracking.window_tracker import Crop

OVERLAP = 0.6
"""Proposals that overlap by more are one."""
MATCHED = 0.5
"""Foreground share in the references from which a place belongs to a proposal made by the pixel tracker."""
MIN_POSITIONS = 3
"""Fewest positions of such a proposal."""


@dataclass(frozen=True)
class Proposal:
    """A box of one frame that may hold an object."""

    box: NDArray[np.float64]
    """(4,) xyxy in pixels of the frame."""
    mask: NDArray[np.float32]
    """(m, m) probabilities over the box."""
    vector: Tensor
    """(E,) its identity."""
    margins: Mapping[int, float] = field(default_factory=dict)
    """object_id -> mean similarity margin (``Comparison``) of the mask, where the pixel tracker takes part."""

    def placed(self, crop: Crop) -> NDArray[np.float32]:
        """(H, W) probabilities of the mask in a crop."""
        window = crop.window
        scale = np.array([crop.size_hw[1], crop.size_hw[0]]) / (window[2:] - window[:2])
        corner, extent = (self.box[:2] - window[:2]) * scale, (self.box[2:] - self.box[:2]) * scale
        zoom = np.maximum(extent, 1) / self.mask.shape[0]
        matrix = np.array([[zoom[0], 0, corner[0] + (zoom[0] - 1) / 2], [0, zoom[1], corner[1] + (zoom[1] - 1) / 2]])
        padded = np.asarray(self.mask, np.float32)
        return np.asarray(cv2.warpAffine(padded, matrix, (crop.size_hw[1], crop.size_hw[0])), np.float32)


@torch.inference_mode()
def template_vector(recurrent: RecurrentTracker, view: FrameView, mask: NDArray[np.bool_]) -> Tensor | None:
    """(E,) the identity of a mask of the frame; None if it is empty."""
    boxes, is_there = mask_boxes(torch.from_numpy(mask)[None])
    if not bool(is_there[0]):
        return None
    seen, scale = view.whole(recurrent.rule.frame_side)
    side = recurrent.network.size.region_side
    index = torch.zeros(1, dtype=torch.int64)
    small = roi_align(torch.from_numpy(mask)[None, None].float(), boxes, index, side, 1)[:, 0]
    scaled = (boxes * torch.tensor([*scale, *scale])).to(recurrent.device)
    return recurrent.network.identify(seen.appearance, scaled, small.to(recurrent.device))[0]


@torch.inference_mode()
def find_proposals(
    recurrent: RecurrentTracker, view: FrameView, known: Mapping[int, Templates], missing: Collection[int]
) -> list[Proposal]:
    """The frame's proposals: the region proposal network's, and where the pixel tracker sees a missing object.

    Args:
        recurrent: networks and numbers.
        view: the frame.
        known: all objects.
        missing: those that are looked for.
    """
    network, rule = recurrent.network, recurrent.rule
    seen, scale = view.whole(rule.frame_side)
    height, width = (side * 8 for side in seen.features.s8.shape[2:])
    boxes = [network.proposals.propose(seen.features.s8.float(), (height, width))[0][0][: rule.top_m]]
    margins = {}
    if recurrent.matcher is not None and seen.encoded is not None:
        for object_id, templates in known.items():
            if not templates.references:
                continue
            share, margins[object_id] = recurrent.matcher.evidence(seen.encoded, templates.references, every=1)
            if object_id in missing:
                boxes.append(_matched_boxes(share))
    joined = torch.cat([part.to(recurrent.device) for part in boxes])
    if len(joined) == 0:
        return []
    masks, vectors = network.embed(seen.appearance, joined, torch.zeros(len(joined), dtype=torch.int64))
    probs = masks.sigmoid().cpu().numpy()
    resized = joined.cpu().numpy().astype(np.float64)
    means = [
        {object_id: _mean_in_box(margin, box, mask) for object_id, margin in margins.items()}
        for box, mask in zip(resized, probs, strict=True)
    ]
    in_frame = resized / np.array([*scale, *scale])
    return [Proposal(*parts) for parts in zip(in_frame, probs, vectors, means, strict=True)]


def _mean_in_box(values: NDArray[np.float32], box: NDArray[np.float64], mask: NDArray[np.float32]) -> float:
    """Mean of an (h, w) map, at stride 8 of the resized frame, over an (m, m) mask in a box.

    The frame's cell with the mask's largest share counts where the mask is smaller than any.
    """
    corner, extent = box[:2] / 8, np.maximum((box[2:] - box[:2]) / 8, 1e-3)
    steps = (np.arange(mask.shape[0]) + 0.5) / mask.shape[0]
    columns = (corner[0] + steps * extent[0]).astype(int).clip(0, values.shape[1] - 1)
    rows = (corner[1] + steps * extent[1]).astype(int).clip(0, values.shape[0] - 1)
    weights = (mask > 0.5).astype(np.float32)
    if not weights.any():
        weights = mask + np.float32(1e-6)
    return float((values[rows][:, columns] * weights).sum() / weights.sum())


def similarity_to(
    recurrent: RecurrentTracker, proposals: Sequence[Proposal], object_id: int, templates: Templates
) -> Tensor:
    """(K,) float32 of each proposal to one object."""
    cosine = templates.similarity(torch.stack([proposal.vector for proposal in proposals])).float().cpu()
    margin = torch.tensor([proposal.margins.get(object_id, float("nan")) for proposal in proposals])
    return recurrent.similarity(cosine, margin)


def _matched_boxes(foreground_share: NDArray[np.float32]) -> Tensor:
    """(K, 4) boxes, in pixels of the resized frame, around what looks like an object at stride 8."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((foreground_share > MATCHED).astype(np.uint8), connectivity=8)
    large = [row for row in stats[1:count] if row[cv2.CC_STAT_AREA] >= MIN_POSITIONS]
    large.sort(key=lambda row: -int(row[cv2.CC_STAT_AREA]))
    corners = [(x, y, x + w, y + h) for x, y, w, h, _ in large[:3]]
    boxes = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4) * 8
    return enlarged(boxes, 1.15) if len(boxes) else boxes


def claims(
    recurrent: RecurrentTracker, proposals: Sequence[Proposal], object_id: int, known: Mapping[int, Templates]
) -> Tensor | None:
    """(K,) similarity to an object, -1 where another one's is higher; None where there is nothing to compare."""
    if not proposals or not known[object_id].given:
        return None
    scores = similarity_to(recurrent, proposals, object_id, known[object_id])
    for rival, templates in known.items():
        if rival != object_id and templates.given:
            scores = scores.masked_fill(similarity_to(recurrent, proposals, rival, templates) > scores, -1.0)
    return scores


def similar_proposals(
    recurrent: RecurrentTracker,
    proposals: Sequence[Proposal],
    object_id: int,
    known: Mapping[int, Templates],
    least: float | None = None,
    most: int | None = None,
) -> list[tuple[float, Proposal]]:
    """Those similar enough to an object, the most similar first; of overlapping ones the best.

    One that is more like another object of the clip is left to that.

    Args:
        recurrent: networks and numbers.
        proposals: of one frame.
        object_id: whose they might be.
        known: all objects.
        least: similarity that is enough; by default ``seed_similarity`` of the rule.
        most: how many; by default ``max_candidates`` of the rule.
    """
    least = recurrent.rule.seed_similarity if least is None else least
    most = recurrent.rule.max_candidates if most is None else most
    scores = claims(recurrent, proposals, object_id, known)
    if scores is None:
        return []
    boxes = torch.from_numpy(np.stack([proposal.box for proposal in proposals])).float()
    kept = [int(i) for i in suppress(boxes, scores, OVERLAP)]
    good = [(float(scores[i]), proposals[i]) for i in kept if float(scores[i]) >= least]
    return good[:most]
