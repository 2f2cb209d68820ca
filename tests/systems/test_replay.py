"""A system that remembers, behind the interface that does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.sequence import sequence_clip
from shibori.interfaces import MarkSegmenter, MarkSession
from shibori.media.clip import Clip
from shibori.media.marks import Marks
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Absence, Mark, Round
from shibori.systems.replay import ReplayedSegmenter

from ..evaluation.made import moving_boxes

ON = Mark((((0.5, 0.5),),))
FIRST, SECOND = Round(1, 1, ON), Round(3, 2, ON)


class Listener(MarkSegmenter):
    """Answers with the number of strokes it was told of in its session."""

    def __init__(self) -> None:
        self.sessions: list[list[Marks]] = []

    def begin(self, clip: Clip) -> MarkSession:
        self.sessions.append([])
        return Listening(clip, self.sessions[-1])


class Listening(MarkSession):
    def __init__(self, clip: Clip, told: list[Marks]) -> None:
        self.clip, self.told = clip, told

    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        self.told.append(marks)
        return tuple(self._answer(index) for index in marks.frames)

    def masks(self) -> Iterator[FrameMasks]:
        return (self._answer(index) for index in range(self.clip.num_frames))

    def _answer(self, index: int) -> FrameMasks:
        count = sum(len(strokes) for marks in self.told for strokes in marks.strokes.values())
        return FrameMasks(index, np.full(self.clip.size_hw, count, np.uint8))


@pytest.fixture
def heard() -> Listener:
    return Listener()


@pytest.fixture
def interaction(heard):
    return ReplayedSegmenter(heard).begin(sequence_clip(moving_boxes(num_frames=5)))


def test_further_rounds_go_to_the_session_that_is_there(interaction, heard):
    assert [masks.ids.max() for masks in interaction.propagate((FIRST,))] == [1] * 5
    assert interaction.preview((FIRST, SECOND), 3).ids.max() == 2
    assert [masks.index for masks in interaction.propagate((FIRST, SECOND), range(1, 5, 2))] == [1, 3]
    assert [[marks.frames for marks in session] for session in heard.sessions] == [[(1,), (3,)]]


def test_other_rounds_begin_anew(interaction, heard):
    for rounds in ((FIRST, SECOND), (FIRST,)):
        assert interaction.preview(rounds, 0).ids.max() == len(rounds)
    assert [[marks.frames for marks in session] for session in heard.sessions] == [[(1, 3)], [(1,)]]


def test_it_can_be_stopped_and_says_how_far_it_is(interaction):
    said: list[tuple[int, int]] = []
    found = interaction.propagate((FIRST,), report=lambda *far: said.append(far), cancelled=lambda: len(said) == 2)
    assert [masks.index for masks in found] == [0, 1]
    assert said == [(1, 5), (2, 5)]


def test_what_it_cannot_take_is_said(interaction):
    with pytest.raises(InputError, match="clicks, boxes and strokes alone, found an absence of object 1"):
        interaction.propagate((FIRST, Round(2, 1, Absence())))
    with pytest.raises(InputError, match="a mark on frame 7"):
        interaction.preview((Round(7, 1, ON),), 0)
    assert interaction.suggestion((FIRST,)) is None
