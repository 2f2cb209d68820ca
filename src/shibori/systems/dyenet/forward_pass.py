"""How the objects of a clip are first carried through it: by DyeNet's own recurrence (here) or by a tracker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.candidates import CandidatePool
from shibori.systems.dyenet.clip_masks import ClipMasks
from shibori.systems.dyenet.forward import ForwardRun
from shibori.systems.dyenet.identities import Identities
from shibori.systems.dyenet.search import claims
from shibori.systems.dyenet.seed_policy import SeedPolicy
from shibori.systems.dyenet.similarity_policy import SimilarityPolicy


class PassMask(NamedTuple):
    """One object in one frame, as the pass forward sees it."""

    answer: WindowedLogits
    confidence: float
    edges: WindowedLogits | None = None
    """What a hard answer was decided from, where that is known."""
    seed_score: float | None = None
    """``Identities.seed_score``, where it was asked for."""


class ForwardPass(ABC):
    """One pass over the frames of a clip in order.

    Args:
        identities: what the objects look like; it is filled on the way.
        flow: how motion is estimated.
        num_frames: of the clip.
    """

    is_hard: bool
    """Whether its masks have no soft edge."""

    def __init__(self, identities: Identities, flow: FlowEstimator, num_frames: int) -> None:
        self.identities, self.flow = identities, flow
        self.candidates = CandidatePool(num_frames)
        """What might be an object in the frames where it is missing, or doubtful."""

    @abstractmethod
    def step(self, index: int, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> list[PassMask]:
        """The next frame: what is seen in it of all objects but the given ones.

        Args:
            index: of the frame.
            image: (H, W, 3) uint8 RGB.
            given: object_id -> (H, W) bool mask that is true of it.
        """

    @abstractmethod
    def policy(self, clip: ClipMasks) -> SeedPolicy[Any]:
        """What starting points are judged by, once the whole clip was seen."""


class RecurrentPass(ForwardPass):
    """By Re-MP, as in the paper. An object that it loses stays lost in this pass.

    Args:
        run: which finds nothing again, and has not begun.
        num_frames: of the clip.
    """

    is_hard = False

    def __init__(self, run: ForwardRun, num_frames: int) -> None:
        super().__init__(run.identities, run.flow, num_frames)
        self.run = run

    def step(self, index: int, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> list[PassMask]:
        """See ``ForwardPass.step``."""
        outcome = self.run.step(image, given)
        for object_id in outcome.missing:
            scores = claims(self.identities.recurrent, outcome.proposals, object_id, self.run.templates)
            if scores is not None:
                self.candidates.put(object_id, index, outcome.proposals, scores)
        return [PassMask(prediction.answer, prediction.confidence) for prediction in outcome.seen]

    def policy(self, clip: ClipMasks) -> SeedPolicy[Any]:
        """By the similarity to the templates."""
        return SimilarityPolicy(self.identities, self.candidates, clip)
