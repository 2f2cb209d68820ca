"""Marks in, frames with their masks out."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.marks import Marks, click
from shibori.media.reader import read_clip
from shibori.media.rounds import Rounds, rounds_from_marks
from shibori.media.writer import write_video
from shibori.run.interact import mark_clip
from shibori.run.plan import FrameRange

from ..squares import Squares


def clicked(frame: int, object_id: int) -> Rounds:
    return rounds_from_marks(Marks({frame: (click(object_id, 0.5, 0.5),)}))


CLICKED = clicked(4, 3)


@pytest.fixture
def clip(tmp_path) -> Clip:
    path = tmp_path / "clip.mp4"
    write_video(path, [np.full((32, 48, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    return read_clip(path)


def test_every_frame_comes_with_its_masks(clip):
    pairs = list(mark_clip(clip, CLICKED, Squares()))
    assert [(frame.index, masks.index) for frame, masks in pairs] == [(index, index) for index in range(6)]
    assert {int(masks.ids.sum()) for _, masks in pairs} == {3 * 49}


@pytest.mark.parametrize(("span", "indices"), [((1, 5, 2), [1, 3]), ((2, None, 1), [2, 3, 4, 5]), ((0, 99, 4), [0, 4])])
def test_a_span(clip, span, indices):
    pairs = mark_clip(clip, CLICKED, Squares(), FrameRange.of(clip, *span))
    assert [(frame.index, masks.index) for frame, masks in pairs] == [(index, index) for index in indices]


def test_frames_that_cannot_be_decoded_are_left_out(clip, monkeypatch):
    inner = clip.frames
    monkeypatch.setattr(clip, "frames", lambda *span: (frame for frame in inner(*span) if frame.index != 2))
    assert [masks.index for _, masks in mark_clip(clip, CLICKED, Squares())] == [0, 1, 3, 4, 5]


def test_what_is_refused(clip):
    with pytest.raises(InputError, match="mark on frame 9, but the clip has 6 frames"):
        mark_clip(clip, clicked(9, 1), Squares())
    with pytest.raises(InputError, match="background alone"):
        mark_clip(clip, clicked(1, 0), Squares())
    for start, stop, every, message in ((3, 3, 1, "No frames"), (7, None, 1, "No frames"), (0, None, 0, "at least 1")):
        with pytest.raises(InputError, match=message):
            FrameRange.of(clip, start, stop, every)
