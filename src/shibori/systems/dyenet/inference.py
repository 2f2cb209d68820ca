"""DyeNet as a ``Propagator``: frame by frame, or over the whole clip in iterations (Sec. 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.interfaces import ClipPropagator, FrameSource, Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import OverlapMap
from shibori.systems.dyenet.booked_clip import OfflinePropagation, Task
from shibori.systems.dyenet.candidates import Candidate, CandidatePool
from shibori.systems.dyenet.composition import References, others_in
from shibori.systems.dyenet.forward import ForwardRun, Outcome, mask_in_frame
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Adaption, Asked
from shibori.systems.dyenet.linking import link
from shibori.systems.dyenet.recurrent_tracker import RecurrentState, RecurrentTracker
from shibori.systems.dyenet.search import claims, template_vector
from shibori.systems.dyenet.tracked import TrackedRun
from shibori.systems.dyenet.tracked_clip import TrackedClip
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook
from shibori.tracking.settled_frame import settled_frame

MAX_TRIES = 8
"""Most candidates of an object that are looked at closely in one iteration."""
APART = 3
"""Frames nearer than this to one in which a candidate did not hold are not tried in the same iteration."""


class DyeNetPropagator(ClipPropagator):
    """DyeNet with one set of networks.

    Args:
        recurrent: networks, variant and numbers.
        flow: how motion is estimated.
        adapt: given the first frame that has masks, and them, what to follow with instead: online training (Sec. 4).
        tracker: whose run is the pass forward over a clip as a whole; without it the recurrent network's is.
    """

    def __init__(
        self,
        recurrent: RecurrentTracker,
        flow: FlowEstimator,
        adapt: Adaption | None = None,
        tracker: Propagator | None = None,
    ) -> None:
        self.recurrent, self.flow, self.adapt, self.tracker = recurrent, flow, adapt, tracker

    def begin(self, size_hw: tuple[int, int]) -> DyeNetPropagation:
        """See ``Propagator``: each frame is answered from the past alone, so nothing is propagated backward."""
        return DyeNetPropagation(ForwardRun(self.recurrent, self.flow, size_hw, self.adapt))

    def propagate(
        self,
        frames: FrameSource,
        references: References,
        both_ways: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> DyeNetClip | TrackedClip:
        """See ``ClipPropagator``."""
        task = Task(frames, references, both_ways, progress)
        if self.tracker is not None:
            propagation = self.tracker.begin(frames.size_hw)
            run = TrackedRun(propagation, self.recurrent, self.flow, frames.num_frames, self.adapt)
            return TrackedClip(run, task)
        return DyeNetClip(self, task)


class DyeNetPropagation(Propagation):
    """One run over one stream; see ``Propagation``."""

    def __init__(self, run: ForwardRun) -> None:
        self.run = run
        self.index = -1

    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """See ``Propagation.step``."""
        self.index += 1
        outcome = self.run.step(image, references or {})
        statuses = tuple(self._status(object_id) for object_id in self.run.templates)
        return settled_frame(self.index, self.run.size_hw, outcome.answers, outcome.given, statuses)

    def _status(self, object_id: int) -> ObjectStatus:
        state = self.run.states.get(object_id)
        if state is not None:
            return ObjectStatus(object_id, state.track.confidence, "tracked")
        return ObjectStatus(object_id, 0.0, "absent" if object_id in self.run.absent else "lost")


class DyeNetClip(OfflinePropagation):
    """One clip as a whole: iterations of re-identification and propagation, then linking (Fig. 2a).

    One pass forward carries each object from its given masks to where it is lost, and notes what looks like it in the
    frames without it. Each iteration takes such candidates as starting points, the most similar of the clip first,
    and propagates them both ways; the masks found join the templates of the next.

    Args:
        system: networks, and how to go about it.
        task: what is asked.
    """

    def __init__(self, system: DyeNetPropagator, task: Task) -> None:
        super().__init__(task)
        self.flow = system.flow
        self.run = ForwardRun(system.recurrent, self.flow, task.frames.size_hw, system.adapt, finds=False)
        self.candidates = CandidatePool(task.frames.num_frames)
        self.failed: set[Candidate] = set()

    @property
    def recurrent(self) -> RecurrentTracker:
        """Networks, variant and numbers."""
        return self.run.recurrent

    def _write(self, book: TrackletBook) -> None:
        self._first_pass(book)
        if self.recurrent.variant.reid:
            for iteration in range(self.recurrent.rule.max_iterations):
                if not self._iterate(book, iteration):
                    break
        link(book)

    # ---- the pass forward

    def _first_pass(self, book: TrackletBook) -> None:
        current: dict[int, GrowingTracklet] = {}
        starts: list[GrowingTracklet] = []
        for index, image in self._forward():
            outcome = self.run.step(image, self.references.get(index, {}))
            starts += self._note(book, current, index, outcome)
        for tracklet in starts:
            if self.both_ways:
                self._extend(book, tracklet, forward=False)

    def _note(
        self, book: TrackletBook, current: dict[int, GrowingTracklet], index: int, outcome: Outcome
    ) -> list[GrowingTracklet]:
        """Write a frame down; the tracklets that start in it."""
        for prediction in outcome.seen:
            book.add(current[prediction.answer.object_id], index, prediction.answer, prediction.confidence)
        starts = []
        for object_id, mask in outcome.given.items():
            current[object_id] = book.open(object_id, index, 1.0, "given", 0)
            if mask.any():
                current[object_id].confidences[index] = 1.0
                starts.append(current[object_id])
        for object_id in outcome.missing:
            scores = claims(self.recurrent, outcome.proposals, object_id, self.run.templates)
            if scores is not None:
                self.candidates.put(object_id, index, outcome.proposals, scores)
        return starts

    # ---- iterations

    @torch.inference_mode()
    def _iterate(self, book: TrackletBook, iteration: int) -> bool:
        """Start where the templates, as they are by now, say that an object is; whether anything was found."""
        tries: Counter[int] = Counter()
        rejected_seeds: set[tuple[int, int]] = set()
        seen: list[tuple[int, Tensor]] = []
        for similarity, object_id, candidate in self._ranking(book):
            frame = candidate.frame
            if tries[object_id] == MAX_TRIES or book.holder(object_id, frame) is not None:
                continue
            if any((object_id, frame + step) in rejected_seeds for step in range(1 - APART, APART)):
                continue
            tries[object_id] += 1
            vectors = self._started(book, object_id, candidate, similarity, iteration)
            if vectors is None:
                rejected_seeds.add((object_id, frame))
                self.failed.add(candidate)
            else:
                seen += [(object_id, vector) for vector in vectors]
        for object_id, vector in seen:
            self.run.templates[object_id].add_found(vector)
        return sum(tries.values()) > len(rejected_seeds)

    def _ranking(self, book: TrackletBook) -> list[tuple[float, int, Candidate]]:
        """Similarity, object and candidate of all possible starting points, the most similar first (Sec. 2.1).

        A candidate that is more like another object of the clip is left to that.
        """
        ranking = []
        for object_id in self.first_given:
            candidates = self.candidates.of(object_id)
            proposals = [candidate.proposal for candidate in candidates]
            scores = claims(self.recurrent, proposals, object_id, self.run.templates) if candidates else None
            if scores is None:
                continue
            for score, candidate in zip(scores.tolist(), candidates, strict=True):
                is_wanted = self._is_wanted(object_id, candidate.frame)
                if is_wanted and score >= self.recurrent.rule.similar and candidate not in self.failed:
                    ranking.append((score, object_id, candidate))
        return sorted(ranking, key=lambda entry: (-entry[0], entry[1], entry[2].frame))

    def _started(
        self, book: TrackletBook, object_id: int, candidate: Candidate, similarity: float, iteration: int
    ) -> list[Tensor] | None:
        """Propagate a candidate both ways, if it holds when looked at closely.

        Returns:
            The identities of its confident masks; None where it does not hold, or what came of it is not the object.
        """
        frame = candidate.frame
        view = FrameView(self.recurrent.network, self.frames.read(frame), None, self.flow, self.recurrent.device)
        found = self.run.identities.refound(
            view, object_id, [candidate.proposal], others_in(book, self.first_given, object_id, frame)
        )
        if found is None:
            return None
        tracklet = book.open(object_id, frame, similarity, "found", iteration)
        book.add(tracklet, frame, found.prediction.answer, found.prediction.confidence)
        asked = self._extend(book, tracklet, forward=False) + self._extend(book, tracklet, forward=True)
        return self._judged(tracklet, asked)

    def _judged(self, tracklet: GrowingTracklet, asked: list[Asked]) -> list[Tensor] | None:
        """Keep a tracklet whose masks go on being like the templates; its similarity becomes their mean."""
        rule = self.recurrent.rule
        if asked:
            along = self.run.identities.similarity_of(tracklet.object_id, asked)
            tracklet.similarity = float((tracklet.similarity + along.sum()) / (1 + len(asked)))
        confidence = float(np.mean(list(tracklet.confidences.values())))
        is_short = len(tracklet.confidences) < rule.min_length
        is_steady = confidence >= rule.steady or confidence + tracklet.similarity - rule.similar >= rule.steady_alike
        is_sure = confidence >= rule.certain if is_short else is_steady
        if tracklet.similarity < rule.similar_on or not is_sure:
            tracklet.dropped = True
            return None
        return [each.vector for each in asked if each.confidence >= rule.expand_from]

    # ---- propagation of one starting point

    @torch.inference_mode()
    def _extend(self, book: TrackletBook, tracklet: GrowingTracklet, forward: bool) -> list[Asked]:
        """Carry a tracklet on until confidence falls, or a frame is reached that the object is already seen in.

        Returns:
            What some of the masks on the way are.
        """
        object_id, start, rule = tracklet.object_id, tracklet.start, self.recurrent.rule
        references = self.run.templates[object_id].references
        images = self.frames.forward(start, self.frames.num_frames) if forward else self.frames.backward(start, -1)
        previous, state = None, None
        asked: list[Asked] = []
        for frame, image in images:
            view = FrameView(self.recurrent.network, image, previous, self.flow, self.recurrent.device)
            previous = image
            if state is None:
                state = self._resumed(book, tracklet, view)
                continue
            if book.holder(object_id, frame) is not None or not self._is_wanted(object_id, frame):
                break
            prediction = self.recurrent.look(view, state, references)
            if prediction.confidence < rule.tracker.lost_threshold:
                break
            book.add(tracklet, frame, prediction.answer, prediction.confidence)
            others = others_in(book, self.first_given, object_id, frame)
            shares = OverlapMap(self.frames.size_hw, [prediction.answer, *others], self.references.get(frame, {}))
            self.recurrent.advance(state, prediction, shares)
            if tracklet.origin == "found" and abs(frame - start) % rule.ask_every == 0:
                vector = template_vector(self.recurrent, view, mask_in_frame(state, self.frames.size_hw))
                asked += [] if vector is None else [Asked(prediction.confidence, vector, prediction.similarity_margin)]
        return asked

    def _resumed(self, book: TrackletBook, tracklet: GrowingTracklet, view: FrameView) -> RecurrentState:
        """The state at a starting point."""
        answer = book.answer(tracklet, tracklet.start)
        if answer is None:
            given = self.references[tracklet.start][tracklet.object_id]
            state = self.recurrent.begin(view, tracklet.object_id, given)
            assert state is not None
            return state
        return self.recurrent.resume(view, answer)
