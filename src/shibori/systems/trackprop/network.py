"""The three networks of trackprop as one decoder on the pixel tracker's trunk (the presets ``compact``, ``tiny``).

What reaches a network beside the picture (a mask, a guidance map) passes a stem of its own at full resolution, whose
strided features join the trunk's at strides 2, 4 and 8; all that follows is shared.

Axes: B regions (one object each), C channels, H W pixels of the region, h w its stride-8 grid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import PyramidFeatures
from shibori.systems.trackprop.size import DecoderSize

GROUPS = 8


class Planes(NamedTuple):
    """Features of masks and guidance at strides 2, 4, 8."""

    s2: Tensor
    s4: Tensor
    s8: Tensor


class ConvGroup(nn.Sequential):
    """Convolution, group normalisation, ReLU.

    The three networks share layers and see different inputs: statistics of a batch of one would not be the other's.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
            nn.GroupNorm(min(GROUPS, out_channels // 4), out_channels),
            nn.ReLU(inplace=True),
        )


class GroupBlock(nn.Module):
    """Two dilated 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = ConvGroup(channels, channels, dilation=dilation)
        self.second = ConvGroup(channels, channels, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        refined: Tensor = self.second(self.first(features))
        return features + refined


class Stem(nn.Module):
    """The input channels beyond RGB."""

    def __init__(self, num_planes: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        c2, c4, c8 = channels
        self.to2 = ConvGroup(num_planes, c2, stride=2)
        self.to4 = ConvGroup(c2, c4, stride=2)
        self.to8 = ConvGroup(c4, c8, stride=2)

    def forward(self, planes: Tensor) -> Planes:
        """(B, K, H, W) -> features at three strides."""
        first = self.to2[0]
        assert isinstance(first, nn.Conv2d)
        s2 = self.to2(planes.to(first.weight.dtype))
        s4 = self.to4(s2)
        return Planes(s2, s4, self.to8(s4))


class RegionDecoder(nn.Module):
    """Trunk features and a stem's features in, log-odds of one object out, with skip connections."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__()
        (t2, t4, t8), (p2, p4, p8) = size.trunk_channels, size.stem_channels
        wide, half, thin = size.channels, size.channels * 2 // 3, size.channels // 3
        self.enter = ConvGroup(t8 + p8, wide, 1)
        self.blocks = nn.Sequential(*[GroupBlock(wide, dilation) for dilation in size.dilations])
        self.lateral4 = ConvGroup(t4 + p4, half, 1)
        self.merge4 = nn.Sequential(ConvGroup(wide + half, half), ConvGroup(half, half))
        self.lateral2 = ConvGroup(t2 + p2, thin, 1)
        self.merge2 = ConvGroup(half + thin, thin)
        self.mask = nn.Conv2d(thin, 1, 3, padding=1)
        # Untrained it adds nothing to what the pixel tracker says.
        nn.init.zeros_(self.mask.weight)
        assert self.mask.bias is not None
        nn.init.zeros_(self.mask.bias)

    def forward(self, features: PyramidFeatures, planes: Planes) -> Tensor:
        """Features of both kinds -> (B, 1, H, W) float32 log-odds."""
        dtype = self.mask.weight.dtype
        hidden = self.enter(torch.cat([features.s8.to(dtype), planes.s8], 1))
        hidden = _doubled(self.blocks(hidden))
        fine = self.lateral4(torch.cat([features.s4.to(dtype), planes.s4], 1))
        fine = _doubled(self.merge4(torch.cat([hidden, fine], 1)))
        finest = self.lateral2(torch.cat([features.s2.to(dtype), planes.s2], 1))
        return _doubled(self.mask(self.merge2(torch.cat([fine, finest], 1))).float())


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="bilinear")
