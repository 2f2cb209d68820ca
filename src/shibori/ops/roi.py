"""Regions of interest: features into boxes, maps out of boxes, boxes around masks (DyeNet, Sec. 2.1).

Boxes are xyxy float32 in pixels of the image, half-open, pixel corners on integers. Symbols: K boxes, m side of a map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from shibori.ops.kernels import align_regions


def roi_align(features: Tensor, boxes_xyxy: Tensor, batch_index: Tensor, side: int, stride: float) -> Tensor:
    """Features of each box on a grid of one size (RoIAlign, He et al. 2017).

    A cell averages as many bilinear samples as there are feature positions under it (rounded up, along each axis).
    Samples less than a position beyond the map take the value at its edge, all others are zero.

    Args:
        features: (B, C, h, w) float of images of (h * stride, w * stride) pixels.
        boxes_xyxy: (K, 4) float32; no gradient flows to them.
        batch_index: (K,) int64, the image of each box.
        side: m.
        stride: pixels from one feature position to the next.

    Returns:
        (K, C, m, m) in the features' dtype, computed in float32.
    """
    rois = torch.cat([batch_index[:, None].to(boxes_xyxy), boxes_xyxy], 1)
    return align_regions(features.float(), rois.float(), side, 1 / stride).to(features.dtype)


def mask_boxes(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Tight boxes.

    Args:
        masks: (K, H, W) bool.

    Returns:
        (K, 4) float32 boxes, zeros where a mask is empty, and (K,) bool, which masks are not empty.
    """
    left, right = _ends(masks.any(1))
    top, bottom = _ends(masks.any(2))
    is_there = right > 0
    boxes = torch.stack([left, top, right, bottom], 1) * is_there[:, None]
    return boxes.float(), is_there


def _ends(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """(K, L) bool -> (K,), (K,) int64: the first true position and one past the last; L and 0 where none is true."""
    length = occupied.shape[1]
    count = torch.arange(1, length + 1, device=occupied.device)
    last = (occupied * count).amax(1)
    first = length - (occupied * count.flip(0)).amax(1)
    return first, last


def enlarged(boxes_xyxy: Tensor, factor: float) -> Tensor:
    """(K, 4) -> (K, 4): sides multiplied by ``factor`` about the centre, not cut to any frame."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    halves = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) * (factor / 2)
    return torch.cat([centres - halves, centres + halves], 1)
