"""A clip as a whole (Fig. 2a): a pass forward, then starting points propagated both ways, then linking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.interfaces import ClipPropagation, FrameSource
from shibori.media.mask import FrameMasks
from shibori.media.track import Tracklet
from shibori.ops.overlap import OverlapMap
from shibori.systems.dyenet.clip_masks import ClipMasks, References
from shibori.systems.dyenet.forward_pass import ForwardPass, PassMask
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.linking import link
from shibori.systems.dyenet.recurrent_tracker import RecurrentState, RecurrentTracker
from shibori.systems.dyenet.seed_policy import Extension, SeedPolicy
from shibori.systems.dyenet.tracklet import GIVEN, GrowingTracklet


class Task(NamedTuple):
    """What is asked of a clip; see ``ClipPropagator.propagate``."""

    frames: FrameSource
    references: References
    both_ways: bool
    progress: Callable[[int], None] | None


class OfflinePropagation(ClipPropagation):
    """One clip as a whole. The masks of all tracklets wait, packed, until those of each frame are put together.

    The pass forward carries each object from its given masks to where it is lost, and notes what looks like it in the
    frames without it. Iterations take such candidates as starting points, the best of the whole clip first, and
    propagate them both ways; what contradicts nothing is linked.

    Args:
        forward_pass: of DyeNet's own recurrence or of a tracker; it has not begun.
        task: what is asked.
    """

    def __init__(self, forward_pass: ForwardPass, task: Task) -> None:
        self.forward_pass, self.frames, self.progress = forward_pass, task.frames, task.progress
        self.clip = ClipMasks(task.references, task.frames.size_hw, task.both_ways)
        self.decoded: list[int] = []
        """Frames that could be decoded."""
        self.found: tuple[Tracklet, ...] = ()

    @property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """All tracklets, the linked and the others; empty until the first of the masks was given."""
        return self.found

    @property
    def recurrent(self) -> RecurrentTracker:
        """Networks, variant and numbers."""
        return self.forward_pass.identities.recurrent

    def masks(self) -> Iterator[FrameMasks]:
        """See ``ClipPropagation``."""
        self._write()
        self.found = self.clip.book.values()
        for index in [*range(self.decoded[0]), *self.decoded]:
            yield self.clip.composed(index)

    def _write(self) -> None:
        """Find all tracklets and link them."""
        self._pass_forward()
        policy = self.forward_pass.policy(self.clip)
        for extension, forward in policy.before_search():
            self._extend(extension, forward)
        if self.recurrent.variant.reid:
            for iteration in policy.iterations:
                if not self._search(policy, iteration):
                    break
        link(self.clip.book)
        for extension, forward in policy.after_linking():
            self._extend(extension, forward)

    # ---- the pass forward

    def _pass_forward(self) -> None:
        current: dict[int, GrowingTracklet] = {}
        begin = 0 if self.clip.both_ways else min(self.clip.references)
        for index, image in self.frames.forward(begin, self.frames.num_frames):
            self.decoded.append(index)
            self._note(current, index, self.forward_pass.step(index, image, self.clip.given(index)))
            if self.progress is not None:
                self.progress(index + 1)

    def _note(self, current: dict[int, GrowingTracklet], index: int, seen: list[PassMask]) -> None:
        """Write a frame down; an object that was lost and found again starts a tracklet of its own."""
        book, is_hard = self.clip.book, self.forward_pass.is_hard
        for object_id in current.keys() - {each.answer.object_id for each in seen}:
            del current[object_id]
        for answer, confidence, edges, seed_score in seen:
            if answer.object_id not in current:
                current[answer.object_id] = book.open(answer.object_id, index, 0.0, "found", 0, is_hard)
            tracklet = current[answer.object_id]
            book.add(tracklet, index, answer, confidence, edges)
            tracklet.seed_scores += [] if seed_score is None else [seed_score]
        for object_id, mask in self.clip.given(index).items():
            if mask.any():
                current[object_id] = book.open(object_id, index, GIVEN, "given", 0, is_hard)
                current[object_id].confidences[index] = 1.0

    # ---- iterations of re-identification and propagation

    @torch.inference_mode()
    def _search(self, policy: SeedPolicy[Any], iteration: int) -> bool:
        """Propagate starting points, the best of the whole clip first (Sec. 2.1); whether any was kept."""
        any_kept, book = False, self.clip.book
        for seed in policy.ranking():
            if not policy.is_open(seed):
                continue
            prediction = policy.begin(self._view(self.frames.read(seed.frame), None), seed)
            if prediction is None:
                continue
            tracklet = book.open(seed.object_id, seed.frame, seed.score, "found", iteration)
            book.add(tracklet, seed.frame, prediction.answer, prediction.confidence)
            extension = policy.extension(tracklet)
            for forward in (False, True):
                self._extend(extension, forward)
            any_kept |= policy.conclude(seed, extension)
        return any_kept

    @torch.inference_mode()
    def _extend(self, extension: Extension, forward: bool) -> None:
        """Carry a tracklet on, from its last frame or back from its first, until it ends."""
        tracklet, clip = extension.tracklet, self.clip
        object_id, start = tracklet.object_id, tracklet.last if forward else tracklet.first
        references = self.forward_pass.identities.templates[object_id].references
        images = self.frames.forward(start, self.frames.num_frames) if forward else self.frames.backward(start, -1)
        previous, state = None, None
        for frame, image in images:
            view, previous = self._view(image, previous), image
            if state is None:
                state = self._resumed(tracklet, frame, view)
                continue
            if not clip.is_wanted(object_id, frame) or extension.is_blocked(frame):
                break
            prediction = self.recurrent.predict(view, state, references)
            if self.recurrent.is_lost(prediction) or extension.ends(frame, prediction):
                break
            clip.book.add(tracklet, frame, prediction.answer, prediction.confidence)
            answers = [prediction.answer, *clip.others(object_id, frame)]
            self.recurrent.advance(state, prediction, OverlapMap(clip.size_hw, answers, clip.given(frame)))
            extension.note(view, state, frame, prediction)

    def _view(self, image: NDArray[np.uint8], previous: NDArray[np.uint8] | None) -> FrameView:
        return FrameView(self.recurrent.network, image, previous, self.forward_pass.flow, self.recurrent.device)

    def _resumed(self, tracklet: GrowingTracklet, frame: int, view: FrameView) -> RecurrentState:
        """The state in a frame of a tracklet."""
        answer = self.clip.book.answer(tracklet, frame)
        if answer is not None and not tracklet.is_hard:
            return self.recurrent.resume(view, answer)
        mask = self.clip.references[frame][tracklet.object_id] if answer is None else answer.mask(self.clip.size_hw)
        state = self.recurrent.begin(view, tracklet.object_id, mask)
        assert state is not None
        return state
