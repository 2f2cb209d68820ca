"""The networks of DyeNet: features, re-identification (Sec. 2.1), recurrent mask propagation (Sec. 2.2).

Axes: B regions (one object each), C channels, m its grid (m x m for RoIs, h x w for patches), H W the region's pixels:
eight to a grid position. The paper's symbols: x_j the region's features in frame j, h_j its hidden state, y_j its mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import ConvNorm, PyramidFeatures
from shibori.systems.dyenet.size import DyeNetSize, region_blocks
from shibori.systems.dyenet.variant import Variant
from shibori.tracking.network import MASK_CELLS, mask_cells, pooled_features

REGION_STRIDE = 8
"""Pixels of a region to one position of its grid."""
FLOW_SCALE = 8.0
"""Flow in shares of a region, which is small, times this is what the flow stream reads."""
KEY_SHARE = 0.8
"""Share of the matching embedding in the cosine of two identities."""
EVERYWHERE = 1e-4
"""Weight of what is outside the mask, so that an empty one has an identity too: its region's."""
MATCH_SCALE = 4.0
"""Log-odds of the pixel tracker are divided by this before they are squashed into an input."""


class Region(NamedTuple):
    """One object's surroundings in the current frame, for B objects."""

    features: PyramidFeatures
    """x_j: (B, C8, h, w) at stride 8, and (B, C4, 2h, 2w), (B, C2, 4h, 4w) for the pyramid."""
    flow: Tensor
    """(B, 2, h, w) backward flow in shares of the region's longer side."""
    matched: Tensor
    """(B, 1, H, W) log-odds from the pixel tracker; zeros where it takes no part."""


class Carried(NamedTuple):
    """What came from the previous frame, warped into the region: h_(j-1)->j and y_(j-1)->j."""

    hidden: Tensor
    """(B, d, h, w)."""
    mask: Tensor
    """(B, 1, H, W) probability of the object."""
    others: Tensor
    """(B, 1, H, W) probability of all other objects."""


class Switches(NamedTuple):
    """A ``Variant`` for each of B regions, as (B, 1, 1, 1) float factors of 0 and 1."""

    hidden: Tensor
    attention: Tensor
    mask: Tensor
    flow_stream: Tensor
    pyramid: Tensor
    matching: Tensor


def switches_of(variants: Sequence[Variant], device: torch.device) -> Switches:
    """One row for each variant. Where no hidden state is carried, the mask always is."""
    rows = [(v.hidden, v.attention, v.mask or not v.hidden, v.flow_stream, v.pyramid, v.matching) for v in variants]
    table = torch.tensor(rows, dtype=torch.float32, device=device)
    return Switches(*table.T[:, :, None, None, None])


class Step(NamedTuple):
    """The answer for one frame."""

    logits: Tensor
    """(B, 1, H, W) log-odds of the object: y_j."""
    coarse: Tensor
    """(B, 1, h, w) log-odds without the pyramid."""
    hidden: Tensor
    """(B, d, h, w): h_j."""
    quality: Tensor
    """(B,) logit of the expected IoU of the mask."""
    presence: Tensor
    """(B,) logit of the object being in the region at all."""
    attention: Tensor
    """(B, 1, h, w), mean 1: a_j times the number of positions."""


class MaskNetwork(nn.Module):
    """conv5_x with reduced stride, then one m x m mask of the main instance of the region (Sec. 2.1)."""

    def __init__(self, size: DyeNetSize) -> None:
        super().__init__()
        self.blocks, channels = region_blocks(size, size.feature_channels[2], stride=1)
        self.mask = nn.Conv2d(channels, 1, 1)

    def forward(self, regions: Tensor) -> Tensor:
        """(K, C8, m, m) -> (K, m, m) log-odds."""
        return self.mask(self.blocks(regions.to(self.mask.weight.dtype)))[:, 0].float()


class ReidNetwork(nn.Module):
    """conv5_x with its full stride, global average pooling, a linear layer: a unit vector (Sec. 2.1).

    Three deviations. The region's mask (given, or from ``MaskNetwork``) weighs a second pooling beside the plain one,
    so that what stands beside the object in its box counts less. The vectors are centred and scaled by their statistics
    before they get unit length: else all point the same way, and learning to tell them apart takes long. And where the
    features are a pixel tracker's, the mean of its matching embedding over the mask, centred and scaled as well, is a
    part of the vector: it was trained on far more, and tells objects apart better than what is learnt here.

    Args:
        size: the preset.
        key_channels: of the matching embedding; 0 where there is none.
    """

    def __init__(self, size: DyeNetSize, key_channels: int = 0) -> None:
        super().__init__()
        self.feature_channels, self.key_channels = size.feature_channels[2], key_channels
        self.out_channels = size.embedding_channels + key_channels
        self.blocks, channels = region_blocks(size, size.feature_channels[2] + 1, stride=2)
        self.project = nn.Linear(2 * channels, size.embedding_channels)
        self.neck = nn.BatchNorm1d(size.embedding_channels, affine=False)
        self.key_neck = nn.BatchNorm1d(key_channels, affine=False) if key_channels else None

    def forward(self, regions: Tensor, masks: Tensor) -> Tensor:
        """Identities of regions.

        Args:
            regions: (K, C8 + D, m, m) features, then the matching embedding if there is one.
            masks: (K, m, m) probabilities.

        Returns:
            (K, E) float32 unit vectors, E being ``out_channels``.
        """
        learnt = self._learnt(regions[:, : self.feature_channels], masks)
        if self.key_neck is None:
            return learnt
        weights = masks[:, None].float() + EVERYWHERE
        pooled = (regions[:, self.feature_channels :].float() * weights).sum((2, 3)) / weights.sum((2, 3))
        keys = functional.normalize(self.key_neck(pooled), dim=1)
        return torch.cat([learnt * (1 - KEY_SHARE) ** 0.5, keys * KEY_SHARE**0.5], 1)

    def _learnt(self, regions: Tensor, masks: Tensor) -> Tensor:
        """(K, C8, m, m) features -> (K, E - D)."""
        dtype = self.project.weight.dtype
        inputs = torch.cat([regions.to(dtype), masks[:, None].to(dtype) - 0.5], 1)
        hidden = self.blocks(inputs)
        weights = functional.adaptive_avg_pool2d(masks[:, None].to(dtype), hidden.shape[2:])
        inside = (hidden * weights).sum((2, 3)) / (weights.sum((2, 3)) + 0.5)
        pooled = torch.cat([inside, hidden.mean((2, 3))], 1)
        return functional.normalize(self.neck(self.project(pooled).float()), dim=1)


class RegionAttention(nn.Module):  # Sec. 2.2
    """One convolution on the warped hidden state, then a softmax over the region."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 3, padding=1)
        nn.init.zeros_(self.score.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, d, h, w) -> (B, 1, h, w) with mean 1, so that features keep their size whatever the region's."""
        scores = self.score(hidden.to(self.score.weight.dtype)).float()
        return scores.flatten(1).softmax(1).view_as(scores) * scores[0].numel()


class RecurrentPropagation(nn.Module):
    """N_R and N_O with region attention (Sec. 2.2, Eq. 1 and 2), and the pyramid of Sec. 3."""

    def __init__(self, size: DyeNetSize) -> None:
        super().__init__()
        c2, c4, c8 = size.feature_channels
        d = size.hidden_channels
        extra = 3 * MASK_CELLS + size.flow_channels
        self.start = nn.Sequential(ConvNorm(c8 + 2 * MASK_CELLS, d, 1), ConvNorm(d, d))
        self.flow = nn.Sequential(ConvNorm(2, size.flow_channels), ConvNorm(size.flow_channels, size.flow_channels))
        self.recurrent, channels = region_blocks(size, c8 + d + extra, stride=1)  # N_R
        self.remember = ConvNorm(channels, d, 1)
        self.attention = RegionAttention(d)
        self.output = nn.Sequential(ConvNorm(d, d), ConvNorm(d, d // 2), nn.Conv2d(d // 2, 1, 3, padding=1))  # N_O
        self.pyramid = PyramidHead(d, c4, c2)
        self.quality_head = nn.Sequential(nn.Linear(2 * d, 64), nn.ReLU(inplace=True), nn.Linear(64, 2))

    def begin(self, features: PyramidFeatures, mask: Tensor, others: Tensor) -> Tensor:
        """h_i at a starting point: (B, d, h, w) from x_i and the (B, 1, H, W) masks there."""
        cells = torch.cat([mask_cells(mask, REGION_STRIDE), mask_cells(others, REGION_STRIDE)], 1).to(features.s8.dtype)
        hidden: Tensor = self.start(torch.cat([features.s8, cells], 1))
        return hidden

    def forward(self, region: Region, carried: Carried, switches: Switches) -> Step:
        """y_j and h_j from x_j and what was carried, with the parts that are switched on."""
        dtype = region.features.s8.dtype
        hidden = carried.hidden.to(dtype) * switches.hidden.to(dtype)
        cells = self._cells(region, carried, switches)
        flow = self.flow((region.flow * FLOW_SCALE).to(dtype)) * switches.flow_stream.to(dtype)
        inputs = torch.cat([region.features.s8, hidden, cells.to(dtype), flow], 1)
        state = self.remember(self.recurrent(inputs))  # h_j, Eq. 1
        weight = 1 + (self.attention(hidden) - 1) * switches.attention
        attended = state * weight.to(dtype)
        coarse = self.output(attended).float()  # Eq. 2
        logits = functional.interpolate(coarse, scale_factor=float(REGION_STRIDE), mode="bilinear")
        logits = logits + self.pyramid(attended, region.features) * switches.pyramid
        logits = logits + region.matched.float() * switches.matching
        quality = self.quality_head(pooled_features(attended, logits)).float()
        return Step(logits, coarse, state, quality[:, 0], quality[:, 1], weight)

    def _cells(self, region: Region, carried: Carried, switches: Switches) -> Tensor:
        """(B, 48, h, w): the warped masks and the pixel tracker's answer; zeros where a part is switched off."""
        masks = (
            torch.cat([mask_cells(carried.mask, REGION_STRIDE), mask_cells(carried.others, REGION_STRIDE)], 1)
            * switches.mask
        )
        matched = mask_cells(torch.tanh(region.matched / MATCH_SCALE), REGION_STRIDE) * switches.matching
        return torch.cat([masks, matched], 1)


class PyramidHead(nn.Module):
    """What finer features add to the mask: strides 4 and 2 of the region."""

    def __init__(self, channels: int, channels_s4: int, channels_s2: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.lateral4 = ConvNorm(channels_s4, half, 1)
        self.merge4 = ConvNorm(channels + half, half)
        self.lateral2 = ConvNorm(channels_s2, quarter, 1)
        self.merge2 = ConvNorm(half + quarter, quarter)
        self.mask = nn.Conv2d(quarter, 1, 3, padding=1)
        nn.init.zeros_(self.mask.weight)

    def forward(self, hidden: Tensor, features: PyramidFeatures) -> Tensor:
        """(B, d, h, w) and features -> (B, 1, 8h, 8w) float32."""
        fine = functional.interpolate(hidden, scale_factor=2.0, mode="bilinear")
        fine = self.merge4(torch.cat([fine, self.lateral4(features.s4)], 1))
        fine = functional.interpolate(fine, scale_factor=2.0, mode="bilinear")
        fine = self.merge2(torch.cat([fine, self.lateral2(features.s2)], 1))
        return functional.interpolate(self.mask(fine).float(), scale_factor=2.0, mode="bilinear")
