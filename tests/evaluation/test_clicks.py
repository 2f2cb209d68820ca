"""Counting clicks, with systems of which one knows what they answer."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.clicks import (
    ClickedObject,
    ClickRules,
    ClickScores,
    box_mark,
    chosen_frames,
    click_mark,
    click_scores_to_json,
    evaluate_clicks,
    frame_of,
)
from shibori.media.marks import FrameMarks
from shibori.media.rounds import marks_of

from .made import SIZE_HW, ArraySequence, moving_boxes


class Patches:
    """Each click paints a square around it, a box is filled, strokes paint nothing; later clicks win."""

    def __init__(self, image: np.ndarray, side: int) -> None:
        self.size_hw, self.side = image.shape[:2], side

    def __call__(self, rounds):
        mask = np.zeros(self.size_hw, np.bool_)
        marks = FrameMarks.of(marks_of(rounds), 0)
        for box in marks.boxes:
            left, top, right, bottom = box.pixels(self.size_hw)
            mask[top:bottom, left:right] = True
        for stroke in marks.strokes:
            if len(stroke.path) > 1:
                continue
            x, y = (round(share * (side - 1)) for share, side in zip(stroke.path[0], self.size_hw[::-1], strict=True))
            half = self.side // 2
            mask[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1] = stroke.object_id > 0
        return mask


def scores_of(side: int, **rules) -> ClickScores:
    sequences = [moving_boxes(num_frames=4)]
    return evaluate_clicks(sequences, lambda image: Patches(image, side), ClickRules(**rules))


def test_boxes_are_right_at_once_and_clicks_go_on_until_it_is_good():
    scores = scores_of(3)
    assert len(scores.objects) == 8  # two objects in each of four frames
    assert scores.box == 1.0
    assert scores.stroke == 0.0
    for entry in scores.objects:
        assert len(entry.clicks) == len(entry.seconds) == 20
        assert all(np.diff(entry.clicks) > 0)  # 3x3 pixels more each time
    assert scores.clicks_to(0.9) == 20
    assert scores.failures(0.9) == 8
    assert scores.iou_after(1) < scores.iou_after(3) < scores.iou_after(5)


def test_a_system_that_is_right_after_one_click_needs_one():
    class Truth:
        def __init__(self, image: np.ndarray) -> None:
            self.image = image

        def __call__(self, rounds):
            stroke = FrameMarks.of(marks_of(rounds), 0).strokes
            if not stroke:
                return np.ones(SIZE_HW, np.bool_)
            x, y = (round(share * (side - 1)) for share, side in zip(stroke[0].path[0], SIZE_HW[::-1], strict=True))
            return (self.image == self.image[y, x]).all(-1)

    scores = evaluate_clicks([moving_boxes(num_frames=3)], Truth, ClickRules(num_frames=1))
    assert scores.clicks_to(0.85) == scores.clicks_to(0.9) == scores.iou_after(1) == scores.iou_after(5) == 1
    assert scores.failures(0.9) == 0
    assert all(entry.clicks == (1.0,) for entry in scores.objects)
    assert scores.stroke >= 0.5  # the first point of a robot's line may be just outside
    assert scores.box < 0.2
    content = click_scores_to_json(scores)
    assert content["clicks_to"] == {"0.85": 1.0, "0.9": 1.0}
    assert content["objects"][0]["sequence"] == "boxes"


def test_reaching_a_threshold_later_counts_the_clicks():
    entry = ClickedObject("a", 0, 1, (0.2, 0.86, 0.84, 0.93), 0.5, 0.5, (1.0, 0.1, 0.1, 0.1))
    assert (entry.needed(0.85, 20), entry.needed(0.9, 20), entry.needed(0.95, 20)) == (2, 4, 20)
    assert (entry.after(1), entry.after(3), entry.after(9)) == (0.2, 0.84, 0.93)
    assert ClickScores(ClickRules(), (entry,)).seconds == (1.0, 0.1)


def test_frames_are_spread():
    assert chosen_frames(moving_boxes(num_frames=8), 4) == [0, 2, 4, 6]
    assert chosen_frames(moving_boxes(num_frames=3), 4) == [0, 1, 2]


def test_marks_are_where_the_region_is():
    region = np.zeros((11, 21), np.bool_)
    region[2:7, 4:9] = True
    click = click_mark(region, False)
    assert click.lines == (((6 / 20, 4 / 10),),)
    assert not click.is_object
    assert box_mark(region).boxes(1)[0].pixels((11, 21)) == (4, 2, 9, 7)


def test_an_interactive_system_sees_each_frame_as_a_clip():
    class Interaction:
        def __init__(self, clip) -> None:
            self.clip = clip

        def preview(self, rounds, frame):
            assert (len(self.clip), frame) == (1, 0)
            return type("Shown", (), {"ids": Patches(self.clip.frame(0).image, 5)(rounds).astype(np.uint8)})

    segmenter = type("Segmenter", (), {"begin": lambda self, clip: Interaction(clip)})()
    rules = ClickRules(most=5, num_frames=1)
    through_it = evaluate_clicks([moving_boxes(num_frames=2)], frame_of(segmenter), rules)
    directly = evaluate_clicks([moving_boxes(num_frames=2)], lambda image: Patches(image, 5), rules)
    assert [entry.clicks for entry in through_it.objects] == [entry.clicks for entry in directly.objects]


def test_wrong_input_is_one_sentence():
    with pytest.raises(InputError, match="at least 5 clicks and one frame, found 3 clicks"):
        ClickRules(most=3)
    with pytest.raises(InputError, match="found none: nothing can be clicked on"):
        evaluate_clicks([ArraySequence("empty", (np.zeros(SIZE_HW, np.uint8),))], lambda image: Patches(image, 3))
