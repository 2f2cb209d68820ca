"""Which frames are due, and how a system that works on the whole clip reads them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.run.plan import FrameRange, PlannedFrames, make_plan

from .clock import SIZE_HW, ClockClip, box, planned


def test_a_range_is_cut_to_the_clip():
    assert FrameRange.of(ClockClip(6), 1, 99, 2) == FrameRange(1, 6, 2)
    assert list(FrameRange.of(ClockClip(6)).indices) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (7, None), (-1, 4)])
def test_a_range_holds_a_frame(start, stop):
    with pytest.raises(InputError, match="No frames to segment: the range starts at"):
        FrameRange.of(ClockClip(6), start, stop)


def test_a_frame_off_the_stride_is_due_if_something_is_known_of_it():
    plan = planned()
    assert plan.indices == [2, 4, 6, 7, 8, 10]
    assert plan.num_frames == 6
    assert [index for index in range(2, 12) if plan.is_due(index)] == plan.indices
    assert plan.first_frames == {1: 4, 2: 7}
    assert plan.masks_at(6) is None
    assert list(plan.masks_at(7)) == [2]


def test_the_first_mask_starts_an_object():
    assert make_plan(ClockClip(), {3: box(1), 5: box(2)}).first_frames == {1: 3}


def clocks(frames: Iterator[tuple[int, np.ndarray]]) -> dict[int, int]:
    """Position -> frame of the clip, read from its pixels."""
    return {position: int(image[0, 0, 0]) for position, image in frames}


def test_planned_frames_are_those_that_are_due_numbered_from_0():
    clip = ClockClip()
    frames = PlannedFrames(clip, planned())
    assert frames.indices == [2, 4, 6, 7, 8, 10]
    assert (frames.num_frames, frames.size_hw) == (6, SIZE_HW)
    assert clip.decoded == []
    assert [int(frames.read(position)[0, 0, 0]) for position in range(6)] == frames.indices
    assert clocks(frames.forward(0, 6)) == dict(enumerate(frames.indices))


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (1, 4), (3, 4), (5, 6), (2, 2), (6, 6)])
def test_planned_frames_run_forward_and_backward_over_a_part(start: int, stop: int):
    frames = PlannedFrames(ClockClip(), planned())
    expected = {position: frames.indices[position] for position in range(start, stop)}
    assert clocks(frames.forward(start, stop)) == expected
    assert list(clocks(frames.forward(start, stop))) == list(range(start, stop))
    backward = clocks(frames.backward(stop - 1, start - 1))
    assert backward == expected
    assert list(backward) == list(reversed(range(start, stop)))
