"""From one frame to the next (Sec. 3.1 to 3.3): every object's region, its mask in it, and who gets which pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.boxtracking.target import Target, TrackedBox, Tracker
from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.ops.pieces import keep_plausible_pieces, mean_over_mask
from shibori.ops.resize import resample_windows
from shibori.ops.window import mask_box, pixels_in_box, settled_box
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.systems.trackprop.region import Place, cut_mask, pictures, place_around
from shibori.systems.trackprop.rule import TrackpropRule
from shibori.systems.trackprop.shelf import Answer
from shibori.tracking.network import (
    Encoded,
    Memory,
    Prediction,
    as_seen_from,
    encoded_row,
    join_memories,
    with_surroundings,
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Anchor:
    """One object in a marked frame: what propagation starts from, and what later frames are matched with."""

    object_id: int
    index: int
    box: NDArray[np.float64]
    place: Place
    masks: Tensor
    """(1, 2, H, W) share of the object and of all others in the region."""
    memory: Memory | None
    """The region as the pixel tracker remembers it; None where it takes no part."""
    reference: Memory | None
    """The same and its surroundings as background."""


@dataclass
class Follower:
    """What is carried of one object from frame to frame."""

    object_id: int
    place: Place
    """Where it was last."""
    masks: Tensor
    """(1, 2, H, W) probabilities of the object and of all others there."""
    box: NDArray[np.float64]
    memory: Memory | None
    references: list[Memory]
    """Of the marked frames nearby."""
    target: Target | None
    """What follows its box; None: the box of the previous mask is taken."""
    remembered: list[Memory] = field(default_factory=list)
    since_remembered: int = 0
    missed: bool = False
    """Whether it was not found in the previous frame."""


class Propagating:
    """Single object mask propagation and its aggregation.

    Args:
        network: prepared for inference.
        rule: of the preset.
        tracker: gives the boxes; None: the previous mask does.
        device: of the network.
    """

    def __init__(
        self, network: RegionNetwork, rule: TrackpropRule, tracker: Tracker | None, device: torch.device
    ) -> None:
        self.network, self.device, self.tracker = network, device, tracker
        self.region, self.rule = rule.region, rule.propagation

    @property
    def matches(self) -> bool:
        """Whether the pixel tracker takes part."""
        return self.rule.matching and self.network.matcher is not None

    # ---- where it starts

    def anchor(self, image: NDArray[np.uint8], index: int, object_id: int, masks: Mapping[int, Mask]) -> Anchor | None:
        """An object in a frame whose masks are taken as true; None where it is not there."""
        box = mask_box(masks[object_id])
        if box is None:
            return None
        place = place_around(self.region, box, masks[object_id].shape)
        others = np.zeros_like(masks[object_id])
        for other_id, mask in masks.items():
            others |= mask & (other_id != object_id)
        parts = [cut_mask(part, place, self.device) for part in (masks[object_id], others)]
        memory = reference = None
        if self.matches:
            memory = self._remember(self._seen(image, [place]).encoded, *parts)
            reference = self._with_surroundings(image, masks[object_id], box, place, memory)
        return Anchor(object_id, index, box, place, torch.cat(parts, 1), memory, reference)

    def begin(self, anchor: Anchor, nearby: Sequence[Anchor], image: NDArray[np.uint8] | None) -> Follower:
        """Start from an anchor.

        Args:
            anchor: to start from.
            nearby: the anchors it is matched with.
            image: of the anchor's frame, which a tracker starts from; None where there is no tracker.
        """
        target = None
        if self.tracker is not None and image is not None:
            target = self.tracker.begin(self.tracker.see(image), anchor.box)
        references = [entry.reference for entry in nearby if entry.reference is not None]
        return Follower(anchor.object_id, anchor.place, anchor.masks, anchor.box, anchor.memory, references, target)

    def _with_surroundings(
        self, image: NDArray[np.uint8], mask: Mask, box: NDArray[np.float64], place: Place, memory: Memory
    ) -> Memory:
        """The reference of an anchor, which is remembered in its own place."""
        wide = place_around(self.region, box, mask.shape, self.rule.context)

        def look() -> Memory:
            given = cut_mask(mask, wide, self.device)
            return self._remember(self._seen(image, [wide]).encoded, given, torch.zeros_like(given))

        return with_surroundings(memory, place.window, wide.window, look)

    # ---- from frame to frame

    def step(
        self,
        image: NDArray[np.uint8],
        followers: Sequence[Follower],
        known: Sequence[WindowedLogits],
        given: Mapping[int, Mask],
    ) -> dict[int, Answer]:
        """Segment all followed objects in the next frame, and carry on from there.

        Args:
            image: (H, W, 3) uint8 RGB.
            followers: changed in place.
            known: the answers of objects that are not followed here.
            given: object_id -> (H, W) true masks of objects that are not followed here.

        Returns:
            object_id -> answer.
        """
        glances = [glance for group in self._grouped(image, followers) for glance in self._look(image, group)]
        shares = OverlapMap(image.shape[:2], [*(glance.answer.logits for glance in glances), *known], given)
        for glance in glances:
            self._advance(glance, shares)
        return {glance.follower.object_id: glance.answer for glance in glances}

    def _grouped(self, image: NDArray[np.uint8], followers: Sequence[Follower]) -> list[list[_Aim]]:
        """The objects' regions in this frame, those of one size together: one batch each."""
        frame = None if self.tracker is None else self.tracker.see(image)
        groups: dict[tuple[int, int], list[_Aim]] = {}
        for follower in followers:
            tracked = None if follower.target is None or frame is None else follower.target.follow(frame)
            box = follower.box if tracked is None else tracked.box_xyxy
            widen = self.rule.widen if follower.missed and (tracked is None or not tracked.is_found) else 1.0
            place = place_around(self.region, box, image.shape[:2], widen)
            groups.setdefault(place.size_hw, []).append(_Aim(follower, place, tracked))
        return list(groups.values())

    def _look(self, image: NDArray[np.uint8], group: list[_Aim]) -> list[_Glance]:
        seen = self._seen(image, [aim.place for aim in group])
        encoded = [None if seen.encoded is None else encoded_row(seen.encoded, slot) for slot in range(len(group))]
        carried = [self._carried(aim, view) for aim, view in zip(group, encoded, strict=True)]
        previous = torch.cat([mask for mask, _ in carried])
        predictions = [prediction for _, prediction in carried]
        matched = None
        if all(prediction is not None for prediction in predictions):
            matched = torch.cat([prediction.logits.float() for prediction in predictions if prediction is not None])
        answer = self.network.propagate(seen, previous, matched) if matched is None or self.rule.refined else matched
        logits = answer[:, 0].float().cpu().numpy()
        return [self._judged(*parts) for parts in zip(group, encoded, logits, previous, predictions, strict=True)]

    def _carried(self, aim: _Aim, encoded: Encoded | None) -> tuple[Tensor, Prediction | None]:
        """The previous mask as the region sees it, and what the pixel tracker says."""
        follower, place, matcher = aim.follower, aim.place, self.network.matcher
        windows = follower.place.tensor(self.device), place.tensor(self.device)
        if not self.matches or matcher is None or encoded is None or follower.memory is None:
            return resample_windows(follower.masks[:, :1], *windows, place.size_hw), None
        masks = follower.masks[:, :1], follower.masks[:, 1:]
        before, mask, others = as_seen_from(follower.memory, *masks, *windows, matcher.stride, place.size_hw)
        memory = join_memories(*follower.references, *follower.remembered)
        return mask, matcher(encoded, memory, before, mask, others)

    def _judged(
        self,
        aim: _Aim,
        encoded: Encoded | None,
        logits: NDArray[np.float32],
        previous: Tensor,
        prediction: Prediction | None,
    ) -> _Glance:
        """How sure the answer is; none where that is too little."""
        logits = logits + np.float32(self.rule.leaning)
        if prediction is None and aim.tracked is not None:
            logits = self._kept_in_box(logits, aim.place, aim.tracked)
        confidence = 1.0 if (logits > 0).any() else 0.0
        if prediction is not None and encoded is not None:
            likeness = self._likeness(encoded, aim.follower.references)
            logits = keep_plausible_pieces(logits, previous[0].float().cpu().numpy(), likeness)
            confidence = float(prediction.quality.float().sigmoid() * prediction.presence.float().sigmoid())
            span = self.rule.familiar - self.rule.strange
            confidence *= min(max(mean_over_mask(likeness, logits) - self.rule.strange, 0.0) / span, 1.0)
        elif aim.tracked is not None and not aim.tracked.is_found:
            confidence = 0.0
        if confidence < self.rule.seen:
            logits = np.full_like(logits, -LOGIT_LIMIT)
        answer = WindowedLogits(aim.follower.object_id, aim.place.window, logits)
        return _Glance(aim.follower, aim.place, encoded, Answer(answer, confidence))

    def _kept_in_box(self, logits: NDArray[np.float32], place: Place, tracked: TrackedBox) -> NDArray[np.float32]:
        """Without what lies beyond the tracker's box: nothing else stops a mask that floods the background."""
        if self.rule.margin is None:
            return logits
        height, width = logits.shape
        inside = pixels_in_box(tracked.box_xyxy, place.window, (height, width), self.rule.margin)
        return np.where(inside, logits, np.float32(-LOGIT_LIMIT))

    def _likeness(self, encoded: Encoded, references: list[Memory]) -> NDArray[np.float32]:
        """How much of what a place matches in the marked frames is the object, at every other grid position."""
        assert self.network.matcher is not None
        sparse = encoded._replace(key=encoded.key[:, :, ::2, ::2])
        likeness = self.network.matcher.compare(sparse, join_memories(*references)).foreground_share
        return np.asarray(likeness[0].float().cpu().numpy(), np.float32)

    def _advance(self, glance: _Glance, shares: OverlapMap) -> None:
        follower = glance.follower
        mask, others = (self._tensor(part) for part in shares.seen_from(glance.answer.logits))
        box = mask_box(mask[0, 0].cpu().numpy() > 0.5, glance.place.window)
        follower.missed = box is None
        if box is not None:
            follower.box = settled_box(box, follower.box, self.rule.min_shrink, self.rule.max_growth)
            if follower.target is not None and self.matches:  # else nothing vouches for the mask: it must not lead
                follower.target.settle(box)
        follower.place, follower.masks = glance.place, torch.cat([mask, others], 1)
        if not self.matches:
            return
        follower.memory = self._remember(glance.encoded, mask, others)
        follower.since_remembered += 1
        if follower.since_remembered >= self.rule.remember_every and glance.answer.confidence >= self.rule.confident:
            follower.since_remembered, follower.remembered = 0, [follower.memory]

    def _seen(self, image: NDArray[np.uint8], places: list[Place]) -> Seen:
        return self.network.see(pictures(image, places, self.device))

    def _remember(self, encoded: Encoded | None, mask: Tensor, others: Tensor) -> Memory:
        assert self.network.matcher is not None
        assert encoded is not None
        return self.network.matcher.remember(encoded, mask, others)

    def _tensor(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values))[None, None].to(self.device)


@dataclass(frozen=True)
class _Aim:
    """Where an object is looked for in a frame."""

    follower: Follower
    place: Place
    tracked: TrackedBox | None


@dataclass(frozen=True)
class _Glance:
    """One object's answer in one frame, before overlaps are settled."""

    follower: Follower
    place: Place
    encoded: Encoded | None
    answer: Answer
