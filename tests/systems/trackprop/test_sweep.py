"""Which objects are followed in which frames, in which order, and from where. Nothing is segmented here."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from shibori.systems.trackprop.spans import Span, Track
from shibori.systems.trackprop.sweep import Surroundings, jobs_of, sweep

from .rounds import made_clip

NUM_FRAMES = 10


def track(object_id: int, *marked: int, absent: tuple[int, ...] = ()) -> Track:
    """An object that is marked in some frames; all others are out of date."""
    made = Track(object_id, NUM_FRAMES)
    for index in marked:
        made.approve(index, is_there=index not in absent, changed=True)
    return made


class Noting:
    """In place of what segments: notes who begins where, and who is followed in which frame."""

    def __init__(self, references: int = 3, tracker: object | None = None) -> None:
        self.rule = SimpleNamespace(references=references)
        self.box_tracker = tracker
        self.begun: list[tuple[tuple[int, int], list[int], bool]] = []
        self.followed: list[list[int]] = []
        self.known: list[tuple] = []

    def begin(self, anchor: tuple[int, int], nearby: list[tuple[int, int]], image: np.ndarray | None) -> object:
        self.begun.append((anchor, [index for _, index in nearby], image is not None))
        return SimpleNamespace(state=SimpleNamespace(object_id=anchor[0]))

    def step(self, image, followed, known, given) -> dict[int, str]:
        self.followed.append([each.state.object_id for each in followed])
        self.known.append((known, given))
        return {each.state.object_id: "answer" for each in followed}


AROUND = Surroundings(lambda object_id, index: (object_id, index), lambda index, busy: ([index], busy))


def swept(noting: Noting, jobs: list, forward: bool) -> list[tuple[int, list[int]]]:
    found = [(index, sorted(answers)) for index, answers in sweep(made_clip(NUM_FRAMES), noting, jobs, AROUND, forward)]
    assert [objects for _, objects in found] == [sorted(objects) for objects in noting.followed]
    return found


def test_a_span_is_work_in_each_direction_from_its_own_end():
    forward, backward = (jobs_of([track(1, 2, 6)], direction) for direction in (True, False))
    assert [(job.span, job.source) for job in forward] == [(Span(2, 6), 2), (Span(6, None), 6)]
    assert [(job.span, job.source) for job in backward] == [(Span(None, 2), 2), (Span(2, 6), 6)]
    assert [job.covers(index) for job in forward[:1] for index in (2, 3, 5, 6)] == [False, True, True, False]


def test_where_an_object_is_not_there_no_work_starts():
    assert [(job.span, job.source) for job in jobs_of([track(1, 2, 6, absent=(6,))], True)] == [(Span(2, 6), 2)]
    assert jobs_of([track(1, 6, absent=(6,))], False) == []


@pytest.mark.parametrize("forward", [True, False])
def test_every_frame_is_visited_once_in_order_with_all_that_is_due_there(forward: bool):
    tracks = [track(1, 4), track(2, 1, 7)]
    found = swept(Noting(), jobs_of(tracks, forward), forward)
    indices = [index for index, _ in found]
    assert indices == sorted(set(indices), reverse=not forward)
    due = {
        True: {1: range(5, 10), 2: [*range(2, 7), 8, 9]},
        False: {1: range(4), 2: [0, *range(2, 7)]},
    }[forward]
    assert dict(found) == {i: [o for o in (1, 2) if i in due[o]] for i in indices}
    assert set(indices) == {*due[1], *due[2]}


def test_each_job_begins_at_its_marked_frame_and_is_forgotten_after_its_span():
    noting = Noting()
    jobs = jobs_of([track(1, 2, 6)], True)
    swept(noting, jobs, True)
    assert [anchor for anchor, _, _ in noting.begun] == [(1, 2), (1, 6)]
    assert jobs[0].followed is None
    assert jobs[1].followed is not None  # up to the last frame: nothing came after


def test_an_object_is_matched_with_both_ends_of_its_span_and_then_with_the_nearest():
    noting = Noting(references=3)
    swept(noting, jobs_of([track(1, 0, 3, 5, 9)], False)[1:2], False)
    assert noting.begun == [((1, 5), [5, 3, 9], False)]
    few = Noting(references=1)
    swept(few, jobs_of([track(1, 0, 3, 5, 9)], False)[1:2], False)
    assert few.begun == [((1, 5), [5], False)]


def test_frames_without_the_object_are_not_matched_with():
    noting = Noting(references=5)
    swept(noting, jobs_of([track(1, 0, 3, 5, 9, absent=(0, 5))], True), True)
    assert noting.begun == [((1, 3), [3, 9], False)]


def test_a_tracker_is_given_the_picture_it_starts_from():
    noting = Noting(tracker=object())
    swept(noting, jobs_of([track(1, 4)], True), True)
    assert noting.begun == [((1, 4), [4], True)]


def test_what_is_known_of_the_others_is_asked_for_each_frame():
    noting = Noting()
    swept(noting, jobs_of([track(1, 7), track(2, 8)], True), True)
    assert noting.known == [([8], {1}), ([9], {1, 2})]
