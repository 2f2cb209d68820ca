"""Linking: laws over many random books, and overlaps counted pixel by pixel on whole frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.linking import AGREEMENT, CLAIMED, contradict, link, mask_overlap
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook

SIZE_HW = (96, 96)


def windowed(mask: np.ndarray, window: Sequence[float], scale: float = 1.0, object_id: int = 1) -> WindowedLogits:
    """A frame's mask as a window at ``scale`` of its resolution shows it."""
    left, top, right, bottom = (int(side) for side in window)
    size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
    logits = np.where(mask[top:bottom, left:right], 4.0, -4.0).astype(np.float32)
    resized = np.asarray(cv2.resize(logits, size, interpolation=cv2.INTER_NEAREST))
    return WindowedLogits(object_id, np.array(window, np.float64), resized)


def rectangle(left: int, top: int, right: int, bottom: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def looped_overlap(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """IoU, and the share of the first that the second covers, pixel by pixel."""
    both = either = area = 0
    for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
        both += a and b
        either += a or b
        area += a
    return (both / either if either else 1.0), (both / area if area else 0.0)


# ---- overlap


def blobs(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, size_hw)
    return cv2.GaussianBlur(noise, (0, 0), 6) > 0.05


@pytest.mark.parametrize("seed", range(5))
def test_overlap_on_whole_frames_is_counted_pixel_by_pixel(seed: int):
    one, other = blobs(seed), blobs(seed + 100)
    whole = (0, 0, SIZE_HW[1], SIZE_HW[0])
    found = mask_overlap(windowed(one, whole), windowed(other, whole))
    assert found == pytest.approx(looped_overlap(one, other), abs=1e-9)


WINDOWS = [
    ((0, 0, 60, 60), (30, 20, 96, 96)),
    ((10, 10, 40, 40), (0, 0, 96, 96)),
    ((10, 10, 40, 40), (40, 10, 70, 40)),
    ((0, 0, 30, 20), (60, 70, 96, 96)),
]


@pytest.mark.parametrize(("window", "other_window"), WINDOWS, ids=["partly", "inside", "beside", "apart"])
@pytest.mark.parametrize("scales", [(1.0, 1.0), (2.0, 0.5), (0.7, 1.3)])
def test_overlap_in_any_windows_is_that_of_the_frame(window, other_window, scales):
    one, other = blobs(1) & rectangle(*window), blobs(2) & rectangle(*other_window)
    found = mask_overlap(windowed(one, window, scales[0]), windowed(other, other_window, scales[1]))
    assert found == pytest.approx(looped_overlap(one, other), abs=0.04)


def test_overlap_with_itself_and_with_nothing():
    whole, mask = (0, 0, 96, 96), blobs(3)
    assert mask_overlap(windowed(mask, whole), windowed(mask, whole)) == (1, 1)
    nothing = np.zeros(SIZE_HW, bool)
    assert mask_overlap(windowed(mask, whole), windowed(nothing, whole)) == (0, 0)
    assert mask_overlap(windowed(nothing, whole), windowed(mask, whole)) == (0, 0)
    assert mask_overlap(windowed(nothing, whole), windowed(nothing, whole)) == (1, 0)


@pytest.mark.parametrize("shift", range(0, 40, 7))
def test_small_objects_far_apart_do_not_agree(shift: int):
    """On a frame of 2,000 pixels' width a grid over both would step over them."""
    size_hw = (1100, 2000)
    one = rectangle(20 + shift, 20, 28 + shift, 28, size_hw)
    other = rectangle(1900, 1000 + shift, 1908, 1008 + shift, size_hw)
    found = mask_overlap(windowed(one, (0, 0, 80, 60)), windowed(other, (1850, 980, 2000, 1100)))
    assert found == (0, 0)


def test_small_objects_in_large_windows_are_measured():
    size_hw = (1100, 2000)
    one, other = rectangle(1000, 500, 1030, 530, size_hw), rectangle(1015, 500, 1045, 530, size_hw)
    found = mask_overlap(windowed(one, (980, 480, 1080, 580)), windowed(other, (0, 0, 2000, 1100), 0.5))
    assert found == pytest.approx(looped_overlap(one, other), abs=0.1)


# ---- linking


def grown(
    book: TrackletBook, object_id: int, frames: Sequence[int], mask: np.ndarray, similarity: float = 0.7,
    origin: str = "found",
) -> GrowingTracklet:  # fmt: skip
    """A tracklet with one mask in all its frames."""
    tracklet = book.open(object_id, frames[0], similarity, origin, 0)
    for frame in frames:
        book.add(tracklet, frame, windowed(mask, (0, 0, 96, 96), object_id=object_id), 0.9)
    return tracklet


def random_book(book: TrackletBook, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(12):
        first, length = int(rng.integers(0, 20)), int(rng.integers(1, 12))
        left, top = rng.integers(0, 50, 2).tolist()
        mask = rectangle(left, top, left + 40, top + 40)
        origin = "given" if number < 3 else "found"
        similarity = 1.0 if origin == "given" else float(rng.uniform(0.5, 0.99))
        grown(book, int(rng.integers(1, 4)), range(first, first + length), mask, similarity, origin)


def clash(book: TrackletBook, lower: GrowingTracklet, higher: GrowingTracklet) -> bool:
    """The law from the pixels of all the frames the two share: every tracklet here has one mask."""
    shared = sorted(set(lower.confidences) & set(higher.confidences))
    if not shared or lower.origin == higher.origin == "given":
        return False
    one, other = (book.answer(tracklet, shared[0]).logits > 0 for tracklet in (lower, higher))
    iou, claimed = looped_overlap(one, other)
    return iou < AGREEMENT if lower.object_id == higher.object_id else claimed > CLAIMED


@pytest.mark.parametrize("seed", range(6))
def test_a_tracklet_is_linked_if_and_only_if_it_contradicts_none_that_is_linked_before_it(seed: int):
    book = TrackletBook()
    random_book(book, seed)
    link(book)
    order = sorted(book.tracklets, key=lambda t: (t.origin != "given", -t.similarity))
    linked: list[GrowingTracklet] = []
    for tracklet in order:
        assert tracklet.linked != any(clash(book, tracklet, higher) for higher in linked)
        linked += [tracklet] if tracklet.linked else []
    assert 3 < len(linked) < 12


@pytest.mark.parametrize("seed", range(6))
def test_given_ones_are_always_linked_and_linked_ones_never_contradict(seed: int):
    book = TrackletBook()
    random_book(book, seed)
    link(book)
    linked = [tracklet for tracklet in book.tracklets if tracklet.linked]
    assert all(tracklet.linked for tracklet in book.tracklets if tracklet.origin == "given")
    for higher in linked:
        for lower in linked:
            if lower.similarity < higher.similarity:
                assert not contradict(book, lower, higher)


def test_the_order_in_which_they_were_found_does_not_matter():
    answers = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        book = TrackletBook()
        for place in order:
            mask = rectangle(20 * place, 20, 20 * place + 50, 70)
            grown(book, 1, range(5), mask, (0.9, 0.8, 0.7)[place])
        link(book)
        answers.append({tracklet.similarity: tracklet.linked for tracklet in book.tracklets})
    assert answers[0] == answers[1] == answers[2] == {0.9: True, 0.8: False, 0.7: False}


def test_linking_again_changes_nothing():
    book = TrackletBook()
    random_book(book, 3)
    link(book)
    before = [tracklet.linked for tracklet in book.tracklets]
    link(book)
    assert [tracklet.linked for tracklet in book.tracklets] == before


def test_one_that_was_refused_refuses_nobody():
    """The middle one contradicts the first, the last only the middle one."""
    book = TrackletBook()
    first = grown(book, 1, range(6), rectangle(0, 0, 40, 40), 0.9)
    middle = grown(book, 1, range(4, 12), rectangle(50, 50, 90, 90), 0.8)
    last = grown(book, 1, range(10, 15), rectangle(0, 0, 40, 40), 0.7)
    link(book)
    assert (first.linked, middle.linked, last.linked) == (True, False, True)


def test_tracklets_that_share_no_frame_never_contradict():
    book = TrackletBook()
    one = grown(book, 1, range(5), rectangle(0, 0, 40, 40))
    assert not contradict(book, one, grown(book, 1, range(5, 9), rectangle(50, 50, 90, 90)))
    assert not contradict(book, one, grown(book, 2, range(5, 9), rectangle(0, 0, 40, 40)))


def test_one_object_must_agree_and_two_must_not():
    book = TrackletBook()
    mask, far = rectangle(0, 0, 40, 40), rectangle(50, 50, 90, 90)
    one = grown(book, 1, range(5), mask)
    assert not contradict(book, one, grown(book, 1, range(5), mask))
    assert contradict(book, one, grown(book, 1, range(5), far))
    assert contradict(book, one, grown(book, 2, range(5), mask))
    assert not contradict(book, one, grown(book, 2, range(5), far))


def test_a_small_object_before_a_large_one_is_not_claimed_by_halves():
    """Of the large one the small covers little, of the small one the large covers all: only the lower is asked."""
    book = TrackletBook()
    small, large = (
        grown(book, 1, range(3), rectangle(10, 10, 30, 30)),
        grown(book, 2, range(3), rectangle(0, 0, 90, 90)),
    )
    assert contradict(book, small, large)
    assert not contradict(book, large, small)


def test_a_few_frames_of_contradiction_do_not_outweigh_the_others():
    book = TrackletBook()
    mask, far = rectangle(0, 0, 40, 40), rectangle(50, 50, 90, 90)
    one = grown(book, 1, range(40), mask)
    other = grown(book, 1, range(35), mask)
    for frame in range(35, 40):
        book.add(other, frame, windowed(far, (0, 0, 96, 96)), 0.9)
    assert not contradict(book, one, other)
    for frame in range(10, 35):
        book.add(other, frame, windowed(far, (0, 0, 96, 96)), 0.9)
    assert contradict(book, one, other)


def test_given_masks_of_two_objects_are_both_true_even_where_they_overlap():
    book = TrackletBook()
    for object_id in (1, 2):
        grown(book, object_id, range(3), rectangle(0, 0, 40, 40), 1.0, "given")
    link(book)
    assert all(tracklet.linked for tracklet in book.tracklets)


def test_a_given_mask_wins_over_what_was_found():
    book = TrackletBook()
    found = grown(book, 2, range(5), rectangle(0, 0, 40, 40), 0.99)
    given = grown(book, 1, range(5), rectangle(0, 0, 40, 40), 1.0, "given")
    link(book)
    assert given.linked
    assert not found.linked


def test_the_frame_of_a_given_mask_holds_nothing_to_compare_with():
    """The given mask itself is not kept with the soft ones; it wins in its frame anyway."""
    book = TrackletBook()
    given = book.open(1, 4, 1.0, "given", 0)
    given.confidences[4] = 1.0
    found = [grown(book, object_id, range(2, 7), rectangle(0, 0, 40, 40), 0.8) for object_id in (1, 2)]
    assert not any(contradict(book, tracklet, given) for tracklet in found)


def test_nothing_to_link():
    book = TrackletBook()
    empty = book.open(1, 0, 1.0, "given", 0)
    link(book)
    assert not empty.linked
