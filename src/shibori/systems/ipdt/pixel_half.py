"""The pixel-level half of the dual tracker (Sec. 3.3): the pixel tracker's network, its reference a candidate's mask.

Windows and boxes are xyxy float64 in pixels of the frame, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.normalise import normalise_images
from shibori.ops.pieces import keep_plausible_pieces, mean_over_mask
from shibori.ops.window import box_window, cut_window, mask_box, window_size
from shibori.systems.ipdt.rule import PixelRule
from shibori.tracking.network import (
    Encoded,
    Memory,
    PixelNetwork,
    as_seen_from,
    join_memories,
    with_surroundings,
)

Box = NDArray[np.float64]


@dataclass
class PixelState:
    """What is known of one object."""

    reference: Memory
    last: Memory
    """The last frame, in the grid of ``window``."""
    mask: Tensor
    """(1, 1, h, w) probability in that window."""
    window: Box
    remembered: list[Memory] = field(default_factory=list)
    since_remembered: int = 0


@dataclass(frozen=True)
class PixelSight:
    """An answer in one frame."""

    window: Box
    encoded: Encoded
    logits: NDArray[np.float32]
    """(h, w) log-odds in the window."""
    confidence: float
    """In [0, 1]."""

    @property
    def box(self) -> Box | None:
        """(4,) around the mask; None where it is empty."""
        return mask_box(self.logits > 0, self.window)


class PixelHalf:
    """The network and its numbers; one for all objects.

    Args:
        network: prepared for inference.
        rule: windows, memory and thresholds.
        device: of the network.
    """

    def __init__(self, network: PixelNetwork, rule: PixelRule, device: torch.device) -> None:
        self.network, self.rule, self.device = network, rule, device

    def begin(self, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> PixelState:
        """Take a candidate's (H, W) mask, which shows something, as the reference."""
        box = mask_box(mask)
        assert box is not None, "a candidate has a mask"
        frame_hw = (image.shape[0], image.shape[1])
        window = box_window(self.rule.window, box, frame_hw)
        memory, given = self._remembered(image, mask, window)
        wide = box_window(self.rule.window, box, frame_hw, self.rule.context)
        reference = with_surroundings(memory, window, wide, lambda: self._remembered(image, mask, wide)[0])
        return PixelState(reference, memory, given, window)

    def look(self, state: PixelState, image: NDArray[np.uint8], window: Box) -> PixelSight:
        """Segment the object in a window of a frame."""
        size_hw = window_size(self.rule.window, window)
        encoded = self._encode(image, window, size_hw)
        memory = state.reference
        for more in state.remembered:
            memory = join_memories(memory, more)
        window_from, window_to = (
            torch.from_numpy(each.astype(np.float32))[None].to(self.device) for each in (state.window, window)
        )
        nobody = torch.zeros_like(state.mask)
        previous, mask, others = as_seen_from(
            state.last, state.mask, nobody, window_from, window_to, self.network.stride, size_hw
        )
        prediction = self.network(encoded, memory, previous, mask, others)
        confidence = float(prediction.quality.float().sigmoid() * prediction.presence.float().sigmoid())
        sparse = encoded._replace(key=encoded.key[:, :, ::2, ::2])
        likeness = self.network.likeness(sparse, state.reference)[0].float().cpu().numpy()
        logits = prediction.logits[0, 0].float().cpu().numpy() + np.float32(self.rule.leaning)
        logits = keep_plausible_pieces(logits, mask[0, 0].float().cpu().numpy(), likeness)
        span = self.rule.familiar - self.rule.strange
        familiar = (mean_over_mask(likeness, logits) - self.rule.strange) / span
        return PixelSight(window, encoded, logits, confidence * min(max(familiar, 0.0), 1.0))

    def settle(self, state: PixelState, sight: PixelSight, kept: NDArray[np.bool_] | None) -> None:
        """Go on from an answer.

        Args:
            state: of the object, which is changed.
            sight: the answer.
            kept: (h, w) the part of the window where the mask counts; None where the object is not there at all.
        """
        probs = 1 / (1 + np.exp(-np.clip(sight.logits, -30, 30)))
        probs = np.zeros_like(probs) if kept is None else probs * kept
        state.mask = torch.from_numpy(probs.astype(np.float32))[None, None].to(self.device)
        state.last = self.network.remember(sight.encoded, state.mask, torch.zeros_like(state.mask))
        state.window = sight.window
        if kept is None:
            return
        state.since_remembered += 1
        if sight.confidence >= self.rule.confident and state.since_remembered >= self.rule.remember_every:
            state.since_remembered = 0
            if self.rule.max_remembered:
                state.remembered = [*state.remembered, state.last][-self.rule.max_remembered :]

    def _remembered(self, image: NDArray[np.uint8], mask: NDArray[np.bool_], window: Box) -> tuple[Memory, Tensor]:
        size_hw = window_size(self.rule.window, window)
        given = torch.from_numpy(cut_window(mask.astype(np.float32), window, size_hw))[None, None].to(self.device)
        encoded = self._encode(image, window, size_hw)
        return self.network.remember(encoded, given, torch.zeros_like(given)), given

    def _encode(self, image: NDArray[np.uint8], window: Box, size_hw: tuple[int, int]) -> Encoded:
        cut = torch.from_numpy(cut_window(image, window, size_hw)).to(self.device)
        images = normalise_images(cut.permute(2, 0, 1)[None]).contiguous(memory_format=torch.channels_last)
        return self.network.encode(images)
