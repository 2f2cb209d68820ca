"""Regions: cutting and pasting are inverse, blending is an average, one size for all where the paper says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import WindowRule
from shibori.systems.trackprop.region import Place, blended, cut_mask, pasted, pictures, place_around
from shibori.systems.trackprop.rule import RegionRule

CPU = torch.device("cpu")
FRAME_HW = (120, 160)


def disk(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(FRAME_HW)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def answer(mask: np.ndarray, place: Place, sharpness: float = 8.0) -> WindowedLogits:
    share = cut_mask(mask, place, CPU)[0, 0].numpy()
    return WindowedLogits(1, place.window, ((share - 0.5) * 2 * sharpness).astype(np.float32))


@pytest.mark.parametrize("size_hw", [(64, 64), (96, 64), (48, 80)])
def test_what_is_cut_out_and_pasted_back_is_the_same(size_hw):
    mask = disk(60, 90, 21)
    place = Place(np.array([50.0, 25.0, 130.0, 100.0]), size_hw)
    whole = pasted(answer(mask, place), FRAME_HW)
    found = whole > 0
    assert (found & mask).sum() / (found | mask).sum() > 0.94
    outside = np.ones(FRAME_HW, np.bool_)
    outside[25:100, 50:130] = False
    assert (whole[outside] < -10).all()


def test_at_its_own_size_a_region_is_pasted_exactly():
    place = Place(np.array([16.0, 8.0, 80.0, 72.0]), (64, 64))
    mask = disk(40, 50, 20)
    np.testing.assert_array_equal(pasted(answer(mask, place), FRAME_HW) > 0, mask)


def test_places_keep_their_shape_or_are_all_of_one_size():
    kept = RegionRule(WindowRule(area_side=128))
    fixed = RegionRule(WindowRule(), fixed_side=513)
    wide, high = np.array([10.0, 50.0, 110.0, 70.0]), np.array([60.0, 10.0, 80.0, 100.0])
    assert place_around(fixed, wide, FRAME_HW).size_hw == place_around(fixed, high, FRAME_HW).size_hw == (513, 513)
    place = place_around(kept, wide, FRAME_HW)
    assert place.size_hw[1] > place.size_hw[0]
    assert (place.window[:2] <= wide[:2]).all()
    assert (place.window[2:] >= wide[2:]).all()


def test_a_box_beyond_the_frame_is_looked_at_inside_it():
    place = place_around(RegionRule(), np.array([-40.0, -20.0, 30.0, 20.0]), FRAME_HW)
    assert (place.window >= 0).all()
    assert place.window[2] <= 160
    assert place.window[3] <= 120


def test_pictures_of_one_size_are_one_batch():
    image = np.random.default_rng(0).integers(0, 255, (*FRAME_HW, 3), dtype=np.uint8)
    places = [Place(np.array([0.0, 0.0, 64.0, 64.0]), (64, 64)), Place(np.array([32.0, 16.0, 96.0, 80.0]), (64, 64))]
    batch = pictures(image, places, CPU)
    assert batch.shape == (2, 3, 64, 64)
    torch.testing.assert_close(batch[0, :, 16:, 32:], batch[1, :, :48, :32])


def test_blending_averages_probabilities_wherever_the_regions_are():
    first = answer(disk(60, 70, 20), Place(np.array([40.0, 30.0, 104.0, 94.0]), (64, 64)))
    second = answer(disk(60, 90, 20), Place(np.array([60.0, 30.0, 124.0, 94.0]), (64, 64)))
    for weight in (0.0, 0.3, 0.7, 1.0):
        found = 1 / (1 + np.exp(-pasted(blended(first, second, weight), FRAME_HW)))
        truth = (1 - weight) * disk(60, 70, 20) + weight * disk(60, 90, 20)
        assert np.abs(found - truth).mean() < 0.01
    only = pasted(blended(first, second, 0.0), FRAME_HW) > 0
    np.testing.assert_array_equal(only, disk(60, 70, 20))
    alike = blended(first, first, 0.6)
    np.testing.assert_allclose(alike.logits, np.clip(first.logits, -11.6, 11.6), atol=0.01)
