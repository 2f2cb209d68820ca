"""One step of the tracker: what is known of objects in earlier frames -> a mask of each in this frame.

Every object is seen in a crop of its own. There is no loop over frames here, and nobody decides who gets a pixel that
two objects want: that is up to ``propagator.py`` and the systems, which all call this step.

Axes: B crops of one size, one object each, H W their pixels, h w their grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.normalise import normalise_images
from shibori.ops.overlap import WindowedLogits
from shibori.ops.pieces import keep_plausible_pieces, mean_over_mask
from shibori.ops.window import WindowRule, box_window, cut_window, mask_box, settled_box, window_size
from shibori.tracking.config import TrackerConfig
from shibori.tracking.network import (
    Encoded,
    Memory,
    PixelNetwork,
    as_seen_from,
    encoded_row,
    join_memories,
    join_readings,
    most_different,
    with_surroundings,
)

Box = NDArray[np.float64]
"""(4,) xyxy in pixels of the frame, half-open."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a frame, resized."""

    window: Box
    """Whole pixels, inside the frame."""
    size_hw: tuple[int, int]
    """Pixels it is resized to."""

    def tensor(self, device: torch.device) -> Tensor:
        """(1, 4) float32, the window."""
        return torch.from_numpy(self.window.astype(np.float32))[None].to(device)

    def cut(self, plane: NDArray[Any]) -> NDArray[Any]:
        """(H, W, ...) of the frame -> (*size_hw, ...)."""
        return cut_window(plane, self.window, self.size_hw)


def crop_around(rule: WindowRule, box: Box, frame_hw: tuple[int, int], widen: float = 1.0) -> Crop:
    """The crop around a box, moved and cut to fit the frame; ``widen`` is a factor on its sides."""
    window = box_window(rule, box, frame_hw, widen)
    return Crop(window, window_size(rule, window))


def same_size(crops: Sequence[Crop]) -> list[list[int]]:
    """The indices of crops that can be one batch."""
    groups: dict[tuple[int, int], list[int]] = {}
    for slot, crop in enumerate(crops):
        groups.setdefault(crop.size_hw, []).append(slot)
    return list(groups.values())


def images_of_crops(image: NDArray[np.uint8], crops: Sequence[Crop], device: torch.device) -> Tensor:
    """(H, W, 3) uint8 RGB -> (B, 3, H, W) normalised pictures of crops of one size."""
    cut = np.stack([crop.cut(image) for crop in crops])
    pixels = torch.from_numpy(cut).to(device).permute(0, 3, 1, 2)
    return normalise_images(pixels).contiguous(memory_format=torch.channels_last)


def mask_in_crop(mask: Mask, crop: Crop, device: torch.device) -> Tensor:
    """(1, 1, H, W) share of each pixel of a crop that a mask of the frame covers."""
    return plane(crop.cut(mask.astype(np.float32)), device)


def plane(values: NDArray[np.float32], device: torch.device) -> Tensor:
    """(H, W) -> (1, 1, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(values))[None, None].to(device)


@dataclass
class TrackState:
    """What is carried of one object from frame to frame."""

    object_id: int
    crop: Crop
    """Where it was looked at last."""
    masks: Tensor
    """(1, 2, H, W) probabilities there of the object and of all others together."""
    memory: Callable[[], Memory] | None
    """Gives the last frame as the network remembers it, which few frames are; None where no network of ours takes part
    (``paper`` presets)."""
    box: Box
    """Where it was last seen."""
    key: Tensor | None = None
    """(1, D, h, w) of the last frame in its crop (``Encoded``); None where ``memory`` is."""
    references: list[Memory] = field(default_factory=list)
    """Given masks."""
    remembered: list[Memory] = field(default_factory=list)
    """Confident frames since the last of these."""
    since_remembered: int = 0
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """(x, y) pixels a frame."""
    confidence: float = 1.0
    lost_for: int = 0
    """How often it was looked for in vain since it was seen; 0 while it is."""
    vouched: float = 1.0
    """Since it was found again, the highest confidence without the previous mask: a false find soon vouches for itself
    with it. 1 where it was never lost, or is trusted."""
    is_absent: bool = False
    """Whether the user said that it is not there, and it has not been found since."""

    @property
    def is_lost(self) -> bool:
        """Whether it has to be searched for."""
        return self.lost_for > 0

    @property
    def is_doubted(self) -> bool:
        """Whether it was found again, but not surely."""
        return not self.is_lost and self.vouched < 1

    def unmasked(self) -> TrackState:
        """The same without its previous mask: as if it was lost."""
        return replace(self, masks=torch.zeros_like(self.masks))

    def vouch(self, confidence: float, config: TrackerConfig) -> None:
        """It is found with this confidence without the previous mask."""
        self.vouched = 1.0 if confidence >= config.trust_threshold else confidence

    def expected_box(self, config: TrackerConfig) -> Box:
        """Where it should be in the next frame."""
        return self.box + np.tile(self.velocity * config.momentum, 2)

    def settle(
        self,
        prediction: ObjectPrediction,
        mask: NDArray[np.float32],
        others: NDArray[np.float32],
        device: torch.device,
    ) -> Box | None:
        """Go on from a prediction, without a memory of it; see ``WindowTracker.settle``."""
        self.crop, self.confidence = prediction.crop, prediction.confidence
        self.masks = torch.cat([plane(mask, device), plane(others, device)], 1)
        return mask_box(mask > 0.5, prediction.crop.window)

    def follow(self, box: Box, config: TrackerConfig) -> None:
        """It is seen in ``box``."""
        if not self.is_lost:
            self.velocity = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        self.box = settled_box(box, self.box, config.min_shrink, config.max_growth)
        self.lost_for, self.is_absent = 0, False

    def lose(self) -> None:
        """It is not seen."""
        self.lost_for, self.velocity = self.lost_for + 1, np.zeros(2)

    def remember(self, config: TrackerConfig) -> None:
        """One more frame: it is remembered if that is due, and the object is seen confidently enough."""
        self.since_remembered += 1
        is_due = self.since_remembered >= config.remember_every
        if (
            self.memory is not None
            and config.max_remembered
            and not self.is_doubted
            and is_due
            and self.confidence >= config.remember_threshold
        ):
            self.since_remembered = 0
            self.remembered = most_different([*self.remembered, self.memory()], config.max_remembered)

    def recalled(self) -> Memory:
        """All that is matched globally: references and remembered frames."""
        return join_memories(*self.references, *self.remembered)


class Aim(NamedTuple):
    """An object, and where it is looked at in this frame."""

    state: TrackState
    crop: Crop


class Evidence(NamedTuple):
    """What an object's references say of a crop, at some of its grid positions."""

    foreground_share: NDArray[np.float32]
    """(h, w), see ``Comparison``."""
    similarity_margin: NDArray[np.float32]
    """(h, w), see ``Comparison``."""


class Match(NamedTuple):
    """What the network says of B objects."""

    prior: Tensor
    """(B, 1, H, W) the previous masks as the crops see them."""
    logits: Tensor
    """(B, 1, H, W) float32 log-odds."""
    confidences: tuple[float, ...]
    """Expected IoU times the probability that the object is there at all."""


@dataclass(frozen=True, eq=False)
class ObjectPrediction:
    """One object in one frame, before overlaps are settled."""

    object_id: int
    crop: Crop
    encoded: Encoded | None
    """Of the crop (B = 1); None where no network of ours takes part."""
    logits: NDArray[np.float32]
    """(H, W) log-odds in the crop."""
    confidence: float
    """In [0, 1]."""
    similarity_margin: float = float("nan")
    """Mean over the mask (``Comparison``); nan where nothing was compared."""

    @property
    def answer(self) -> WindowedLogits:
        """What is settled with the other objects."""
        return WindowedLogits(self.object_id, self.crop.window, self.logits)

    @property
    def box(self) -> Box | None:
        """Around the mask; None where it is empty."""
        return mask_box(self.logits > 0, self.crop.window)

    def refused(self) -> ObjectPrediction:
        """The same without a mask."""
        return replace(self, logits=np.full_like(self.logits, -LOGIT_LIMIT))


Refinement = Callable[[Tensor, Encoded, Match], Tensor]
"""What a system makes of a match: pictures (B, 3, H, W), their features, the match -> (B, 1, H, W) log-odds."""


class WindowTracker:
    """A network and the numbers it is used with; it keeps nothing of any object.

    Args:
        network: prepared for inference.
        config: windows, memory and thresholds.
        device: of the network.
    """

    def __init__(self, network: PixelNetwork, config: TrackerConfig, device: torch.device) -> None:
        self.network, self.config, self.device = network, config, device

    # ---- where an object starts

    def begin(
        self,
        image: NDArray[np.uint8],
        object_id: int,
        mask: Mask,
        others: Callable[[Crop], NDArray[np.float32]] | None = None,
    ) -> TrackState | None:
        """Start from a mask that is taken for true; None where it is empty.

        Args:
            image: (H, W, 3) uint8 RGB.
            object_id: whose it is.
            mask: (H, W).
            others: gives the probability of all other objects in a crop; None where there are none.
        """
        box = mask_box(mask)
        if box is None:
            return None
        crop = self.crop(box, (mask.shape[0], mask.shape[1]))
        given = mask_in_crop(mask, crop, self.device)
        rest = torch.zeros_like(given) if others is None else plane(others(crop), self.device)
        encoded = self.encode(image, [crop])
        memory = partial(self.network.remember, encoded, given, rest)
        state = TrackState(object_id, crop, torch.cat([given, rest], 1), memory, box, encoded.key)
        state.references = [self.reference(state, mask, lambda wide: self.encode(image, [wide]))]
        return state

    def reference(self, state: TrackState, mask: Mask, encode: Callable[[Crop], Encoded]) -> Memory:
        """What is always remembered of a given mask: its crop, and its surroundings as background.

        Args:
            state: that began from the mask.
            mask: (H, W).
            encode: gives the features of a crop of the mask's frame.
        """
        assert state.memory is not None
        wide = self.crop(state.box, (mask.shape[0], mask.shape[1]), self.config.context)

        def remembered() -> Memory:
            given = mask_in_crop(mask, wide, self.device)
            return self.network.remember(encode(wide), given, torch.zeros_like(given))

        return with_surroundings(state.memory(), state.crop.window, wide.window, remembered)

    # ---- one step

    def step(
        self, image: NDArray[np.uint8], aims: Sequence[Aim], refine: Refinement | None = None
    ) -> list[ObjectPrediction]:
        """Segment objects in the crops where they are looked at; those of one size are encoded as one batch.

        Args:
            image: (H, W, 3) uint8 RGB.
            aims: the objects, whose states are not changed.
            refine: what a system makes of the network's log-odds.
        """
        found: dict[int, ObjectPrediction] = {}
        for slots in same_size([aim.crop for aim in aims]):
            group = [aims[slot] for slot in slots]
            images = images_of_crops(image, [aim.crop for aim in group], self.device)
            encoded = self.network.encode(images)
            match = self.match(group, encoded)
            logits = match.logits if refine is None else refine(images, encoded, match)
            found |= zip(slots, self._predicted(group, encoded, match._replace(logits=logits)), strict=True)
        return [found[slot] for slot in range(len(aims))]

    def crop(self, box: Box, frame_hw: tuple[int, int], widen: float = 1.0) -> Crop:
        """Where an object with this box is looked at."""
        return crop_around(self.config.window, box, frame_hw, widen)

    def encode(self, image: NDArray[np.uint8], crops: Sequence[Crop]) -> Encoded:
        """Features of B crops of one size."""
        return self.network.encode(images_of_crops(image, crops, self.device))

    def match(self, group: Sequence[Aim], encoded: Encoded) -> Match:
        """What the network says of B objects in crops of one size."""
        reading = join_readings(
            [self.network.read(encoded_row(encoded, row), aim.state.recalled()) for row, aim in enumerate(group)]
        )
        before, mask, others = (torch.cat(parts) for parts in zip(*map(self._previous, group), strict=True))
        prediction = self.network.segment(encoded, reading, before, mask, others)
        confidences = confidences_of(prediction.quality, prediction.presence)
        return Match(mask, prediction.logits.float(), tuple(confidences.tolist()))

    def _previous(self, aim: Aim) -> tuple[Tensor, Tensor, Tensor]:
        """The previous frame as the crop sees it: key, mask of the object, mask of all others."""
        state, crop = aim
        assert state.key is not None
        windows = state.crop.tensor(self.device), crop.tensor(self.device)
        return as_seen_from(state.key, state.masks[:, :1], state.masks[:, 1:], *windows, crop.size_hw)

    def evidence(self, encoded: Encoded, references: Sequence[Memory], every: int = 2) -> Evidence:
        """A crop compared with an object's references, at ``every`` position of its grid."""
        sparse = encoded._replace(key=encoded.key[:, :, ::every, ::every])
        comparison = self.network.compare(sparse, join_memories(*references))
        return Evidence(*(part[0].float().cpu().numpy() for part in comparison))

    def _predicted(self, group: Sequence[Aim], encoded: Encoded, match: Match) -> Iterator[ObjectPrediction]:
        logits, prior = (part[:, 0].float().cpu().numpy() for part in (match.logits, match.prior))
        for row, (state, crop) in enumerate(group):
            view = encoded_row(encoded, row)
            raw = ObjectPrediction(state.object_id, crop, view, logits[row], match.confidences[row])
            yield examined(raw, prior[row], self.evidence(view, state.references), self.config)

    # ---- what is carried on

    def settle(
        self, state: TrackState, prediction: ObjectPrediction, mask: NDArray[np.float32], others: NDArray[np.float32]
    ) -> Box | None:
        """Carry on from a prediction, overlaps settled.

        Args:
            state: of the object, which is changed.
            prediction: of it in this frame.
            mask: (H, W) its probability in the crop.
            others: (H, W) the same of all other objects together.

        Returns:
            The box of what is left of its mask; None where nothing is.
        """
        box = state.settle(prediction, mask, others, self.device)
        if prediction.encoded is not None:
            state.key = prediction.encoded.key
            state.memory = partial(self.network.remember, prediction.encoded, state.masks[:, :1], state.masks[:, 1:])
        return box


def confidences_of(quality: Tensor, presence: Tensor) -> Tensor:
    """(B,) expected IoU times the probability that the object is there at all, from their logits (B,)."""
    return quality.float().sigmoid() * presence.float().sigmoid()


def examined(
    raw: ObjectPrediction, prior: NDArray[np.float32], evidence: Evidence, config: TrackerConfig
) -> ObjectPrediction:
    """A network's answer as it counts: no pieces that cannot be the object, no surer than the references let it be.

    Args:
        raw: the answer, as the network gave it.
        prior: (H, W) probability of the object in the previous frame, as the crop sees it.
        evidence: what the references say of the crop.
        config: thresholds.
    """
    share, margin = evidence
    logits = keep_plausible_pieces(raw.logits + np.float32(config.logit_bias), prior, share)
    span = config.similarity_high - config.similarity_low
    similar = min(max(mean_over_mask(share, logits) - config.similarity_low, 0.0) / span, 1.0)
    return replace(
        raw, logits=logits, confidence=raw.confidence * similar, similarity_margin=mean_over_mask(margin, logits)
    )
