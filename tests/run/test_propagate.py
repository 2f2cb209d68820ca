"""Streaming, references at any frame, both ways: with a propagator that only shifts masks, so all is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.interfaces import Propagation, Propagator
from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks, ObjectStatus, ids_to_masks, masks_to_ids
from shibori.media.soft_mask import SoftLayer, SoftMasks
from shibori.media.track import Tracklet
from shibori.run.propagate import Watch, _in_clip, _merge, _only, run_plan, segment_clip, segment_frames

from ..lookahead import Lookahead
from .clock import SIZE_HW, ClockClip, box, planned


class Shifting(Propagation):
    """Moves every mask by one column for each frame of difference, read from the pixels."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, np.ndarray]] = {}
        self.steps = 0

    def step(self, image, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        clock = int(image[0, 0, 0])
        for object_id, mask in (references or {}).items():
            self.known[object_id] = (clock, mask)
        masks = {o: np.roll(mask, clock - then, axis=1) for o, (then, mask) in sorted(self.known.items())}
        statuses = tuple(ObjectStatus(o, 0.9, "tracked") for o in masks)
        self.steps += 1
        return FrameMasks(self.steps - 1, masks_to_ids(masks, SIZE_HW), statuses, None)


class Shifter(Propagator):
    def __init__(self) -> None:
        self.runs: list[Shifting] = []

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        self.runs.append(Shifting())
        return self.runs[-1]


class Softly(Shifter):
    """The same masks, with the log-odds they came from: certain to one in a hundred, or as they were given."""

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        shifting = super().begin(size_hw)
        inner = shifting.step

        def step(image, references=None):
            masks = inner(image, references)
            given = dict(references or {})
            layers = (
                SoftLayer(
                    status.object_id, (0, 0, size_hw[1], size_hw[0]), np.where(masks.ids == status.object_id, 5, -5)
                )
                for status in masks.statuses
                if status.object_id not in given
            )
            return replace(masks, soft=SoftMasks(size_hw, tuple(layers), given))

        shifting.step = step
        return shifting


def left_of(ids: np.ndarray, object_id: int) -> int | None:
    columns = np.flatnonzero((ids == object_id).any(axis=0))
    return int(columns[0]) if columns.size else None


def test_frames_come_in_order_one_at_a_time():
    clip = ClockClip()
    stream = segment_clip(clip, {0: box(2)}, Shifter())
    assert next(stream).index == 0
    assert clip.decoded == [0]
    assert [(masks.index, left_of(masks.ids, 1)) for masks in stream] == [(t, 2 + t) for t in range(1, 20)]


def test_range_and_stride_and_reference_off_the_stride():
    clip = ClockClip()
    found = list(segment_clip(clip, {4: box(6), 7: box(9, 2, top=4)}, Shifter(), start=2, stop=12, every=2))
    assert [masks.index for masks in found] == [2, 4, 6, 7, 8, 10]
    assert [left_of(masks.ids, 2) for masks in found] == [None, None, None, 9, 10, 12]


def test_objects_that_start_later_are_absent_before():
    found = list(segment_clip(ClockClip(6), {1: box(1), 3: box(9, 7, top=4)}, Shifter()))
    states = [{s.object_id: s.state for s in masks.statuses} for masks in found]
    assert states[0] == {1: "absent", 7: "absent"}
    assert states[2] == {1: "tracked", 7: "absent"}
    assert states[5] == {1: "tracked", 7: "tracked"}
    assert not found[0].ids.any()


def test_rows_of_probs_keep_to_the_statuses():
    class Certain(Shifter):
        def begin(self, size_hw):
            shifting = super().begin(size_hw)
            inner = shifting.step

            def step(image, references=None):
                masks = inner(image, references)
                return replace(masks, soft=SoftMasks(masks.ids.shape, (), ids_to_masks(masks.ids)))

            shifting.step = step
            return shifting

    found = list(segment_clip(ClockClip(5), {0: box(1, 7), 3: box(9, 2, top=4)}, Certain()))
    for masks in found:
        assert [s.object_id for s in masks.statuses] == [2, 7]
        np.testing.assert_array_equal(masks.probs[1] > 0, masks.ids == 2)
        np.testing.assert_array_equal(masks.probs[2] > 0, masks.ids == 7)


def test_corrected_mask_moves_one_object_and_leaves_the_other():
    first = box(1) + box(1, 2, top=4)
    found = list(segment_clip(ClockClip(10), {0: first, 5: box(20)}, Shifter()))
    assert left_of(found[9].ids, 1) == 24
    assert left_of(found[9].ids, 2) == 10


def test_both_ways_fills_the_frames_before_the_first_reference():
    references = {10: box(15), 14: box(20, 2, top=4)}
    found = list(segment_clip(ClockClip(), references, Shifter(), both_ways=True))
    assert [masks.index for masks in found] == list(range(20))
    assert [left_of(masks.ids, 1) for masks in found] == [5 + t for t in range(20)]
    assert [left_of(masks.ids, 2) for masks in found] == [6 + t for t in range(20)]
    assert all(s.state == "tracked" for masks in found for s in masks.statuses)


def test_both_ways_keeps_forward_pixels_where_the_two_overlap():
    references = {0: box(0), 10: box(10, 2, top=1)}
    found = list(segment_clip(ClockClip(), references, Shifter(), both_ways=True))
    assert (found[4].ids == 1).sum() == 12
    assert (found[4].ids == 2).sum() == 4


@pytest.mark.parametrize("first", [0, 4])
def test_soft_masks_go_both_ways_with_the_hard_ones(first: int):
    references = {first: box(6), 10: box(12, 2, top=4)}
    for masks in segment_clip(ClockClip(14), references, Softly(), both_ways=True):
        assert masks.soft.object_ids == (1, 2)
        for object_id in (1, 2):
            alpha = masks.alpha((object_id,))
            np.testing.assert_array_equal(alpha > 127, masks.ids == object_id)
            is_given = masks.index == {1: first, 2: 10}[object_id]
            assert alpha.max() == (255 if is_given else 253)
        assert masks.probs.shape == (3, *SIZE_HW)


def test_soft_masks_of_an_earlier_run_are_of_the_objects_that_begin_later():
    run = FrameMasks(3, box(6) + box(20, 2), (), SoftMasks(SIZE_HW, (), ids_to_masks(box(6) + box(20, 2))))
    kept = _only(run, {2})
    assert kept.soft.object_ids == (2,)
    np.testing.assert_array_equal(kept.alpha((2,)), (run.ids == 2) * 255)
    assert _only(replace(run, soft=None), {2}).soft is None


def test_where_both_runs_know_an_object_the_backward_one_says_how_soft_it_is():
    forward = FrameMasks(3, box(6), (ObjectStatus(1, 1.0, "tracked"), ObjectStatus(2, 0.0, "absent")))
    backward = FrameMasks(3, box(20, 2), (ObjectStatus(2, 0.7, "tracked"),))
    everywhere = (0, 0, SIZE_HW[1], SIZE_HW[0])

    def soft(*objects: int) -> SoftMasks:
        return SoftMasks(SIZE_HW, tuple(SoftLayer(i, everywhere, np.full((2, 2), float(i))) for i in objects))

    merged = _merge(replace(forward, soft=soft(1, 2)), replace(backward, soft=soft(2)))
    assert [layer.object_id for layer in merged.soft.layers] == [1, 2]
    assert [status.confidence for status in merged.statuses] == [1.0, 0.7]
    assert _merge(replace(forward, soft=soft(1)), backward).soft is None
    assert _merge(forward, replace(backward, soft=soft(2))).soft is None


def test_both_ways_costs_nothing_where_all_start_at_the_beginning():
    propagator = Shifter()
    list(segment_clip(ClockClip(5), {0: box(0), 3: box(9)}, propagator, both_ways=True))
    assert len(propagator.runs) == 1


def test_both_ways_keeps_the_stride():
    propagator = Shifter()
    references = {11: box(11)}
    found = list(segment_clip(ClockClip(), references, propagator, every=5, both_ways=True))
    assert [masks.index for masks in found] == [0, 5, 10, 11, 15]
    assert [left_of(masks.ids, 1) for masks in found] == [0, 5, 10, 11, 15]
    assert propagator.runs[0].steps == 4


def test_pushing_frames_gives_the_same_masks():
    clip, references = ClockClip(), {0: box(2)}
    propagation = Shifter().begin(SIZE_HW)
    pushed = [propagation.step(f.image, {1: box(2) == 1} if f.index == 0 else None).ids for f in clip.frames()]
    for ids, masks in zip(pushed, segment_clip(clip, references, Shifter()), strict=True):
        np.testing.assert_array_equal(ids, masks.ids)


def test_truncated_clip_gives_what_decodes():
    clip = ClockClip(20, decodable=7)
    frames = list(segment_frames(clip, {0: box(2)}, Shifter(), every=2))
    assert [frame.index for frame, _ in frames] == [0, 2, 4, 6]


def test_a_mask_on_a_frame_that_cannot_be_decoded_is_named():
    class Damaged(ClockClip):
        def frames(self, start=0, stop=None, step=1):
            return (frame for frame in super().frames(start, stop, step) if frame.index != 3)

    with pytest.raises(InputError, match="frame 3 of clock cannot be decoded"):
        list(segment_clip(Damaged(), {0: box(2), 3: box(5)}, Shifter()))


def test_ids_above_254_stay_whole():
    ids = box(3).astype(np.uint16) * 1000
    spool_ids = [m.ids for m in segment_clip(ClockClip(6), {3: ids}, Shifter(), both_ways=True)]
    assert all(left_of(ids, 1000) == t for t, ids in enumerate(spool_ids))


@pytest.mark.parametrize(
    ("references", "options", "expected"),
    [
        ({}, {}, "no mask to start from"),
        ({20: box(1)}, {}, "frame 20, but clock has 20 frames"),
        ({-1: box(1)}, {}, "frame -1"),
        ({3: box(1)}, {"start": 5}, "outside the range"),
        ({0: np.zeros((4, 4), np.uint8)}, {}, "4x4 pixels, but the clip is 40x8"),
        ({0: np.zeros(SIZE_HW, np.uint8)}, {}, "shows no object"),
        ({0: box(1)}, {"every": 0}, "at least 1"),
        ({0: box(1)}, {"start": 25}, "starts at 25"),
        ({0: box(1)}, {"start": 4, "stop": 4}, "starts at 4"),
    ],
)
def test_wrong_input_is_named_at_once(references, options, expected):
    with pytest.raises(InputError, match=expected):
        segment_clip(ClockClip(), references, Shifter(), **options)


# ---- systems that work on the clip as a whole


def test_a_whole_clip_gives_every_frame_that_is_due():
    propagator = Lookahead()
    found = list(segment_frames(ClockClip(), planned().references, propagator, start=2, stop=12, every=2))
    assert [frame.index for frame, _ in found] == [masks.index for _, masks in found] == [2, 4, 6, 7, 8, 10]
    assert all(int(frame.image[0, 0, 0]) == frame.index for frame, _ in found)
    assert [left_of(masks.ids, 1) for _, masks in found] == [None, 6, 6, 6, 6, 6]
    assert [left_of(masks.ids, 2) for _, masks in found] == [None, None, None, 9, 9, 9]
    states = [[status.state for status in masks.statuses] for _, masks in found]
    assert states == [["absent", "absent"], *[["tracked", "absent"]] * 2, *[["tracked", "tracked"]] * 3]
    (run,) = propagator.runs
    assert {position: sorted(masks) for position, masks in run.references.items()} == {1: [1], 3: [2]}
    np.testing.assert_array_equal(run.references[3][2], box(9, 2, top=4) == 2)
    assert sorted(run.seen) == [1, 2, 3, 4, 5]  # nothing before the first reference


def test_a_whole_clip_both_ways():
    propagator = Lookahead()
    found = list(segment_clip(ClockClip(), {5: box(6), 9: box(9, 2, top=4)}, propagator, both_ways=True))
    assert [masks.index for masks in found] == list(range(20))
    assert all((left_of(masks.ids, 1), left_of(masks.ids, 2)) == (6, 9) for masks in found)
    assert propagator.runs[0].both_ways
    assert sorted(propagator.runs[0].seen) == list(range(20))


def test_who_watches_hears_of_every_frame_and_then_of_the_tracklets():
    heard: list[tuple[str, object]] = []
    watch = Watch(lambda frames: heard.append(("seen", frames)), lambda found: heard.append(("linked", found)))
    for frame, _ in run_plan(ClockClip(), planned(), Lookahead(), watch=watch):
        heard.append(("frame", frame.index))
    assert [what for what, _ in heard] == ["seen"] * 5 + ["linked"] + ["frame"] * 6
    assert [value for what, value in heard if what == "seen"] == [2, 3, 4, 5, 6]
    tracklets = next(value for what, value in heard if what == "linked")
    assert [(t.object_id, t.start, t.first, t.last) for t in tracklets] == [(1, 4, 4, 10), (2, 7, 7, 10)]


def test_tracklets_count_frames_of_the_clip():
    """Between two frames that were due, the confidence is that of the one before."""
    confidences = (0.1, 0.2, 0.3, 0.4)
    tracklet = Tracklet(1, 2, 1, 4, 0.8, "found", 1, True, confidences)
    moved = _in_clip(tracklet, [2, 5, 6, 8, 11, 14])
    assert (moved.first, moved.start, moved.last) == (5, 6, 11)
    assert moved.confidences == (0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4)
    assert (moved.similarity, moved.origin, moved.iteration, moved.linked) == (0.8, "found", 1, True)
    assert _in_clip(tracklet, range(9)) == tracklet


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_whole_clip_that_ends_early_gives_what_decodes(both_ways: bool):
    clip = ClockClip(20, decodable=7)
    found = list(segment_frames(clip, {2: box(2)}, Lookahead(), every=2, both_ways=both_ways))
    assert [frame.index for frame, _ in found] == [0, 2, 4, 6]
    assert [left_of(masks.ids, 1) for _, masks in found] == [2 if both_ways else None, 2, 2, 2]


class Damaged(ClockClip):
    """Frames 0 and 3 cannot be decoded."""

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        return (frame for frame in super().frames(start, stop, step) if frame.index not in (0, 3))

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        return (frame for frame in super().backward(start, stop) if frame.index not in (0, 3))


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_frame_that_does_not_come_moves_no_mask_to_another(both_ways: bool):
    references = {1: box(1), 2: box(2), 4: box(4), 5: box(5), 6: box(6)}
    found = list(segment_frames(Damaged(8), references, Lookahead(), both_ways=both_ways))
    assert [frame.index for frame, _ in found] == [1, 2, 4, 5, 6, 7]
    assert [left_of(masks.ids, 1) for _, masks in found] == [1, 2, 4, 5, 6, 6]


@pytest.mark.parametrize(("clip", "index"), [(Damaged(), 3), (ClockClip(20, decodable=7), 10), (Damaged(), 0)])
@pytest.mark.parametrize("references", [{}, {1: box(2)}], ids=["alone", "beside another"])
def test_a_whole_clip_with_a_mask_on_a_frame_that_cannot_be_decoded(clip: ClockClip, index: int, references: dict):
    with pytest.raises(InputError, match=f"frame {index} of clock cannot be decoded"):
        list(segment_clip(clip, {**references, index: box(5)}, Lookahead()))


def test_a_frame_is_decoded_for_the_system_and_once_more_for_who_writes_it():
    clip = ClockClip(6)
    list(segment_clip(clip, {0: box(1)}, Lookahead()))
    assert sorted(clip.decoded) == sorted([*range(6), *range(6)])
