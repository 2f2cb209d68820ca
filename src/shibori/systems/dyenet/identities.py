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
from shibori.systems.dyenet.follow import Follower, Following, Glance
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.linking import CLAIMED, mask_overlap
from shibori.systems.dyenet.search import Proposal, similar_proposals, template_vector
from shibori.systems.dyenet.templates import Templates

Adaption = Callable[[NDArray[np.uint8], Mapping[int, NDArray[np.bool_]]], Following]
"""Image and given masks -> what to follow these objects with."""


@dataclass
class Found:
    """A starting point that was taken (Sec. 2.1)."""

    similarity: float
    glance: Glance
    follower: Follower


class Asked(NamedTuple):
    """A mask of a tracklet that was found, asked again who it is."""

    confidence: float
    vector: Tensor
    """(E,) its identity."""
    kinship: float
    """Mean over it (``Comparison``); nan where the pixel tracker takes no part."""


class Identities:
    """The templates of all objects of a clip, and what is decided by them.

    Args:
        following: networks, variant and numbers.
        adapted: asked once, in the first frame with masks.
    """

    def __init__(self, following: Following, adapted: Adaption | None = None) -> None:
        self.following, self.adapted = following, adapted
        self.templates: dict[int, Templates] = {}
        self.since_expanded: dict[int, int] = {}

    def prepare(self, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> None:
        """Adapt to the first masks, where that was asked for; to be called ahead of every frame with what is given."""
        if self.adapted is not None and given:
            self.following, self.adapted = self.adapted(image, given), None

    @property
    def shown(self) -> list[int]:
        """Objects of which a mask was given that shows something."""
        return [object_id for object_id, templates in self.templates.items() if templates.given]

    def hear_of(self, object_id: int) -> Templates:
        """The templates of an object, none at first."""
        return self.templates.setdefault(object_id, Templates(self.following.rule.max_templates))

    def refer(self, view: FrameView, object_id: int, mask: NDArray[np.bool_], follower: Follower) -> None:
        """Take a given mask, which is not empty, as true."""
        templates = self.hear_of(object_id)
        vector = template_vector(self.following, view, mask)
        assert vector is not None
        templates.add_given(vector, self.following.reference(view, mask, follower))
        templates.area = float(mask.sum())
        self.since_expanded[object_id] = 0

    def is_due(self, object_id: int, confidence: float) -> bool:
        """One more frame with an object: whether its mask becomes a template (Sec. 2, template expansion)."""
        self.since_expanded[object_id] = self.since_expanded.get(object_id, 0) + 1
        rule = self.following.rule
        is_due = self.since_expanded[object_id] >= rule.expand_every
        return self.following.variant.reid and is_due and confidence >= rule.expand_from

    def expand(self, view: FrameView, object_id: int, mask: NDArray[np.bool_]) -> None:
        """Make a mask a template."""
        vector = template_vector(self.following, view, mask)
        if vector is not None:
            self.templates[object_id].add_found(vector)
            self.since_expanded[object_id] = 0

    def likeness_of(self, object_id: int, asked: Sequence[Asked]) -> Tensor:
        """(K,) similarity of K masks to an object."""
        cosine = self.templates[object_id].similarity(torch.stack([each.vector for each in asked])).float().cpu()
        return self.following.similarity(cosine, torch.tensor([each.kinship for each in asked]), closely=True)

    def refound(
        self, view: FrameView, object_id: int, proposals: Sequence[Proposal], taken: Sequence[WindowedLogits]
    ) -> Found | None:
        """The best starting point of an object among a frame's proposals, if one holds when it is looked at closely."""
        best: Found | None = None
        rule = self.following.rule
        templates, still = self.templates[object_id], view.still()
        for similarity, proposal in similar_proposals(self.following, proposals, object_id, self.templates):
            place = self.following.place(proposal.box, view)
            follower = self.following.begin_softly(still, object_id, proposal.placed(place), place)
            glance = self.following.look(still, follower, templates.references)
            too_small = covered_area(glance.answer) < rule.min_area * templates.area
            if glance.confidence < rule.found or too_small or is_taken(glance.answer, taken):
                continue
            if not self._is_similar(templates, proposal, glance):
                continue
            if best is None or glance.confidence > best.glance.confidence:
                best = Found(similarity, glance, follower)
        return best

    def sighted(self, view: FrameView, proposal: Proposal, object_id: int) -> Glance:
        """A proposal looked at closely."""
        place, still = self.following.place(proposal.box, view), view.still()
        follower = self.following.begin_softly(still, object_id, proposal.placed(place), place)
        return self.following.look(still, follower, self.templates[object_id].references, place)

    def worth(self, glance: Glance) -> float:
        """In [0, 1], how much a mask that was made in a patch is worth as a sight of its object.

        It is confidence, times kinship, times the root of how near its area comes to the usual one. A fragment of
        something else is often confident and kin, but small.
        """
        rule, usual = self.following.rule, self.templates[glance.answer.object_id].area
        share = covered_area(glance.answer) / max(usual, 1.0)
        fullness = min(share / rule.full, rule.overfull / max(share, 1e-6), 1.0)
        low, high = rule.unrelated, rule.related
        kin = 1.0 if np.isnan(glance.kinship) else min(max((glance.kinship - low) / (high - low), 0.0), 1.0)
        return float(min(max(glance.confidence, 0.0), 1.0) * kin * fullness**0.5)

    def _is_similar(self, templates: Templates, proposal: Proposal, glance: Glance) -> bool:
        """Whether a starting point is still similar enough with the mask it has when looked at closely."""
        cosine = templates.similarity(proposal.vector[None]).float().cpu()
        similarity = self.following.similarity(cosine, torch.tensor([glance.kinship]), closely=True)
        return bool(similarity >= self.following.rule.similar)


def covered_area(answer: WindowedLogits) -> float:
    """Pixels of the frame under a mask."""
    left, top, right, bottom = answer.window
    return float((answer.logits > 0).mean() * (right - left) * (bottom - top))


def is_taken(answer: WindowedLogits, taken: Sequence[WindowedLogits]) -> bool:
    """Whether most of a mask belongs to an object that is already in the frame."""
    return any(mask_overlap(answer, other)[1] > CLAIMED for other in taken)
