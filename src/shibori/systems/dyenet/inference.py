"""DyeNet as a ``Propagator``: frame by frame, or over the whole clip in iterations (Sec. 2)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.interfaces import ClipPropagation, ClipPropagator, FrameSource, Propagation
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.track import Tracklet
from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import OverlapMap, WindowedLogits, settled_ids
from shibori.systems.dyenet.follow import Follower, Following, Place
from shibori.systems.dyenet.forward import Adaption, ForwardRun, Found, Outcome
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.linking import link
from shibori.systems.dyenet.search import Proposal
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook, TrackletMasks

References = Mapping[int, Mapping[int, NDArray[np.bool_]]]
MAX_KEPT = 4
"""Most proposals of a frame that are kept for later iterations."""
MAX_TRIES = 6
"""Most frames in which an object is tried anew in one iteration."""


class DyeNetPropagator(ClipPropagator):
    """DyeNet with one set of networks.

    Args:
        following: networks, variant and numbers.
        flow: how motion is estimated.
        adapted: given the first frame that has masks, and them, what to follow with instead: online training (Sec. 4).
    """

    def __init__(self, following: Following, flow: FlowEstimator, adapted: Adaption | None = None) -> None:
        self.following, self.flow, self.adapted = following, flow, adapted

    def begin(self, size_hw: tuple[int, int]) -> DyeNetPropagation:
        """See ``Propagator``: each frame is answered from the past alone, so nothing is propagated backward."""
        return DyeNetPropagation(ForwardRun(self.following, self.flow, size_hw, self.adapted))

    def propagate(
        self,
        frames: FrameSource,
        references: References,
        both_ways: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> DyeNetClip:
        """See ``ClipPropagator``."""
        return DyeNetClip(self, frames, references, both_ways, progress)


class DyeNetPropagation(Propagation):
    """One run over one stream; see ``Propagation``."""

    def __init__(self, run: ForwardRun) -> None:
        self.run = run
        self.index = -1

    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """See ``Propagation.step``."""
        self.index += 1
        outcome = self.run.step(image, references or {})
        known = list(self.run.templates)
        ids = settled_ids(outcome.answers, outcome.given, self.run.size_hw, max([0, *known]))
        return FrameMasks(self.index, ids, tuple(self._status(object_id) for object_id in known), None)

    def _status(self, object_id: int) -> ObjectStatus:
        follower = self.run.followers.get(object_id)
        if follower is not None:
            return ObjectStatus(object_id, follower.confidence, "tracked")
        return ObjectStatus(object_id, 0.0, "absent" if object_id in self.run.absent else "lost")


class DyeNetClip(ClipPropagation):
    """One clip as a whole: iterations of re-identification and propagation, then linking (Fig. 2a).

    The first iteration is one pass forward in which each object is carried from its given masks and looked for where it
    is missing. Each starting point found is then propagated backward as well, to where the object was lost. Later
    iterations ask the expanded templates about the frames in which an object is still missing.
    """

    def __init__(
        self,
        system: DyeNetPropagator,
        frames: FrameSource,
        references: References,
        both_ways: bool,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.flow = system.flow
        self.frames, self.references, self.both_ways, self.progress = frames, references, both_ways, progress
        self.run = ForwardRun(system.following, self.flow, frames.size_hw, system.adapted)
        self.first_given: dict[int, int] = {}
        for index in sorted(references):
            for object_id in references[index]:
                self.first_given.setdefault(object_id, index)
        self.candidates: dict[int, list[Proposal]] = {}
        self.came: list[int] = []
        """Frames that could be decoded."""
        self.found: tuple[Tracklet, ...] = ()

    @property
    def following(self) -> Following:
        """Networks, variant and numbers."""
        return self.run.following

    @property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """All tracklets, the linked and the others; empty until the first of the masks was given."""
        return self.found

    def masks(self) -> Iterator[FrameMasks]:
        """See ``ClipPropagation``."""
        with ExitStack() as stack:
            book = TrackletBook(TrackletMasks(stack.enter_context(tempfile.TemporaryFile())))
            self._first_iteration(book)
            if self.following.variant.reid:
                for iteration in range(1, self.following.rule.max_iterations):
                    if not self._next_iteration(book, iteration):
                        break
            link(book)
            self.found = book.values()
            for index in [*range(self.came[0]), *self.came]:
                yield self._composed(book, index)

    # ---- the first iteration

    def _first_iteration(self, book: TrackletBook) -> None:
        current: dict[int, GrowingTracklet] = {}
        starts: list[GrowingTracklet] = []
        begin = 0 if self.both_ways else min(self.references)
        for index, image in self.frames.forward(begin, self.frames.num_frames):
            self.came.append(index)
            outcome = self.run.step(image, self.references.get(index, {}))
            starts += self._note(book, current, index, outcome)
            if self.progress is not None:
                self.progress(index + 1)
        for tracklet in starts:
            if tracklet.origin == "found" or self.both_ways:
                self._extend(book, tracklet, forward=False)

    def _note(
        self, book: TrackletBook, current: dict[int, GrowingTracklet], index: int, outcome: Outcome
    ) -> list[GrowingTracklet]:
        """Write a frame down; the tracklets that start in it."""
        for glance in outcome.seen:
            book.add(current[glance.answer.object_id], index, glance.answer, glance.confidence)
        starts = []
        for object_id, found in outcome.found.items():
            current[object_id] = self._started(book, object_id, index, found, iteration=0)
            starts.append(current[object_id])
        for object_id, mask in outcome.given.items():
            current[object_id] = book.open(object_id, index, 1.0, "given", 0)
            if mask.any():
                current[object_id].confidences[index] = 1.0
                starts.append(current[object_id])
        if outcome.proposals:
            self._keep(index, outcome.proposals)
        return starts

    def _started(self, book: TrackletBook, object_id: int, index: int, found: Found, iteration: int) -> GrowingTracklet:
        tracklet = book.open(object_id, index, found.similarity, "found", iteration)
        book.add(tracklet, index, found.glance.answer, found.glance.confidence)
        return tracklet

    def _keep(self, index: int, proposals: list[Proposal]) -> None:
        """The proposals that are most like any object, for later iterations."""
        vectors = torch.stack([proposal.vector for proposal in proposals])
        scores = torch.stack([t.similarity(vectors) for t in self.run.templates.values() if t.given]).amax(0)
        order = scores.argsort(descending=True)[:MAX_KEPT].tolist()
        # Copies: else each would keep all that was proposed in its frame.
        self.candidates[index] = [
            replace(proposals[i], mask=proposals[i].mask.copy(), vector=vectors[i].clone()) for i in order
        ]

    # ---- later iterations

    @torch.inference_mode()
    def _next_iteration(self, book: TrackletBook, iteration: int) -> bool:
        """Ask the templates, which are more by now, about the frames without an object; whether anything was found."""
        anything = False
        for object_id, first in self.first_given.items():
            for index in self._frames_to_try(book, object_id, first):
                if book.holder(object_id, index) is not None:
                    continue  # an earlier find has reached it
                found = self._tried(book, object_id, index)
                if found is not None:
                    tracklet = self._started(book, object_id, index, found, iteration)
                    self._extend(book, tracklet, forward=False)
                    self._extend(book, tracklet, forward=True)
                    anything = True
        return anything

    def _frames_to_try(self, book: TrackletBook, object_id: int, first: int) -> list[int]:
        """Frames without the object whose proposals are most similar to it, best first."""
        templates = self.run.templates[object_id]
        scores = {}
        for index, proposals in self.candidates.items():
            if (index > first or self.both_ways) and templates.given and book.holder(object_id, index) is None:
                scores[index] = float(templates.similarity(torch.stack([p.vector for p in proposals])).max())
        similar = [index for index in scores if scores[index] >= self.following.rule.similar]
        return sorted(similar, key=lambda index: -scores[index])[:MAX_TRIES]

    def _tried(self, book: TrackletBook, object_id: int, index: int) -> Found | None:
        view = FrameView(self.following.network, self.frames.read(index), None, self.flow, self.following.device)
        taken = self._others(book, object_id, index)
        return self.run.refound(view, object_id, self.candidates[index], taken)

    # ---- propagation of one starting point

    @torch.inference_mode()
    def _extend(self, book: TrackletBook, tracklet: GrowingTracklet, forward: bool) -> None:
        """Carry a tracklet on until confidence falls, or a frame is reached that the object is already seen in."""
        object_id, start = tracklet.object_id, tracklet.start
        references = self.run.templates[object_id].references
        images = self.frames.forward(start, self.frames.num_frames) if forward else self.frames.backward(start, -1)
        previous, follower = None, None
        for frame, image in images:
            view = FrameView(self.following.network, image, previous, self.flow, self.following.device)
            previous = image
            if follower is None:
                follower = self._resumed(book, tracklet, view)
                continue
            if book.holder(object_id, frame) is not None or not self._is_wanted(object_id, frame):
                return
            glance = self.following.look(view, follower, references)
            if glance.confidence < self.following.rule.seen:
                return
            book.add(tracklet, frame, glance.answer, glance.confidence)
            others = self._others(book, object_id, frame)
            shares = OverlapMap(self.frames.size_hw, [glance.answer, *others], self.references.get(frame, {}))
            self.following.advance(follower, glance, shares)

    def _is_wanted(self, object_id: int, frame: int) -> bool:
        return self.both_ways or frame > self.first_given[object_id]

    def _resumed(self, book: TrackletBook, tracklet: GrowingTracklet, view: FrameView) -> Follower:
        """The state at a starting point."""
        answer = book.answer(tracklet, tracklet.start)
        if answer is None:
            given = self.references[tracklet.start][tracklet.object_id]
            follower = self.following.begin(view, tracklet.object_id, given)
            assert follower is not None
            return follower
        probs = 1 / (1 + np.exp(-answer.logits))
        place = Place(answer.window, (answer.logits.shape[0], answer.logits.shape[1]))
        return self.following.begin_softly(view, tracklet.object_id, probs.astype(np.float32), place)

    # ---- the result

    def _others(self, book: TrackletBook, object_id: int, index: int) -> list[WindowedLogits]:
        """What is known of all other objects in a frame."""
        holders = [book.holder(other, index) for other in self.first_given if other != object_id]
        answers = [book.answer(holder, index) for holder in holders if holder is not None]
        return [answer for answer in answers if answer is not None]

    def _composed(self, book: TrackletBook, index: int) -> FrameMasks:
        """All objects' linked masks of a frame, overlaps settled."""
        given = dict(self.references.get(index, {}))
        answers, statuses = [], []
        for object_id in sorted(self.first_given):
            holders = [t for t in book.of(object_id) if t.linked and index in t.confidences]
            if object_id in given:
                there = bool(given[object_id].any())
                statuses.append(ObjectStatus(object_id, float(there), "tracked" if there else "absent"))
            elif holders:
                answer = book.answer(holders[0], index)
                answers += [answer] if answer is not None else []
                statuses.append(ObjectStatus(object_id, holders[0].confidences[index], "tracked"))
            else:
                is_wanted = index > self.first_given[object_id] or self.both_ways
                statuses.append(ObjectStatus(object_id, 0.0, "lost" if is_wanted else "absent"))
        ids = settled_ids(answers, given, self.frames.size_hw, max([0, *self.first_given]))
        return FrameMasks(index, ids, tuple(statuses), None)
