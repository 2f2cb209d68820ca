"""MobileNetV2 as a trunk of windows, and the depth-wise blocks that go with it.

Axes: B windows, C channels, H W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and stride of MobileNetV2's stages (Table 2)."""
STAGE_ENDS = (1, 3, 6, 13, 17)
"""Last layer of each stride: 2, 4, 8, 16, 32."""
FROZEN_LAYERS = 8
"""Layers up to the first of stride 16: general enough to stay as ImageNet left them. It halves the time of a step."""
STRIDED_LAYER = 14
"""The one trained layer with a stride: in bfloat16 its backward pass takes a CPU twenty times as long."""


class MobileFeatures(NamedTuple):
    """Features of one batch of windows (B, 3, H, W)."""

    s2: Tensor
    """(B, 16, H/2, W/2)."""
    s4: Tensor
    """(B, 24, H/4, W/4)."""
    s8: Tensor
    """(B, C, H/8, W/8), with strides 16 and 32 merged in."""
    s16: Tensor
    """(B, C, H/16, W/16), with stride 32 merged in."""
    raw16: Tensor
    """(B, 96, H/16, W/16) as MobileNetV2 has it: what matches best before any training."""


def conv_norm(
    in_channels: int, out_channels: int, kernel: int = 1, *, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution that keeps the size, batch normalisation, and a ReLU6 unless told otherwise.

    Kernels are 1 or 3, not dilated: the others have a backward pass that is twenty times as slow in bfloat16 on a CPU.
    """
    convolution = nn.Conv2d(in_channels, out_channels, kernel, 1, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if relu else nn.Sequential(*layers)


def separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """A depth-wise 3x3 and a point-wise convolution."""
    return nn.Sequential(
        conv_norm(in_channels, in_channels, 3, groups=in_channels), conv_norm(in_channels, out_channels)
    )


class DepthwiseBlock(nn.Module):
    """An inverted residual block (MobileNetV2, Sec. 3.3) with a ReLU6 after the sum."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = channels * expansion
        self.body = nn.Sequential(
            conv_norm(channels, hidden),
            conv_norm(hidden, hidden, 3, groups=hidden),
            conv_norm(hidden, channels, relu=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return functional.relu6(features + self.body(features))


def doubled(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), bilinear."""
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear")


def mobilenet_layers(width_factor: float = 1.0) -> nn.Sequential:
    """The layers of MobileNetV2 to stride 32 (Table 2), without the last 1x1: those of torchvision, by the same names.

    They stand here because importing torchvision takes as long as importing torch, and 170 MB, at every start.

    Args:
        width_factor: of all channels; 1.0 is the network that ImageNet weights exist for.
    """

    def width(channels: int) -> int:
        """A multiple of 8, not less than nine tenths of what the factor asks for."""
        asked = channels * width_factor
        rounded = max(8, int(asked + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * asked else rounded

    channels = width(32)
    layers: list[nn.Module] = [_strided(3, channels, 3, stride=2)]
    for expansion, base, repeats, stride in STAGES:
        for repeat in range(repeats):
            layers.append(InvertedResidual(channels, width(base), stride if repeat == 0 else 1, expansion))
            channels = width(base)
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """The block of MobileNetV2 (Sec. 3.3): widened, filtered channel by channel, narrowed."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.is_residual = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = [] if expansion == 1 else [_strided(in_channels, hidden, 1)]
        layers += [_strided(hidden, hidden, 3, stride, hidden)]
        layers += [nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.conv = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """(B, Cin, H, W) -> (B, Cout, H/stride, W/stride)."""
        return features + self.conv(features) if self.is_residual else self.conv(features)


def _strided(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU6(inplace=True))


class MobileTrunk(nn.Module):
    """MobileNetV2 to stride 32, strides 32 and 16 merged into 16 and 8 from the top down.

    Args:
        width: channels of the merged features.
        width_factor: of MobileNetV2's own channels; 1.0 is the network ImageNet weights exist for.
    """

    def __init__(self, width: int, width_factor: float = 1.0) -> None:
        super().__init__()
        self.features = mobilenet_layers(width_factor)
        c2, c4, c8, c16, c32 = (_out_channels(self.features[end]) for end in STAGE_ENDS)
        self.lateral8 = conv_norm(c8, width, relu=False)
        self.lateral16 = conv_norm(c16, width, relu=False)
        self.lateral32 = conv_norm(c32, width, relu=False)
        self.merge16 = DepthwiseBlock(width)
        self.merge8 = DepthwiseBlock(width)
        self.channels = (c2, c4, width)
        self.raw16_channels = c16
        self.train()  # which freezes the early layers

    def train(self, mode: bool = True) -> MobileTrunk:
        """Training mode, in which the frozen layers keep ImageNet's statistics."""
        super().train(mode)
        self.features[:FROZEN_LAYERS].eval().requires_grad_(False)
        return self

    def forward(self, images: Tensor) -> MobileFeatures:
        """(B, 3, H, W) normalised, H and W multiples of 32."""
        with torch.no_grad():
            s2 = self.features[:2](images)
            s4 = self.features[2:4](s2)
            raw8 = self.features[4:7](s4)
            first16 = self.features[7:FROZEN_LAYERS](raw8)
        raw16 = self.features[FROZEN_LAYERS:STRIDED_LAYER](first16)
        top = self.lateral32(self.features[STRIDED_LAYER + 1 :](self._stride32(raw16)))
        s16 = self.merge16(functional.relu6(self.lateral16(raw16) + doubled(top)))
        s8 = self.merge8(functional.relu6(self.lateral8(raw8) + doubled(s16)))
        return MobileFeatures(s2, s4, s8, s16, raw16)

    def _stride32(self, raw16: Tensor) -> Tensor:
        layer = self.features[STRIDED_LAYER]
        if not (self.training and raw16.device.type == "cpu"):
            return layer(raw16)
        with torch.autocast("cpu", enabled=False):
            return layer(raw16.float())


def _out_channels(layer: nn.Module) -> int:
    return [module.num_features for module in layer.modules() if isinstance(module, nn.BatchNorm2d)][-1]
