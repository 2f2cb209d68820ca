"""The tracker that the heads of the systems were trained on: frozen, its trunk gives them their features.

It was the pixel tracker of ``compact`` until the one on MobileNetV2 (``mobile.py``) took its place. DyeNet, trackprop,
IPDT, strnn and the box trackers look through it until they are trained anew. The design is the pixel-level half of IPDT
(Sec. 3.3), which follows FEELVOS.

Every object is seen in a window of its own (the frame cut around it and resized), so a frame costs the same at any
resolution. In a window, each pixel is matched by its embedding globally with the reference and a few remembered frames,
and locally with the previous frame, for the object and for everything else; a dynamic segmentation head run once per
object turns the matches, the previous mask and the features into a mask.

Axes: B objects (one window each), C channels, H W the window's pixels, h w its stride-8 grid, N memory positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import COMPACT_TRUNKS, CompactTrunk, ConvNorm, PyramidFeatures, ResidualBlock
from shibori.ops.matching import match_and_read
from shibori.ops.ridge import ridge_score
from shibori.tracking.network import (
    MASK_CELLS,
    Comparison,
    Encoded,
    Memory,
    PixelNetwork,
    Prediction,
    Reading,
    mask_cells,
    pooled_features,
)


@dataclass(frozen=True)
class PixelTrackerSize:
    """The widths that tell one preset of the pixel tracker from another."""

    trunk_widths: tuple[int, int, int, int]
    """Channels at strides 2, 4, 8, 16."""
    trunk_blocks: tuple[int, int, int]
    """Residual blocks at strides 4, 8, 16."""
    key_channels: int
    """Embedding channels."""
    value_channels: int
    """Channels read from the memory."""
    trait_channels: int
    """Channels of the ridge classifier."""
    head_channels: int
    """Channels of the dynamic segmentation head at stride 8."""
    head_blocks: int
    """Residual blocks of the head."""
    local_radius: int
    """Half size of the local matching window, in stride-8 positions."""


class PixelTracker(PixelNetwork):
    """Trunk, embedding, memory encoder and dynamic segmentation head."""

    stride = 8

    def __init__(self, size: PixelTrackerSize) -> None:
        super().__init__()
        self.size = size
        self.trunk = CompactTrunk(size.trunk_widths, size.trunk_blocks)
        c2, c4, c8 = self.trunk.channels
        self.key = nn.Conv2d(c8, size.key_channels, 3, padding=1)
        self.traits = nn.Conv2d(c8, size.trait_channels, 1)
        self.value = nn.Sequential(
            ConvNorm(c8 + 2 * MASK_CELLS, size.value_channels),
            nn.Conv2d(size.value_channels, size.value_channels, 1),
        )
        self.sharpness = nn.Parameter(torch.tensor([2.5, 2.5]))
        self.ridge_penalty = nn.Parameter(torch.tensor(-4.0))
        self.head = SegmentationHead((c2, c4, c8), size)

    def encode(self, images: Tensor) -> Encoded:
        """See ``PixelNetwork.encode``."""
        features = self.trunk(images.to(self.key.weight.dtype))
        key = functional.normalize(self.key(features.s8).float(), dim=1)
        traits = functional.normalize(self.traits(features.s8).float(), dim=1)
        return Encoded(features, key, traits)

    def remember(self, encoded: Encoded, mask: Tensor, others: Tensor) -> Memory:
        """See ``PixelNetwork.remember``."""
        cells = torch.cat([mask_cells(mask, self.stride), mask_cells(others, self.stride)], 1)
        features = PyramidFeatures(*encoded.features)
        value = self.value(torch.cat([features.s8, cells.to(features.s8.dtype)], 1))
        label = functional.avg_pool2d(mask.float(), self.stride)
        return Memory(
            encoded.key.flatten(2), value.flatten(2), label.flatten(1), encoded.traits.flatten(2).transpose(1, 2)
        )

    def read(self, encoded: Encoded, memory: Memory) -> Reading:
        """See ``PixelNetwork.read``: best matches and the label read, values, the ridge classifier's score."""
        best, read = match_and_read(encoded.key, memory.key, memory.value, memory.label, self.sharpness[0].exp())
        grid_hw = (encoded.key.shape[2], encoded.key.shape[3])
        cues = torch.cat([best, read[:, -1:]], 1).unflatten(2, grid_hw)
        score = ridge_score(encoded.traits, memory.traits, memory.label, self.ridge_penalty)
        return cues, read[:, :-1].unflatten(2, grid_hw), score

    def segment(
        self, encoded: Encoded, reading: Reading, previous_key: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        """See ``PixelNetwork.segment``."""
        global_cues, value, score = reading
        local_cues = self._match_locally(encoded.key, previous_key, previous_mask, value.dtype)
        cells = torch.cat([mask_cells(previous_mask, self.stride), mask_cells(previous_others, self.stride)], 1)
        cues = torch.cat([global_cues, local_cues, score, cells], 1)
        logits, quality, presence = self.head(PyramidFeatures(*encoded.features), cues, value)
        return Prediction(logits, quality, presence, global_cues[:, -1])

    def compare(self, encoded: Encoded, memory: Memory) -> Comparison:
        """See ``PixelNetwork.compare``."""
        nothing, grid_hw = memory.value[:, :0], encoded.key.shape[2:]
        best, label = match_and_read(encoded.key, memory.key, nothing, memory.label, self.sharpness[0].exp())
        own, other = best.float().unflatten(2, grid_hw).unbind(1)
        return Comparison(label.unflatten(2, grid_hw)[:, 0], 2 * own - other)

    def _match_locally(self, key: Tensor, previous_key: Tensor, previous_mask: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, 3, h, w) best similarity with the object, with everything else, and the label that was read."""
        before = previous_key.flatten(2)
        is_seen = (before != 0).flatten(1).any(1, keepdim=True)  # where nothing was, the object was not either
        shares = functional.avg_pool2d(previous_mask.float(), self.stride).flatten(1) * is_seen
        sharpness, radius = self.sharpness[1].exp(), self.size.local_radius
        best, label = match_and_read(key, before, before[:, :0].to(dtype), shares, sharpness, radius)
        return torch.cat([best, label], 1).unflatten(2, (key.shape[2], key.shape[3]))


class SegmentationHead(nn.Module):
    """The dynamic segmentation head: matches, previous mask and features in, one object's mask out (IPDT, Sec. 3.3)."""

    NUM_CUES = 7

    def __init__(self, trunk_channels: tuple[int, int, int], size: PixelTrackerSize) -> None:
        super().__init__()
        c2, c4, c8 = trunk_channels
        width = size.head_channels
        self.enter = ConvNorm(c8 + size.value_channels + self.NUM_CUES + 2 * MASK_CELLS, width, 1)
        dilations = [1, 2, 4, 1, 2, 1][: size.head_blocks]
        self.blocks = nn.Sequential(*[ResidualBlock(width, width, dilation=dilation) for dilation in dilations])
        self.lateral4 = ConvNorm(c4, width // 2, 1)
        self.merge4 = nn.Sequential(ConvNorm(width + width // 2, width // 2), ConvNorm(width // 2, width // 2))
        self.lateral2 = ConvNorm(c2, width // 4, 1)
        self.merge2 = ConvNorm(width // 2 + width // 4, width // 4)
        self.mask = nn.Conv2d(width // 4, 1, 3, padding=1)
        self.quality_head = nn.Sequential(nn.Linear(2 * width, 64), nn.ReLU(inplace=True), nn.Linear(64, 2))

    def forward(self, features: PyramidFeatures, cues: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features, (B, 39, h, w) cues, (B, V, h, w) values -> logits (B, 1, H, W), quality (B,), presence (B,)."""
        dtype = features.s8.dtype
        hidden = self.blocks(self.enter(torch.cat([features.s8, value.to(dtype), cues.to(dtype)], 1)))
        fine = torch.cat(
            [functional.interpolate(hidden, scale_factor=2.0, mode="bilinear"), self.lateral4(features.s4)], 1
        )
        fine = functional.interpolate(self.merge4(fine), scale_factor=2.0, mode="bilinear")
        fine = self.merge2(torch.cat([fine, self.lateral2(features.s2)], 1))
        logits = functional.interpolate(self.mask(fine).float(), scale_factor=2.0, mode="bilinear")
        judged = self.quality_head(pooled_features(hidden, logits)).float()
        return logits, judged[:, 0], judged[:, 1]


SIZES = {
    "compact": PixelTrackerSize(*COMPACT_TRUNKS["compact"], 64, 96, 32, 128, 4, 8),
    "tiny": PixelTrackerSize(*COMPACT_TRUNKS["tiny"], 16, 16, 8, 32, 1, 4),
}


def build_matcher(preset: str) -> PixelTracker:
    """The network of a preset of the systems' heads, with random parameters; KeyError for one not in ``SIZES``."""
    return PixelTracker(SIZES[preset])
