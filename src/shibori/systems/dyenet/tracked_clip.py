"""A clip as a whole behind a tracker: what it sees stands, what it misses is looked for, what it refound is doubted."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.systems.dyenet.booked_clip import OfflinePropagation, Task
from shibori.systems.dyenet.candidates import Candidate
from shibori.systems.dyenet.composition import others_in
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import is_taken
from shibori.systems.dyenet.linking import AGREEMENT, link, mask_overlap
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState
from shibori.systems.dyenet.tracked import TrackedOutcome, TrackedRun
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook

CERTAIN = 1.0
"""Similarity of what the tracker followed from a given mask."""
MAX_TRIES = 6
"""Most starting points of an object that are propagated in vain."""
APART = 3
"""Frames nearer than this to one in which a starting point failed are not tried."""
Encounter = Literal["nothing", "itself", "elsewhere"]
"""What a propagation met: nothing that is known, the object as it is known, or the object in another place."""


class TrackedClip(OfflinePropagation):
    """One clip as a whole, a tracker's run its pass forward.

    What the tracker follows from given masks stands. In frames without the object, and in those in which the tracker
    found it again by itself, re-identification notes starting points; the one that is worth most in the whole clip is
    propagated both ways first, until it meets what is known. A starting point that leads to a frame in which the object
    is known to be elsewhere was something else.

    Args:
        run: of the tracker, which has not begun.
        task: what is asked.
    """

    def __init__(self, run: TrackedRun, task: Task) -> None:
        super().__init__(task)
        self.run = run
        self.seed_scores: dict[int, list[float]] = defaultdict(list)
        """Number of a tracklet of the tracker -> what some of its masks are worth."""
        self.usual: dict[int, float] = {}
        """object_id -> what its masks are worth where they are known to be its."""

    def _write(self, book: TrackletBook) -> None:
        self._first_pass(book)
        self._appraise(book)
        if self.run.recurrent.variant.reid:
            self._search(book)
        link(book)
        self._fill(book)

    # ---- the pass forward

    def _first_pass(self, book: TrackletBook) -> None:
        current: dict[int, GrowingTracklet] = {}
        for index, image in self._forward():
            given = self.references.get(index, {})
            outcome = self.run.step(index, image, given)
            self._write_down(book, current, index, outcome)
            for object_id, value in outcome.seed_scores.items():
                self.seed_scores[current[object_id].number].append(value)
            for object_id, mask in given.items():
                if mask.any():
                    current[object_id] = book.open(object_id, index, CERTAIN, "given", 0, is_hard=True)
                    current[object_id].confidences[index] = 1.0

    def _appraise(self, book: TrackletBook) -> None:
        """What an object's masks are usually worth; what the tracker found again and is worth far less is dropped."""
        for object_id in self.first_given:
            own = [s for t in book.of(object_id) if t.similarity == CERTAIN for s in self.seed_scores[t.number]]
            self.usual[object_id] = float(np.median(own or [1.0]))
        for tracklet in book.tracklets:
            if tracklet.origin == "found":
                tracklet.similarity = float(np.median(self.seed_scores[tracklet.number] or [0.0]))
                is_like = tracklet.similarity >= self.run.recurrent.rule.bearable * self.usual[tracklet.object_id]
                tracklet.dropped = not (self.run.recurrent.variant.reid and is_like)

    def _write_down(
        self, book: TrackletBook, current: dict[int, GrowingTracklet], index: int, outcome: TrackedOutcome
    ) -> None:
        """What the tracker sees; an object that it found again starts a tracklet of its own."""
        seen = {sighting.answer.object_id for sighting in outcome.seen}
        for object_id in current.keys() - seen:
            del current[object_id]
        for answer, confidence, edges in outcome.seen:
            if answer.object_id not in current:
                current[answer.object_id] = book.open(answer.object_id, index, 0.0, "found", 0, is_hard=True)
            book.add(current[answer.object_id], index, answer, confidence, edges)

    # ---- re-identification

    @torch.inference_mode()
    def _search(self, book: TrackletBook) -> None:
        """Propagate what might be a missing object, what is worth most first."""
        tries: Counter[int] = Counter()
        rejected_seeds: set[tuple[int, int]] = set()
        for seed_score, object_id, candidate in self._ranking():
            near = any((object_id, candidate.frame + step) in rejected_seeds for step in range(1 - APART, APART))
            if near or tries[object_id] == MAX_TRIES:
                continue
            is_kept = self._try(book, object_id, candidate, seed_score)
            if is_kept is False:
                tries[object_id] += 1
                rejected_seeds.add((object_id, candidate.frame))

    def _ranking(self) -> list[tuple[float, int, Candidate]]:
        """Worth, object and candidate of all starting points, the best first."""
        ranking = [
            (seed_score, object_id, candidate)
            for object_id in self.first_given
            for seed_score, candidate in self.run.candidates.ranked(object_id)
            if seed_score >= self.run.recurrent.rule.worthy * self.usual[object_id]
            and self._is_wanted(object_id, candidate.frame)
        ]
        return sorted(ranking, key=lambda entry: (-entry[0], entry[1], entry[2].frame))

    def _try(self, book: TrackletBook, object_id: int, candidate: Candidate, seed_score: float) -> bool | None:
        """Propagate a starting point both ways; whether it was kept, None if there was nothing to propagate."""
        frame, rule = candidate.frame, self.run.recurrent.rule
        holder = book.holder(object_id, frame)
        if holder is not None and seed_score < holder.similarity + rule.gives_way:
            return None
        prediction = self.run.identities.sighted(self._view(frame, None), candidate.proposal, object_id)
        if self._meets(book, holder, frame, prediction) == "itself":
            return None
        if is_taken(prediction.answer, others_in(book, self.first_given, object_id, frame)):
            return None
        tracklet = book.open(object_id, frame, seed_score, "found", 1)
        book.add(tracklet, frame, prediction.answer, prediction.confidence)
        seed_scores = [seed_score]
        least, usual = rule.fading * self.usual[object_id], self.usual[object_id]
        met = [self._extend(book, tracklet, forward, least, seed_scores) for forward in (False, True)]
        tracklet.similarity = float(np.median(seed_scores))
        is_short = len(seed_scores) < rule.min_length
        tracklet.dropped = "elsewhere" in met or is_short or tracklet.similarity < rule.worthy * usual
        return not tracklet.dropped

    # ---- propagation

    @torch.inference_mode()
    def _fill(self, book: TrackletBook) -> None:
        """Carry what is linked of the tracker's on into the frames in which the object is still missing."""
        rule = self.run.recurrent.rule
        for tracklet in book.tracklets:
            tracklet.dropped |= not tracklet.linked
        for tracklet in [t for t in book.tracklets if t.linked and t.is_hard]:
            usual = self.usual[tracklet.object_id]
            self._extend(book, tracklet, True, rule.worthy * usual)
            if tracklet.origin == "found" or self.both_ways:
                self._extend(book, tracklet, False, rule.fading * usual)

    def _extend(
        self,
        book: TrackletBook,
        tracklet: GrowingTracklet,
        forward: bool,
        least: float,
        seed_scores: list[float] | None = None,
    ) -> Encounter:
        """Carry a tracklet on until the object fades, or a frame is reached in which it is known already.

        Args:
            book: all tracklets.
            tracklet: one that has a mask in its last frame or its first.
            forward: from its last frame on; else from its first one back.
            least: worth below which it ends.
            seed_scores: takes the worth of each mask.
        """
        object_id, rule = tracklet.object_id, self.run.recurrent.rule
        start = tracklet.last if forward else tracklet.first
        images = self.frames.forward(start, self.frames.num_frames) if forward else self.frames.backward(start, -1)
        previous, state = None, None
        for frame, image in images:
            view, previous = self._view(frame, previous, image), image
            if state is None:
                state = self._resumed(book, tracklet, frame, view)
                continue
            if not self._is_wanted(object_id, frame) or object_id in self._given(frame):
                break
            prediction = self.run.recurrent.look(view, state, self.run.identities.templates[object_id].references)
            seed_score = self.run.identities.seed_score(prediction)
            if prediction.confidence < rule.tracker.lost_threshold or seed_score < least:
                break
            holder = book.holder(object_id, frame)
            met = self._meets(book, holder, frame, prediction)
            if holder is not None and met == "itself":
                return met
            if holder is not None and holder.similarity >= tracklet.similarity:
                is_there = seed_score >= rule.bearable * self.usual[object_id]
                return met if holder.similarity == CERTAIN and is_there else "nothing"
            book.add(tracklet, frame, prediction.answer, prediction.confidence)
            if seed_scores is not None:
                seed_scores.append(seed_score)
            others = others_in(book, self.first_given, object_id, frame)
            shares = OverlapMap(self.frames.size_hw, [prediction.answer, *others], self._given(frame))
            self.run.recurrent.advance(state, prediction, shares)
        return "nothing"

    def _meets(
        self, book: TrackletBook, holder: GrowingTracklet | None, frame: int, prediction: RecurrentPrediction
    ) -> Encounter:
        known = None if holder is None else book.answer(holder, frame)
        if known is None:
            return "nothing"
        return "itself" if mask_overlap(prediction.answer, known)[0] >= AGREEMENT else "elsewhere"

    def _given(self, frame: int) -> dict[int, NDArray[np.bool_]]:
        return dict(self.references.get(frame, {}))

    def _view(
        self, frame: int, previous: NDArray[np.uint8] | None, image: NDArray[np.uint8] | None = None
    ) -> FrameView:
        recurrent = self.run.recurrent
        shown = self.frames.read(frame) if image is None else image
        return FrameView(recurrent.network, shown, previous, self.run.flow, recurrent.device)

    def _resumed(self, book: TrackletBook, tracklet: GrowingTracklet, frame: int, view: FrameView) -> RecurrentState:
        """The state in a frame of a tracklet."""
        answer = book.answer(tracklet, frame)
        if answer is None or tracklet.is_hard:
            mask = self.references[frame][tracklet.object_id] if answer is None else self._shown(answer)
            state = self.run.recurrent.begin(view, tracklet.object_id, mask)
            assert state is not None
            return state
        return self.run.recurrent.resume(view, answer)

    def _shown(self, answer: WindowedLogits) -> NDArray[np.bool_]:
        mask = np.zeros(self.frames.size_hw, bool)
        area, logits = answer.in_frame()
        mask[area] = logits > 0
        return mask
