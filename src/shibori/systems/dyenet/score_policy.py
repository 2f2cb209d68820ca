"""Starting points by their seed score, behind a tracker: what it misses is looked for, what it refound is doubted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from shibori.systems.dyenet.candidates import CandidatePool
from shibori.systems.dyenet.clip_masks import ClipMasks
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Identities, is_taken
from shibori.systems.dyenet.linking import AGREEMENT, mask_overlap
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState
from shibori.systems.dyenet.seed_policy import Extension, Seed, SeedPolicy
from shibori.systems.dyenet.tracklet import GIVEN, GrowingTracklet

Encounter = Literal["nothing", "itself", "elsewhere"]
"""What a propagation met: nothing that is known, the object as it is known, or the object in another place."""


class ScoreExtension(Extension):
    """Carried on until the seed score falls, or a frame is reached in which the object is known already.

    Args:
        policy: which it belongs to.
        tracklet: to be carried on.
        least: seed score below which it ends.
    """

    def __init__(self, policy: ScorePolicy, tracklet: GrowingTracklet, least: float) -> None:
        super().__init__(tracklet)
        self.policy, self.least = policy, least
        self.is_contradicted = False
        """Whether it came to a frame in which the object is known to be elsewhere."""

    def is_blocked(self, frame: int) -> bool:
        """Where the object's mask was given."""
        return self.tracklet.object_id in self.policy.clip.given(frame)

    def ends(self, frame: int, prediction: RecurrentPrediction) -> bool:
        """Where it does not look like the object any more, or the object is known as well or better."""
        policy, object_id = self.policy, self.tracklet.object_id
        seed_score = policy.identities.seed_score(prediction)
        if seed_score < self.least:
            return True
        holder = policy.clip.book.holder(object_id, frame)
        met = policy.encounter(holder, frame, prediction)
        if holder is not None and (met == "itself" or holder.similarity >= self.tracklet.similarity):
            is_there = seed_score >= policy.rule.refound_share * policy.usual[object_id]
            self.is_contradicted |= met == "elsewhere" and holder.similarity == GIVEN and is_there
            return True
        self.tracklet.seed_scores.append(seed_score)
        return False

    def note(self, view: FrameView, state: RecurrentState, frame: int, prediction: RecurrentPrediction) -> None:
        """The seed score was noted before."""


class ScorePolicy(SeedPolicy[ScoreExtension]):
    """What the tracker follows from given masks stands.

    In frames without the object, and in those in which the tracker found it again by itself, starting points were
    noted; the best of the whole clip is propagated both ways first, until it meets what is known. One that leads to a
    frame in which the object is known to be elsewhere was something else.
    """

    max_tries = 6
    iterations = range(1, 2)

    def __init__(self, identities: Identities, candidates: CandidatePool, clip: ClipMasks) -> None:
        super().__init__(identities, candidates, clip)
        self.usual: dict[int, float] = {}
        """object_id -> seed score of its masks where they are known to be its."""
        for object_id in clip.first_given:
            own = [score for t in clip.book.of(object_id) if t.similarity == GIVEN for score in t.seed_scores]
            self.usual[object_id] = float(np.median(own or [1.0]))
        for tracklet in clip.book.tracklets:
            if tracklet.origin == "found":
                self._appraise(tracklet)

    def _appraise(self, tracklet: GrowingTracklet) -> None:
        """What the tracker found again, and scores far below the usual, is dropped."""
        tracklet.similarity = float(np.median(tracklet.seed_scores or [0.0]))
        is_like = tracklet.similarity >= self.rule.refound_share * self.usual[tracklet.object_id]
        tracklet.dropped = not (self.identities.recurrent.variant.reid and is_like)

    def _seeds(self) -> Iterator[Seed]:
        for object_id in self.clip.first_given:
            least = self.rule.seed_share * self.usual[object_id]
            for seed_score, candidate in self.candidates.ranked(object_id):
                if seed_score >= least and self.clip.is_wanted(object_id, candidate.frame):
                    yield Seed(seed_score, object_id, candidate)

    def _is_free(self, seed: Seed) -> bool:
        """What the tracker refound gives way to a starting point that scores so much higher."""
        holder = self.clip.book.holder(seed.object_id, seed.frame)
        return holder is None or seed.score >= holder.similarity + self.rule.refound_lead

    def begin(self, view: FrameView, seed: Seed) -> RecurrentPrediction | None:
        """Nothing is propagated from where the object is known to be, nor from another object."""
        prediction = self.identities.close_up(view, seed.candidate.proposal, seed.object_id)
        holder = self.clip.book.holder(seed.object_id, seed.frame)
        is_known = self.encounter(holder, seed.frame, prediction) == "itself"
        if is_known or is_taken(prediction.answer, self.clip.others(seed.object_id, seed.frame)):
            return None
        return prediction

    def extension(self, tracklet: GrowingTracklet) -> ScoreExtension:
        """Of the tracklet of a starting point."""
        tracklet.seed_scores.append(tracklet.similarity)
        return ScoreExtension(self, tracklet, self.rule.end_share * self.usual[tracklet.object_id])

    def conclude(self, seed: Seed, extension: ScoreExtension) -> bool:
        """Keep a tracklet that lasts, scores as the object does, and contradicts nothing; its median score counts."""
        tracklet = extension.tracklet
        tracklet.similarity = float(np.median(tracklet.seed_scores))
        is_short = len(tracklet.seed_scores) < self.rule.min_length
        is_like = tracklet.similarity >= self.rule.seed_share * self.usual[tracklet.object_id]
        tracklet.dropped = extension.is_contradicted or is_short or not is_like
        if tracklet.dropped:
            self.tries[seed.object_id] += 1
            self.reject(seed)
        return not tracklet.dropped

    def after_linking(self) -> Iterator[tuple[ScoreExtension, bool]]:
        """The tracker's own tracklets, into the frames in which the object is still missing."""
        book, rule = self.clip.book, self.rule
        for tracklet in book.tracklets:
            tracklet.dropped |= not tracklet.linked
        for tracklet in [t for t in book.tracklets if t.linked and t.is_hard]:
            usual = self.usual[tracklet.object_id]
            yield ScoreExtension(self, tracklet, rule.seed_share * usual), True
            if tracklet.origin == "found" or self.clip.both_ways:
                yield ScoreExtension(self, tracklet, rule.end_share * usual), False

    def encounter(self, holder: GrowingTracklet | None, frame: int, prediction: RecurrentPrediction) -> Encounter:
        """What a mask in a frame meets, in which a tracklet of the object may hold it."""
        known = None if holder is None else self.clip.book.answer(holder, frame)
        if known is None:
            return "nothing"
        return "itself" if mask_overlap(prediction.answer, known)[0] >= AGREEMENT else "elsewhere"
