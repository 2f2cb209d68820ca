"""A clip, reference masks at some of its frames and a propagator: the masks of every frame, streamed in order.

Knows no system: anything that implements ``Propagator`` will do. One forward run segments each object from its first
reference on; ``both_ways`` adds one backward run for the frames before it, whose masks wait, packed, until the
forward run comes to their frame. So memory does not grow with the number of frames, in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import ClipPropagator, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.heap import trimmed
from shibori.media.mask import FrameMasks, ObjectStatus, ids_to_masks
from shibori.media.mask_store import FrameStore
from shibori.media.soft_mask import SoftMasks
from shibori.media.track import Tracklet
from shibori.run.plan import Plan, PlannedFrames, check_decoded, make_plan


def segment_clip(
    clip: Clip,
    references: Mapping[int, NDArray[np.integer]],
    propagator: Propagator,
    *,
    start: int = 0,
    stop: int | None = None,
    every: int = 1,
    both_ways: bool = False,
) -> Iterator[FrameMasks]:
    """Segment the frames ``start``, ``start + every``, ... before ``stop``, in frame order, one at a time.

    Args:
        clip: where the frames come from.
        references: frame index -> (H, W) ids map, true of that frame. The first map that holds an object starts it;
            a later one corrects it. A map says nothing about objects it does not hold. A frame with a map is
            segmented and yielded even where it is off the stride.
        propagator: the system that carries masks from frame to frame.
        start: index of the first frame.
        stop: one past the last frame; None: the clip's end.
        every: step between frames.
        both_ways: also segment the frames before an object's first reference, backward from it. Where a forward and
            a backward mask overlap, the forward one (whose reference is in the past) keeps the pixels.

    Yields:
        FrameMasks whose ``index`` is the clip's frame index, with a status for every object of ``references``: one
        that has not started yet is "absent". ``soft`` is None where a run that had a part in the
        masks gave ids alone.

    Raises:
        InputError: at the call, if a reference is outside the clip or the range, has another size or no object.
    """
    frames = segment_frames(clip, references, propagator, start=start, stop=stop, every=every, both_ways=both_ways)
    return (masks for _, masks in frames)


def segment_frames(
    clip: Clip,
    references: Mapping[int, NDArray[np.integer]],
    propagator: Propagator,
    *,
    start: int = 0,
    stop: int | None = None,
    every: int = 1,
    both_ways: bool = False,
) -> Iterator[tuple[Frame, FrameMasks]]:
    """``segment_clip``, and beside each frame's masks the frame itself, decoded once: what a writer needs."""
    return run_plan(clip, make_plan(clip, references, start, stop, every), propagator, both_ways)


@dataclass(frozen=True)
class Watch:
    """What is called as a run goes on, before it gives its first masks."""

    seen: Callable[[int], None] = lambda _frames: None
    """Called with the number of frames seen so far, each time there is one more; of ``frames_ahead`` in the end."""
    linked: Callable[[tuple[Tracklet, ...]], None] = lambda _tracklets: None
    """Called with the tracklets of a system that works on the clip as a whole; they count frames of the clip."""


UNWATCHED = Watch()


def run_plan(
    clip: Clip, plan: Plan, propagator: Propagator, both_ways: bool = False, watch: Watch = UNWATCHED
) -> Iterator[tuple[Frame, FrameMasks]]:
    """What ``segment_frames`` does, for a plan that is made already."""
    if isinstance(propagator, ClipPropagator):
        return _whole(clip, plan, propagator, both_ways, watch)
    return _merged(clip, plan, propagator, watch) if both_ways else _forward(clip, plan, propagator)


def frames_ahead(plan: Plan, propagator: Propagator, both_ways: bool) -> int:
    """How many frames a run sees before it gives its first masks."""
    if isinstance(propagator, ClipPropagator):
        return plan.num_frames
    last = max(plan.first_frames.values())
    if not both_ways or last == plan.range.start:
        return 0
    return sum(index <= last for index in plan.indices)


def _due_frames(clip: Clip, plan: Plan) -> Iterator[Frame]:
    """The frames on the stride as one stream, with those off it that have a reference fetched in between."""
    off_stride = sorted(index for index in plan.references if index not in plan.range.indices)
    for frame in trimmed(clip.frames(plan.range.start, plan.range.stop, plan.range.every)):
        while off_stride and off_stride[0] < frame.index:
            yield clip.frame(off_stride.pop(0))
        yield frame
    yield from map(clip.frame, off_stride)


def _forward(clip: Clip, plan: Plan, propagator: Propagator) -> Iterator[tuple[Frame, FrameMasks]]:
    propagation = propagator.begin(clip.size_hw)
    first_index = min(plan.references)
    waiting = sorted(plan.references, reverse=True)
    for frame in _due_frames(clip, plan):
        if waiting and waiting[-1] <= frame.index:
            check_decoded(clip, waiting.pop(), frame.index)
        if frame.index < first_index:
            masks = FrameMasks(frame.index, np.zeros(clip.size_hw, np.uint8), (), SoftMasks(clip.size_hw))
        else:
            masks = propagation.step(frame.image, plan.masks_at(frame.index))
        yield frame, _complete(replace(masks, index=frame.index), plan)
    if waiting:
        check_decoded(clip, waiting[-1], -1)


def _complete(masks: FrameMasks, plan: Plan) -> FrameMasks:
    """One status for every object of the plan, by rising object_id."""
    slots = {status.object_id: slot for slot, status in enumerate(masks.statuses)}
    statuses = tuple(
        masks.statuses[slots[object_id]] if object_id in slots else ObjectStatus(object_id, 0.0, "absent")
        for object_id in plan.first_frames
    )
    return replace(masks, statuses=statuses)


def _merged(clip: Clip, plan: Plan, propagator: Propagator, watch: Watch) -> Iterator[tuple[Frame, FrameMasks]]:
    waiting = FrameStore()
    for done, masks in enumerate(_backward(clip, plan, propagator), 1):
        if masks.statuses:
            waiting.put(masks)
        watch.seen(done)
    for frame, masks in _forward(clip, plan, propagator):
        earlier = waiting.get(frame.index)
        yield frame, masks if earlier is None else _merge(masks, earlier)


def _whole(
    clip: Clip, plan: Plan, propagator: ClipPropagator, both_ways: bool, watch: Watch
) -> Iterator[tuple[Frame, FrameMasks]]:
    frames = PlannedFrames(clip, plan)
    references = {frames.positions[index]: ids_to_masks(ids) for index, ids in plan.references.items()}
    propagation = propagator.propagate(frames, references, both_ways, watch.seen)
    answers, is_first = propagation.masks(), True
    for frame in _due_frames(clip, plan):
        masks = next(masks for masks in answers if masks.index >= frames.positions[frame.index])
        if is_first:
            is_first = False
            watch.linked(tuple(_in_clip(tracklet, frames.indices) for tracklet in propagation.tracklets))
        yield frame, _complete(replace(masks, index=frame.index), plan)


def _in_clip(tracklet: Tracklet, indices: Sequence[int]) -> Tracklet:
    """Positions as frames of the clip; a frame between two that were due has the confidence of the one before."""
    first, last = indices[tracklet.first], indices[tracklet.last]
    confidences: list[float] = []
    for position in range(tracklet.first, tracklet.last + 1):
        until = indices[position + 1] if position < tracklet.last else last + 1
        confidences += [tracklet.confidences[position - tracklet.first]] * (until - indices[position])
    start = indices[tracklet.start]
    return replace(tracklet, start=start, first=first, last=last, confidences=tuple(confidences))


def _backward(clip: Clip, plan: Plan, propagator: Propagator) -> Iterator[FrameMasks]:
    """Every object's masks at the frames before its first reference, from the last such frame to the first."""
    last = max(plan.first_frames.values())
    if last == plan.range.start:
        return
    propagation = propagator.begin(clip.size_hw)
    for frame in trimmed(clip.backward(last, plan.range.start - 1)):
        if not plan.is_due(frame.index):
            continue
        # All objects of the reference take part, those too that the forward run already follows here: an object
        # that is known is not mistaken for another. Only the masks of later ones are kept.
        masks = propagation.step(frame.image, plan.masks_at(frame.index))
        later = {object_id for object_id, first in plan.first_frames.items() if first > frame.index}
        yield _only(replace(masks, index=frame.index), later)


def _only(masks: FrameMasks, object_ids: set[int]) -> FrameMasks:
    kept = np.isin(masks.ids, sorted(object_ids))
    statuses = tuple(status for status in masks.statuses if status.object_id in object_ids)
    soft = None if masks.soft is None else masks.soft.only(object_ids)
    return replace(masks, ids=np.where(kept, masks.ids, 0).astype(masks.ids.dtype), statuses=statuses, soft=soft)


def _merge(forward: FrameMasks, backward: FrameMasks) -> FrameMasks:
    ids = np.where(forward.ids == 0, backward.ids, forward.ids)
    earlier = {status.object_id: status for status in backward.statuses}
    statuses = tuple(earlier.get(status.object_id, status) for status in forward.statuses)
    return replace(forward, ids=ids, statuses=statuses, soft=_merge_softly(forward, backward))


def _merge_softly(forward: FrameMasks, backward: FrameMasks) -> SoftMasks | None:
    if forward.soft is None or backward.soft is None:
        return None
    earlier = {status.object_id for status in backward.statuses}
    return forward.soft.only(set(forward.soft.object_ids) - earlier).joined(backward.soft)
