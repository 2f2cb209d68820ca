"""Which frame is marked next."""

from __future__ import annotations

import pytest

from shibori.errors import InputError
from shibori.evaluation.interactive import InteractiveSession, evaluate_interactive
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.evaluation.next_frame import middle, next_frame_of
from shibori.interfaces import Interaction, InteractiveSegmenter, Suggestion
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Absence, Mark, Round

from .made import moving_boxes

ON = Mark((((0.5, 0.5),),))


def rounds(*frames: int) -> tuple[Round, ...]:
    return tuple(Round(frame, 1, ON) for frame in frames)


@pytest.mark.parametrize(
    ("frames", "num_frames", "expected"),
    [((0,), 9, 4), ((8,), 9, 3), ((0, 8), 9, 4), ((0, 4, 8), 9, 2), ((0, 1, 2), 4, 3), ((3,), 4, 1)],
)
def test_the_middle_of_the_longest_stretch(frames, num_frames, expected):
    assert middle(None, rounds(*frames), num_frames) == (expected,)


def test_a_stretch_that_is_told_is_marked():
    assert middle(None, (*rounds(0), Round(2, 1, Absence(6))), 9) == (7,)


def test_where_every_frame_is_marked_one_is_marked_again():
    assert middle(None, rounds(0, 1, 2), 3) == (0,)


class Suggesting(InteractiveSegmenter, Interaction):
    """Finds nothing, and suggests the frames 5, 4, 3 ... in turn."""

    def begin(self, clip):
        self.clip, self.turn = clip, 6
        return self

    def preview(self, rounds, frame):
        return FrameMasks(frame, next(iter(self.clip.frames())).image[:, :, 0] * 0)

    def propagate(self, rounds, span=None, report=None, cancelled=None, in_order=False):
        return (self.preview(rounds, index) for index in range(self.clip.num_frames))

    def suggestion(self, rounds):
        self.turn -= 1
        return Suggestion(self.turn, 1, 0.5) if self.turn > 2 else None


def test_the_robot_follows_the_suggestion():
    session = InteractiveSession([moving_boxes(num_frames=7)], rules=InteractiveRules(3, num_starts=1))
    scores = evaluate_interactive(session, Suggesting(), next_frame="suggested")
    assert [entry.marked_frames for entry in scores.samples[0].rounds[1:]] == [(5,), (4,)]


def test_what_is_refused():
    with pytest.raises(InputError, match="'best': choose one of worst, suggested, middle"):
        next_frame_of("best")
    session = InteractiveSession([moving_boxes(num_frames=7)], rules=InteractiveRules(6, num_starts=1))
    with pytest.raises(InputError, match="found one that does not"):
        evaluate_interactive(session, Suggesting(), next_frame="suggested")
