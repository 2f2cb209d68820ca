"""From one frame to the next (Sec. 3.1 to 3.3): every object's region, its mask in it, and who gets which pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.boxtracking.target import Target, TrackedBox, Tracker
from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.ops.resize import resample_windows
from shibori.ops.window import mask_box, pixels_in_box
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.systems.trackprop.region import crop_in_frame
from shibori.systems.trackprop.rule import PropagationRule
from shibori.tracking.logit_store import Answer
from shibori.tracking.network import Encoded
from shibori.tracking.window_tracker import (
    Aim,
    Crop,
    Mask,
    Match,
    ObjectPrediction,
    TrackState,
    WindowTracker,
    images_of_crops,
    mask_in_crop,
    same_size,
)


@dataclass(frozen=True)
class Followed:
    """One object on its way from frame to frame."""

    state: TrackState
    target: Target | None
    """What follows its box; None: the box of the previous mask is taken."""


class Propagating:
    """Single object mask propagation and its aggregation.

    Args:
        network: prepared for inference.
        rule: of the preset.
        box_tracker: gives the boxes; None: the previous mask does.
        device: of the network.
    """

    def __init__(
        self, network: RegionNetwork, rule: PropagationRule, box_tracker: Tracker | None, device: torch.device
    ) -> None:
        self.network, self.rule, self.device, self.box_tracker = network, rule, device, box_tracker
        takes_part = rule.matching and network.matcher is not None
        self.tracker = WindowTracker(network.matcher, rule.config, device) if takes_part and network.matcher else None
        """The pixel tracker, where it takes part."""

    # ---- where it starts

    def anchor(self, image: NDArray[np.uint8], object_id: int, masks: Mapping[int, Mask]) -> TrackState | None:
        """An object in a frame whose masks are taken as true; None where it is not there.

        It is what propagation starts from, and what later frames are matched with.
        """
        mask, others = masks[object_id], np.zeros_like(masks[object_id])
        for other_id, other in masks.items():
            others |= other & (other_id != object_id)
        if self.tracker is not None:
            return self.tracker.begin(image, object_id, mask, lambda crop: crop.cut(others.astype(np.float32)))
        box = mask_box(mask)
        if box is None:
            return None
        crop = crop_in_frame(self.rule.config.window, box, image.shape[:2])
        parts = [mask_in_crop(part, crop, self.device) for part in (mask, others)]
        return TrackState(object_id, crop, torch.cat(parts, 1), None, box)

    def begin(self, anchor: TrackState, nearby: Sequence[TrackState], image: NDArray[np.uint8] | None) -> Followed:
        """Start from an anchor.

        Args:
            anchor: to start from.
            nearby: the anchors it is matched with.
            image: of the anchor's frame, which a tracker of boxes starts from; None where there is none.
        """
        target = None
        if self.box_tracker is not None and image is not None:
            target = self.box_tracker.begin(self.box_tracker.see(image), anchor.box)
        references = [memory for entry in nearby for memory in entry.references]
        return Followed(replace(anchor, references=references), target)

    # ---- from frame to frame

    def step(
        self,
        image: NDArray[np.uint8],
        followed: Sequence[Followed],
        known: Sequence[WindowedLogits],
        given: Mapping[int, Mask],
    ) -> dict[int, Answer]:
        """Segment all followed objects in the next frame, and carry on from there.

        Args:
            image: (H, W, 3) uint8 RGB.
            followed: changed in place.
            known: the answers of objects that are not followed here.
            given: object_id -> (H, W) true masks of objects that are not followed here.

        Returns:
            object_id -> answer.
        """
        frame = None if self.box_tracker is None else self.box_tracker.see(image)
        boxes = [None if each.target is None or frame is None else each.target.follow(frame) for each in followed]
        frame_hw = (image.shape[0], image.shape[1])
        aims = [self._aim(each.state, box, frame_hw) for each, box in zip(followed, boxes, strict=True)]
        if self.tracker is None:
            found = self._unmatched(image, aims, boxes)
        else:
            found = self.tracker.step(image, aims, self._refined if self.rule.refined else None)
        least = self.rule.config.lost_threshold
        found = [each if each.confidence >= least else each.refused() for each in found]
        shares = OverlapMap(frame_hw, [*(each.answer for each in found), *known], given)
        for each, prediction in zip(followed, found, strict=True):
            self._advance(each, prediction, shares)
        return {each.object_id: Answer(each.answer, each.confidence) for each in found}

    def _aim(self, state: TrackState, tracked: TrackedBox | None, frame_hw: tuple[int, int]) -> Aim:
        config = self.rule.config
        box = state.box if tracked is None else tracked.box_xyxy
        widen = config.search_widening if state.is_lost and (tracked is None or not tracked.is_found) else 1.0
        return Aim(state, crop_in_frame(config.window, box, frame_hw, widen))

    def _refined(self, images: Tensor, encoded: Encoded, match: Match) -> Tensor:
        return self.network.propagate(Seen(images, encoded), match.prior, match.logits)

    def _unmatched(
        self, image: NDArray[np.uint8], aims: Sequence[Aim], boxes: Sequence[TrackedBox | None]
    ) -> list[ObjectPrediction]:
        """What the mask network says alone, as in the paper; sure of whatever shows where no tracker has lost it."""
        found: dict[int, ObjectPrediction] = {}
        for slots in same_size([aim.crop for aim in aims]):
            group = [aims[slot] for slot in slots]
            seen = self.network.see(images_of_crops(image, [aim.crop for aim in group], self.device))
            answer = self.network.propagate(seen, torch.cat([self._previous(aim) for aim in group]), None)
            for (state, crop), slot, row in zip(group, slots, answer[:, 0].float().cpu().numpy(), strict=True):
                box = boxes[slot]
                logits = row + np.float32(self.rule.config.logit_bias)
                logits = logits if box is None else self._kept_in_box(logits, crop, box)
                is_there = bool((logits > 0).any()) and (box is None or box.is_found)
                found[slot] = ObjectPrediction(state.object_id, crop, None, logits, float(is_there))
        return [found[slot] for slot in range(len(aims))]

    def _previous(self, aim: Aim) -> Tensor:
        """(1, 1, H, W) the previous mask as the region sees it."""
        windows = aim.state.crop.tensor(self.device), aim.crop.tensor(self.device)
        return resample_windows(aim.state.masks[:, :1], *windows, aim.crop.size_hw)

    def _kept_in_box(self, logits: NDArray[np.float32], crop: Crop, tracked: TrackedBox) -> NDArray[np.float32]:
        """Without what lies beyond the tracker's box: nothing else stops a mask that floods the background."""
        if self.rule.margin is None:
            return logits
        inside = pixels_in_box(tracked.box_xyxy, crop.window, crop.size_hw, self.rule.margin)
        return np.where(inside, logits, np.float32(-LOGIT_LIMIT))

    def _advance(self, followed: Followed, prediction: ObjectPrediction, shares: OverlapMap) -> None:
        state, parts = followed.state, shares.seen_from(prediction.answer)
        if self.tracker is None:  # nothing vouches for the mask: it must not lead the tracker of boxes
            box = state.settle(prediction, *parts, self.device)
        else:
            box = self.tracker.settle(state, prediction, *parts)
            if box is not None and followed.target is not None:
                followed.target.settle(box)
        if box is None:
            state.lose()
        else:
            state.follow(box, self.rule.config)
        state.remember(self.rule.config)
