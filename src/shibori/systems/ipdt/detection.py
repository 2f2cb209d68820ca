"""From a frame to its object candidates (Sec. 3.1): the detector at work, its masks at the frame's own size."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shibori.boxtracking.views import FrameViews, view_size
from shibori.media.rle import encode_rle
from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.candidate import Candidate
from shibori.systems.ipdt.network import Detections, Detector
from shibori.systems.ipdt.rule import DetectionRule


class CandidateFinder:
    """A detector and its numbers.

    Args:
        detector: prepared for inference.
        rule: thresholds.
        device: of the detector.
    """

    def __init__(self, detector: Detector, rule: DetectionRule, device: torch.device) -> None:
        self.detector, self.rule, self.device = detector, rule, device

    @torch.inference_mode()
    def find(self, frame: FrameViews, frame_index: int) -> list[Candidate]:
        """The candidates of a frame, best first."""
        seen = self._seen(frame)
        rule = self.rule
        detections = self.detector.detect(seen.features, seen.size_hw, rule.score, rule.nms_iou, rule.most)
        return candidates_of(detections, frame_index, seen.size_hw, frame.size_hw)

    def _seen(self, frame: FrameViews) -> _Seen:
        """What the detector looks at: the features all share of the whole frame, or the picture itself."""
        if self.detector.size.trunk is not None:
            height, width = frame.size_hw
            view = frame.of(np.array([0.0, 0.0, width, height]))
            # The trunk's own channels come first; behind them are others that trackers use.
            return _Seen(view.features.coarse[:, : self.detector.in_channels], view.size_hw)
        size_hw = view_size(self.detector.size.side, frame.size_hw)
        picture = np.asarray(cv2.resize(frame.image, size_hw[::-1], interpolation=cv2.INTER_AREA))
        tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self.device)
        return _Seen(normalise_images(tensor), size_hw)


class _Seen(NamedTuple):
    features: torch.Tensor
    size_hw: tuple[int, int]


def candidates_of(
    detections: Detections, frame_index: int, seen_hw: tuple[int, int], frame_hw: tuple[int, int]
) -> list[Candidate]:
    """Detections in a resized frame as candidates of the frame; those without any pixel are left out."""
    scale = np.tile(np.array(frame_hw[::-1]) / np.array(seen_hw[::-1]), 2)
    found = []
    for box, scores, logits, embedding in zip(*(part.float().cpu().numpy() for part in detections), strict=True):
        place = box.astype(np.float64) * scale
        mask = mask_in_box(logits, place, frame_hw)
        if mask.any():
            found.append(Candidate(frame_index, scores.astype(np.float64), place, encode_rle(mask), embedding))
    return found


def mask_in_box(logits: NDArray[np.float32], box: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(m, m) log-odds spread over a box -> (H, W) bool, true where they are positive, at pixel centres."""
    side = logits.shape[0]
    x0, y0 = np.floor(box[:2]).astype(int).clip(0)
    x1, y1 = np.minimum(np.ceil(box[2:]).astype(int), size_hw[::-1])
    mask = np.zeros(size_hw, np.bool_)
    if x1 <= x0 or y1 <= y0:
        return mask
    xs = ((np.arange(x0, x1) + 0.5 - box[0]) / (box[2] - box[0]) * side - 0.5).astype(np.float32)
    ys = ((np.arange(y0, y1) + 0.5 - box[1]) / (box[3] - box[1]) * side - 0.5).astype(np.float32)
    grid_x, grid_y = np.meshgrid(xs, ys)
    spread = cv2.remap(logits, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (grid_x >= -0.5) & (grid_x < side - 0.5) & (grid_y >= -0.5) & (grid_y < side - 0.5)
    mask[y0:y1, x0:x1] = (spread > 0) & inside
    return mask
