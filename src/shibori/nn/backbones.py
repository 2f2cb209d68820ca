"""Feature extractors: the compact residual trunk of our own, and the published ones from torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.weights import fetch_public_state

if TYPE_CHECKING:
    from torchvision.models import ResNet


class PyramidFeatures(NamedTuple):
    """Features of one batch of images (B, 3, H, W) at three strides."""

    s2: Tensor
    """(B, C2, H/2, W/2)."""
    s4: Tensor
    """(B, C4, H/4, W/4)."""
    s8: Tensor
    """(B, C8, H/8, W/8), stride 16 already merged in."""


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, and a ReLU unless told otherwise."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
    ) -> None:
        padding = dilation * (kernel // 2)
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, Fig. 2)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm(in_channels, out_channels, 3, stride, dilation)
        self.second = ConvNorm(out_channels, out_channels, 3, 1, dilation, relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = ConvNorm(in_channels, out_channels, 1, stride, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, Cin, H, W) -> (B, Cout, H/stride, W/stride)."""
        return functional.relu(self.second(self.first(features)) + self.shortcut(features), inplace=True)


class CompactTrunk(nn.Module):
    """A small residual network with features at strides 2, 4 and 8, made to be trained from nothing.

    Args:
        widths: channels at strides 2, 4, 8 and 16.
        blocks: residual blocks at strides 4, 8 and 16.
    """

    def __init__(self, widths: tuple[int, int, int, int], blocks: tuple[int, int, int]) -> None:
        super().__init__()
        w2, w4, w8, w16 = widths
        self.stem = ConvNorm(3, w2, 3, stride=2)
        self.stage4 = _stage(w2, w4, blocks[0])
        self.stage8 = _stage(w4, w8, blocks[1])
        self.stage16 = _stage(w8, w16, blocks[2], last_dilation=2)
        self.lateral16 = ConvNorm(w16, w8, 1, relu=False)
        self.merge8 = ConvNorm(w8, w8, 3)
        self.channels = (w2, w4, w8)

    def forward(self, images: Tensor) -> PyramidFeatures:
        """(B, 3, H, W) normalised images, H and W multiples of 16, -> features at strides 2, 4, 8."""
        s2 = self.stem(images)
        s4 = self.stage4(s2)
        s8 = self.stage8(s4)
        context = functional.interpolate(self.lateral16(self.stage16(s8)), scale_factor=2.0, mode="bilinear")
        return PyramidFeatures(s2, s4, self.merge8(functional.relu(s8 + context)))


class CompactTrunkSize(NamedTuple):
    """What tells one ``CompactTrunk`` from another: its arguments."""

    widths: tuple[int, int, int, int]
    """Channels at strides 2, 4, 8 and 16."""
    blocks: tuple[int, int, int]
    """Residual blocks at strides 4, 8 and 16."""


COMPACT_TRUNKS = {
    "compact": CompactTrunkSize((32, 64, 128, 256), (2, 3, 3)),
    "tiny": CompactTrunkSize((8, 16, 24, 32), (1, 1, 1)),
}
"""By the preset of the pixel tracker that trains them; its weights hold them under ``trunk.``."""


def _stage(in_channels: int, out_channels: int, blocks: int, last_dilation: int = 1) -> nn.Sequential:
    dilations = [1] * (blocks - 1) + [last_dilation]
    layers = [ResidualBlock(in_channels, out_channels, stride=2, dilation=dilations[0])]
    layers += [ResidualBlock(out_channels, out_channels, dilation=dilation) for dilation in dilations[1:]]
    return nn.Sequential(*layers)


class ResNetFeatures(nn.Module):
    """conv1 to conv4_x of torchvision's ResNet-101, conv4_x dilated instead of strided (DyeNet, Sec. 2)."""

    channels = (64, 256, 1024)

    def __init__(self) -> None:
        super().__init__()
        whole = _resnet101([False, True, True])
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.relu)
        self.pool = whole.maxpool
        self.layer1, self.layer2, self.layer3 = whole.layer1, whole.layer2, whole.layer3

    def forward(self, images: Tensor) -> PyramidFeatures:
        """(B, 3, H, W) normalised images -> 64, 256 and 1,024 channels at strides 2, 4, 8."""
        s2 = self.stem(images)
        s4 = self.layer1(self.pool(s2))
        return PyramidFeatures(s2, s4, self.layer3(self.layer2(s4)))

    def load_resnet(self, state: dict[str, Tensor]) -> None:
        """Take the parameters of a whole torchvision ResNet-101, by name; strictly."""
        self.load_state_dict(resnet_stages(state))


def resnet_stages(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a torchvision ResNet up to conv4_x, its first layers as ``stem``."""
    renamed = {"conv1": "stem.0", "bn1": "stem.1"}
    parts = {name: name.split(".", 1) for name in state}
    return {
        f"{renamed.get(part, part)}.{rest}": state[name]
        for name, (part, rest) in parts.items()
        if part not in ("layer4", "fc")
    }


def resnet_conv5(dilated: bool) -> tuple[nn.Module, int, int]:
    """conv5_x of ResNet-101, its input and output channels; ``dilated`` keeps the resolution instead of halving it."""
    return _resnet101([False, False, dilated]).layer4, 1024, 2048


def _resnet101(dilated_stages: list[bool]) -> ResNet:
    # Imported here because torchvision costs 160 MB of memory and a second, which the compact trunk need not pay.
    from torchvision.models import resnet101

    return resnet101(weights=None, replace_stride_with_dilation=dilated_stages)


def fetch_resnet101_state() -> dict[str, Tensor]:
    """Torchvision's public ImageNet weights of ResNet-101, fetched or from its cache.

    Raises:
        InputError: if they cannot be fetched.
    """
    from torchvision.models import ResNet101_Weights

    return fetch_public_state(
        ResNet101_Weights.IMAGENET1K_V2, "ImageNet", "start from weights of your own with --weights"
    )
