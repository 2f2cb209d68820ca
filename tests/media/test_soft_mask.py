"""Soft masks: one distribution a pixel, in step with the hard masks, given masks certain."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import SoftLayer, SoftMasks, settled_shares

SIZE_HW = (12, 20)


def flat_layer(object_id: int, logit: float, window: tuple[int, int, int, int]) -> SoftLayer:
    return SoftLayer(object_id, window, np.full((3, 4), logit, np.float16))


def two_objects() -> SoftMasks:
    return SoftMasks(SIZE_HW, (flat_layer(3, 1.0, (2, 2, 10, 8)), flat_layer(5, 2.0, (6, 4, 16, 10))))


def likeliest_ids(soft: SoftMasks) -> np.ndarray:
    shares = soft.shares([3, 5])
    return np.array([0, 3, 5], np.uint8)[np.concatenate([1 - shares.sum(0, keepdims=True), shares]).argmax(0)]


def test_overlapping_objects_share_a_pixel_by_their_odds():
    shares = two_objects().shares([3, 5])
    alone, both = np.exp(1.0), np.exp(1.0) + np.exp(2.0)
    assert shares[0, 3, 3] == pytest.approx(alone / (1 + alone), abs=1e-3)
    assert shares[:, 5, 8] == pytest.approx([np.exp(1.0) / (1 + both), np.exp(2.0) / (1 + both)], abs=1e-3)
    assert (shares[:, 0, 0] == 0).all()


def test_others_count_though_they_are_not_asked_for():
    assert two_objects().shares([3])[0, 5, 8] == pytest.approx(two_objects().shares([3, 5])[0, 5, 8])


def test_given_masks_are_certain_and_nobody_elses():
    given = np.zeros(SIZE_HW, bool)
    given[4:6, 6:9] = True
    soft = SoftMasks(SIZE_HW, two_objects().layers, {7: given})
    shares = soft.shares([3, 5, 7])
    assert (shares[2] == given).all()
    assert (shares[:2, given] == 0).all()
    assert soft.object_ids == (3, 5, 7)


def test_a_frame_gives_probabilities_in_the_order_of_its_statuses():
    statuses = tuple(ObjectStatus(i, 1.0, "tracked") for i in (5, 3))
    masks = FrameMasks(0, likeliest_ids(two_objects()), statuses, two_objects())
    probs = masks.probs
    assert probs is not None
    assert probs.dtype == np.uint8
    assert probs.shape == (3, *SIZE_HW)
    assert np.abs(probs.astype(int).sum(0) - 255).max() <= 1
    assert probs[1, 5, 8] > probs[2, 5, 8]
    assert FrameMasks(0, masks.ids, statuses).probs is None


def test_the_opacity_of_objects_is_soft_where_it_is_known_softly():
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[3, 3] = 3
    masks = FrameMasks(0, ids, (), two_objects())
    assert masks.alpha((3,))[3, 3] == round(255 * np.exp(1) / (1 + np.exp(1)))
    assert masks.alpha((3, 5))[5, 8] > masks.alpha((3,))[5, 8]
    assert FrameMasks(0, ids).alpha((3,))[3, 3] == 255
    assert masks.alpha((4,)).max() == 0


def test_what_the_ids_say_is_the_likeliest_and_the_rest_stays_as_it_was():
    soft = two_objects()
    ids = likeliest_ids(soft)
    np.testing.assert_array_equal(settled_shares(soft, ids, [5, 3]), soft.shares([5, 3]))
    ids[5, 8], ids[6, 15], ids[0, 0] = 3, 0, 9
    before, after = soft.shares([3, 5, 9]), settled_shares(soft, ids, [3, 5, 9])
    assert after[:, 5, 8] == pytest.approx(before[[1, 0, 2], 5, 8])
    assert after[1, 6, 15] == pytest.approx(1 - before[1, 6, 15])
    assert after[:, 0, 0] == pytest.approx([0, 0, 1])
    assert (after != before).any(0).sum() == 3


def test_an_object_that_only_the_ids_know_is_certain():
    ids = np.zeros(SIZE_HW, np.uint16)
    ids[2:4, 2:4] = 300
    masks = FrameMasks(0, ids, (ObjectStatus(300, 1.0, "tracked"), ObjectStatus(7, 0.0, "absent")), SoftMasks(SIZE_HW))
    np.testing.assert_array_equal(masks.alpha((300, 7)), np.where(ids > 0, 255, 0))
    assert masks.probs is not None
    assert not masks.probs[2].any()


def test_parts_and_wholes():
    soft = two_objects()
    halves = soft.only({3}).joined(soft.only({5}))
    np.testing.assert_array_equal(halves.shares([3, 5]), soft.shares([3, 5]))
    assert soft.only({3}).object_ids == (3,)
