"""Tracklets while they grow: their masks come back, the order is that of linking."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from shibori.media.track import ClipTracklets
from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook


@pytest.fixture
def book() -> TrackletBook:
    return TrackletBook()


def made_answer(seed: int, size_hw: tuple[int, int] = (20, 28), object_id: int = 3) -> WindowedLogits:
    rng = np.random.default_rng(seed)
    window = np.array([seed, 2 * seed, seed + 40.0, 2 * seed + 30.0])
    return WindowedLogits(object_id, window, rng.normal(0, 5, size_hw).astype(np.float32))


# ---- growing


def test_a_tracklet_grows_at_both_ends(book: TrackletBook):
    tracklet = book.open(3, 7, 0.8, "found", 1)
    for frame, confidence in ((7, 0.9), (8, 0.7), (6, 0.6), (5, 0.5)):
        book.add(tracklet, frame, made_answer(frame), confidence)
    value = tracklet.finished()
    assert (value.first, value.start, value.last) == (5, 7, 8)
    assert value.confidences == (0.5, 0.6, 0.9, 0.7)
    assert (value.object_id, value.similarity, value.origin, value.iteration) == (3, 0.8, "found", 1)
    assert not value.linked
    np.testing.assert_array_equal(book.answer(tracklet, 6).window, made_answer(6).window)
    assert book.answer(tracklet, 9) is None


def test_a_tracklet_without_a_mask_starts_and_ends_where_it_starts():
    tracklet = GrowingTracklet(0, 1, 4, 1.0, "given", 0)
    assert (tracklet.first, tracklet.last) == (4, 4)


def test_only_what_came_to_have_a_mask_is_told_of(book: TrackletBook):
    book.open(1, 3, 1.0, "given", 0)  # all-false
    for start in (2, 6):
        book.add(book.open(2, start, 0.7, "found", 0), start, made_answer(start), 0.9)
    values = book.values()
    assert [value.start for value in values] == [2, 6]
    assert ClipTracklets("clip", 7, values).tracklets == values


def test_masks_of_different_tracklets_do_not_meet(book: TrackletBook):
    one, other = (book.open(object_id, 0, 1.0, "given", 0) for object_id in (1, 2))
    book.add(one, 0, made_answer(1), 1.0)
    book.add(other, 0, made_answer(2), 1.0)
    for tracklet, seed in ((one, 1), (other, 2)):
        answer = book.answer(tracklet, 0)
        assert answer.object_id == tracklet.object_id
        np.testing.assert_array_equal(answer.window, made_answer(seed).window)


# ---- order

STARTS = [("found", 0.7), ("given", 1.0), ("found", 0.9), ("given", 1.0)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_given_ones_come_first_then_the_most_similar(order: tuple[int, ...]):
    book = TrackletBook()
    for place in order:
        origin, similarity = STARTS[place]
        book.add(book.open(5, place, similarity, origin, 0), place, made_answer(place), 0.5)
    found = [(tracklet.origin, tracklet.similarity) for tracklet in book.of(5)]
    assert found == [("given", 1.0), ("given", 1.0), ("found", 0.9), ("found", 0.7)]
    assert book.of(6) == []


def test_the_holder_of_a_frame_is_the_best_that_has_it(book: TrackletBook):
    for similarity, frames in ((0.7, range(3, 9)), (0.9, range(6, 12))):
        tracklet = book.open(1, frames[0], similarity, "found", 0)
        for frame in frames:
            book.add(tracklet, frame, made_answer(frame), 0.9)
    holders = [book.holder(1, frame) for frame in (2, 5, 8, 11, 12)]
    assert [None if holder is None else holder.similarity for holder in holders] == [None, 0.7, 0.9, 0.9, None]
    assert book.holder(2, 8) is None
