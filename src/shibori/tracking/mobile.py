"""The pixel tracker on MobileNetV2: global matching at stride 16, local matching at stride 8, depth-wise head.

The design of IPDT's pixel level (Sec. 3.3) and FEELVOS as in ``matcher.py``, on a trunk that starts from ImageNet, at a
third of the cost.

Axes: B objects (one window each), H W the window's pixels, N memory positions at stride 16, h w the stride-8 grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.mobile import DepthwiseBlock, MobileTrunk, conv_norm, doubled, separable
from shibori.ops.local_matching import match_locally
from shibori.ops.matching import best_of_two, read_memory, similarity
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

GLOBAL_CUES, LOCAL_CUES = 3, 3


@dataclass(frozen=True)
class MobileTrackerSize:
    """The widths that tell one preset from another."""

    trunk_factor: float
    """Of MobileNetV2's channels."""
    width: int
    """Channels of the merged trunk features."""
    key16_channels: int
    """Of the embedding that is matched globally."""
    key8_channels: int
    """Of the embedding that is matched locally."""
    value_channels: int
    """Read from the memory."""
    trait_channels: int
    """Of the ridge classifier."""
    head16_channels: int
    head8_channels: int
    head16_blocks: int
    head8_blocks: int
    local_radius: int
    """Half size of the local window, in stride-8 positions."""


class MobileTracker(PixelNetwork):
    """Trunk, embeddings, memory encoder and segmentation head."""

    stride = 8

    def __init__(self, size: MobileTrackerSize) -> None:
        super().__init__()
        self.size = size
        self.calibration: Tensor
        """(4, 2) what its confidences were measured to mean (``calibration.py``); zeros where they were not."""
        self.register_buffer("calibration", torch.zeros(4, 2))
        self.trunk = MobileTrunk(size.width, size.trunk_factor)
        width, (c2, c4, _) = size.width, self.trunk.channels
        self.key16 = nn.Conv2d(self.trunk.raw16_channels + width, size.key16_channels, 3, padding=1)
        self.key8 = nn.Conv2d(width, size.key8_channels, 3, padding=1)
        self.traits = nn.Conv2d(width, size.trait_channels, 1)
        head16, head8 = size.head16_channels, size.head8_channels
        self.value = nn.Sequential(
            conv_norm(width + 2 * MASK_CELLS, head16), DepthwiseBlock(head16), nn.Conv2d(head16, size.value_channels, 1)
        )
        self.sharpness = nn.Parameter(torch.tensor([2.5, 2.5]))
        self.ridge_penalty = nn.Parameter(torch.tensor(-4.0))
        self.enter16 = conv_norm(width + size.value_channels + GLOBAL_CUES, head16)
        self.blocks16 = nn.Sequential(*[DepthwiseBlock(head16) for _ in range(size.head16_blocks)])
        cues = GLOBAL_CUES + LOCAL_CUES + 1 + 2 * MASK_CELLS
        self.enter8 = conv_norm(width + head16 + cues, head8)
        self.blocks8 = nn.Sequential(*[DepthwiseBlock(head8) for _ in range(size.head8_blocks)])
        self.lateral4 = conv_norm(c4, 48)
        self.merge4 = nn.Sequential(separable(head8 + 48, head8 // 2), separable(head8 // 2, head8 // 2))
        self.lateral2 = conv_norm(c2, 16)
        self.merge2 = separable(head8 // 2 + 16, 32)
        self.mask = nn.Conv2d(32, 1, 3, padding=1)
        self.quality_head = nn.Sequential(nn.Linear(2 * head8, 64), nn.ReLU(inplace=True), nn.Linear(64, 2))

    def encode(self, images: Tensor) -> Encoded:
        """See ``PixelNetwork.encode``; H and W are multiples of 32. The last feature map is the global key."""
        found = self.trunk(images.to(self.key8.weight.dtype))
        key16 = _unit(self.key16(torch.cat([found.raw16, found.s16], 1)))
        features = (found.s2, found.s4, found.s8, found.s16, key16)
        return Encoded(features, _unit(self.key8(found.s8)), _unit(self.traits(found.s8)))

    def remember(self, encoded: Encoded, mask: Tensor, others: Tensor) -> Memory:
        """See ``PixelNetwork.remember``; its positions are those of stride 16."""
        *_, s16, key16 = encoded.features
        cells = torch.cat([mask_cells(mask, 16), mask_cells(others, 16)], 1)
        value = self.value(_joined(s16, cells))
        label = functional.avg_pool2d(mask.float(), 16).flatten(1)
        traits = functional.avg_pool2d(encoded.traits, 2).flatten(2).transpose(1, 2)
        return Memory(key16.flatten(2), value.float().flatten(2), label, traits)

    def read(self, encoded: Encoded, memory: Memory) -> Reading:
        """See ``PixelNetwork.read``: cues and values at stride 16, the ridge classifier's score at stride 8."""
        cues, value = self._match_globally(encoded.features[-1], memory)
        return cues, value, ridge_score(encoded.traits, memory.traits, memory.label, self.ridge_penalty)

    def segment(
        self, encoded: Encoded, reading: Reading, previous_key: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        """See ``PixelNetwork.segment``."""
        s2, s4, s8, s16, _ = encoded.features
        global_cues, value, score = reading
        hidden16 = self.blocks16(self.enter16(_joined(s16, value, global_cues)))
        cells = torch.cat([mask_cells(previous_mask, 8), mask_cells(previous_others, 8)], 1)
        local_cues = self._match_previous(encoded.key, previous_key, previous_mask)
        cues = torch.cat([local_cues, doubled(global_cues), score, cells], 1)
        hidden = self.blocks8(self.enter8(_joined(s8, doubled(hidden16), cues)))
        fine = self.merge4(torch.cat([doubled(hidden), self.lateral4(s4)], 1))
        fine = self.merge2(torch.cat([doubled(fine), self.lateral2(s2)], 1))
        logits = doubled(self.mask(fine).float())
        quality = self.quality_head(pooled_features(hidden, logits)).float()
        return Prediction(logits, quality[:, 0], quality[:, 1], global_cues[:, -1])

    def compare(self, encoded: Encoded, memory: Memory) -> Comparison:
        """See ``PixelNetwork.compare``; at the positions of stride 16."""
        cues, _ = self._match_globally(encoded.features[-1], memory._replace(value=memory.value[:, :0]))
        own, other, label = cues.float().unbind(1)
        return Comparison(label, 2 * own - other)

    def _match_globally(self, key: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """(B, 3, h, w) best match with the object, with everything else, label read; (B, V, h, w) value read."""
        similarities = similarity(key, memory.key).float()
        best = best_of_two(similarities, own_positions(memory.label))
        labelled = torch.cat([memory.value, memory.label[:, None]], 1)
        read = read_memory(similarities, labelled, self.sharpness[0].exp())
        grid_hw = (key.shape[2], key.shape[3])
        return torch.cat([best, read[:, -1:]], 1).unflatten(2, grid_hw), read[:, :-1].unflatten(2, grid_hw)

    def _match_previous(self, key: Tensor, previous_key: Tensor, previous_mask: Tensor) -> Tensor:
        label = functional.avg_pool2d(previous_mask.float(), 8)[:, 0]
        own = own_positions(label.flatten(1)).view_as(label)
        return match_locally(key, previous_key, label, own, self.sharpness[1].exp(), self.size.local_radius)


def own_positions(label: Tensor) -> Tensor:
    """(B, N) shares -> bool: positions that count as the object's: more than half as full as its fullest one.

    A thin or tiny object covers half of no position.
    """
    return label > 0.5 * label.amax(1, keepdim=True).clamp(1e-3, 1.0)


def _unit(maps: Tensor) -> Tensor:
    return functional.normalize(maps.float(), dim=1)


def _joined(features: Tensor, *more: Tensor) -> Tensor:
    return torch.cat([features, *(part.to(features.dtype) for part in more)], 1)
