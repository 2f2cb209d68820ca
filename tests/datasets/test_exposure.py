"""What is left of a picture of fewer pixels."""

from __future__ import annotations

import numpy as np

from shibori.datasets.exposure import from_fewer_pixels


def test_an_image_from_fewer_pixels_has_lost_what_is_fine_alone():
    rows, columns = np.mgrid[:48, :48]
    fine = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, 2)
    broad = np.repeat((rows * 5).astype(np.uint8)[..., None], 3, 2)
    assert np.ptp(from_fewer_pixels(fine, 2.0)) <= 2
    assert np.abs(from_fewer_pixels(broad, 2.0).astype(int) - broad).max() <= 5
    assert from_fewer_pixels(fine, 1.0) is fine
