"""Rounds of marks on a small clip: what is answered, what stays, what is computed again, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.boxtracking.build import tracker_from_state
from shibori.boxtracking.presets import build_iou_network, build_siamese, build_trunk
from shibori.errors import InputError
from shibori.media.marks import Marks, click
from shibori.nn.frozen import state_digest
from shibori.systems.trackprop.build import segmenter_from_state
from shibori.systems.trackprop.inference import TrackpropInteraction, TrackpropSegmenter
from shibori.systems.trackprop.marking import MarkedMasks
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.rule import RULES
from shibori.tracking.logit_store import Answer

from ...soft import assert_soft
from .rounds import SIZE_HW, ColourNetwork, ColourTracker, line, made_clip, made_sequence

NUM_FRAMES = 9


@pytest.fixture
def segmenter() -> TrackpropSegmenter:
    """Knows colours: what the interaction makes of answers is tested, not the answers."""
    return TrackpropSegmenter(ColourNetwork(), RULES["tiny"], None, torch.device("cpu"))


class Truthful(TrackpropInteraction):
    """Marks mean the truth of their frame, so that what is tested is what follows from them."""

    def __init__(self, segmenter: TrackpropSegmenter, num_frames: int = NUM_FRAMES) -> None:
        super().__init__(segmenter, made_clip(num_frames))
        self.truth = made_sequence(num_frames).ids
        self.stepped: list[tuple[int, ...]] = []
        step = self._propagating.step

        def counted(image, followed, known, given):
            self.stepped.append(tuple(each.state.object_id for each in followed))
            return step(image, followed, known, given)

        self._propagating.step = counted

        frames = {self.clip.frame(index).image.tobytes(): index for index in range(num_frames)}

        def meant(image, marks, new_marks, before, remembered):
            ids = self.truth[frames[image.tobytes()]]
            return MarkedMasks({i: ids == i for i in sorted({*before, *new_marks.object_ids})}, [])

        self._marking.segment = meant


def both(index: int) -> Marks:
    return Marks({index: (line(1, 24, 12 + 4 * index, 36 + 4 * index), line(2, 70, 88 - 4 * index, 112 - 4 * index))})


def all_ids(interaction: TrackpropInteraction) -> list[np.ndarray]:
    return [masks.ids for masks in interaction.masks()]


def share_right(found: list[np.ndarray]) -> list[float]:
    truth = made_sequence(NUM_FRAMES).ids
    return [float((ids == true).mean()) for ids, true in zip(found, truth, strict=True)]


def test_marks_of_one_frame_give_the_masks_of_all(segmenter):
    interaction = segmenter.begin(made_clip(NUM_FRAMES))
    (quick,) = interaction.mark(both(4))
    masks = list(interaction.masks())
    assert [found.index for found in masks] == list(range(NUM_FRAMES))
    assert all(found.ids.shape == SIZE_HW and found.ids.dtype == np.uint8 for found in masks)
    np.testing.assert_array_equal(masks[4].ids, quick.ids)
    assert [status.object_id for status in masks[0].statuses] == [1, 2]
    assert [status.confidence for status in masks[4].statuses] == [1, 1]
    assert_soft([quick, *masks])


def test_soft_masks_go_along_with_later_rounds(segmenter):
    interaction = segmenter.begin(made_clip(NUM_FRAMES))
    interaction.mark(Marks({1: both(1).strokes[1][:1]}))
    list(interaction.masks())
    answers = [*interaction.mark(both(6)), *interaction.mark(Marks({6: both(6).strokes[6][1:]}))]
    assert_soft([*answers, *interaction.masks()])


def test_propagation_goes_both_ways(segmenter):
    interaction = Truthful(segmenter)
    interaction.mark(both(4))
    found = all_ids(interaction)
    assert min(share_right(found)) > 0.98
    assert sorted(interaction.stepped) == [(1, 2)] * (NUM_FRAMES - 1)


def test_it_stops_at_marked_frames_and_leaves_them_alone(segmenter):
    interaction = Truthful(segmenter)
    interaction.mark(both(4))
    all_ids(interaction)
    interaction.stepped.clear()
    interaction.truth = tuple(np.where(ids == 1, 1, 0).astype(np.uint8) for ids in interaction.truth)
    interaction.mark(both(7))  # where object 2 is not there any more
    found = all_ids(interaction)
    assert (found[4] == 2).any()
    assert not (found[7] == 2).any()
    assert not (found[8] == 2).any()
    assert interaction.stepped == [(2,), (2,)]  # frames 5 and 6 from 4; object 1 is as it was shown


def test_only_what_changes_is_computed_again(segmenter):
    interaction = Truthful(segmenter)
    interaction.mark(both(0))
    interaction.mark(both(8))
    before = all_ids(interaction)
    interaction.stepped.clear()
    assert all(np.array_equal(a, b) for a, b in zip(all_ids(interaction), before, strict=True))
    assert not interaction.stepped
    interaction.mark(both(4))
    all_ids(interaction)
    interaction.stepped.clear()
    truth = [ids.copy() for ids in interaction.truth]
    truth[2][:30] = 0
    interaction.truth = tuple(truth)
    interaction.mark(Marks({2: (line(1, 35, 20, 30),)}))
    after = all_ids(interaction)
    assert len(interaction.stepped) == 4  # 1 and 3, each from both sides
    for index in (0, 4, 8):
        np.testing.assert_array_equal(after[index], interaction.truth[index])


def test_an_approved_object_is_not_computed_again_where_nobody_corrects_it(segmenter):
    interaction = Truthful(segmenter)
    interaction.mark(both(4))
    found = all_ids(interaction)
    shown = interaction._shown(6)
    np.testing.assert_array_equal(shown[1], found[6] == 1)
    interaction.stepped.clear()
    # Frame 6 as it was shown, but for object 1.
    ids = found[6].copy()
    ids[ids == 1] = 0
    ids[10:30, 60:90] = 1
    truth = list(interaction.truth)
    truth[6] = ids
    interaction.truth = tuple(truth)
    interaction.mark(Marks({6: (line(1, 20, 62, 88),)}))
    all_ids(interaction)
    assert set(interaction.stepped) == {(1,)}


def test_between_two_marked_frames_both_sides_count(segmenter):
    one_side, two_sides = Truthful(segmenter), Truthful(segmenter)
    one_side.mark(both(0))
    two_sides.mark(both(0))
    two_sides.mark(both(8))
    assert np.mean(share_right(all_ids(two_sides))) >= np.mean(share_right(all_ids(one_side)))


def test_what_was_marked_before_a_mask_was_seen_is_understood_better_after_a_correction(segmenter):
    interaction = Truthful(segmenter)
    right = interaction.truth
    poor = right[3].copy()
    poor[:, 20:][poor[:, 20:] == 1] = 0
    interaction.truth = tuple(poor if index == 3 else ids for index, ids in enumerate(right))
    interaction.mark(both(3))
    all_ids(interaction)
    interaction.truth = right
    interaction.mark(Marks({6: (line(1, 24, 40, 60),)}))
    found = all_ids(interaction)
    np.testing.assert_array_equal(found[3], poor)  # what was answered there stays
    np.testing.assert_array_equal(interaction._masks_at(3)[1], right[3] == 1)
    interaction.mark(Marks({3: (line(1, 24, 30, 40),)}))
    np.testing.assert_array_equal(all_ids(interaction)[3], right[3])
    assert 1 not in interaction._blind[3]


def steady(segmenter: TrackpropSegmenter, inertia: float) -> Truthful:
    propagation = replace(segmenter.rule.propagation, inertia=inertia)
    return Truthful(replace(segmenter, rule=replace(segmenter.rule, propagation=propagation)))


def blinded(interaction: TrackpropInteraction) -> None:
    """From now on nothing is found in any frame that is not marked."""
    step = interaction._propagating.step

    def lost(image, followed, known, given):
        found = step(image, followed, known, given)
        gone = {i: replace(said, logits=np.full_like(said.logits, -8)) for i, (said, _) in found.items()}
        return {i: Answer(logits, 0.0) for i, logits in gone.items()}

    interaction._propagating.step = lost


@pytest.mark.parametrize("inertia", [0.0, 1.0])
def test_what_was_said_stands_where_a_mark_found_it_right(segmenter, inertia):
    interaction = steady(segmenter, inertia)
    interaction.mark(both(4))
    before = all_ids(interaction)
    blinded(interaction)
    truth = [ids.copy() for ids in interaction.truth]
    truth[8][np.flatnonzero((truth[8] == 1).any(1))[0]] = 0  # a row of the object
    interaction.truth = tuple(truth)
    interaction.mark(Marks({8: (line(1, 24, 46, 66),)}))
    after = all_ids(interaction)
    for index in (5, 6, 7):
        assert (after[index] == 1).any() == (inertia > 0)
        if inertia:
            overlap = (after[index] == 1) & (before[index] == 1)
            assert overlap.sum() > 0.9 * (before[index] == 1).sum()


def test_what_was_said_goes_beside_a_frame_where_all_of_it_was_wrong(segmenter):
    interaction = steady(segmenter, 1.0)
    interaction.mark(both(0))
    assert all((ids == 1).any() for ids in all_ids(interaction))
    blinded(interaction)
    interaction.truth = tuple(np.where(ids == 1, 0, ids).astype(np.uint8) for ids in interaction.truth)
    interaction.mark(Marks({8: (line(0, 24, 46, 66), line(2, 70, 60, 80))}))
    after = all_ids(interaction)
    assert not (after[8] == 1).any()
    assert not (after[7] == 1).any()
    assert (after[1] == 1).any()


def test_a_second_mark_on_a_frame_does_not_make_right_what_the_first_found_wrong(segmenter):
    interaction = steady(segmenter, 1.0)
    interaction.mark(both(0))
    all_ids(interaction)
    right = interaction.truth
    interaction.truth = tuple(np.where(ids == 1, 0, ids).astype(np.uint8) for ids in right)
    gone = Marks({8: (line(0, 24, 46, 66), line(2, 70, 60, 80))})
    interaction.mark(gone)
    assert interaction._found_right[1] == {8: 0.0}
    interaction.mark(gone)  # which changes nothing any more
    assert interaction._found_right[1] == {8: 0.0}
    all_ids(interaction)
    assert not interaction._found_right


@pytest.mark.parametrize(("inertia", "reads"), [(0.0, 2), (1.0, 1)])
def test_first_marks_are_read_again_once_where_earlier_rounds_count(segmenter, inertia, reads):
    interaction = steady(segmenter, inertia)
    interaction.mark(both(3))
    all_ids(interaction)
    revised = []
    revise = interaction._revise
    interaction._revise = lambda index, ids: (revised.extend([index] * bool(ids)), revise(index, ids))
    for index in (6, 5):
        truth = [ids.copy() for ids in interaction.truth]
        truth[index][np.flatnonzero((truth[index] == 1).any(1))[0]] = 0
        interaction.truth = tuple(truth)
        interaction.mark(Marks({index: (line(1, 24, 40, 60),)}))
        all_ids(interaction)
    assert revised == [3] * reads


def test_an_object_that_is_marked_later_joins(segmenter):
    interaction = Truthful(segmenter)
    interaction.mark(Marks({2: (line(1, 24, 20, 44),)}))
    assert not any((ids == 2).any() for ids in all_ids(interaction))
    interaction.mark(Marks({5: (line(2, 70, 70, 90),)}))
    found = all_ids(interaction)
    assert (found[2] == 1).any()
    assert sum((ids == 2).any() for ids in found) > 5
    assert [status.object_id for status in next(iter(interaction.masks())).statuses] == [1, 2]


def test_a_tracker_can_give_the_regions(segmenter):
    tracked = TrackpropSegmenter(segmenter.network, segmenter.rule, ColourTracker(), segmenter.device)
    interaction = Truthful(tracked)
    interaction.mark(both(4))
    assert min(share_right(all_ids(interaction))) > 0.98


def test_the_pixel_tracker_takes_part():
    """Untrained it says nothing that makes sense; its confidence is not asked."""
    propagation = RULES["tiny"].propagation
    config = replace(propagation.config, lost_threshold=0.0)
    rule = replace(RULES["tiny"], propagation=replace(propagation, config=config))
    state = build_trackprop("tiny").own_state()
    tracking = segmenter_from_state(state, "tiny", "cpu", rule=rule, dtype=torch.float32)
    interaction = Truthful(tracking)
    interaction.mark(both(1))
    interaction.mark(both(6))
    found = all_ids(interaction)
    np.testing.assert_array_equal(found[1], interaction.truth[1])
    assert all((ids == 1).any() for ids in found)
    assert interaction._remembered(6)[1]


def test_frames_that_cannot_be_decoded_are_left_out(segmenter):
    interaction = Truthful(segmenter)
    clip = interaction.clip
    forward = clip.frames
    clip.frames = lambda start=0, stop=None, step=1: (f for f in forward(start, stop, step) if f.index != 6)
    interaction.mark(both(4))
    assert [masks.index for masks in interaction.masks()] == [0, 1, 2, 3, 4, 5, 7, 8]


def test_what_makes_no_sense_is_refused(segmenter):
    interaction = segmenter.begin(made_clip(NUM_FRAMES))
    with pytest.raises(InputError, match="nothing is marked yet"):
        interaction.masks()
    with pytest.raises(InputError, match="numbered from 0 to 8"):
        interaction.mark(Marks({9: (click(1, 0.5, 0.5),)}))
    with pytest.raises(InputError, match="background alone"):
        interaction.mark(Marks({0: (click(0, 0.5, 0.5),)}))


@pytest.mark.parametrize("name", ["atom", "siamese"])
def test_a_tracker_gives_the_regions_and_may_learn_online(segmenter, name):
    torch.manual_seed(0)
    trunk = build_trunk("tiny")
    head = build_iou_network("tiny") if name == "atom" else build_siamese("tiny")
    state = head.state_dict() | {"trunk_digest": state_digest(trunk.state_dict())}
    tracker = tracker_from_state(name, state, "tiny", "cpu")
    begun: list[int] = []
    begin = tracker.begin
    object.__setattr__(tracker, "begin", lambda frame, box: begun.append(1) or begin(frame, box))
    interaction = replace(segmenter, tracker=tracker).begin(made_clip(NUM_FRAMES))
    interaction.mark(both(4))
    assert len(all_ids(interaction)) == NUM_FRAMES
    assert len(begun) == 4  # two objects, both ways
