"""Sprites: cuts reach around the object, whole masks are the sequence's, a picture with coverage is as it is."""

from __future__ import annotations

import numpy as np

from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.sprite import CutOut, Footage, cut_mask, source_boxes

from ..made import Painted, disk

SIZE = (72, 128)


def test_cut_reaches_around_the_object_and_not_out_of_the_picture():
    mask = disk(SIZE, (3, 36), 9)
    cut = cut_mask(mask)
    x, y = cut.corner_xy
    assert x == 0
    whole = np.zeros(SIZE, bool)
    whole[y : y + cut.mask.shape[0], x : x + cut.mask.shape[1]] = cut.mask > 0
    np.testing.assert_array_equal(whole, mask)
    assert cut_mask(np.zeros(SIZE, bool)).mask.size == 0


def test_footage_is_played_there_and_back_and_gives_masks_cuts_and_boxes():
    source = Painted("a", 200, num_frames=3)
    footage = Footage(source, BoundedCache(10**7))
    for index, frame in enumerate((0, 1, 2, 1, 0)):
        np.testing.assert_array_equal(footage.mask(index), source.read_ids(frame))
        cut = footage.silhouette(index)
        x, y = cut.corner_xy
        rows, columns = slice(y, y + cut.mask.shape[0]), slice(x, x + cut.mask.shape[1])
        np.testing.assert_array_equal(footage.colours(index), source.read_image(frame)[rows, columns])
    np.testing.assert_array_equal(source_boxes(footage, 2), [[30, 20, 62, 52], [34, 20, 66, 52]])


def test_a_cut_out_is_the_same_in_every_frame():
    rgba = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    piece = CutOut("piece", rgba)
    np.testing.assert_array_equal(np.dstack([piece.colours(3), piece.silhouette(8).mask]), rgba)
    assert piece.silhouette(0).box_xyxy == (0, 0, 5, 6)
