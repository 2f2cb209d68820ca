"""strnn on small clips: rounds of marks, what is computed once, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.evaluation.sequence import sequence_clip
from shibori.media.clip import Clip
from shibori.media.marks import BoxMark, Marks, click
from shibori.media.scribble import Stroke
from shibori.systems.strnn.build import segmenter_from_state
from shibori.systems.strnn.inference import StrnnSegmenter, winning_slots
from shibori.systems.strnn.model import build_strnn
from shibori.systems.strnn.rule import RULES

from ...evaluation.made import ArraySequence
from ...soft import assert_soft

COLOURS = np.array([[40, 60, 40], [230, 40, 30], [40, 60, 230]], np.uint8)
SIZE_HW = (96, 128)


def sequence(num_frames: int = 6) -> ArraySequence:
    """Object 1 is red and walks right, object 2 is blue and walks left, on green."""
    frames = []
    for index in range(num_frames):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[8:40, 8 + 6 * index : 48 + 6 * index] = 1
        ids[52:88, 80 - 6 * index : 120 - 6 * index] = 2
        frames.append(ids)
    return ArraySequence("boxes", tuple(frames))


class ColourSequence(ArraySequence):
    def read_image(self, index: int) -> np.ndarray:
        noise = np.random.default_rng(index).integers(-9, 9, (*SIZE_HW, 3))
        return (COLOURS[self.ids[index]] + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def segmenter() -> StrnnSegmenter:
    """Untrained: colours are enough to tell these objects apart."""
    torch.manual_seed(0)
    return segmenter_from_state(build_strnn("tiny").state_dict(), "tiny", "cpu", dtype=torch.float32)


@pytest.fixture
def clip() -> Clip:
    made = sequence()
    return sequence_clip(ColourSequence(made.name, made.ids))


def line(object_id: int, row: int, left: int, right: int) -> Stroke:
    return Stroke(object_id, ((left / 127, row / 95), (right / 127, row / 95)))


FIRST = Marks({2: (line(1, 24, 24, 56), line(2, 70, 72, 104))})


def share_right(masks) -> list[float]:
    true = sequence().ids
    return [float((found.ids == true[found.index]).mean()) for found in masks]


def test_marks_of_one_frame_give_the_masks_of_all(segmenter, clip):
    interaction = segmenter.begin(clip)
    (quick,) = interaction.mark(FIRST)
    assert quick.index == 2
    masks = list(interaction.masks())
    assert [found.index for found in masks] == list(range(6))
    assert all(found.ids.shape == SIZE_HW and found.ids.dtype == np.uint8 for found in masks)
    assert [status.object_id for status in masks[0].statuses] == [1, 2]
    assert {status.state for found in masks for status in found.statuses} == {"tracked"}
    assert all(0.5 < status.confidence <= 1 for status in masks[2].statuses)
    assert min(share_right(masks)) > 0.8
    assert share_right([quick])[0] > 0.85
    assert_soft([quick, *masks])


def test_later_marks_add_to_the_first(segmenter, clip):
    interaction = segmenter.begin(clip)
    interaction.mark(Marks({2: FIRST.strokes[2][:1]}))
    alone = list(interaction.masks())
    assert all(set(np.unique(found.ids)) <= {0, 1} for found in alone)
    (answer,) = interaction.mark(Marks({5: (line(2, 70, 54, 86), line(0, 90, 10, 110))}))
    both = list(interaction.masks())
    np.testing.assert_array_equal(both[5].ids, answer.ids)
    assert np.mean(share_right(both)) > np.mean(share_right(alone)) + 0.02


def test_the_same_marks_give_the_same_masks_however_they_are_asked_for(segmenter, clip):
    answers = []
    for ask_early in (False, True):
        interaction = segmenter.begin(clip)
        interaction.mark(FIRST)
        if ask_early:
            next(interaction.masks())
        answers.append([found.ids for found in interaction.masks()])
    np.testing.assert_array_equal(*answers)


def test_frames_that_are_not_linked_do_not_know_of_each_other(segmenter, clip):
    alone = replace(segmenter, linked=False).begin(clip)
    alone.mark(FIRST)
    list(alone.masks())
    alone_features = alone._members[0].encoder.encode_alone(4)
    torch.testing.assert_close(alone._members[0].encoder[4], alone_features, atol=2e-3, rtol=0)
    linked = segmenter.begin(clip)
    linked.mark(FIRST)
    list(linked.masks())
    assert (linked._members[0].encoder[4] - alone_features).abs().max() > 0.02


def test_features_are_computed_once(segmenter, clip, monkeypatch):
    calls = []
    network = segmenter.network
    inner = type(network).forward
    monkeypatch.setattr(type(network), "forward", lambda *arguments: calls.append(1) or inner(*arguments))
    interaction = segmenter.begin(clip)
    interaction.mark(FIRST)
    assert len(calls) == 1
    list(interaction.masks())
    assert len(calls) == 1 + 6
    interaction.mark(Marks({4: (line(1, 24, 40, 60),)}))
    list(interaction.masks())
    assert len(calls) == 1 + 6


def test_features_on_disk_give_the_same_masks(segmenter, clip):
    on_disk = replace(segmenter, rule=replace(segmenter.rule, cache_bytes=0))
    answers = []
    for system in (segmenter, on_disk):
        interaction = system.begin(clip)
        interaction.mark(FIRST)
        answers.append([found.ids for found in interaction.masks()])
    np.testing.assert_array_equal(*answers)


def test_several_frames_clicks_and_boxes(segmenter, clip):
    interaction = segmenter.begin(clip)
    box = BoxMark(2, (80 / 128, 52 / 96, 120 / 128, 88 / 96))
    clicks = {0: (click(1, 28 / 127, 24 / 95),), 3: (click(1, 46 / 127, 24 / 95), click(0, 0.5, 0.98))}
    answers = interaction.mark(Marks(clicks, {0: (box,)}))
    assert [answer.index for answer in answers] == [0, 3]
    masks = list(interaction.masks())
    assert [status.object_id for status in masks[0].statuses] == [1, 2]
    for found in masks:
        true = sequence().ids[found.index]
        for label in (0, 1, 2):
            said = found.ids == label
            assert said[true == label].mean() > said[true != label].mean() + 0.3


def test_an_object_that_is_nowhere_is_absent(segmenter):
    ids = [frame.copy() for frame in sequence().ids]
    for frame in ids[4:]:
        frame[frame == 2] = 0
    interaction = segmenter.begin(sequence_clip(ColourSequence("gone", tuple(ids))))
    interaction.mark(FIRST)
    (answer,) = interaction.mark(Marks({5: (line(0, 70, 54, 86), line(0, 60, 54, 86), line(0, 80, 54, 86))}))
    states = {status.object_id: status.state for status in answer.statuses}
    assert states[1] == "tracked"
    assert (states[2] == "absent") == (not (answer.ids == 2).any())


def test_ids_above_a_byte(segmenter, clip):
    interaction = segmenter.begin(clip)
    (answer,) = interaction.mark(Marks({2: (line(300, 24, 24, 56), line(0, 70, 72, 104))}))
    assert answer.ids.dtype == np.uint16
    assert set(np.unique(answer.ids).tolist()) == {0, 300}


def test_a_frame_that_cannot_be_decoded_is_left_out(segmenter, clip, monkeypatch):
    inner = clip.frames
    monkeypatch.setattr(clip, "frames", lambda *span: (frame for frame in inner(*span) if frame.index != 1))
    interaction = segmenter.begin(clip)
    interaction.mark(FIRST)
    for _ in range(2):
        assert [found.index for found in interaction.masks()] == [0, 2, 3, 4, 5]


def test_what_is_refused(segmenter, clip):
    interaction = segmenter.begin(clip)
    with pytest.raises(InputError, match="nothing is marked yet"):
        interaction.masks()
    with pytest.raises(InputError, match="mark on frame 6, but the clip has 6 frames"):
        interaction.mark(Marks({6: (click(1, 0, 0),)}))
    with pytest.raises(InputError, match="found marks on the background alone"):
        interaction.mark(Marks({1: (click(0, 0, 0),)}))
    assert interaction.mark(FIRST)[0].index == 2


def test_the_winner_is_the_highest_above_zero():
    logits = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(0)) - 0.3
    logits[1, :3] = logits[0, :3]
    expected = torch.cat([torch.zeros(1, 20, 30), logits]).argmax(0)
    torch.testing.assert_close(winning_slots(logits), expected)
    assert set(expected.unique().tolist()) == {0, 1, 2, 3}


def test_the_working_size(segmenter, clip):
    """A frame is seen at the rule's size, masks have the clip's."""
    small = replace(segmenter, rule=replace(RULES["tiny"], short_side=64))
    interaction = small.begin(clip)
    assert interaction._members[0].encoder.size_hw == (64, 80)
    assert interaction.mark(FIRST)[0].ids.shape == SIZE_HW
