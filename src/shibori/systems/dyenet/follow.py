"""Recurrent mask propagation at work (Sec. 2.2): one object from one frame to the next, in either direction of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shibori.nn.backbones import PyramidFeatures
from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.ops.pieces import keep_plausible_pieces, mean_over_mask
from shibori.ops.warp import warp_between_windows
from shibori.ops.window import box_window, mask_box, settled_box, window_size
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.model import DyeNet
from shibori.systems.dyenet.network import REGION_STRIDE, Carried, Region, Step, Switches, switches_of
from shibori.systems.dyenet.rule import FollowRule
from shibori.systems.dyenet.variant import Variant
from shibori.tracking.network import (
    Encoded,
    Memory,
    Prediction,
    as_seen_from,
    join_memories,
    with_surroundings,
)

GUESS_SIDE = 64
"""The mask is warped onto a coarse grid first, to see where it goes."""
GUESS_WIDENING = 1.4


@dataclass(frozen=True)
class Place:
    """A region of a frame: the window and the pixels it is resized to."""

    window: NDArray[np.float64]
    size_hw: tuple[int, int]

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Positions of its features."""
        return self.size_hw[0] // REGION_STRIDE, self.size_hw[1] // REGION_STRIDE

    def tensor(self, device: torch.device) -> Tensor:
        """(1, 4) float32."""
        return torch.from_numpy(self.window.astype(np.float32))[None].to(device)


@dataclass
class Follower:
    """What is carried of one object from frame to frame."""

    object_id: int
    place: Place
    """Where it was last."""
    hidden: Tensor
    """(1, d, h, w): h_(j-1)."""
    masks: Tensor
    """(1, 2, H, W) probabilities of the object and of all others: y_(j-1)."""
    box: NDArray[np.float64]
    confidence: float = 1.0
    memory: Memory | None = None
    """The last frame as the pixel tracker remembers it."""
    remembered: list[Memory] = field(default_factory=list)
    """A confident frame since the start, for the pixel tracker."""
    since_remembered: int = 0
    partners: list[Follower] = field(default_factory=list)
    """What the other members of an ensemble carry."""


@dataclass
class Glance:
    """One object's answer in one frame, before overlaps are settled."""

    place: Place
    features: PyramidFeatures
    encoded: Encoded | None
    hidden: Tensor
    answer: WindowedLogits
    confidence: float
    kinship: float = float("nan")
    """Mean over the mask (``Comparison``); nan where the pixel tracker takes no part."""
    partners: list[Glance] = field(default_factory=list)
    """Of the other members of an ensemble."""


class Opinion(NamedTuple):
    """A mask of one object in a place."""

    logits: NDArray[np.float32]
    """(H, W) log-odds."""
    confidence: float
    kinship: float
    """Mean over the mask (``Comparison``); nan where the pixel tracker takes no part."""


def settled_opinion(recurrent: Opinion, own: Opinion, rule: FollowRule) -> Opinion:
    """The pixel tracker's own mask where it is sure of it and that is clearly more kin to the templates.

    The recurrence refines what the tracker matched, and may carry a mistake on for good: then its mask takes in what
    is not kin. The tracker also looks back at the given masks.
    """
    stands = own.confidence >= rule.trusted and own.kinship >= recurrent.kinship + rule.more_kin
    return own if stands else recurrent


class Following:
    """Re-MP with one network, one variant and one set of numbers.

    Args:
        network: prepared for inference.
        variant: which parts take part.
        rule: thresholds.
        device: of the network.
    """

    def __init__(self, network: DyeNet, variant: Variant, rule: FollowRule, device: torch.device) -> None:
        self.network, self.variant, self.rule, self.device = network, variant, rule, device
        self.switches: Switches = switches_of([variant], device)

    @property
    def matches(self) -> bool:
        """Whether the pixel tracker takes part."""
        return self.variant.matching and self.variant.patches and self.network.matcher is not None

    def begin(
        self, view: FrameView, object_id: int, mask: NDArray[np.bool_], shares: OverlapMap | None = None
    ) -> Follower | None:
        """Start from a mask that is taken as true; None if it is empty."""
        box = mask_box(mask)
        if box is None:
            return None
        place = self.place(box, view)
        features, encoded = self._features(view, place)
        given = _cut_mask(mask, place, self.device)
        others = torch.zeros_like(given)
        if shares is not None and not shares.alone:
            others = self._tensor(shares.others_of_given(object_id, place.window, place.size_hw))
        return self._follower(object_id, place, features, encoded, given, others, box)

    def begin_softly(self, view: FrameView, object_id: int, probs: NDArray[np.float32], place: Place) -> Follower:
        """Start from a soft mask in a place, as re-identification finds it."""
        features, encoded = self._features(view, place)
        given = self._tensor(probs)
        box = mask_box(probs > 0.5, place.window)
        return self._follower(
            object_id, place, features, encoded, given, torch.zeros_like(given), place.window if box is None else box
        )

    def resume(self, view: FrameView, answer: WindowedLogits) -> Follower:
        """Start from an earlier answer of the same frame."""
        probs = 1 / (1 + np.exp(-answer.logits))
        place = Place(answer.window, (answer.logits.shape[0], answer.logits.shape[1]))
        return self.begin_softly(view, answer.object_id, probs.astype(np.float32), place)

    def _follower(
        self,
        object_id: int,
        place: Place,
        features: PyramidFeatures,
        encoded: Encoded | None,
        mask: Tensor,
        others: Tensor,
        box: NDArray[np.float64],
    ) -> Follower:
        hidden = self.network.propagation.begin(features, mask, others)
        memory = self._remember(encoded, mask, others)
        return Follower(object_id, place, hidden, torch.cat([mask, others], 1), box, memory=memory)

    def reference(self, view: FrameView, mask: NDArray[np.bool_], follower: Follower) -> Memory | None:
        """What the pixel tracker always remembers of a given mask: its window, and its surroundings as background."""
        if not self.matches or follower.memory is None:
            return None
        wide = box_window(self.rule.window, follower.box, view.size_hw, self.rule.context)

        def look() -> Memory:
            place = Place(wide, window_size(self.rule.window, wide))
            given = _cut_mask(mask, place, self.device)
            around = self._remember(view.patch(wide, place.size_hw).encoded, given, torch.zeros_like(given))
            assert around is not None
            return around

        return with_surroundings(follower.memory, follower.place.window, wide, look)

    def look(self, view: FrameView, follower: Follower, references: list[Memory], place: Place | None = None) -> Glance:
        """y_j of one object with what is carried there: where the flow leads, or in a place that is known."""
        if place is None:
            guess = self._guess(view, follower)
            place = self.place(settled_box(guess, follower.box, self.rule.min_shrink, self.rule.max_growth), view)
        features, encoded = self._features(view, place)
        carried = self._carried(view, follower, place)
        matched = self._matched(follower, place, encoded, carried, references)
        evidence = torch.zeros_like(carried.mask) if matched is None else matched.logits
        step = self.network.propagation(Region(features, self._flow(view, place), evidence), carried, self.switches)
        opinion = self._opinion(step)
        if matched is not None and encoded is not None:
            before = carried.mask[0, 0].float().cpu().numpy()
            comparison = self.compare(encoded, references)
            opinion = self._examined(opinion, before, *comparison)
            own = self._examined(self._opinion(matched), before, *comparison)
            opinion = settled_opinion(opinion, own, self.rule)
        answer = WindowedLogits(follower.object_id, place.window, opinion.logits)
        return Glance(place, features, encoded, step.hidden, answer, opinion.confidence, opinion.kinship)

    def _opinion(self, answer: Step | Prediction) -> Opinion:
        logits = answer.logits[0, 0].float().cpu().numpy() + np.float32(self.rule.leaning)
        confidence = float(answer.quality.float().sigmoid() * answer.presence.float().sigmoid())
        return Opinion(logits, confidence, float("nan"))

    def advance(self, follower: Follower, glance: Glance, shares: OverlapMap) -> None:
        """Carry on from what was seen, overlaps settled."""
        mask, others = (self._tensor(part) for part in shares.seen_from(glance.answer))
        box = mask_box(mask[0, 0].cpu().numpy() > 0.5, glance.place.window)
        if box is not None:
            follower.box = settled_box(box, follower.box, self.rule.min_shrink, self.rule.max_growth)
        follower.place, follower.hidden, follower.masks = glance.place, glance.hidden, torch.cat([mask, others], 1)
        follower.confidence = glance.confidence
        follower.memory = self._remember(glance.encoded, mask, others)
        follower.since_remembered += 1
        is_due = follower.since_remembered >= self.rule.remember_every
        if follower.memory is not None and is_due and glance.confidence >= self.rule.confident:
            follower.since_remembered, follower.remembered = 0, [follower.memory]

    # ---- parts of a look

    def place(self, box: NDArray[np.float64], view: FrameView) -> Place:
        """The region around a box."""
        return self.place_over(box_window(self.rule.window, box, view.size_hw))

    def place_over(self, window: NDArray[np.float64]) -> Place:
        """The region that a window is to this variant."""
        if self.variant.patches:
            return Place(window, window_size(self.rule.window, window))
        pixels = self.network.size.region_side * REGION_STRIDE  # m x m, whatever the box's shape
        return Place(window, (pixels, pixels))

    def _features(self, view: FrameView, place: Place) -> tuple[PyramidFeatures, Encoded | None]:
        if self.variant.patches:
            seen = view.patch(place.window, place.size_hw)
            return seen.features, seen.encoded
        return view.roi(place.window, self.rule.roi_side), None

    def _guess(self, view: FrameView, follower: Follower) -> NDArray[np.float64]:
        """The box of the warped mask: "we obtain the bounding box of y_(j-1)->j as the location" (Sec. 2.2)."""
        window = box_window(self.rule.window, follower.box, view.size_hw, GUESS_WIDENING)
        place = Place(window, (GUESS_SIDE, GUESS_SIDE))
        warped = self._warp(view, follower.masks[:, :1], follower.place, place, place.size_hw)
        box = mask_box(warped[0, 0].cpu().numpy() > 0.5, window)
        return follower.box if box is None else box

    def _carried(self, view: FrameView, follower: Follower, place: Place) -> Carried:
        hidden = self._warp(view, follower.hidden, follower.place, place, place.grid_hw)
        masks = self._warp(view, follower.masks, follower.place, place, place.size_hw)
        return Carried(hidden, masks[:, :1], masks[:, 1:])

    def _warp(
        self, view: FrameView, values: Tensor, place_from: Place, place_to: Place, size_hw: tuple[int, int]
    ) -> Tensor:
        windows = place_from.tensor(self.device), place_to.tensor(self.device)
        return warp_between_windows(values, view.flow_backward, *windows, size_hw, view.size_hw)

    def _flow(self, view: FrameView, place: Place) -> Tensor:
        """(1, 2, h, w) in shares of the region's longer side."""
        if not self.variant.flow_stream:
            return torch.zeros(1, 2, *place.grid_hw, device=self.device)
        still = torch.zeros_like(view.flow_backward)
        frame = Place(np.array([0.0, 0.0, view.size_hw[1], view.size_hw[0]]), view.size_hw)
        windows = frame.tensor(self.device), place.tensor(self.device)
        flow = warp_between_windows(view.flow_backward, still, *windows, place.grid_hw, view.size_hw)
        return flow / float((place.window[2:] - place.window[:2]).max())

    def _matched(
        self, follower: Follower, place: Place, encoded: Encoded | None, carried: Carried, references: list[Memory]
    ) -> Prediction | None:
        """The pixel tracker's answer in a place (IPDT, Sec. 3.3); None where it takes no part."""
        matcher = self.network.matcher
        if not self.matches or matcher is None or encoded is None or follower.memory is None or not references:
            return None
        windows = follower.place.tensor(self.device), place.tensor(self.device)
        before = follower.memory
        masks = follower.masks[:, :1], follower.masks[:, 1:]
        seen, mask, others = as_seen_from(before, *masks, *windows, matcher.stride, place.size_hw)
        memory = join_memories(*references, *follower.remembered)
        prediction: Prediction = matcher(encoded, memory, seen, mask, others)
        return prediction

    def _examined(
        self,
        opinion: Opinion,
        before: NDArray[np.float32],
        likeness: NDArray[np.float32],
        kinship: NDArray[np.float32],
    ) -> Opinion:
        """Without pieces that cannot be the object, and no more confident than likeness lets it be."""
        logits = keep_plausible_pieces(opinion.logits, before, likeness)
        span = self.rule.familiar - self.rule.strange
        familiarity = min(max(mean_over_mask(likeness, logits) - self.rule.strange, 0.0) / span, 1.0)
        return Opinion(logits, opinion.confidence * familiarity, mean_over_mask(kinship, logits))

    def compare(
        self, encoded: Encoded, references: list[Memory], every: int = 2
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(h, w) likeness and (h, w) kinship to the references (``Comparison``), at ``every`` position."""
        matcher = self.network.matcher
        assert matcher is not None
        memory = join_memories(*references)
        sparse = encoded._replace(key=encoded.key[:, :, ::every, ::every])
        likeness, kinship = (part[0].float().cpu().numpy() for part in matcher.compare(sparse, memory))
        return np.asarray(likeness, np.float32), np.asarray(kinship, np.float32)

    def similarity(self, cosine: Tensor, kinship: Tensor, closely: bool = False) -> Tensor:
        """(K,) how sure it is that K masks are an object, on the scale of cosine similarity.

        Args:
            cosine: (K,) of identities with templates (Sec. 2.1).
            kinship: (K,) means over the masks; nan where the pixel tracker takes no part.
            closely: whether the masks were made in patches, not proposed in the whole frame.
        """
        level = self.rule.kinship_level_close if closely else self.rule.kinship_level
        scaled = (self.rule.similar + self.rule.kinship_slope * (kinship - level)).clamp(-1, 1)
        joined = self.rule.kinship_share * scaled + (1 - self.rule.kinship_share) * cosine
        return torch.where(kinship.isnan(), cosine, joined)

    def _remember(self, encoded: Encoded | None, mask: Tensor, others: Tensor) -> Memory | None:
        if not self.matches or encoded is None or self.network.matcher is None:
            return None
        return self.network.matcher.remember(encoded, mask, others)

    def _tensor(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values))[None, None].to(self.device)


def _cut_mask(mask: NDArray[np.bool_], place: Place, device: torch.device) -> Tensor:
    """(1, 1, H, W) share of the object in a place, which may reach beyond the frame."""
    height, width = mask.shape
    left, top, right, bottom = place.window.astype(int).tolist()
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    whole = torch.zeros(1, 1, bottom - top, right - left)
    part = torch.from_numpy(np.ascontiguousarray(mask[rows, columns])).float()
    whole[0, 0, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
    shrinks = whole.shape[2] > place.size_hw[0]
    if shrinks:
        return functional.interpolate(whole, place.size_hw, mode="area").to(device)
    return functional.interpolate(whole, place.size_hw, mode="bilinear").to(device)
