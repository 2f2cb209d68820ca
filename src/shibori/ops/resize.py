"""Moving maps between windows of a frame. Boxes are xyxy, half-open, pixel corners on integers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


def resample_windows(
    maps: Tensor,
    windows_from: Tensor,
    windows_to: Tensor,
    size_hw: tuple[int, int],
    outside: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Show what was computed in one window of the frame as another window sees it.

    Args:
        maps: (B, C, H, W) float, covering ``windows_from``.
        windows_from: (B, 4) xyxy in any unit of the frame.
        windows_to: (B, 4) xyxy in the same unit.
        size_hw: height and width of the result.
        outside: what is seen outside ``windows_from``: zeros, or the nearest of the window's border.

    Returns:
        (B, C, *size_hw), bilinear.
    """
    origin_from, extent_from = windows_from[:, :2], windows_from[:, 2:] - windows_from[:, :2]
    origin_to, extent_to = windows_to[:, :2], windows_to[:, 2:] - windows_to[:, :2]
    scale = extent_to / extent_from
    shift = (2 * (origin_to - origin_from) + extent_to) / extent_from - 1
    theta = torch.zeros(maps.shape[0], 2, 3, dtype=torch.float32, device=maps.device)
    theta[:, 0, 0], theta[:, 1, 1] = scale[:, 0], scale[:, 1]
    theta[:, :, 2] = shift
    grid = functional.affine_grid(theta, [maps.shape[0], maps.shape[1], *size_hw], align_corners=False)
    return functional.grid_sample(maps, grid.to(maps.dtype), mode="bilinear", padding_mode=outside, align_corners=False)
