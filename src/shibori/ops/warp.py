"""Following optical flow: maps of the previous frame as the current one sees them (DyeNet, Sec. 2.2).

A backward flow lives on the current frame and points to the previous one: what is at p now was at p + flow(p) then.
Vectors are (x, y). Positions are in pixels, a pixel's centre half a pixel from its corner (``align_corners=False``).
Symbols: B batch, C channels, H W the current frame's grid.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def warp_between_windows(
    values: Tensor,
    flow_backward: Tensor,
    window_from: Tensor,
    window_to: Tensor,
    size_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> Tensor:
    """What was computed in one window of the previous frame, as another window of the current frame sees it.

    With a flow of zero this is ``shibori.ops.resize.resample_windows``.

    Args:
        values: (B, C, h, w) float on a regular grid over ``window_from``.
        flow_backward: (B, 2, fh, fw) float over the whole frame, at any resolution; its vectors are in frame pixels.
        window_from: (B, 4) float32 xyxy in frame pixels, of the previous frame.
        window_to: (B, 4) float32 xyxy in frame pixels, of the current frame.
        size_hw: height and width of the result.
        frame_hw: height and width of the frame in pixels.

    Returns:
        (B, C, *size_hw) in the values' dtype, bilinear, computed in float32; zero where the flow points outside
        ``window_from``. Beyond the frame's edge the flow is that at the edge.
    """
    places = _grid_positions(size_hw, values.device) / _extent(size_hw, values.device)  # (h', w', 2) in [0, 1]
    positions = window_to[:, None, None, :2] + places * (window_to[:, 2:] - window_to[:, :2])[:, None, None]
    flow = _sample(flow_backward.float(), positions / _extent(frame_hw, values.device), "border")
    origins = positions + flow.permute(0, 2, 3, 1)
    extents_from = (window_from[:, 2:] - window_from[:, :2])[:, None, None]
    return _sample(values, (origins - window_from[:, None, None, :2]) / extents_from, "zeros")


def _grid_positions(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """(H, W, 2) float32 (x, y) of the centres of a grid's cells, whose sides are 1."""
    rows = torch.arange(size_hw[0], dtype=torch.float32, device=device) + 0.5
    columns = torch.arange(size_hw[1], dtype=torch.float32, device=device) + 0.5
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)


def _extent(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    return torch.tensor([size_hw[1], size_hw[0]], dtype=torch.float32, device=device)


def _sample(values: Tensor, places: Tensor, padding: str) -> Tensor:
    """(B, C, h, w) read at (B, H, W, 2) float32 shares (x, y) of its width and height -> (B, C, H, W)."""
    # In half precision a position on a wide frame is off by pixels.
    sampled = functional.grid_sample(values.float(), 2 * places - 1, "bilinear", padding, align_corners=False)
    return sampled.to(values.dtype)
