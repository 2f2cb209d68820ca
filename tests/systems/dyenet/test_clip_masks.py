"""A frame's masks from the tracklets that hold it."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.mask import FrameMasks
from shibori.systems.dyenet.clip_masks import ClipMasks, first_references
from shibori.systems.dyenet.tracker_pass import hard_answer
from shibori.systems.dyenet.tracklet import TrackletBook

from .made import SIZE_HW, rectangle

LEFT, RIGHT, LOW = rectangle(5, 5, 30, 30), rectangle(40, 5, 70, 40), rectangle(5, 40, 30, 58)


@pytest.fixture
def book() -> TrackletBook:
    """Object 1 is at the left in frame 1 by a linked tracklet and below by another; object 2 at the right in 2."""
    book = TrackletBook()
    for object_id, frame, similarity, mask, linked in (
        (1, 1, 0.9, LOW, False),
        (1, 1, 0.7, LEFT, True),
        (2, 2, 0.5, RIGHT, True),
    ):
        tracklet = book.open(object_id, frame, similarity, "found", 0, is_hard=True)
        tracklet.linked = linked
        book.add(tracklet, frame, hard_answer(object_id, mask), 0.6)
    return book


REFERENCES = {0: {1: LEFT, 2: RIGHT}, 2: {1: LOW}, 3: {7: np.zeros(SIZE_HW, bool)}}


def compose(book: TrackletBook, index: int, both_ways: bool) -> FrameMasks:
    return ClipMasks(REFERENCES, SIZE_HW, both_ways, book).composed(index)


def test_the_first_mask_of_each_object():
    assert first_references(REFERENCES) == {1: 0, 2: 0, 7: 3}


def test_linked_tracklets_and_given_masks_make_a_frame(book: TrackletBook):
    one, two = (compose(book, index, False) for index in (1, 2))
    np.testing.assert_array_equal(one.ids, LEFT.astype(np.uint8))
    assert [(s.object_id, s.state, s.confidence) for s in one.statuses] == [
        (1, "tracked", 0.6),
        (2, "lost", 0.0),
        (7, "absent", 0.0),
    ]
    np.testing.assert_array_equal(two.ids, LOW.astype(np.uint8) + 2 * RIGHT.astype(np.uint8))
    assert [s.state for s in two.statuses] == ["tracked", "tracked", "absent"]
    assert [s.state for s in compose(book, 1, True).statuses] == ["tracked", "lost", "lost"]


def test_what_is_known_of_the_others_is_the_most_similar(book: TrackletBook):
    clip = ClipMasks(REFERENCES, SIZE_HW, False, book)
    (found,) = clip.others(2, 1)
    assert found.object_id == 1
    area, logits = found.in_frame()
    shown = np.zeros(SIZE_HW, bool)
    shown[area] = logits > 0
    np.testing.assert_array_equal(shown, LOW)
    assert clip.others(1, 1) == []
