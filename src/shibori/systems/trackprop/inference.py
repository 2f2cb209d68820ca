"""trackprop at work: marked frames at once, then all frames, and only what changes is computed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.boxtracking.target import Tracker
from shibori.errors import InputError
from shibori.interfaces import MarkSegmenter, MarkSession
from shibori.media.clip import Clip
from shibori.media.marks import FrameMarks, Marks, require_known_objects
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import SoftMasks
from shibori.ops.blend import blended
from shibori.ops.overlap import WindowedLogits, iou_of_masks, settled_ids
from shibori.systems.trackprop.marking import Marking
from shibori.systems.trackprop.model import RegionNetwork
from shibori.systems.trackprop.propagation import Propagating
from shibori.systems.trackprop.rule import TrackpropRule
from shibori.systems.trackprop.spans import Span, Track, merged, nearest
from shibori.systems.trackprop.sweep import Job, Surroundings, jobs_of, sweep
from shibori.tracking.logit_store import Answer, LogitStore
from shibori.tracking.network import Memory
from shibori.tracking.settled_frame import soft_masks
from shibori.tracking.window_tracker import TrackState

Mask = NDArray[np.bool_]

MAX_REMEMBERED = 2
"""Other marked frames, the nearest ones, that help to understand the marks on a frame."""
LEAST_SURE = 0.25
"""What a new answer that has lost an object counts, at least, beside one of an earlier round."""
SAME_MASK = 0.95
"""IoU from which a revised mask changes nothing around it."""


@dataclass(frozen=True)
class TrackpropSegmenter(MarkSegmenter):
    """Marks in, masks of all frames out."""

    network: RegionNetwork
    """Ready for inference."""
    rule: TrackpropRule
    tracker: Tracker | None
    """Gives the regions; None: the previous mask does."""
    device: torch.device

    def begin(self, clip: Clip) -> MarkSession:
        """See ``MarkSegmenter``."""
        return TrackpropInteraction(self, clip)


@dataclass(frozen=True, eq=False)
class Approved:
    """A marked frame: its masks stay until it is marked again."""

    ids: NDArray[Any]
    """(H, W)."""
    object_ids: tuple[int, ...]
    """Those of which something is said; one that is not in ``ids`` is not there."""
    soft: SoftMasks
    """Of the same objects: what the networks said of them."""

    def masks(self) -> dict[int, Mask]:
        """object_id -> (H, W)."""
        return {object_id: self.ids == object_id for object_id in self.object_ids}


class TrackpropInteraction(MarkSession):
    """One clip.

    A frame that was marked is approved of: its masks are what ``mark`` gave until it is marked again, those of the
    objects that nobody marked there included, for they were looked at. Between two such frames masks are propagated
    from both sides.
    """

    def __init__(self, segmenter: TrackpropSegmenter, clip: Clip) -> None:
        self.clip = clip
        self._marking = Marking(segmenter.network, segmenter.rule.marking, segmenter.device)
        self._propagating = Propagating(
            segmenter.network, segmenter.rule.propagation, segmenter.tracker, segmenter.device
        )
        self._marks: dict[int, FrameMarks] = {}
        self._approved: dict[int, Approved] = {}
        self._tracks: dict[int, Track] = {}
        self._anchors: dict[tuple[int, int], TrackState] = {}
        self._blind: dict[int, set[int]] = {}
        self._found_right: dict[int, dict[int, float]] = {}
        self._revised: dict[int, dict[int, Mask]] = {}
        self._answers = _answer_store()
        self._undecodable: set[int] = set()

    @torch.no_grad()  # and not inference mode: ATOM learns online
    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        """See ``MarkSession``."""
        marks.check(self.clip.num_frames)
        require_known_objects(marks, tuple(self._tracks))
        for index in marks.frames:
            self._mark_frame(index, FrameMarks.of(marks, index))
        return tuple(self._answer(index) for index in marks.frames)

    def masks(self) -> Iterator[FrameMasks]:
        """See ``MarkSession``."""
        if not self._tracks:
            raise InputError("nothing is marked yet: mark each object on some frame first")
        return self._masks()

    def _masks(self) -> Iterator[FrameMasks]:
        self._propagate()
        for index in range(self.clip.num_frames):
            if index not in self._undecodable:
                yield self._answer(index)

    # ---- marked frames

    def _mark_frame(self, index: int, new_marks: FrameMarks) -> None:
        image = self.clip.frame(index).image
        before = self._shown(index)
        self._marks[index] = self._marks.get(index, FrameMarks()) + new_marks
        masks, answers = self._marking.segment(image, self._marks[index], new_marks, before, self._remembered(index))
        ids = np.zeros(self.clip.size_hw, np.uint16 if max([0, *masks]) > 254 else np.uint8)
        for object_id, mask in masks.items():
            ids[mask] = object_id
        said = self._soft(index, self._known(index, set())[0]).only(
            before.keys() - {each.object_id for each in answers}
        )
        soft = said.joined(soft_masks(self.clip.size_hw, answers, {}))
        self._approved[index] = Approved(ids, tuple(masks), soft)
        self._blind[index] = set(masks) - set(before)
        self._revised.pop(index, None)
        for object_id, mask in masks.items():
            changed = object_id not in before or not np.array_equal(mask, before[object_id])
            self._find_right(object_id, index, iou_of_masks(before.get(object_id, np.zeros_like(mask)), mask))
            self._approve(object_id, index, bool(mask.any()), changed)

    def _remembered(self, index: int) -> dict[int, list[Memory]]:
        """The objects in other marked frames, as far as that is known by now: the answer must not wait."""
        remembered: dict[int, list[Memory]] = {}
        for (object_id, frame), anchor in sorted(self._anchors.items(), key=lambda entry: abs(entry[0][1] - index)):
            memories = remembered.setdefault(object_id, [])
            if frame != index and len(memories) < MAX_REMEMBERED:
                memories += anchor.references
        return remembered

    def _shown(self, index: int) -> dict[int, Mask]:
        """What was said of a frame so far, of the objects of which anything was said there."""
        shown = self._approved[index].masks() if index in self._approved else {}
        propagated = [i for i, track in self._tracks.items() if i not in shown and self._was_reached(track, index)]
        if not propagated:
            return shown
        ids = self._answer(index).ids
        return shown | {object_id: np.asarray(ids == object_id) for object_id in propagated}

    def _was_reached(self, track: Track, index: int) -> bool:
        return self._answers.holds(index, track.object_id) or index not in track.stale

    def _approve(self, object_id: int, index: int, is_there: bool, changed: bool) -> None:
        track = self._tracks.setdefault(object_id, Track(object_id, self.clip.num_frames))
        track.approve(index, is_there, changed)
        if changed:
            self._anchors.pop((object_id, index), None)

    def _find_right(self, object_id: int, index: int, overlap: float) -> None:
        """Note how right what was said of a frame was; a second mark before masks are asked for makes it no better."""
        found = self._found_right.setdefault(object_id, {})
        found[index] = min(overlap, found.get(index, 1.0))

    # ---- all other frames

    @torch.no_grad()  # and not inference mode: ATOM learns online
    def _propagate(self) -> None:
        """Bring all masks up to date: forward, then backward, blending where both come."""
        for index, blind in self._blind.items():
            again = blind - self._kept_readings(index)
            self._revise(index, {i for i in again if self._seen_frames(i) and not self._tracks[i].is_fresh(index)})
        tracks = [track for track in self._tracks.values() if track.stale]
        forward = _answer_store()
        for index, found in self._sweep(jobs_of(tracks, forward=True), forward=True):
            for object_id, answer in found.items():
                forward.put(index, object_id, answer)
        backward = _answer_store()
        for index, found in self._sweep(jobs_of(tracks, forward=False), forward=False):
            for object_id, answer in found.items():
                backward.put(index, object_id, answer)
        for track in tracks:
            for span in track.due():
                for index in range(*span.bounds(track.num_frames)):
                    sides = forward.get(index, track.object_id), backward.get(index, track.object_id)
                    self._settle(track, span, index, *sides)
            track.stale.clear()
        self._found_right.clear()

    def _kept_readings(self, index: int) -> set[int]:
        """Objects whose first marks on a frame were read again in an earlier round, where that counts."""
        return {*self._revised.get(index, {})} if self._propagating.rule.inertia > 0 else set()

    def _revise(self, index: int, object_ids: set[int]) -> None:
        """Segment a frame anew that was marked before any mask was seen, now that corrections say more.

        What was answered for the frame stays. Propagation starts from what is better known.
        """
        if not object_ids:
            return
        kept = {i: mask for i, mask in self._masks_at(index).items() if i not in object_ids}
        nearby = {i: nearest(self._seen_frames(i), index, MAX_REMEMBERED) for i in object_ids}
        remembered = {
            i: [memory for frame in frames for memory in self._anchor(i, frame).references]
            for i, frames in nearby.items()
        }
        marks, image = self._marks[index], self.clip.frame(index).image
        masks = self._marking.segment(image, marks, marks, kept, remembered).masks
        before = self._masks_at(index)
        self._revised[index] = {i: masks[i] for i in {*object_ids, *self._revised.get(index, {})} if masks[i].any()}
        for object_id in object_ids:
            if iou_of_masks(before[object_id], masks[object_id]) < SAME_MASK:
                self._anchors.pop((object_id, index), None)
                self._tracks[object_id].spoil_beside(index)

    def _seen_frames(self, object_id: int) -> list[int]:
        """Marked frames that show the object and were marked when its mask was seen."""
        marked = self._tracks[object_id].marked.items()
        return [index for index, is_there in marked if is_there and object_id not in self._blind.get(index, ())]

    def _masks_at(self, index: int) -> dict[int, Mask]:
        """What propagation takes a marked frame for."""
        return self._approved[index].masks() | self._revised.get(index, {})

    def _sweep(self, jobs: list[Job], forward: bool) -> Iterator[tuple[int, Any]]:
        around = Surroundings(self._anchor, self._known)
        wanted = {i for span in merged(j.span.bounds(j.track.num_frames) for j in jobs) for i in range(*span)}
        for index, found in sweep(self.clip, self._propagating, jobs, around, forward):
            wanted.discard(index)
            yield index, found
        self._undecodable |= wanted

    def _settle(self, track: Track, span: Span, index: int, forward: Answer | None, backward: Answer | None) -> None:
        """The answer from what came from both sides, by distance and by how sure each is, and from what stands."""
        said = self._answers.get(index, track.object_id)
        self._answers.drop(index, track.object_id)
        if forward is None or backward is None:
            answer = forward or backward
        else:
            share = span.share_of_after(index)
            answer = _joined(forward, backward, 1 - share, share)
        if answer is None:
            return
        if said is not None and said.confidence > 0:
            found_right = self._found_right.get(track.object_id, {})
            stands = span.share_that_stands(index, track.num_frames, found_right)
            answer = _joined(answer, said, 1.0, self._propagating.rule.inertia * stands, LEAST_SURE)
        self._answers.put(index, track.object_id, answer)

    def _anchor(self, object_id: int, index: int) -> TrackState:
        """Made when it is first needed: the answer for a marked frame does not wait for it."""
        key = (object_id, index)
        if key not in self._anchors:
            image = self.clip.frame(index).image
            anchor = self._propagating.anchor(image, object_id, self._masks_at(index))
            assert anchor is not None, "only frames that show the object are asked for"
            self._anchors[key] = anchor
        return self._anchors[key]

    def _known(self, index: int, busy: set[int]) -> tuple[list[WindowedLogits], dict[int, Mask]]:
        approved = self._approved[index].masks() if index in self._approved else {}
        given = {object_id: mask for object_id, mask in approved.items() if object_id not in busy}
        others = [i for i in self._tracks if i not in busy and i not in given]
        found = [answer.logits for i in others if (answer := self._answers.get(index, i)) is not None]
        return found, given

    def _answer(self, index: int) -> FrameMasks:
        answers, given = self._known(index, set())
        highest = max(self._tracks)
        ids = settled_ids(answers, given, self.clip.size_hw, highest)
        statuses = tuple(self._status(i, index, ids) for i in sorted(self._tracks))
        return FrameMasks(index, ids, statuses, self._soft(index, answers))

    def _soft(self, index: int, answers: Sequence[WindowedLogits]) -> SoftMasks:
        """Of a frame: the objects that were followed there, and those that are approved of."""
        soft = soft_masks(self.clip.size_hw, answers, {})
        return self._approved[index].soft.joined(soft) if index in self._approved else soft

    def _status(self, object_id: int, index: int, ids: NDArray[Any]) -> ObjectStatus:
        is_there = bool((ids == object_id).any())
        if index in self._approved and object_id in self._approved[index].object_ids:
            return ObjectStatus(object_id, 1.0, "tracked" if is_there else "absent")
        answer = self._answers.get(index, object_id)
        if answer is None:
            return ObjectStatus(object_id, 0.0, "absent")
        return ObjectStatus(object_id, answer.confidence, "tracked" if is_there else "lost")


def _answer_store() -> LogitStore:
    return LogitStore()


def _joined(first: Answer, second: Answer, first_share: float, second_share: float, least: float = 1e-6) -> Answer:
    """Two answers of one frame as one; each counts its share times how sure it is, the first as ``least`` sure."""
    if second_share <= 0:
        return first
    weights = first_share * max(first.confidence, least), second_share * max(second.confidence, 1e-6)
    weight = weights[1] / sum(weights)
    confidence = (1 - weight) * first.confidence + weight * second.confidence
    return Answer(blended(first.logits, second.logits, weight), confidence)
