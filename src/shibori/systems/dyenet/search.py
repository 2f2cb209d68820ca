"""Re-identification at work (Sec. 2.1): where in a frame an object might be, and what would start there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from shibori.ops.roi import enlarged, mask_boxes, roi_align
from shibori.systems.dyenet.follow import Following, Place
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.templates import Templates

OVERLAP = 0.6
"""Proposals that overlap by more are one."""
MATCHED = 0.5
"""Likeness to the references from which a place belongs to a proposal made by the pixel tracker."""
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

    def placed(self, place: Place) -> NDArray[np.float32]:
        """(H, W) probabilities of the mask in a place."""
        window = place.window
        scale = np.array([place.size_hw[1], place.size_hw[0]]) / (window[2:] - window[:2])
        corner, extent = (self.box[:2] - window[:2]) * scale, (self.box[2:] - self.box[:2]) * scale
        zoom = np.maximum(extent, 1) / self.mask.shape[0]
        matrix = np.array([[zoom[0], 0, corner[0] + (zoom[0] - 1) / 2], [0, zoom[1], corner[1] + (zoom[1] - 1) / 2]])
        padded = np.asarray(self.mask, np.float32)
        return np.asarray(cv2.warpAffine(padded, matrix, (place.size_hw[1], place.size_hw[0])), np.float32)


@torch.inference_mode()
def template_vector(following: Following, view: FrameView, mask: NDArray[np.bool_]) -> Tensor | None:
    """(E,) the identity of a mask of the frame; None if it is empty."""
    boxes, is_there = mask_boxes(torch.from_numpy(mask)[None])
    if not bool(is_there[0]):
        return None
    seen, scale = view.whole(following.rule.frame_side)
    side = following.network.size.region_side
    index = torch.zeros(1, dtype=torch.int64)
    small = roi_align(torch.from_numpy(mask)[None, None].float(), boxes, index, side, 1)[:, 0]
    scaled = (boxes * torch.tensor([*scale, *scale])).to(following.device)
    return following.network.identify(seen.features.s8, scaled, small.to(following.device))[0]


@torch.inference_mode()
def find_proposals(following: Following, view: FrameView, missing: Sequence[Templates]) -> list[Proposal]:
    """The frame's proposals: the region proposal network's, and where the pixel tracker sees a missing object."""
    network, rule = following.network, following.rule
    seen, scale = view.whole(rule.frame_side)
    height, width = (side * 8 for side in seen.features.s8.shape[2:])
    boxes = [network.proposals.propose(seen.features.s8.float(), (height, width))[0][0][: rule.top_m]]
    if following.matches and seen.encoded is not None:
        for templates in missing:
            if templates.references:
                boxes.append(_matched_boxes(following.likeness(seen.encoded, templates.references, every=1)))
    joined = torch.cat([part.to(following.device) for part in boxes])
    if len(joined) == 0:
        return []
    masks, vectors = network.embed(seen.features.s8, joined, torch.zeros(len(joined), dtype=torch.int64))
    probs = masks.sigmoid().cpu().numpy()
    in_frame = joined.cpu().numpy().astype(np.float64) / np.array([*scale, *scale])
    return [Proposal(box, mask, vector) for box, mask, vector in zip(in_frame, probs, vectors, strict=True)]


def _matched_boxes(likeness: NDArray[np.float32]) -> Tensor:
    """(K, 4) boxes, in pixels of the resized frame, around what looks like an object at stride 8."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((likeness > MATCHED).astype(np.uint8), connectivity=8)
    large = [row for row in stats[1:count] if row[cv2.CC_STAT_AREA] >= MIN_POSITIONS]
    large.sort(key=lambda row: -int(row[cv2.CC_STAT_AREA]))
    corners = [(x, y, x + w, y + h) for x, y, w, h, _ in large[:3]]
    boxes = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4) * 8
    return enlarged(boxes, 1.15) if len(boxes) else boxes


def similar_proposals(
    following: Following, proposals: Sequence[Proposal], templates: Templates, rivals: Sequence[Templates] = ()
) -> list[tuple[float, Proposal]]:
    """Those similar enough to a template, the most similar first; of overlapping ones the best.

    One that is more like another object of the clip is left to that.
    """
    if not proposals or not templates.given:
        return []
    vectors = torch.stack([proposal.vector for proposal in proposals])
    scores = templates.similarity(vectors).float().cpu()
    for rival in rivals:
        scores[rival.similarity(vectors).float().cpu() > scores] = -1.0
    boxes = torch.from_numpy(np.stack([proposal.box for proposal in proposals])).float()
    kept = [int(i) for i in nms(boxes, scores, OVERLAP)]
    good = [(float(scores[i]), proposals[i]) for i in kept if float(scores[i]) >= following.rule.similar]
    return good[: following.rule.max_candidates]
