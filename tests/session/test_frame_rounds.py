from __future__ import annotations

import numpy as np

from shibori.media.rounds import EVERY_OBJECT, Absence, Approval, GivenMask, Mark, Removal, Round, check_rounds
from shibori.session.frame_rounds import objects_said, rounds_before, rounds_of_frame

from .made import NUM_FRAMES, SIZE_HW, click

SQUARE = np.zeros(SIZE_HW, np.bool_)
SQUARE[2:6, 2:6] = True


def test_what_came_before_a_frame_was_spoken_of():
    rounds = (click(0), click(4, 2), Round(3, 1, Absence(5)), click(4))
    assert rounds_before(rounds, 4) == rounds[:1]
    assert rounds_before(rounds, 5) == rounds[:2]
    assert rounds_before(rounds, 9) == rounds
    assert objects_said(rounds, 4) == {1, 2}


def test_a_frame_by_itself_is_what_it_showed_and_what_was_said_of_it():
    rounds = (click(0), click(4, 2), Round(2, 1, Approval(5)), click(4, is_object=False), Round(3, 2, Absence(5)))
    own = rounds_of_frame(rounds, 4, {1: SQUARE})
    assert own == (
        Round(4, 1, GivenMask.of(SQUARE)),
        rounds[1],
        rounds[3],
        Round(4, 2, Absence()),
    )
    check_rounds(own, NUM_FRAMES, SIZE_HW)


def test_where_all_was_said_of_one_frame_it_is_all():
    rounds = (click(4), click(4, x=0.2, is_object=False))
    assert rounds_of_frame(rounds, 4, {}) == rounds


def test_nothing_shows_where_nothing_was_shown():
    absent = (click(0), Round(4, 1, Absence()), Round(4, EVERY_OBJECT, Mark((((0.5, 0.5),),))))
    assert rounds_of_frame(absent, 4, {}) == ()
    removed = (click(4), Round(0, 1, Removal()))
    assert rounds_of_frame(removed, 4, {1: SQUARE}) == ()
