"""Recurrent mask propagation at work (Sec. 2.2): one object from one frame to the next, in either direction of time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.nn.backbones import PyramidFeatures
from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.ops.warp import warp_between_windows
from shibori.ops.window import box_window, mask_box, settled_box, window_size
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.model import DyeNet
from shibori.systems.dyenet.network import REGION_STRIDE, Carried, Region, Switches, switches_of
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.systems.dyenet.variant import Variant
from shibori.tracking.network import Encoded, Memory
from shibori.tracking.window_tracker import (
    Aim,
    Box,
    Crop,
    Mask,
    Match,
    ObjectPrediction,
    TrackState,
    WindowTracker,
    confidences_of,
    crop_around,
    examined,
    mask_in_crop,
    plane,
)

GUESS_SIDE = 64
"""The mask is warped onto a coarse grid first, to see where it goes."""
GUESS_WIDENING = 1.4


@dataclass
class RecurrentState:
    """What is carried of one object from frame to frame."""

    track: TrackState
    """Its masks are y_(j-1)."""
    hidden: Tensor
    """(1, d, h, w): h_(j-1)."""
    partners: list[RecurrentState] = field(default_factory=list)
    """What the other members of an ensemble carry."""


@dataclass(frozen=True, eq=False)
class RecurrentPrediction:
    """One object in one frame, before overlaps are settled."""

    estimate: ObjectPrediction
    """y_j."""
    hidden: Tensor
    """(1, d, h, w): h_j."""
    partners: tuple[RecurrentPrediction, ...] = ()
    """Of the other members of an ensemble."""

    @property
    def answer(self) -> WindowedLogits:
        """What is settled with the other objects."""
        return self.estimate.answer

    @property
    def confidence(self) -> float:
        """In [0, 1]."""
        return self.estimate.confidence

    @property
    def similarity_margin(self) -> float:
        """Mean over the mask (``Comparison``); nan where the pixel tracker takes no part."""
        return self.estimate.similarity_margin


def standing_mask(recurrent: ObjectPrediction, own: ObjectPrediction, rule: DyeNetRule) -> ObjectPrediction:
    """The pixel tracker's own mask where it is sure of it and that is clearly more similar to the templates.

    The recurrence refines what the tracker matched, and may carry a mistake on for good: then its mask takes in what
    is not similar. The tracker also looks back at the given masks.
    """
    is_similar = own.similarity_margin >= recurrent.similarity_margin + rule.own_mask_lead
    return own if own.confidence >= rule.own_mask_threshold and is_similar else recurrent


class RecurrentTracker:
    """Re-MP with one network, one variant and one set of numbers.

    Args:
        network: prepared for inference.
        variant: which parts take part.
        rule: thresholds.
        device: of the network.
    """

    def __init__(self, network: DyeNet, variant: Variant, rule: DyeNetRule, device: torch.device) -> None:
        self.network, self.variant, self.rule, self.device = network, variant, rule, device
        self.switches: Switches = switches_of([variant], device)
        self.config = rule.tracker
        if not variant.patches:  # m x m, whatever the box's shape
            side = network.size.region_side * REGION_STRIDE
            self.config = replace(self.config, window=replace(self.config.window, fixed_side=side))
        self.matcher: WindowTracker | None = None
        """The pixel tracker, where it takes part."""
        if variant.matching and variant.patches and network.matcher is not None:
            self.matcher = WindowTracker(network.matcher, self.config, device)

    @property
    def matches(self) -> bool:
        """Whether the pixel tracker takes part."""
        return self.matcher is not None

    # ---- where an object starts

    def begin(
        self, view: FrameView, object_id: int, mask: Mask, shares: OverlapMap | None = None
    ) -> RecurrentState | None:
        """Start from a mask that is taken as true; None if it is empty."""
        box = mask_box(mask)
        if box is None:
            return None
        crop = self.crop(box, view)
        given = mask_in_crop(mask, crop, self.device)
        others = torch.zeros_like(given)
        if shares is not None and not shares.alone:
            others = plane(shares.others_of_given(object_id, crop.window, crop.size_hw), self.device)
        return self._begun(view, TrackState(object_id, crop, torch.cat([given, others], 1), None, box))

    def begin_softly(self, view: FrameView, object_id: int, probs: NDArray[np.float32], crop: Crop) -> RecurrentState:
        """Start from a soft mask in a crop, as re-identification finds it."""
        given = plane(probs, self.device)
        box = mask_box(probs > 0.5, crop.window)
        masks = torch.cat([given, torch.zeros_like(given)], 1)
        return self._begun(view, TrackState(object_id, crop, masks, None, crop.window if box is None else box))

    def resume(self, view: FrameView, answer: WindowedLogits) -> RecurrentState:
        """Start from an earlier answer of the same frame."""
        probs = 1 / (1 + np.exp(-answer.logits))
        crop = Crop(answer.window, (answer.logits.shape[0], answer.logits.shape[1]))
        return self.begin_softly(view, answer.object_id, probs.astype(np.float32), crop)

    def _begun(self, view: FrameView, track: TrackState) -> RecurrentState:
        features, encoded = self._features(view, track.crop)
        mask, others = track.masks[:, :1], track.masks[:, 1:]
        if self.matcher is not None and encoded is not None:
            track.key = encoded.key
            track.memory = partial(self.matcher.network.remember, encoded, mask, others)
        return RecurrentState(track, self.network.propagation.begin(features, mask, others))

    def reference(self, view: FrameView, mask: Mask, state: RecurrentState) -> Memory | None:
        """What the pixel tracker always remembers of a given mask: its crop, and its surroundings as background."""
        if self.matcher is None:
            return None

        def encoded(wide: Crop) -> Encoded:
            found = view.patch(wide.window, wide.size_hw).encoded
            assert found is not None
            return found

        return self.matcher.reference(state.track, mask, encoded)

    # ---- from frame to frame

    def predict(
        self, view: FrameView, state: RecurrentState, references: list[Memory], crop: Crop | None = None
    ) -> RecurrentPrediction:
        """y_j of one object with what is carried there: where the flow leads, or in a crop that is known."""
        if crop is None:
            box = settled_box(self._guess(view, state), state.track.box, self.config.min_shrink, self.config.max_growth)
            crop = self.crop(box, view)
        state.track.references = references
        features, encoded = self._features(view, crop)
        carried = self._carried(view, state, crop)
        match = self._matched(Aim(state.track, crop), encoded)
        evidence = torch.zeros_like(carried.mask) if match is None else match.logits
        step = self.network.propagation(Region(features, self._flow(view, crop), evidence), carried, self.switches)
        confidence = float(confidences_of(step.quality, step.presence))
        raw = ObjectPrediction(state.track.object_id, crop, encoded, _array(step.logits), confidence)
        if match is None:
            estimate = replace(raw, logits=raw.logits + np.float32(self.config.logit_bias))
        else:
            estimate = self._compared(raw, match, references, _array(carried.mask))
        return RecurrentPrediction(estimate, step.hidden)

    def _matched(self, aim: Aim, encoded: Encoded | None) -> Match | None:
        """The pixel tracker's answer in a crop (IPDT, Sec. 3.3); None where it takes no part."""
        if self.matcher is None or encoded is None or not aim.state.references:
            return None
        return self.matcher.match([aim], encoded)

    def _compared(
        self, raw: ObjectPrediction, match: Match, references: list[Memory], prior: NDArray[np.float32]
    ) -> ObjectPrediction:
        """The recurrence's mask or the pixel tracker's own, each as it counts beside the templates."""
        assert self.matcher is not None
        assert raw.encoded is not None
        evidence = self.matcher.evidence(raw.encoded, references)
        own = replace(raw, logits=_array(match.logits), confidence=match.confidences[0])
        recurrent, own = (examined(each, prior, evidence, self.config) for each in (raw, own))
        return standing_mask(recurrent, own, self.rule)

    def is_lost(self, prediction: RecurrentPrediction) -> bool:
        """Whether a mask is too doubtful to carry on with."""
        return not prediction.confidence >= self.rule.tracker.lost_threshold

    def advance(self, state: RecurrentState, prediction: RecurrentPrediction, shares: OverlapMap) -> None:
        """Carry on from what was seen, overlaps settled."""
        track, parts = state.track, shares.seen_from(prediction.answer)
        if self.matcher is None:
            box = track.settle(prediction.estimate, *parts, self.device)
        else:
            box = self.matcher.settle(track, prediction.estimate, *parts)
        if box is not None:
            track.follow(box, self.config)
        track.remember(self.config)
        state.hidden = prediction.hidden

    # ---- parts of a prediction

    def crop(self, box: Box, view: FrameView) -> Crop:
        """The region around a box."""
        return crop_around(self.config.window, box, view.size_hw)

    def crop_over(self, window: Box) -> Crop:
        """The region that a window is to this variant."""
        return Crop(window, window_size(self.config.window, window))

    def _features(self, view: FrameView, crop: Crop) -> tuple[PyramidFeatures, Encoded | None]:
        if self.variant.patches:
            seen = view.patch(crop.window, crop.size_hw)
            return seen.features, seen.encoded
        return view.roi(crop.window, self.rule.roi_side), None

    def _guess(self, view: FrameView, state: RecurrentState) -> Box:
        """The box of the warped mask: "we obtain the bounding box of y_(j-1)->j as the location" (Sec. 2.2)."""
        track = state.track
        crop = Crop(box_window(self.config.window, track.box, view.size_hw, GUESS_WIDENING), (GUESS_SIDE, GUESS_SIDE))
        warped = self._warp(view, track.masks[:, :1], track.crop, crop, crop.size_hw)
        box = mask_box(_array(warped) > 0.5, crop.window)
        return track.box if box is None else box

    def _carried(self, view: FrameView, state: RecurrentState, crop: Crop) -> Carried:
        hidden = self._warp(view, state.hidden, state.track.crop, crop, _grid_hw(crop))
        masks = self._warp(view, state.track.masks, state.track.crop, crop, crop.size_hw)
        return Carried(hidden, masks[:, :1], masks[:, 1:])

    def _warp(self, view: FrameView, values: Tensor, before: Crop, now: Crop, size_hw: tuple[int, int]) -> Tensor:
        windows = before.tensor(self.device), now.tensor(self.device)
        return warp_between_windows(values, view.flow_backward, *windows, size_hw, view.size_hw)

    def _flow(self, view: FrameView, crop: Crop) -> Tensor:
        """(1, 2, h, w) in shares of the region's longer side."""
        if not self.variant.flow_stream:
            return torch.zeros(1, 2, *_grid_hw(crop), device=self.device)
        still = torch.zeros_like(view.flow_backward)
        frame = Crop(np.array([0.0, 0.0, view.size_hw[1], view.size_hw[0]]), view.size_hw)
        windows = frame.tensor(self.device), crop.tensor(self.device)
        flow = warp_between_windows(view.flow_backward, still, *windows, _grid_hw(crop), view.size_hw)
        return flow / float((crop.window[2:] - crop.window[:2]).max())

    def similarity(self, cosine: Tensor, margin: Tensor, closely: bool = False) -> Tensor:
        """(K,) how sure it is that K masks are an object, on the scale of cosine similarity.

        Args:
            cosine: (K,) of identities with templates (Sec. 2.1).
            margin: (K,) means over the masks (``Comparison``); nan where the pixel tracker takes no part.
            closely: whether the masks were made in patches, not proposed in the whole frame.
        """
        level = self.rule.margin_level_close if closely else self.rule.margin_level
        scaled = (self.rule.seed_similarity + self.rule.margin_slope * (margin - level)).clamp(-1, 1)
        joined = self.rule.margin_share * scaled + (1 - self.rule.margin_share) * cosine
        return torch.where(margin.isnan(), cosine, joined)


def _grid_hw(crop: Crop) -> tuple[int, int]:
    """Positions of a region's features."""
    return crop.size_hw[0] // REGION_STRIDE, crop.size_hw[1] // REGION_STRIDE


def _array(planes: Tensor) -> NDArray[np.float32]:
    """(1, 1, H, W) -> (H, W)."""
    return np.asarray(planes[0, 0].float().cpu().numpy(), np.float32)
