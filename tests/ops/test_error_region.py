"""Where one would click next, against looking at every pixel."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.ops.error_region import largest_error, middle_of


def test_the_larger_mistake_is_found_whichever_kind_it_is():
    true, pred = np.zeros((2, 20, 30), np.bool_)
    true[2:8, 2:8] = True
    pred[2:8, 2:5] = True
    pred[12:18, 10:20] = True
    error = largest_error(pred, true)
    assert (error.is_object, int(error.region.sum())) == (False, 60)
    missing = largest_error(np.zeros_like(true), true)
    assert missing.is_object
    np.testing.assert_array_equal(missing.region, true)
    assert largest_error(true, true) is None


def test_of_several_pieces_the_largest_alone_counts():
    true = np.zeros((12, 12), np.bool_)
    true[0:2, 0:2] = true[5:9, 5:9] = true[11, 11] = True
    np.testing.assert_array_equal(np.argwhere(largest_error(~true & False, true).region).min(0), [5, 5])


def test_the_middle_is_the_pixel_furthest_from_any_other_side():
    rng = np.random.default_rng(0)
    region = np.zeros((15, 18), np.bool_)
    region[2:13, 1:17] = rng.random((11, 16)) < 0.9
    x, y = middle_of(region)
    outside = np.argwhere(~np.pad(region, 1)) - 1
    distance = {tuple(cell): np.hypot(*(outside - cell).T).min() for cell in np.argwhere(region)}
    assert distance[int(y), int(x)] == pytest.approx(max(distance.values()))
    assert (x % 1, y % 1) == (0.5, 0.5)


def test_the_end_of_the_picture_is_an_outside():
    assert middle_of(np.ones((5, 9), np.bool_))[1] == 2.5
    with pytest.raises(ValueError, match="an empty region"):
        middle_of(np.zeros((3, 3), np.bool_))
