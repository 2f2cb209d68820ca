"""Warping against loops over positions, whole-pixel shifts, and the resampling of windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.resize import resample_windows
from shibori.ops.warp import warp_between_windows


def made(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def constant_flow(batch: int, dx: float, dy: float, size_hw: tuple[int, int]) -> torch.Tensor:
    return torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(batch, 2, *size_hw).contiguous()


def value_at(map_hw: np.ndarray, y: float, x: float, edge: bool) -> float:
    """Bilinear value at a place in pixels (centres at halves); beyond the map its edge, or zero."""
    total = 0.0
    y, x = y - 0.5, x - 0.5
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if edge:
                row_in = min(max(row, 0), map_hw.shape[0] - 1)
                total += weight * map_hw[row_in, min(max(column, 0), map_hw.shape[1] - 1)]
            elif 0 <= row < map_hw.shape[0] and 0 <= column < map_hw.shape[1]:
                total += weight * map_hw[row, column]
    return total


def warp(values: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Over the whole frame, at the size of the values."""
    height, width = values.shape[2:]
    frame = boxes((0, 0, width, height)).expand(len(values), 4)
    return warp_between_windows(values, flow, frame, frame, (height, width), (height, width))


def looped_warp(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    result = np.zeros_like(values)
    for batch, channel, row, column in np.ndindex(values.shape):
        x, y = column + 0.5 + flow[batch, 0, row, column], row + 0.5 + flow[batch, 1, row, column]
        result[batch, channel, row, column] = value_at(values[batch, channel], y, x, edge=False)
    return result


def test_warp_equals_loops():
    values = made(2, 3, 7, 9)
    flow = 8 * made(2, 2, 7, 9, seed=1) - 4
    expected = looped_warp(values.double().numpy(), flow.double().numpy())
    np.testing.assert_allclose(warp(values, flow).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -2), (-1, 5), (40, 0)])
def test_whole_pixels_of_flow_move_the_pixels_and_show_zero_outside(dx: int, dy: int):
    values = made(1, 2, 8, 10)
    expected = torch.zeros_like(values)
    for row in range(8):
        for column in range(10):
            if 0 <= row + dy < 8 and 0 <= column + dx < 10:
                expected[..., row, column] = values[..., row + dy, column + dx]
    torch.testing.assert_close(warp(values, constant_flow(1, dx, dy, (8, 10))), expected, atol=1e-5, rtol=0)


def test_gradients_flow_to_the_values_and_to_the_flow():
    values, flow = made(1, 2, 6, 6).requires_grad_(), made(1, 2, 6, 6, seed=1).requires_grad_()
    (warp(values, flow) * made(1, 2, 6, 6, seed=2)).sum().backward()
    assert values.grad is not None
    assert flow.grad is not None
    assert values.grad.abs().sum() > 0
    assert (flow.grad != 0).float().mean() > 0.5


def test_half_precision_of_values_does_not_move_them():
    values = made(1, 1, 2, 900).bfloat16()
    # A place on a map 900 wide is known to about 4 pixels in bfloat16; what is left is the rounding of the values.
    torch.testing.assert_close(warp(values, constant_flow(1, 0, 0, (2, 900))), values, atol=0.01, rtol=0)


def random_windows(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    corners = 30 * made(2, 2, 2, seed=seed)
    extents = 15 + 30 * made(2, 2, 2, seed=seed + 50)
    windows = torch.cat([corners, corners + extents], 2)
    return windows[0], windows[1]


@pytest.mark.parametrize("seed", range(3))
def test_without_motion_windows_are_resampled(seed: int):
    values, (window_from, window_to) = made(2, 3, 9, 11), random_windows(seed)
    still = torch.zeros(2, 2, 5, 6)
    seen = warp_between_windows(values, still, window_from, window_to, (8, 7), (64, 80))
    torch.testing.assert_close(seen, resample_windows(values, window_from, window_to, (8, 7)), atol=1e-5, rtol=0)


def test_a_window_that_moves_with_the_object_sees_the_same():
    values = made(1, 3, 9, 11)
    seen = warp_between_windows(
        values, constant_flow(1, -6, 4, (5, 6)), boxes((10, 12, 43, 39)), boxes((16, 8, 49, 35)), (9, 11), (64, 80)
    )
    torch.testing.assert_close(seen, values, atol=1e-5, rtol=0)


def looped_between_windows(
    values: np.ndarray,
    flow: np.ndarray,
    window_from: list[float],
    window_to: list[float],
    size_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> np.ndarray:
    """One row of a batch, (C, h, w)."""
    result = np.zeros((len(values), *size_hw))
    for row, column in np.ndindex(size_hw):
        x = window_to[0] + (column + 0.5) / size_hw[1] * (window_to[2] - window_to[0])
        y = window_to[1] + (row + 0.5) / size_hw[0] * (window_to[3] - window_to[1])
        flow_y, flow_x = y / frame_hw[0] * flow.shape[1], x / frame_hw[1] * flow.shape[2]
        x_then = x + value_at(flow[0], flow_y, flow_x, edge=True)
        y_then = y + value_at(flow[1], flow_y, flow_x, edge=True)
        place_x = (x_then - window_from[0]) / (window_from[2] - window_from[0]) * values.shape[2]
        place_y = (y_then - window_from[1]) / (window_from[3] - window_from[1]) * values.shape[1]
        for channel in range(len(values)):
            result[channel, row, column] = value_at(values[channel], place_y, place_x, edge=False)
    return result


@pytest.mark.parametrize("seed", range(3))
def test_windows_and_motion_equal_loops(seed: int):
    values, flow = made(2, 2, 9, 11), 16 * made(2, 2, 5, 6, seed=seed) - 8
    window_from, window_to = random_windows(seed + 10)
    window_to = window_to - 12  # so that a part of it lies beyond the frame
    seen = warp_between_windows(values, flow, window_from, window_to, (8, 7), (50, 70))
    for row in range(2):
        expected = looped_between_windows(
            values[row].double().numpy(),
            flow[row].double().numpy(),
            window_from[row].tolist(),
            window_to[row].tolist(),
            (8, 7),
            (50, 70),
        )
        np.testing.assert_allclose(seen[row].numpy(), expected, atol=2e-5)


def test_gradients_flow_between_windows():
    values, flow = made(1, 2, 6, 6).requires_grad_(), made(1, 2, 4, 4, seed=1).requires_grad_()
    window = boxes((2, 2, 14, 14))
    seen = warp_between_windows(values, flow, window, window, (6, 6), (16, 16))
    (seen * made(1, 2, 6, 6, seed=2)).sum().backward()
    assert values.grad is not None
    assert flow.grad is not None
    assert values.grad.abs().sum() > 0
    assert flow.grad.abs().sum() > 0
