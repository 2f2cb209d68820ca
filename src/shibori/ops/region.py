"""Square regions around objects, cut into cells whose size goes with the object's: how trackers see all sizes alike.

Boxes are xyxy, half-open. Symbols: K objects, n cells along a region's side.
"""

from __future__ import annotations

import torch
from torch import Tensor


def object_sizes(boxes_xyxy: Tensor) -> Tensor:
    """(..., 4) -> (...): the side of a square, the root of the area for compact boxes, more for long ones.

    Half of the side of SiamRPN's exemplar: sqrt((w + p) (h + p)) / 2 with p = (w + h) / 2.
    """
    width, height = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).unbind(-1)
    context = (width + height) / 2
    return ((width + context) * (height + context)).sqrt() / 2


def box_centres(boxes_xyxy: Tensor) -> Tensor:
    """(..., 4) -> (..., 2) x, y."""
    return (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) / 2


def square_regions(centres_xy: Tensor, sides: Tensor) -> Tensor:
    """(..., 2) centres and (...) sides -> (..., 4) squares."""
    halves = sides[..., None] / 2
    return torch.cat([centres_xy - halves, centres_xy + halves], -1)


def boxes_into_cells(boxes_xyxy: Tensor, regions: Tensor, count: int) -> Tensor:
    """(K, ..., 4) boxes in the coordinates of (K, 4) square regions of n = ``count`` cells a side: 0 to n inside."""
    origin, cell = _origin_and_cell(regions, count, boxes_xyxy.ndim)
    return (boxes_xyxy - origin) / cell


def boxes_out_of_cells(boxes_xyxy: Tensor, regions: Tensor, count: int) -> Tensor:
    """The opposite of ``boxes_into_cells``."""
    origin, cell = _origin_and_cell(regions, count, boxes_xyxy.ndim)
    return boxes_xyxy * cell + origin


def _origin_and_cell(regions: Tensor, count: int, ndim: int) -> tuple[Tensor, Tensor]:
    """(K, 1 ..., 4) the regions' first corners twice, and (K, 1 ..., 1) the sides of their cells."""
    shape = (len(regions), *([1] * (ndim - 2)))
    corner = regions[:, :2]
    origin = torch.cat([corner, corner], 1).view(*shape, 4)
    return origin, ((regions[:, 2] - regions[:, 0]) / count).view(*shape, 1)


def centre_form(boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 4) -> (..., 2) centres and (..., 2) extents."""
    return box_centres(boxes_xyxy), boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]


def corner_form(centres_xy: Tensor, extents_wh: Tensor) -> Tensor:
    """The opposite of ``centre_form``."""
    return torch.cat([centres_xy - extents_wh / 2, centres_xy + extents_wh / 2], -1)


def paired_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """(..., 4) and (..., 4), broadcast -> (...): the IoU of each box of the one with its counterpart of the other."""
    low = torch.maximum(first_xyxy[..., :2], second_xyxy[..., :2])
    high = torch.minimum(first_xyxy[..., 2:], second_xyxy[..., 2:])
    shared = (high - low).clamp_min(0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (first_xyxy, second_xyxy)]
    return shared / (areas[0] + areas[1] - shared)
