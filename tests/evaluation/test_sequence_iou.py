"""Overlap over sequences: that of masks as arrays, however computed; nothing above the bound is left out."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.evaluation.sequence_iou import mean_areas, sequence_ious, track_areas
from shibori.media.rle import encode_rle

SIZE = (24, 30)


def made_masks(rng: np.random.Generator, num_tracks: int, num_frames: int) -> np.ndarray:
    """(N, T, H, W) bool boxes; about one in five is empty."""
    masks = np.zeros((num_tracks, num_frames, *SIZE), bool)
    for track in masks:
        y, x = rng.integers(0, 12, 2)
        for mask in track:
            if rng.uniform() > 0.2:
                dy, dx = rng.integers(-2, 3, 2)
                mask[max(y + dy, 0) : y + dy + 9, max(x + dx, 0) : x + dx + 11] = True
    return masks


def codes(masks: np.ndarray, rng: np.random.Generator) -> list:
    """Codes of every mask; of the empty ones half are None."""
    return [[encode_rle(m) if m.any() or rng.uniform() < 0.5 else None for m in track] for track in masks]


@pytest.mark.parametrize(("num_found", "num_true"), [(1, 1), (3, 2), (9, 8), (4, 0), (0, 3)])
@pytest.mark.parametrize("at_least", [0.0, 0.5])
def test_equals_masks_as_arrays(num_found, num_true, at_least):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        found, true = made_masks(rng, num_found, 7), made_masks(rng, num_true, 7)
        shared = (found[:, None] & true[None]).sum(axis=(2, 3, 4))
        together = (found[:, None] | true[None]).sum(axis=(2, 3, 4))
        expected = shared / np.maximum(together, 1)
        a, b = codes(found, rng), codes(true, rng)
        ious = sequence_ious(a, b, found.sum(axis=(2, 3)), true.sum(axis=(2, 3)), at_least)
        assert ious.shape == (num_found, num_true)
        must = expected >= at_least
        np.testing.assert_allclose(ious[must], expected[must], rtol=1e-14)
        assert (ious[~must] < at_least).all()


def test_areas_of_many_masks():
    rng = np.random.default_rng(0)
    masks = made_masks(rng, 20, 30)
    areas = track_areas(codes(masks, rng))
    np.testing.assert_array_equal(areas, masks.sum(axis=(2, 3)))


def test_mean_area_is_over_frames_with_a_mask():
    np.testing.assert_allclose(mean_areas(np.array([[0.0, 4, 8], [0, 0, 0]])), [6, 0])
