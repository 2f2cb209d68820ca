from __future__ import annotations

import numpy as np

from shibori.media.box import boxes_from_masks


def test_boxes_are_tight_and_half_open():
    masks = np.zeros((3, 10, 12), bool)
    masks[0, 2:5, 3:9] = True
    masks[1, 9, 11] = True
    assert boxes_from_masks(masks).tolist() == [[3, 2, 9, 5], [11, 9, 12, 10], [0, 0, 0, 0]]
