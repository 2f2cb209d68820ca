"""The hybrid on small clips: what a round changes, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.evaluation.sequence import sequence_clip
from shibori.media.clip import Clip
from shibori.media.marks import BoxMark, Marks
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.scribble import Stroke
from shibori.ops.overlap import WindowedLogits
from shibori.systems.strnn.between import Key
from shibori.systems.strnn.build import segmenter_from_state
from shibori.systems.strnn.hybrid import HybridSegmenter, Voter
from shibori.systems.strnn.model import build_strnn

from ...evaluation.made import ArraySequence
from ...holder import Holder
from ...soft import assert_distribution, assert_soft
from ...tracking.test_propagator import made_propagator

COLOURS = np.array([[40, 60, 40], [230, 40, 30], [40, 60, 230]], np.uint8)
SIZE_HW = (96, 128)
NUM_FRAMES = 7


class ColourSequence(ArraySequence):
    def read_image(self, index: int) -> np.ndarray:
        noise = np.random.default_rng(index).integers(-9, 9, (*SIZE_HW, 3))
        return (COLOURS[self.ids[index]] + noise).clip(0, 255).astype(np.uint8)


def sequence() -> ColourSequence:
    """Object 1 is red and walks right, object 2 is blue and walks left, on green."""
    frames = []
    for index in range(NUM_FRAMES):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[8:40, 8 + 6 * index : 48 + 6 * index] = 1
        ids[52:88, 80 - 6 * index : 120 - 6 * index] = 2
        frames.append(ids)
    return ColourSequence("boxes", tuple(frames))


@pytest.fixture(scope="module")
def hybrid() -> HybridSegmenter:
    """An untrained classifier, for which colours are enough, and a propagator that holds the latest reference."""
    torch.manual_seed(0)
    state = build_strnn("tiny").state_dict()
    return HybridSegmenter(segmenter_from_state(state, "tiny", "cpu", dtype=torch.float32), Holder())


@pytest.fixture
def clip() -> Clip:
    return sequence_clip(sequence())


def line(object_id: int, row: int, left: int, right: int) -> Stroke:
    return Stroke(object_id, ((left / 127, row / 95), (right / 127, row / 95)))


FIRST = Marks({2: (line(1, 24, 24, 56), line(2, 70, 72, 104))})
LATER = Marks({6: (line(1, 24, 50, 80), line(2, 70, 48, 80))})


@pytest.mark.parametrize("refiner", [None, lambda *known: shaken(known[3], known[4])])
def test_soft_masks_go_along_with_every_round(hybrid, clip, refiner):
    interaction = replace(hybrid, propagator=made_propagator(), refiner=refiner).begin(clip)
    answers = list(interaction.mark(FIRST))
    assert_soft([*answers, *interaction.masks()])
    for masks in [*interaction.mark(LATER), *interaction.masks()]:
        assert_distribution(masks)


def shaken(object_id: int, mask: np.ndarray) -> WindowedLogits:
    """A mask as log-odds with wide edges."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2) * 8 - 4
    return WindowedLogits(object_id, np.array([0.0, 0, SIZE_HW[1], SIZE_HW[0]]), np.asarray(soft))


def test_a_propagator_that_gives_ids_alone_leaves_frames_without_probabilities(hybrid, clip):
    interaction = hybrid.begin(clip)
    interaction.mark(FIRST)
    assert [masks.probs is None for masks in interaction.masks()] == [index != 2 for index in range(NUM_FRAMES)]


def test_masks_of_one_marked_frame_are_carried_to_all(hybrid, clip):
    interaction = hybrid.begin(clip)
    (quick,) = interaction.mark(FIRST)
    masks = list(interaction.masks())
    assert [found.index for found in masks] == list(range(NUM_FRAMES))
    for found in masks:
        np.testing.assert_array_equal(found.ids, quick.ids)
        assert [status.object_id for status in found.statuses] == [1, 2]
    assert masks[2].statuses[0].confidence == 1
    assert masks[3].statuses[0].confidence == 0.9
    true = sequence().ids[2]
    assert (quick.ids == true).mean() > 0.85


def test_a_second_marked_frame_changes_its_own_side_alone(hybrid, clip):
    interaction = hybrid.begin(clip)
    interaction.mark(FIRST)
    first = list(interaction.masks())
    (answer,) = interaction.mark(LATER)
    both = list(interaction.masks())
    for index in range(3):
        np.testing.assert_array_equal(both[index].ids, first[index].ids)
    np.testing.assert_array_equal(both[6].ids, answer.ids)
    assert not np.array_equal(both[6].ids, first[6].ids)


def test_where_two_sides_disagree_the_nearer_one_counts_and_the_classifier(hybrid, clip):
    """The classifier sees where the objects are; what is carried stands still."""
    shares = []
    for trust in (0.0, 100.0):
        interaction = replace(hybrid, rule=replace(hybrid.rule, trust=trust)).begin(clip)
        interaction.mark(FIRST)
        interaction.mark(LATER)
        masks = list(interaction.masks())
        if trust == 0:
            np.testing.assert_array_equal(masks[3].ids, masks[2].ids)
            np.testing.assert_array_equal(masks[5].ids, masks[6].ids)
        true = sequence().ids
        shares.append(np.mean([(masks[index].ids == true[index]).mean() for index in (3, 4, 5)]))
    assert shares[1] > shares[0] + 0.02


def test_objects_that_were_marked_on_different_frames(hybrid, clip):
    interaction = hybrid.begin(clip)
    interaction.mark(Marks({0: (line(1, 24, 16, 40),), 6: (line(2, 70, 50, 78),)}))
    masks = list(interaction.masks())
    for found in masks:
        assert set(np.unique(found.ids).tolist()) == {0, 1, 2}
    again = list(interaction.masks())
    for one, other in zip(masks, again, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_a_correction_keeps_what_it_leaves_alone(hybrid, clip):
    interaction = hybrid.begin(clip)
    (before,) = interaction.mark(FIRST)
    list(interaction.masks())
    (after,) = interaction.mark(Marks({2: (line(0, 24, 24, 30),)}))
    changed = np.argwhere(before.ids != after.ids)
    assert (after.ids[24, 24:31] == 0).all()
    assert (after.ids[52:88] == before.ids[52:88]).all() or changed[:, 0].max() < 52
    np.testing.assert_array_equal(list(interaction.masks())[2].ids, after.ids)


def test_before_the_round_from_which_masks_are_carried_the_classifier_answers(hybrid, clip):
    late = replace(hybrid, first_round=2)
    interaction, pixels = late.begin(clip), hybrid.pixels.begin(clip)
    interaction.mark(FIRST)
    pixels.mark(FIRST)
    for one, other in zip(interaction.masks(), pixels.masks(), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
    interaction.mark(LATER)
    second = list(interaction.masks())
    np.testing.assert_array_equal(second[0].ids, second[2].ids)  # carried, by what stands still


def test_ids_above_a_byte_and_boxes(hybrid, clip):
    interaction = hybrid.begin(clip)
    box = BoxMark(300, (8 / 128, 8 / 96, 48 / 128, 40 / 96))
    (answer,) = interaction.mark(Marks({0: (line(7, 70, 86, 112),)}, {0: (box,)}))
    assert answer.ids.dtype == np.uint16
    assert set(np.unique(answer.ids).tolist()) <= {0, 7, 300}
    assert [status.object_id for status in list(interaction.masks())[6].statuses] == [7, 300]


def test_what_is_refused(hybrid, clip):
    interaction = hybrid.begin(clip)
    with pytest.raises(InputError, match="nothing is marked yet"):
        interaction.masks()
    with pytest.raises(InputError, match="mark on frame 7, but the clip has 7 frames"):
        interaction.mark(Marks({7: (line(1, 1, 1, 2),)}))
    with pytest.raises(InputError, match="background alone"):
        interaction.mark(Marks({0: (line(0, 1, 1, 2),)}))


class Widening:
    """Stands for a refiner: adds a rim of one pixel to whatever it is shown, and notes what that was."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.before: list[int | None] = []

    def __call__(self, image, marks, frame_index, object_id, mask, before):
        self.seen.append((frame_index, object_id))
        self.before.append(None if before is None else int(before.sum()))
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        return WindowedLogits(object_id, np.array([0.0, 0, mask.shape[1], mask.shape[0]]), wide * 2.0 - 1.0)


def test_what_is_new_in_a_marked_frame_is_mended_and_marks_are_obeyed_all_the_same(hybrid, clip):
    refiner = Widening()
    plain, refining = hybrid.begin(clip), replace(hybrid, refiner=refiner).begin(clip)
    (before,), (after,) = plain.mark(FIRST), refining.mark(FIRST)
    assert refiner.seen == [(2, 1), (2, 2)]
    assert refiner.before == [None, None]
    for object_id in (1, 2):
        wide = cv2.dilate((before.ids == object_id).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert not (wide & (before.ids == 0) & (after.ids != object_id)).any()
    drawn = FIRST.rasterise(2, SIZE_HW)
    np.testing.assert_array_equal(after.ids[drawn >= 0], drawn[drawn >= 0])


def test_an_object_that_a_correction_leaves_alone_is_not_mended_again(hybrid, clip):
    refiner = Widening()
    interaction = replace(hybrid, refiner=refiner).begin(clip)
    (first,) = interaction.mark(FIRST)
    refiner.seen.clear()
    (second,) = interaction.mark(Marks({2: (line(0, 24, 24, 40),)}))
    assert refiner.seen == [(2, 1)]
    assert refiner.before[-1] == (first.ids == 1).sum()
    np.testing.assert_array_equal(second.ids == 2, first.ids == 2)


def carried(index: int, ids: np.ndarray, confidence: float) -> FrameMasks:
    state = "tracked" if (ids == 1).any() else "lost"
    return FrameMasks(index, ids, (ObjectStatus(1, confidence, state),))


def test_what_was_followed_to_a_corrected_mask_is_doubted_up_to_where_the_object_was_lost(hybrid, clip):
    shown, nothing = (sequence().ids[2] == 1).astype(np.uint8), np.zeros(SIZE_HW, np.uint8)
    interaction = hybrid.begin(clip)
    for index in range(NUM_FRAMES):
        interaction._last.put(carried(index, nothing if index == 2 else shown, 0.9 if index != 2 else 0.0))
    interaction._doubt(4, Key(shown, (1,)), Key(shown, (1,)))
    interaction._doubt(4, Key(nothing, (1,)), Key(shown, (1,)))
    assert interaction._doubted == {}
    interaction._doubt(4, Key(shown, (1,)), Key(np.roll(shown, 3), (1,)))
    assert interaction._doubted == {1: {3, 5, 6}}
    interaction._kept(FrameMasks(5, shown, (ObjectStatus(1, 0.9, "tracked"),)))
    assert interaction._doubted == {1: {3, 6}}


@pytest.mark.parametrize(("last", "unheard", "stands"), [(0.9, (), True), (0.5, (), False), (0.9, (1,), False)])
def test_what_was_let_stand_counts_unless_it_is_doubted_or_others_are_surer(hybrid, clip, last, unheard, stands):
    interaction = replace(hybrid, rule=replace(hybrid.rule, trust=0.0)).begin(clip)
    interaction.mark(FIRST)
    shown, nothing = (sequence().ids[2] == 1).astype(np.uint8), np.zeros(SIZE_HW, np.uint8)
    elsewhere = np.roll(shown, 50, 1)
    voters = [
        Voter(0.7, carried(1, elsewhere, 0.9)),
        Voter(0.3, carried(1, nothing, 0.0)),
        Voter(1.05, carried(1, shown, last), frozenset(unheard)),
    ]
    found = interaction._decided(1, voters)
    np.testing.assert_array_equal(found, shown if stands else elsewhere)


@pytest.mark.parametrize(("unheard", "shows"), [((), True), ((1,), False)])
def test_what_only_a_doubted_answer_says_gets_nothing_from_the_classifier_either(hybrid, clip, unheard, shows):
    interaction = replace(hybrid, rule=replace(hybrid.rule, trust=100.0)).begin(clip)
    interaction.mark(FIRST)
    shown, nothing = (sequence().ids[1] == 1).astype(np.uint8), np.zeros(SIZE_HW, np.uint8)
    sides = [Voter(weight, carried(1, nothing, 0.0)) for weight in (0.7, 0.3)]
    found = interaction._decided(1, [*sides, Voter(1.05, carried(1, shown, 0.9), frozenset(unheard))])
    assert found.any() == shows


def test_asked_again_without_new_marks_the_answer_is_the_same(hybrid, clip):
    interaction = hybrid.begin(clip)
    interaction.mark(FIRST)
    list(interaction.masks())
    interaction.mark(LATER)
    for one, other in zip(list(interaction.masks()), list(interaction.masks()), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
