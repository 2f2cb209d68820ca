"""Which frames depend on which marked ones."""

from __future__ import annotations

import pytest

from shibori.systems.trackprop.spans import Span, Track, merged, nearest, span_of


def test_every_frame_lies_between_its_neighbours():
    marked = [3, 8]
    assert span_of(marked, 0) == Span(None, 3)
    assert span_of(marked, 5) == Span(3, 8)
    assert span_of(marked, 9) == Span(8, None)
    assert [span.bounds(12) for span in (Span(None, 3), Span(3, 8), Span(8, None))] == [(0, 3), (4, 8), (9, 12)]


def test_weights_of_both_sides_sum_to_one_and_go_by_distance():
    span, back = Span(2, 12), Span(2, 12)
    shares = [span.share_of_after(index) for index in range(3, 12)]
    assert shares == pytest.approx([0.1 * step for step in range(1, 10)])
    assert [1 - back.share_of_after(14 - index) for index in range(3, 12)] == pytest.approx(shares)
    assert Span(None, 5).share_of_after(1) == 1
    assert Span(5, None).share_of_after(8) == 0


def test_the_first_mark_makes_all_other_frames_stale():
    track = Track(1, 10)
    track.approve(4, is_there=True, changed=True)
    assert track.stale == set(range(10)) - {4}
    assert track.due() == [Span(None, 4), Span(4, None)]
    assert [track.sources(span) for span in track.due()] == [(None, 4), (4, None)]


def test_a_correction_reaches_to_the_next_marked_frames_and_no_further():
    track = Track(1, 20)
    for index in (4, 10, 16):
        track.approve(index, is_there=True, changed=True)
    track.stale.clear()
    track.approve(10, is_there=True, changed=True)
    assert track.stale == {5, 6, 7, 8, 9, 11, 12, 13, 14, 15}
    track.stale.clear()
    track.approve(7, is_there=True, changed=True)
    assert track.stale == {5, 6, 8, 9}
    assert track.due() == [Span(4, 7), Span(7, 10)]


def test_approval_alone_splits_a_span_and_leaves_its_masks():
    track = Track(1, 20)
    track.approve(4, is_there=True, changed=True)
    track.stale.clear()
    track.approve(12, is_there=True, changed=False)
    assert not track.stale
    track.approve(8, is_there=True, changed=True)
    assert track.stale == {5, 6, 7, 9, 10, 11}


def test_neighbours_that_are_marked_stay_as_they_are():
    track = Track(1, 5)
    for index in (1, 2, 3):
        track.approve(index, is_there=True, changed=True)
    track.stale.clear()
    track.approve(2, is_there=True, changed=True)
    assert not track.stale


def test_where_an_object_is_not_there_nothing_starts():
    track = Track(1, 10)
    track.approve(2, is_there=True, changed=True)
    track.approve(6, is_there=False, changed=True)
    assert track.sources(Span(2, 6)) == (2, None)
    assert track.sources(Span(6, None)) == (None, None)


def test_nearest_and_merged():
    assert nearest([1, 9, 5], 4, 2) == [5, 1]
    assert nearest([2, 6], 4, 1) == [2]
    assert merged([(5, 9), (0, 3), (3, 4), (8, 12), (20, 20)]) == [(0, 4), (5, 12)]
    assert merged([]) == []


def test_what_was_said_stands_as_far_as_marks_found_it_right():
    span = Span(10, 20)
    assert span.share_that_stands(12, 40, {}) == 1
    assert span.share_that_stands(12, 40, {10: 1.0}) == 1
    assert span.share_that_stands(12, 40, {30: 0.0}) == 1  # no end of this span
    wrong = [span.share_that_stands(index, 40, {10: 0.0}) for index in range(11, 20)]
    assert wrong == pytest.approx([0.1 * step for step in range(1, 10)])
    half = [span.share_that_stands(index, 40, {20: 0.5}) for index in (11, 19)]
    assert half == pytest.approx([1 / 16 + 15 / 16 * 0.9, 1 / 16 + 15 / 16 * 0.1])
    both = span.share_that_stands(13, 40, {10: 0.0, 20: 0.0})
    assert both == pytest.approx(0.3 * 0.7)
    assert Span(10, None).share_that_stands(25, 40, {10: 0.0}) == pytest.approx(15 / 30)
