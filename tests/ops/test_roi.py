"""Regions of interest against loops over positions, and identities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.media.box import boxes_from_masks
from shibori.ops.roi import enlarged, mask_boxes, roi_align


def made(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def value_at(map_hw: np.ndarray, y: float, x: float) -> float:
    """Bilinear value between the positions of a map (integers are positions), its edge repeated."""
    y, x = np.clip(y, 0, map_hw.shape[0] - 1), np.clip(x, 0, map_hw.shape[1] - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, map_hw.shape[0] - 1), min(left + 1, map_hw.shape[1] - 1)
    dy, dx = y - top, x - left
    upper = map_hw[top, left] * (1 - dx) + map_hw[top, right] * dx
    lower = map_hw[bottom, left] * (1 - dx) + map_hw[bottom, right] * dx
    return float(upper * (1 - dy) + lower * dy)


def sample_at(map_hw: np.ndarray, y: float, x: float) -> float:
    """As RoIAlign reads: zero from one position beyond the edge."""
    is_near = -1 <= y <= map_hw.shape[0] and -1 <= x <= map_hw.shape[1]
    return value_at(map_hw, y, x) if is_near else 0.0


def looped_roi_align(map_hw: np.ndarray, box: list[float], side: int, stride: float) -> np.ndarray:
    x0, y0, x1, y1 = (corner / stride for corner in box)
    result = np.zeros((side, side))
    counts = [int(np.ceil((end - start) / side)) for start, end in ((y0, y1), (x0, x1))]
    for row in range(side):
        for column in range(side):
            samples = [
                sample_at(
                    map_hw,
                    y0 + (y1 - y0) / side * (row + (i + 0.5) / counts[0]) - 0.5,
                    x0 + (x1 - x0) / side * (column + (j + 0.5) / counts[1]) - 0.5,
                )
                for i in range(counts[0])
                for j in range(counts[1])
            ]
            result[row, column] = np.mean(samples)
    return result


@pytest.mark.parametrize(
    "box", [(3, 5, 61, 40), (10.3, 2.7, 17.9, 30.2), (-20, -9, 50, 90), (0, 0, 96, 80), (70, 60, 130, 110)]
)
def test_roi_align_equals_loops(box: tuple[float, float, float, float]):
    features = made(2, 3, 10, 12)
    seen = roi_align(features, boxes(box, box), torch.tensor([1, 0]), 5, 8)
    for place, image in enumerate((1, 0)):
        for channel in range(3):
            expected = looped_roi_align(features[image, channel].double().numpy(), list(box), 5, 8)
            np.testing.assert_allclose(seen[place, channel].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_a_box_that_is_the_grid_gives_the_features(stride: int):
    features = made(1, 4, 9, 11)
    box = boxes((2 * stride, 1 * stride, 9 * stride, 8 * stride))
    seen = roi_align(features, box, torch.tensor([0]), 7, stride)
    torch.testing.assert_close(seen, features[:, :, 1:8, 2:9])


def test_roi_align_of_no_box_and_in_half_precision():
    features = made(1, 4, 9, 11).bfloat16()
    none = roi_align(features, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 7, 8)
    assert none.shape == (0, 4, 7, 7)
    # In bfloat16 the corner 857.0 would be 856.0: half a cell of a box of 3 pixels.
    wide = made(1, 1, 2, 900)
    box, first = boxes((857, 0, 860, 2)), torch.tensor([0])
    expected = roi_align(wide.bfloat16().float(), box, first, 3, 1)
    torch.testing.assert_close(roi_align(wide.bfloat16(), box, first, 3, 1), expected.bfloat16())


def test_gradients_flow_to_the_features_under_the_box_only():
    features = made(1, 1, 8, 8).requires_grad_()
    roi_align(features, boxes((16, 16, 32, 32)), torch.tensor([0]), 2, 8).sum().backward()
    assert features.grad is not None
    reached = features.grad[0, 0] > 0
    assert reached[2:4, 2:4].all()
    assert int(reached.sum()) == 4


def test_mask_boxes_equal_those_of_media():
    masks = made(12, 9, 11) > torch.linspace(0.5, 1.02, 12)[:, None, None]
    masks[3], masks[4] = False, False
    masks[4, 8, 10] = True
    seen, is_there = mask_boxes(masks)
    np.testing.assert_array_equal(seen.numpy(), boxes_from_masks(masks.numpy()))
    assert seen.dtype == torch.float32
    assert is_there.tolist() == masks.flatten(1).any(1).tolist()
    assert not is_there[3]
    assert seen[4].tolist() == [10, 8, 11, 9]


def test_enlarged_keeps_the_centre_and_scales_the_sides():
    given = boxes((2, 3, 12, 23), (-4, 0, 5, 3))
    seen = enlarged(given, 1.5)
    assert seen[0].tolist() == [-0.5, -2, 14.5, 28]
    torch.testing.assert_close(enlarged(seen, 1 / 1.5), given)
    assert enlarged(given[:0], 2.0).shape == (0, 4)
