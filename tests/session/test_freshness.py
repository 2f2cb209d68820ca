from __future__ import annotations

import pytest

from shibori.media.rounds import EVERY_OBJECT, Absence, Approval, Mark, Round
from shibori.session.freshness import frame_keys

from .made import click

ROUNDS = (click(10), click(50), click(90))


def changed(before, after, num_frames=100):
    one, other = frame_keys(before, num_frames), frame_keys(after, num_frames)
    return [frame for frame in range(num_frames) if one[frame] != other[frame]]


def test_equal_rounds_have_equal_keys():
    assert changed(ROUNDS, tuple(ROUNDS)) == []


def test_a_correction_reaches_to_its_neighbours():
    assert changed(ROUNDS, (*ROUNDS, click(60))) == list(range(51, 90))
    assert changed(ROUNDS, (*ROUNDS, click(50, x=0.2))) == list(range(11, 90))
    assert changed(ROUNDS, (*ROUNDS, click(5))) == list(range(10))


def test_what_is_said_of_one_object_leaves_the_interval_of_another():
    rounds = (*ROUNDS, click(0, 2), click(99, 2))
    assert changed(rounds, (*rounds, click(60))) == list(range(51, 90))


def test_another_object_is_in_every_frame():
    assert changed(ROUNDS, (*ROUNDS, click(60, 2))) == list(range(100))


def test_undo_finds_the_keys_of_before():
    rounds = (*ROUNDS, click(60))
    assert frame_keys(rounds[:-1], 100) == frame_keys(ROUNDS, 100)


def test_approved_frames_stay_when_something_is_said_near_them():
    rounds = (*ROUNDS, Round(55, 1, Approval(58)))
    assert changed(rounds, (*rounds, click(70))) == [*range(51, 55), *range(59, 90)]


def test_an_absence_reaches_as_far_as_a_mark():
    assert changed(ROUNDS, (*ROUNDS, Round(60, 1, Absence(70)))) == list(range(51, 90))


@pytest.mark.parametrize(
    "news", [click(60, is_object=False), Round(60, EVERY_OBJECT, Approval()), Round(60, 1, Absence())]
)
def test_what_may_show_nothing_ends_no_interval(news):
    rounds = (*ROUNDS, news)
    assert set(range(51, 60)) <= set(changed(rounds, (*rounds, click(70))))


def test_a_mark_beside_everything_may_change_everything():
    background = Round(60, EVERY_OBJECT, Mark((((0.1, 0.1),),)))
    assert changed(ROUNDS, (*ROUNDS, background)) == list(range(100))
    rounds = (*ROUNDS, background)
    assert 60 in changed(rounds, (*rounds, click(61)))


def test_without_a_system_that_is_local_every_round_changes_everything():
    one, other = frame_keys(ROUNDS, 100, is_local=False), frame_keys((*ROUNDS, click(60)), 100, is_local=False)
    assert len(set(one)) == len(set(other)) == 1
    assert one[0] != other[0]
