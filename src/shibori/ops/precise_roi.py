"""Precise RoI pooling (Jiang et al. 2018): the mean of a feature map inside a box, exactly, at every bin of a grid.

Between positions a map is bilinear, so its integral over a bin is known in closed form, and it varies smoothly with
the box: boxes can be moved along its gradient (ATOM, Sec. 3.1).

Symbols: K maps, N boxes on each, C channels, m bins a side.
"""

from __future__ import annotations

import torch
from torch import Tensor


def precise_roi_pool(features: Tensor, boxes_xyxy: Tensor, bins: int) -> Tensor:
    """The mean of the map over each bin of each box.

    Position (i, j) holds the map's value at its centre (j + 0.5, i + 0.5); from there it falls linearly to zero at the
    centres of its neighbours, so that beyond the map there is nothing.

    Args:
        features: (K, C, h, w) float.
        boxes_xyxy: (K, N, 4) float, half-open, in positions of the map: the map covers (0, 0) to (w, h). Each has an
            area. Gradients flow to them as well as to the features.
        bins: m.

    Returns:
        (K, N, C, m, m) in the features' dtype.
    """
    rows = _shares(boxes_xyxy[..., 1], boxes_xyxy[..., 3], bins, features.shape[2])
    columns = _shares(boxes_xyxy[..., 0], boxes_xyxy[..., 2], bins, features.shape[3])
    along = torch.einsum("kchw,knjw->knchj", features, columns)
    return torch.einsum("knih,knchj->kncij", rows, along)


def _shares(starts: Tensor, ends: Tensor, bins: int, length: int) -> Tensor:
    """(K, N) ends of boxes along one axis -> (K, N, m, length): the share of each position in the mean of each bin."""
    edges = torch.linspace(0, 1, bins + 1, dtype=starts.dtype, device=starts.device)
    extents = (ends - starts)[..., None]
    places = starts[..., None] + edges * extents  # (K, N, m + 1)
    centres = torch.arange(length, dtype=starts.dtype, device=starts.device) + 0.5
    below = _tent_integral(places[..., None] - centres)  # (K, N, m + 1, length)
    return (below[..., 1:, :] - below[..., :-1, :]) * (bins / extents[..., None])


def _tent_integral(distance: Tensor) -> Tensor:
    """The integral of max(0, 1 - |t|) from minus infinity to ``distance``."""
    inside = distance.clamp(-1, 1)
    return 0.5 + inside - 0.5 * inside * inside.abs()
