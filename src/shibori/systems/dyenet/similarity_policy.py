"""Starting points by their similarity to the templates (Sec. 2.1), which grow with every iteration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from torch import Tensor

from shibori.systems.dyenet.candidates import Candidate, CandidatePool
from shibori.systems.dyenet.clip_masks import ClipMasks
from shibori.systems.dyenet.forward import mask_in_frame
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Checked, Identities
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState
from shibori.systems.dyenet.search import claims, template_vector
from shibori.systems.dyenet.seed_policy import Extension, Seed, SeedPolicy
from shibori.systems.dyenet.tracklet import GrowingTracklet


class SimilarityExtension(Extension):
    """Carried on until confidence falls, or a frame is reached that the object is already seen in.

    Args:
        policy: which it belongs to.
        tracklet: to be carried on.
    """

    def __init__(self, policy: SimilarityPolicy, tracklet: GrowingTracklet) -> None:
        super().__init__(tracklet)
        self.policy = policy
        self.checked: list[Checked] = []
        """Some of the masks on the way, where the tracklet was found."""

    def is_blocked(self, frame: int) -> bool:
        """Where the object is known."""
        return self.policy.clip.book.holder(self.tracklet.object_id, frame) is not None

    def ends(self, frame: int, prediction: RecurrentPrediction) -> bool:
        """Not before confidence falls."""
        return False

    def note(self, view: FrameView, state: RecurrentState, frame: int, prediction: RecurrentPrediction) -> None:
        """Every so many frames, remember who it is by now."""
        recurrent = self.policy.identities.recurrent
        if self.tracklet.origin == "found" and abs(frame - self.tracklet.start) % recurrent.rule.check_every == 0:
            vector = template_vector(recurrent, view, mask_in_frame(state, self.policy.clip.size_hw))
            if vector is not None:
                self.checked.append(Checked(prediction.confidence, vector, prediction.similarity_margin))


class SimilarityPolicy(SeedPolicy[SimilarityExtension]):
    """As in the paper: the most similar first; confident masks of what is kept are templates of the next iteration."""

    max_tries = 8

    def __init__(self, identities: Identities, candidates: CandidatePool, clip: ClipMasks) -> None:
        super().__init__(identities, candidates, clip)
        self.iterations = range(self.rule.max_iterations)
        self.failed: set[Candidate] = set()
        """Those that were rejected in any iteration."""
        self.confident: list[tuple[int, Tensor]] = []
        """Object and identity of masks that will be templates in the next iteration."""

    def before_search(self) -> Iterable[tuple[SimilarityExtension, bool]]:
        """Backward from the given masks, if both ways are asked for."""
        begun = [*self.clip.book.tracklets] if self.clip.both_ways else []
        return ((self.extension(tracklet), False) for tracklet in begun)

    def _seeds(self) -> Iterator[Seed]:
        """A candidate that is more like another object of the clip is left to that."""
        for object_id, vector in self.confident:
            self.identities.templates[object_id].add_found(vector)
        self.confident.clear()
        for object_id in self.clip.first_given:
            candidates = self.candidates.of(object_id)
            proposals = [candidate.proposal for candidate in candidates]
            scores = claims(self.identities.recurrent, proposals, object_id, self.identities.templates)
            for score, candidate in () if scores is None else zip(scores.tolist(), candidates, strict=True):
                is_similar = score >= self.rule.seed_similarity and candidate not in self.failed
                if is_similar and self.clip.is_wanted(object_id, candidate.frame):
                    yield Seed(score, object_id, candidate)

    def _is_free(self, seed: Seed) -> bool:
        return self.clip.book.holder(seed.object_id, seed.frame) is None

    def begin(self, view: FrameView, seed: Seed) -> RecurrentPrediction | None:
        """It is rejected where it does not hold when it is segmented closely."""
        self.tries[seed.object_id] += 1
        others = self.clip.others(seed.object_id, seed.frame)
        found = self.identities.refound(view, seed.object_id, [seed.candidate.proposal], others)
        if found is None:
            self.reject(seed)
            return None
        return found.prediction

    def reject(self, seed: Seed) -> None:
        """For all iterations."""
        super().reject(seed)
        self.failed.add(seed.candidate)

    def extension(self, tracklet: GrowingTracklet) -> SimilarityExtension:
        """Of the tracklet of a starting point."""
        return SimilarityExtension(self, tracklet)

    def conclude(self, seed: Seed, extension: SimilarityExtension) -> bool:
        """Keep a tracklet whose masks go on being like the templates; its similarity becomes their mean."""
        tracklet, checked = extension.tracklet, extension.checked
        if checked:
            along = self.identities.similarity_of(tracklet.object_id, checked)
            tracklet.similarity = float((tracklet.similarity + along.sum()) / (1 + len(checked)))
        tracklet.dropped = tracklet.similarity < self.rule.kept_similarity or not self._is_confident(tracklet)
        if tracklet.dropped:
            self.reject(seed)
            return False
        good = [each.vector for each in checked if each.confidence >= self.rule.expand_from]
        self.confident += [(tracklet.object_id, vector) for vector in good]
        return True

    def _is_confident(self, tracklet: GrowingTracklet) -> bool:
        """In the mean, the more so the shorter and the less similar it is."""
        rule, confidence = self.rule, float(np.mean(list(tracklet.confidences.values())))
        if len(tracklet.confidences) < rule.min_length:
            return confidence >= rule.short_confidence
        excess = tracklet.similarity - rule.seed_similarity
        return confidence >= rule.kept_confidence or confidence + excess >= rule.kept_sum
