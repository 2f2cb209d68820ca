"""Thin parts of a cut-out: lines of its colours that stand out of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shibori.datasets.cut_outs import with_thin_parts


@pytest.mark.parametrize("seed", range(4))
def test_thin_parts_are_lines_in_the_objects_own_colours(seed: int):
    rgba = np.zeros((60, 90, 4), np.uint8)
    rgba[10:50, 10:80] = (200, 30, 60, 255)
    wide = with_thin_parts(np.random.default_rng(seed), rgba)
    before = np.zeros(wide.shape[:2], bool)
    before[40:80, 40:110] = True
    assert wide.shape == (120, 150, 4)
    assert (wide[before] == (200, 30, 60, 255)).all()
    added = (wide[..., 3] > 127) & ~before
    assert added.any()
    assert (wide[added][:, :3] > (95, 10, 25)).all()  # the rim is blended with black
    assert not cv2.erode(added.astype(np.uint8), np.ones((7, 7), np.uint8)).any()


def test_what_shows_nothing_gets_no_thin_parts():
    nothing = np.zeros((20, 30, 4), np.uint8)
    np.testing.assert_array_equal(with_thin_parts(np.random.default_rng(0), nothing), nothing)
