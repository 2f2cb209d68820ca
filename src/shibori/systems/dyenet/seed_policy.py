"""Which starting points are propagated, in which order, how far, and whether what came of them is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from shibori.systems.dyenet.candidates import Candidate, CandidatePool
from shibori.systems.dyenet.clip_masks import ClipMasks
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Identities
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState
from shibori.systems.dyenet.tracklet import GrowingTracklet

APART = 3
"""Frames nearer than this to one in which a starting point was rejected are not tried in the same iteration."""


class Seed(NamedTuple):
    """A possible starting point of an object."""

    score: float
    object_id: int
    candidate: Candidate

    @property
    def frame(self) -> int:
        """In which it was seen."""
        return self.candidate.frame


def best_first(seeds: Iterable[Seed]) -> list[Seed]:
    """In the order in which they are tried."""
    return sorted(seeds, key=lambda seed: (-seed.score, seed.object_id, seed.frame))


class Extension(ABC):
    """One tracklet while it is carried on, frame by frame.

    Args:
        tracklet: which has a mask in its first frame and its last.
    """

    def __init__(self, tracklet: GrowingTracklet) -> None:
        self.tracklet = tracklet

    @abstractmethod
    def is_blocked(self, frame: int) -> bool:
        """Whether it must not enter a frame."""

    @abstractmethod
    def ends(self, frame: int, prediction: RecurrentPrediction) -> bool:
        """Whether it ends before a frame, with this mask there."""

    @abstractmethod
    def note(self, view: FrameView, state: RecurrentState, frame: int, prediction: RecurrentPrediction) -> None:
        """It has a frame more."""


Extended = TypeVar("Extended", bound=Extension)


class SeedPolicy(ABC, Generic[Extended]):
    """What starting points of one clip are judged by.

    Args:
        identities: what the objects look like.
        candidates: that the pass forward noted.
        clip: what is known after it.
    """

    iterations: range
    """Numbers of the iterations; they end earlier when nothing is kept."""
    max_tries: int
    """Starting points of an object in one iteration."""

    def __init__(self, identities: Identities, candidates: CandidatePool, clip: ClipMasks) -> None:
        self.identities, self.candidates, self.clip = identities, candidates, clip
        self.rule = identities.recurrent.rule
        self.tries: Counter[int] = Counter()
        self.rejected_seeds: set[tuple[int, int]] = set()
        """Object and frame of those that were rejected in this iteration."""

    def before_search(self) -> Iterable[tuple[Extended, bool]]:
        """Tracklets of the pass to carry on at once, and whether forward."""
        return ()

    def after_linking(self) -> Iterable[tuple[Extended, bool]]:
        """Linked tracklets to carry on into what is missing, and whether forward."""
        return ()

    def ranking(self) -> list[Seed]:
        """A new iteration: all possible starting points, the best first."""
        self.tries.clear()
        self.rejected_seeds.clear()
        return best_first(self._seeds())

    def is_open(self, seed: Seed) -> bool:
        """Whether a starting point is still to be tried."""
        near = range(seed.frame + 1 - APART, seed.frame + APART)
        is_near = any((seed.object_id, frame) in self.rejected_seeds for frame in near)
        return not is_near and self.tries[seed.object_id] < self.max_tries and self._is_free(seed)

    def reject(self, seed: Seed) -> None:
        """A starting point was something else, or nothing."""
        self.rejected_seeds.add((seed.object_id, seed.frame))

    @abstractmethod
    def _seeds(self) -> Iterable[Seed]:
        """All possible starting points, in any order."""

    @abstractmethod
    def _is_free(self, seed: Seed) -> bool:
        """Whether the object is not known, or not well, in the frame of a starting point."""

    @abstractmethod
    def begin(self, view: FrameView, seed: Seed) -> RecurrentPrediction | None:
        """The object's mask at a starting point, segmented in a patch of its own; None: not to be propagated."""

    @abstractmethod
    def extension(self, tracklet: GrowingTracklet) -> Extended:
        """Of the tracklet of a starting point."""

    @abstractmethod
    def conclude(self, seed: Seed, extension: Extended) -> bool:
        """Both directions are done: whether the tracklet is kept; else it is marked as dropped."""
