"""The hybrid: marked frames from marks, the frames between them by propagation, doubt by the classifier of pixels.

The paper propagates masks to the neighbours of marked frames in the last round (Sec. 2.4.2). Here that is done in every
round and for all frames; where what comes from before and what comes from after disagree, strnn decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.interfaces import MarkSegmenter, MarkSession, Propagator
from shibori.media.clip import Clip
from shibori.media.marks import Marks, join_marks
from shibori.media.mask import FrameMasks, ObjectStatus, tracked_confidence
from shibori.media.mask_store import FrameStore
from shibori.media.soft_mask import SoftMasks
from shibori.ops.correction import corrected_ids
from shibori.ops.overlap import WindowedLogits
from shibori.systems.strnn.between import Carrier, Key, Sides
from shibori.systems.strnn.inference import StrnnInteraction, StrnnSegmenter
from shibori.systems.strnn.prompt_segmenter import PromptSegmenter
from shibori.systems.strnn.recall import Recall
from shibori.systems.strnn.rule import PromptRule
from shibori.systems.strnn.samples import clicked_places, drawn_labels
from shibori.tracking.config import MATCHER_CONFIG
from shibori.tracking.settled_frame import soft_masks
from shibori.tracking.window_tracker import WindowTracker

Ids = NDArray[Any]
Mask = NDArray[np.bool_]
LEAST_SURE = 0.05
"""What the word of a run counts that has lost an object."""
CERTAIN = np.float32(6)
"""Log-odds of an answer that has none."""
Refiner = Callable[[NDArray[np.uint8], Marks, int, int, Mask, Mask | None], WindowedLogits]
"""Betters a mask of a marked frame: image (H, W, 3), all marks, index of the frame, object, mask (H, W) not empty, mask
of the previous round or None where nothing counts that was said before."""


class NewMarks(NamedTuple):
    """What was just drawn on a frame."""

    drawn: NDArray[np.int64]
    """(H, W) labels, -1 where nothing was drawn."""
    clicked: Mask
    """(H, W) where that is a click."""


class Voter(NamedTuple):
    """One of those who say what a frame shows."""

    weight: float
    said: FrameMasks
    unheard: frozenset[int] = frozenset()
    """Objects of which it is not asked."""

    def weights(self, vote: Ids, label: int, votes: Ids) -> NDArray[np.float32]:
        """(P,) what its vote counts for a label: its weight times how sure it is.

        Args:
            vote: (P,) labels it votes for.
            label: the label.
            votes: (V, P) labels of all voters. Background where another one has an object is as sure as it is of that
                object.
        """
        counts = np.zeros(vote.shape, np.float32)
        chosen = vote == label
        for about in np.unique(votes[:, chosen]).tolist() if label == 0 else [label]:
            if about == 0 or about in self.unheard:
                continue
            here = chosen & (votes == about).any(0)
            counts[here] = np.maximum(counts[here], self.weight * max(self.said.confidence(about), LEAST_SURE))
        return counts


@dataclass(frozen=True)
class HybridSegmenter(MarkSegmenter):
    """strnn with a propagator that carries the masks of marked frames to all others."""

    pixels: StrnnSegmenter
    """The classifier of pixels."""
    propagator: Propagator
    rule: PromptRule = field(default_factory=PromptRule)
    first_round: int = 1
    """The round from which masks are carried; before it the classifier answers alone. The paper has the last one."""
    prompts: bool = True
    """Whether the pixel tracker segments marked frames; else the classifier does."""
    refiner: Refiner | None = None
    """Betters what was made of the marks; None: it stays as it is."""

    def begin(self, clip: Clip) -> MarkSession:
        """See ``MarkSegmenter``."""
        return HybridInteraction(self, clip)


class HybridInteraction(MarkSession):
    """One clip."""

    def __init__(self, segmenter: HybridSegmenter, clip: Clip) -> None:
        pixels = segmenter.pixels
        self.clip, self.rule = clip, segmenter.rule
        self._pixels = StrnnInteraction(pixels, clip)
        tracker = pixels.network.tracker
        self._refiner, self._recall = segmenter.refiner, Recall()
        self._prompts = (
            None
            if tracker is None or not segmenter.prompts
            else PromptSegmenter(
                WindowTracker(tracker, MATCHER_CONFIG, pixels.device), segmenter.rule, self._refiner is None
            )
        )
        self._carrier = Carrier(segmenter.propagator, clip)
        self._first_round, self._rounds = segmenter.first_round, 0
        self._keys: dict[int, Key] = {}
        self._marks = Marks()
        self._last = FrameStore()
        self._doubted: dict[int, set[int]] = {}

    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        """See ``MarkSession``."""
        self._rounds += 1
        answers = self._pixels.mark(marks)
        self._marks = join_marks(self._marks, marks)
        for answer in answers:
            key, before = self._key(marks, answer), self._before(answer.index)
            if before is not None:
                self._doubt(answer.index, before, key)
            self._keys[answer.index] = key
        return tuple(self._key_masks(answer.index) for answer in answers)

    def masks(self) -> Iterator[FrameMasks]:
        """See ``MarkSession``."""
        if not self._keys:
            raise InputError("nothing is marked yet: mark each object on some frame first")
        return self._masks()

    def _masks(self) -> Iterator[FrameMasks]:
        if self._rounds < self._first_round:
            yield from map(self._kept, self._pixels.masks())
            return
        self._complete_keys()
        if self._prompts is not None:
            self._recall.update(self._prompts, self.clip, self._keys)
        waiting = sorted(self._keys, reverse=True)
        for index, sides in self._carrier.sides(self._keys):
            while waiting and waiting[-1] < index:
                yield self._kept(self._key_masks(waiting.pop()))
            yield self._kept(self._settled(index, sides))
        for index in reversed(waiting):
            yield self._kept(self._key_masks(index))

    def _kept(self, masks: FrameMasks) -> FrameMasks:
        self._last.put(masks)
        for frames in self._doubted.values():
            frames.discard(masks.index)
        return masks

    @property
    def _object_ids(self) -> list[int]:
        return sorted(self._pixels.object_ids)

    def _key(self, marks: Marks, answer: FrameMasks) -> Key:
        """The masks of a frame that was just marked."""
        index, size_hw, radius = answer.index, self.clip.size_hw, self.rule.click_radius
        image, before = self.clip.frame(index).image, self._before(index)
        said = {} if before is None else {i: before.ids == i for i in before.reported}
        new_marks = NewMarks(drawn_labels(marks, index, size_hw, radius), clicked_places(marks, index, size_hw, radius))
        boxed = {box.object_id for box in marks.boxes.get(index, ())}
        here = {*np.unique(new_marks.drawn[new_marks.drawn > 0]).tolist(), *boxed}
        anew = (here - said.keys()) | boxed
        dtype = _dtype(self._object_ids)
        old = np.zeros(size_hw, dtype) if before is None else before.ids.astype(dtype)
        soft = None if before is None else before.soft
        if self._prompts is None:
            answers: tuple[WindowedLogits, ...] = tuple(_certain(answer.ids, i) for i in sorted({*said, *here}))
            soft = answer.soft
        else:
            counts = {i: mask for i, mask in said.items() if i not in boxed}
            recalled = self._recall.nearest(index)
            found = self._prompts.segment(image, self._marks, index, counts, new_marks.drawn >= 0, recalled)
            answers, anew = found.answers, anew | found.begun_anew
            soft = _renewed(soft, size_hw, answers)
        ids = self._corrected(old, answers, new_marks, anew)
        if self._refiner is not None:
            refined = self._refined(image, index, ids, old, anew)
            ids, soft = self._corrected(old, refined, new_marks, anew), _renewed(soft, size_hw, refined)
        obeyed = drawn_labels(self._marks, index, size_hw, radius)
        return Key(
            np.where(obeyed >= 0, obeyed, ids).astype(dtype),
            tuple(sorted({*said, *here})),
            0 if before is None else before.version + 1,
            soft,
        )

    def _corrected(self, old: Ids, answers: Sequence[WindowedLogits], new_marks: NewMarks, anew: set[int]) -> Ids:
        fresh = anew.intersection(answer.object_id for answer in answers)
        return corrected_ids(old, answers, new_marks.drawn, new_marks.clicked, fresh, self.rule.correction)

    def _refined(
        self, image: NDArray[np.uint8], index: int, ids: Ids, old: Ids, anew: set[int]
    ) -> list[WindowedLogits]:
        """A second prediction of every object whose mask changed."""
        assert self._refiner is not None
        changed, shown = ids != old, {*np.unique(ids).tolist()} - {0}
        object_ids = sorted({*np.unique(ids[changed]).tolist(), *np.unique(old[changed]).tolist()} & shown)
        return [
            self._refiner(image, self._marks, index, i, ids == i, None if i in anew else old == i) for i in object_ids
        ]

    def _doubt(self, index: int, before: Key, key: Key) -> None:
        """Where an object was corrected, what was said of it in the frames around may be as wrong as it was there.

        That is so as far as it was followed from frame to frame; where it was not seen, nothing was carried on.
        """
        for object_id in before.reported:
            was = before.ids == object_id
            if not was.any() or np.array_equal(was, key.ids == object_id):
                continue
            for way in (-1, 1):
                frame = index + way
                while frame not in self._keys and tracked_confidence(self._last.statuses(frame), object_id) > 0:
                    self._doubted.setdefault(object_id, set()).add(frame)
                    frame += way

    def _before(self, index: int) -> Key | None:
        """What was last said of a frame, by whatever means."""
        if index in self._keys:
            return self._keys[index]
        last = self._last.get(index)
        if last is None:
            return None
        return Key(last.ids, tuple(status.object_id for status in last.statuses), soft=last.soft)

    def _complete_keys(self) -> None:
        """Objects that a key frame does not tell of are carried there from the nearest key frame that does."""
        for object_id in self._object_ids:
            sources = [index for index, key in self._keys.items() if object_id in key.reported]
            for index, key in list(self._keys.items()):
                if object_id in key.reported or not sources:
                    continue
                nearest = min(sources, key=lambda source, index=index: abs(source - index))  # type: ignore[misc]
                found = self._carrier.fetch(self._keys, nearest, index, object_id)
                ids = np.where((key.ids == 0) & found, object_id, key.ids).astype(_dtype(self._object_ids))
                self._keys[index] = replace(
                    key, ids=ids, reported=tuple(sorted({*key.reported, object_id})), version=key.version + 1
                )

    def _key_masks(self, index: int) -> FrameMasks:
        key = self._keys[index]
        ids = key.ids.astype(_dtype(self._object_ids))
        statuses = tuple(
            ObjectStatus(object_id, *((1.0, "tracked") if (ids == object_id).any() else (1.0, "absent")))
            for object_id in self._object_ids
        )
        return FrameMasks(index, ids, statuses, key.soft)

    def _settled(self, index: int, sides: Sides) -> FrameMasks:
        """One answer from what two runs say, and the answer of the round before."""
        voters = self._voters(index, sides)
        ids = self._decided(index, voters)
        statuses = []
        for object_id in self._object_ids:
            confidence = max(voter.said.confidence(object_id) for voter in voters if object_id not in voter.unheard)
            there = (ids == object_id).any()
            state = "tracked" if there else ("lost" if confidence == 0 else "absent")
            statuses.append(ObjectStatus(object_id, confidence, state))  # type: ignore[arg-type]
        nearest = max(voters, key=lambda voter: np.count_nonzero(voter.said.ids == ids))
        return FrameMasks(index, ids.astype(_dtype(self._object_ids)), tuple(statuses), nearest.said.soft)

    def _voters(self, index: int, sides: Sides) -> list[Voter]:
        """The run from the nearer marked frame counts more; together both count 1, as does what was let stand."""
        known = [side for side in sides if side is not None]
        if len(known) == 1:
            voters = [Voter(1.0, known[0][1])]
        else:
            (left, first), (right, second) = known
            near = (right - index) / (right - left)
            voters = [Voter(near, first), Voter(1 - near, second)]
        last = self._last.get(index) if self._rounds > self._first_round else None
        if last is not None:
            unheard = {i for i in self._object_ids if index in self._doubted.get(i, ()) or last.confidence(i) == 0}
            voters.append(Voter(1.0 + self.rule.inertia, last, frozenset(unheard)))
        return voters

    def _decided(self, index: int, voters: list[Voter]) -> Ids:
        """Where they disagree, each label has the weight of its voters, and what the classifier gives it."""
        maps = [voter.said.ids for voter in voters]
        doubtful = np.zeros(maps[0].shape, np.bool_)
        for other in maps[1:]:
            doubtful |= maps[0] != other
        if not doubtful.any():
            return maps[0]
        share = self._pixels.probabilities(index)[:, torch.from_numpy(doubtful)].numpy()  # (K, P)
        rows = {0: 0, **{object_id: row for row, object_id in enumerate(self._pixels.object_ids, 1)}}
        votes = np.stack([said[doubtful] for said in maps])  # (V, P)
        scores = {}
        for label in np.unique(votes).tolist():
            backing = sum(voter.weights(vote, label, votes) for voter, vote in zip(voters, votes, strict=True))
            scores[label] = backing + self.rule.trust * share[rows[label]] * (backing > 0)
        labels = np.array([*scores])
        ids = maps[0].copy()
        ids[doubtful] = labels[np.stack([*scores.values()]).argmax(0)]
        return ids


def _renewed(soft: SoftMasks | None, size_hw: tuple[int, int], answers: Sequence[WindowedLogits]) -> SoftMasks:
    """What was known softly of a frame, with new answers about some objects."""
    new = soft_masks(size_hw, answers, {})
    return new if soft is None else soft.only(set(soft.object_ids) - set(new.object_ids)).joined(new)


def _certain(ids: Ids, object_id: int) -> WindowedLogits:
    """An answer that knows no doubt."""
    window = np.array([0.0, 0.0, ids.shape[1], ids.shape[0]])
    return WindowedLogits(object_id, window, np.where(ids == object_id, 1, -1).astype(np.float32) * CERTAIN)


def _dtype(object_ids: list[int]) -> type[np.uint8] | type[np.uint16]:
    return np.uint16 if max(object_ids, default=0) > 254 else np.uint8
