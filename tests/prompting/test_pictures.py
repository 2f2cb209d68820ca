"""Pictures to train on: whole objects, the same ones for the same number, and marks as people make them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from shibori.datasets.real_frames import RealSequence
from shibori.datasets.stills import VOID, Still
from shibori.errors import InputError
from shibori.prompting.network import BACKGROUND, BOX_END, BOX_START, NOTHING, OBJECT
from shibori.prompting.pictures import MIN_AREA, PicturePlan, PromptPictures, resized_ids
from shibori.prompting.simulated_marks import (
    DrawnMarks,
    add_correction,
    as_log_odds,
    first_marks,
    noisy_box,
    stacked_marks,
    wrong_mask,
)

from ..datasets.made import made_still, moving_disk

PLAN = PicturePlan(side=96, smallest_side=64)


@pytest.fixture(scope="module")
def sequence() -> RealSequence:
    images, masks = moving_disk(4)
    return RealSequence("disk", tuple(images), tuple(mask.astype(np.uint8) for mask in masks))


def pictures(sequence: RealSequence, plan: PicturePlan = PLAN) -> PromptPictures:
    return PromptPictures([made_still(0), made_still(1)], [sequence], plan, 0, 50)


def test_every_picture_shows_objects_large_enough_on_the_grid(sequence):
    sides = set()
    for index in range(40):
        picture = pictures(sequence)[index]
        height, width = picture.image.shape[1:]
        assert picture.image.dtype == torch.uint8
        assert height % 32 == width % 32 == 0
        assert max(height, width) <= 96
        assert picture.masks.shape[1:] == picture.ignored.shape == (height, width)
        assert 1 <= len(picture.masks) <= PLAN.most_objects
        assert (picture.masks.sum((1, 2)) >= MIN_AREA).all()
        assert (picture.masks.sum(0) <= 1).all()
        sides.add(max(height, width))
    assert sides == {64, 96}


def test_a_picture_depends_on_its_number_alone(sequence):
    first, again = pictures(sequence)[7], pictures(sequence)[7]
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.image, pictures(sequence)[8].image)


def test_a_cut_out_laid_over_is_an_object_of_its_own(sequence):
    plan = PicturePlan(side=96, smallest_side=96, real_share=1.0, whole_share=1.0, pasted_share=1.0)
    counts = [len(pictures(sequence, plan)[index].masks) for index in range(20)]
    assert max(counts) == 2


def test_what_is_not_known_is_marked(sequence):
    still = made_still(0)
    ids = still.ids.copy()
    ids[:4] = VOID
    plan = PicturePlan(side=96, smallest_side=96, real_share=0.0, whole_share=1.0, pasted_share=0.0)
    data = PromptPictures([Still(still.image, ids, still.object_ids, False)], [], plan, 0, 4)
    picture = data[0]
    assert picture.ignored.any()
    assert not (picture.masks & picture.ignored).any()


def test_photographs_of_regions_alone_are_refused():
    still = made_still(0)
    with pytest.raises(InputError, match="found only regions"):
        PromptPictures([Still(still.image, still.ids, still.object_ids, True)], [], PLAN, 0, 4)


def test_ids_are_resized_to_where_they_cover_most():
    ids = np.zeros((8, 8), np.uint8)
    ids[:, :5], ids[:, 5:] = 3, 9
    small = resized_ids(ids, np.array([0.0, 0, 8, 8]), (4, 4))
    np.testing.assert_array_equal(small[0], [3, 3, 9, 9])


def block(shape=(40, 50)) -> np.ndarray:
    mask = np.zeros(shape, np.bool_)
    mask[10:30, 8:36] = True
    return mask


def is_in(mask: np.ndarray, point: tuple[float, float], stride: int) -> bool:
    return bool(mask[int(point[1] / stride), int(point[0] / stride)])


def test_first_marks_are_on_the_object():
    rng, true, seen = np.random.default_rng(0), block(), set()
    wide = cv2.dilate(true.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    for _ in range(60):
        marks = first_marks(rng, true, 2)
        seen.add(tuple(sorted(set(marks.kinds))))
        assert len(marks.points) == len(marks.kinds)
        for point, kind in zip(marks.points, marks.kinds, strict=True):
            if kind in (OBJECT, BACKGROUND):  # the robot's lines may leave a region by a pixel
                assert is_in(wide if kind == OBJECT else ~true, point, 2)
    assert (OBJECT,) in seen
    assert (BOX_START, BOX_END) in seen
    assert any(BACKGROUND in kinds for kinds in seen)


def test_a_correction_is_where_the_mask_is_most_wrong():
    rng, true = np.random.default_rng(1), block()
    for pred, kind in ((true & False, OBJECT), (~true | true, BACKGROUND)):
        marks = DrawnMarks()
        add_correction(rng, marks, pred, true, 4)
        assert set(marks.kinds) == {kind}
        wrong = cv2.dilate((pred != true).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert all(is_in(wrong, point, 4) for point in marks.points)
    right = DrawnMarks()
    add_correction(rng, right, true, true, 4)
    assert set(right.kinds) == {OBJECT}


def test_boxes_are_drawn_nearly_around_the_object():
    rng = np.random.default_rng(2)
    boxes = np.array([np.ravel(noisy_box(rng, block(), 2)) for _ in range(200)])
    np.testing.assert_allclose(boxes.mean(0), [16, 20, 72, 60], atol=1)
    assert boxes.std(0).min() > 0.5


def test_wrong_masks_are_wrong_but_of_the_object():
    rng, true, other = np.random.default_rng(3), block(), np.zeros((40, 50), np.bool_)
    other[32:38, 2:12] = True
    found = [wrong_mask(rng, true, other) for _ in range(60)]
    assert sum(bool((mask & other).any()) for mask in found) >= 2
    assert np.mean([np.array_equal(mask, true) for mask in found]) < 0.2
    assert np.mean([(mask & true).sum() / true.sum() for mask in found]) > 0.5
    logits = as_log_odds(rng, true)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal((logits > 0)[12:28, 10:34], True)


def test_marks_of_several_objects_are_filled_up():
    clicked, boxed = DrawnMarks([(1.0, 2.0)], [OBJECT]), DrawnMarks([(0.0, 0.0), (4.0, 4.0)], [BOX_START, BOX_END])
    points, kinds = stacked_marks([clicked, boxed, DrawnMarks()], torch.device("cpu"))
    assert kinds.tolist() == [[OBJECT, NOTHING], [BOX_START, BOX_END], [NOTHING, NOTHING]]
    assert points[0, 0].tolist() == [1, 2]
