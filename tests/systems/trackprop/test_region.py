"""Regions: cutting and pasting are inverse, blending is an average, one size for all where the paper says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.blend import blended
from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import WindowRule
from shibori.systems.trackprop.region import crop_in_frame, pasted
from shibori.tracking.window_tracker import Crop, mask_in_crop

CPU = torch.device("cpu")
FRAME_HW = (120, 160)


def disk(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(FRAME_HW)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def answer(mask: np.ndarray, crop: Crop, sharpness: float = 8.0) -> WindowedLogits:
    share = mask_in_crop(mask, crop, CPU)[0, 0].numpy()
    return WindowedLogits(1, crop.window, ((share - 0.5) * 2 * sharpness).astype(np.float32))


@pytest.mark.parametrize("size_hw", [(64, 64), (96, 64), (48, 80)])
def test_what_is_cut_out_and_pasted_back_is_the_same(size_hw):
    mask = disk(60, 90, 21)
    crop = Crop(np.array([50.0, 25.0, 130.0, 100.0]), size_hw)
    whole = pasted(answer(mask, crop), FRAME_HW)
    found = whole > 0
    assert (found & mask).sum() / (found | mask).sum() > 0.94
    outside = np.ones(FRAME_HW, np.bool_)
    outside[25:100, 50:130] = False
    assert (whole[outside] < -10).all()


def test_at_its_own_size_a_region_is_pasted_exactly():
    crop = Crop(np.array([16.0, 8.0, 80.0, 72.0]), (64, 64))
    mask = disk(40, 50, 20)
    np.testing.assert_array_equal(pasted(answer(mask, crop), FRAME_HW) > 0, mask)


def test_a_box_beyond_the_frame_is_looked_at_inside_it():
    crop = crop_in_frame(WindowRule(), np.array([-40.0, -20.0, 30.0, 20.0]), FRAME_HW)
    assert (crop.window >= 0).all()
    assert crop.window[2] <= 160
    assert crop.window[3] <= 120


def test_blending_averages_probabilities_wherever_the_regions_are():
    first = answer(disk(60, 70, 20), Crop(np.array([40.0, 30.0, 104.0, 94.0]), (64, 64)))
    second = answer(disk(60, 90, 20), Crop(np.array([60.0, 30.0, 124.0, 94.0]), (64, 64)))
    for weight in (0.0, 0.3, 0.7, 1.0):
        found = 1 / (1 + np.exp(-pasted(blended(first, second, weight), FRAME_HW)))
        truth = (1 - weight) * disk(60, 70, 20) + weight * disk(60, 90, 20)
        assert np.abs(found - truth).mean() < 0.01
    only = pasted(blended(first, second, 0.0), FRAME_HW) > 0
    np.testing.assert_array_equal(only, disk(60, 70, 20))
    alike = blended(first, first, 0.6)
    np.testing.assert_allclose(alike.logits, np.clip(first.logits, -11.6, 11.6), atol=0.01)
