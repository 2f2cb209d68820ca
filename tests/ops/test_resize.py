"""Windows seen from windows: identities, exact shifts, and OpenCV's affine warp."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from shibori.ops.resize import resample_windows


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows)


def made_maps(batch: int = 1, channels: int = 2, height: int = 12, width: int = 16) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))


def test_same_window_is_the_same_map():
    maps = made_maps(2)
    windows = boxes((10, 20, 26, 32), (0, 0, 4, 3))
    torch.testing.assert_close(resample_windows(maps, windows, windows, (12, 16)), maps, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (5, 4), (-16, 0)])
def test_whole_pixels_of_shift_move_the_pixels_and_show_zero_outside(dx: int, dy: int):
    maps = made_maps()
    seen = resample_windows(maps, boxes((0, 0, 16, 12)), boxes((dx, dy, 16 + dx, 12 + dy)), (12, 16))
    expected = torch.zeros_like(maps)
    for row in range(12):
        for column in range(16):
            if 0 <= row + dy < 12 and 0 <= column + dx < 16:
                expected[..., row, column] = maps[..., row + dy, column + dx]
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-5)


def test_half_the_window_at_the_same_size_is_a_zoom():
    ramp = torch.arange(16.0).expand(1, 1, 12, 16).contiguous()
    seen = resample_windows(ramp, boxes((0, 0, 16, 12)), boxes((4, 3, 12, 9)), (12, 16))
    # Column c of the zoom has its centre at 4 + (c + 0.5) / 2, and a pixel's value sits at its centre.
    torch.testing.assert_close(seen[0, 0, 5], 4 + (torch.arange(16.0) + 0.5) / 2 - 0.5, atol=1e-4, rtol=0)


def test_the_unit_of_the_frame_does_not_matter():
    maps, window_from, window_to = made_maps(), boxes((2, 3, 40, 50)), boxes((10, 0, 60, 33))
    seen = resample_windows(maps, window_from, window_to, (9, 7))
    scaled = resample_windows(maps, window_from / 8, window_to / 8, (9, 7))
    torch.testing.assert_close(seen, scaled, atol=1e-5, rtol=1e-5)


def test_rows_of_a_batch_keep_their_own_windows():
    maps = made_maps(2)
    windows_from, windows_to = boxes((0, 0, 16, 12), (5, 5, 20, 9)), boxes((1, 2, 9, 8), (4, 4, 25, 10))
    seen = resample_windows(maps, windows_from, windows_to, (6, 8))
    for row in range(2):
        alone = resample_windows(maps[row, None], windows_from[row, None], windows_to[row, None], (6, 8))
        torch.testing.assert_close(seen[row], alone[0])


@pytest.mark.parametrize("seed", range(4))
def test_equals_opencv(seed: int):
    rng = np.random.default_rng(seed)
    maps = made_maps(1, 1)
    corner, extent = rng.uniform(0, 30, (2, 2)), rng.uniform(10, 40, (2, 2))
    window_from, window_to = (np.concatenate([corner[i], corner[i] + extent[i]]) for i in range(2))
    size_hw = (15, 11)
    seen = resample_windows(maps, boxes(tuple(window_from)), boxes(tuple(window_to)), size_hw)
    xs = window_to[0] + (np.arange(size_hw[1]) + 0.5) * extent[1][0] / size_hw[1]
    ys = window_to[1] + (np.arange(size_hw[0]) + 0.5) * extent[1][1] / size_hw[0]
    map_x = np.tile((xs - window_from[0]) * 16 / extent[0][0] - 0.5, (size_hw[0], 1)).astype(np.float32)
    map_y = np.tile(((ys - window_from[1]) * 12 / extent[0][1] - 0.5)[:, None], (1, size_hw[1])).astype(np.float32)
    expected = cv2.remap(maps[0, 0].numpy(), map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    # OpenCV keeps positions to 1/32 of a pixel.
    np.testing.assert_allclose(seen[0, 0].numpy(), expected, atol=1 / 32)


def test_half_precision_is_kept():
    maps = made_maps().bfloat16()
    assert resample_windows(maps, boxes((0, 0, 8, 8)), boxes((0, 0, 8, 8)), (4, 4)).dtype == torch.bfloat16
