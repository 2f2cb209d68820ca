"""The widths that tell one preset of DyeNet from another, and the blocks that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from shibori.nn.backbones import ConvNorm, ResidualBlock, resnet_conv5
from shibori.nn.flow import RaftVariant


@dataclass(frozen=True)
class DyeNetSize:
    """One preset."""

    feature_channels: tuple[int, int, int]
    """Of N_feat at strides 2, 4 and 8."""
    region_channels: int
    """Of the blocks in the place of conv5_x; 0 for ResNet-101's own conv5_x."""
    region_blocks: int
    """How many residual blocks stand in the place of conv5_x."""
    hidden_channels: int
    """d of the hidden state."""
    region_side: int
    """m of a RoI."""
    embedding_channels: int
    """Of the re-identification vectors."""
    flow_channels: int
    """Of the flow stream."""
    matcher: str | None
    """Preset of the pixel tracker whose trunk gives the features and whose matches are a further input."""
    backbone: str | None
    """What gives the features where no pixel tracker does: resnet101, or xception65 (Sec. 3)."""
    raft: RaftVariant | None = None
    """Which RAFT estimates the flow, where the paper has FlowNet 2.0 (Sec. 2.2); None: DIS of OpenCV does."""


SIZES = {
    "paper": DyeNetSize((64, 256, 1024), 0, 3, 256, 28, 256, 32, None, "resnet101", "large"),
    "paper-xception": DyeNetSize((128, 256, 1024), 512, 3, 256, 28, 256, 32, None, "xception65", "large"),
    "compact": DyeNetSize((32, 64, 128), 96, 2, 96, 28, 256, 16, "compact", None),
    "tiny": DyeNetSize((8, 16, 24), 16, 1, 16, 14, 32, 4, "tiny", None),
}
"""``paper-xception`` is the deeper second variant of Sec. 3; ``tiny`` is for tests."""


def region_blocks(size: DyeNetSize, in_channels: int, stride: int) -> tuple[nn.Module, int]:
    """What stands in the place of conv5_x, and its output channels.

    Args:
        size: the preset.
        in_channels: of what goes in; anything but conv5_x's own number is first projected to it.
        stride: 1 where masks are made ("we decrease the convolutional strides"), 2 for re-identification.
    """
    if size.region_channels == 0:
        conv5, expected, channels = resnet_conv5(dilated=stride == 1)
        enter: nn.Module = nn.Identity() if in_channels == expected else ConvNorm(in_channels, expected, 1)
        return nn.Sequential(enter, conv5), channels
    width = size.region_channels
    blocks: list[nn.Module] = [ConvNorm(in_channels, width, 1), ResidualBlock(width, width, stride)]
    blocks += [ResidualBlock(width, width, stride, dilation=3 - stride) for _ in range(size.region_blocks - 1)]
    return nn.Sequential(*blocks), width
