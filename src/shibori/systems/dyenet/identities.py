"""Who is who: what each object looks like, and whether something in a frame is it (Sec. 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.linking import CLAIMED, mask_overlap
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState, RecurrentTracker
from shibori.systems.dyenet.search import Proposal, similar_proposals, template_vector
from shibori.systems.dyenet.templates import Templates

Adaption = Callable[[NDArray[np.uint8], Mapping[int, NDArray[np.bool_]]], RecurrentTracker]
"""Image and given masks -> what to follow these objects with."""


@dataclass
class Found:
    """A starting point that was taken (Sec. 2.1)."""

    similarity: float
    prediction: RecurrentPrediction
    state: RecurrentState


class Checked(NamedTuple):
    """A mask of a tracklet that was found, compared with the templates again."""

    confidence: float
    vector: Tensor
    """(E,) its identity."""
    margin: float
    """Mean over it (``Comparison``); nan where the pixel tracker takes no part."""


class Identities:
    """The templates of all objects of a clip, and what is decided by them.

    Args:
        recurrent: networks, variant and numbers.
        adapt: asked once, in the first frame with masks.
    """

    def __init__(self, recurrent: RecurrentTracker, adapt: Adaption | None = None) -> None:
        self.recurrent, self.adapt = recurrent, adapt
        self.templates: dict[int, Templates] = {}
        self.since_expanded: dict[int, int] = {}

    def prepare(self, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> None:
        """Adapt to the first masks, where that was asked for; to be called ahead of every frame with what is given."""
        if self.adapt is not None and given:
            self.recurrent, self.adapt = self.adapt(image, given), None

    @property
    def shown(self) -> list[int]:
        """Objects of which a mask was given that shows something."""
        return [object_id for object_id, templates in self.templates.items() if templates.given]

    def register(self, object_id: int) -> Templates:
        """The templates of an object, none at first; it is known from here on."""
        return self.templates.setdefault(object_id, Templates(self.recurrent.rule.max_templates))

    def refer(self, view: FrameView, object_id: int, mask: NDArray[np.bool_], state: RecurrentState) -> None:
        """Take a given mask, which is not empty, as true."""
        templates = self.register(object_id)
        vector = template_vector(self.recurrent, view, mask)
        assert vector is not None
        templates.add_given(vector, self.recurrent.reference(view, mask, state))
        templates.area = float(mask.sum())
        self.since_expanded[object_id] = 0

    def is_due(self, object_id: int, confidence: float) -> bool:
        """One more frame with an object: whether its mask becomes a template (Sec. 2, template expansion)."""
        self.since_expanded[object_id] = self.since_expanded.get(object_id, 0) + 1
        rule = self.recurrent.rule
        is_due = self.since_expanded[object_id] >= rule.expand_every
        return self.recurrent.variant.reid and is_due and confidence >= rule.expand_from

    def expand(self, view: FrameView, object_id: int, mask: NDArray[np.bool_]) -> None:
        """Make a mask a template."""
        vector = template_vector(self.recurrent, view, mask)
        if vector is not None:
            self.templates[object_id].add_found(vector)
            self.since_expanded[object_id] = 0

    def similarity_of(self, object_id: int, checked: Sequence[Checked]) -> Tensor:
        """(K,) similarity of K masks to an object."""
        cosine = self.templates[object_id].similarity(torch.stack([each.vector for each in checked])).float().cpu()
        return self.recurrent.similarity(cosine, torch.tensor([each.margin for each in checked]), closely=True)

    def refound(
        self, view: FrameView, object_id: int, proposals: Sequence[Proposal], taken: Sequence[WindowedLogits]
    ) -> Found | None:
        """The best starting point of an object among a frame's proposals, if one holds when it is segmented closely."""
        best: Found | None = None
        rule = self.recurrent.rule
        templates, still = self.templates[object_id], view.still()
        for similarity, proposal in similar_proposals(self.recurrent, proposals, object_id, self.templates):
            crop = self.recurrent.crop(proposal.box, view)
            state = self.recurrent.begin_softly(still, object_id, proposal.placed(crop), crop)
            prediction = self.recurrent.predict(still, state, templates.references)
            too_small = covered_area(prediction.answer) < rule.min_area * templates.area
            is_doubtful = prediction.confidence < rule.tracker.redetect_threshold
            if is_doubtful or too_small or is_taken(prediction.answer, taken):
                continue
            if not self._is_similar(templates, proposal, prediction):
                continue
            if best is None or prediction.confidence > best.prediction.confidence:
                best = Found(similarity, prediction, state)
        return best

    def close_up(self, view: FrameView, proposal: Proposal, object_id: int) -> RecurrentPrediction:
        """A proposal segmented in a patch of its own."""
        crop, still = self.recurrent.crop(proposal.box, view), view.still()
        state = self.recurrent.begin_softly(still, object_id, proposal.placed(crop), crop)
        return self.recurrent.predict(still, state, self.templates[object_id].references, crop)

    def seed_score(self, prediction: RecurrentPrediction) -> float:
        """In [0, 1], how good a starting point for its object a mask is that was made in a patch.

        It is confidence, times the similarity margin, times the root of how near its area comes to the usual one. A
        fragment of something else is often confident and similar, but small.
        """
        rule, usual = self.recurrent.rule, self.templates[prediction.answer.object_id].area
        share = covered_area(prediction.answer) / max(usual, 1.0)
        fullness = min(share / rule.full_area, rule.excess_area / max(share, 1e-6), 1.0)
        low, high = rule.margin_low, rule.margin_high
        margin = prediction.similarity_margin
        similar = 1.0 if np.isnan(margin) else min(max((margin - low) / (high - low), 0.0), 1.0)
        return float(min(max(prediction.confidence, 0.0), 1.0) * similar * fullness**0.5)

    def _is_similar(self, templates: Templates, proposal: Proposal, prediction: RecurrentPrediction) -> bool:
        """Whether a starting point is still similar enough with the mask of its own patch."""
        cosine = templates.similarity(proposal.vector[None]).float().cpu()
        similarity = self.recurrent.similarity(cosine, torch.tensor([prediction.similarity_margin]), closely=True)
        return bool(similarity >= self.recurrent.rule.seed_similarity)


def covered_area(answer: WindowedLogits) -> float:
    """Pixels of the frame under a mask."""
    left, top, right, bottom = answer.window
    return float((answer.logits > 0).mean() * (right - left) * (bottom - top))


def is_taken(answer: WindowedLogits, taken: Sequence[WindowedLogits]) -> bool:
    """Whether most of a mask belongs to an object that is already in the frame."""
    return any(mask_overlap(answer, other)[1] > CLAIMED for other in taken)
