"""The frozen trunks that trackers of boxes look through: the pixel tracker's in ``compact``, ResNet-18 in ``paper``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.boxtracking.views import ViewTrunk
from shibori.nn.backbones import CompactTrunk, resnet_stages
from shibori.nn.weights import fetch_public_state

if TYPE_CHECKING:
    from torchvision.models import ResNet

PIXEL_PREFIXES = ("trunk.", "key.")
"""Under which the pixel tracker's weights have its trunk and its embedding."""
KEY_LENGTH = 4.0
"""Of an embedding vector, which makes its channels about as large as the others."""


class CompactViewTrunk(ViewTrunk):
    """The pixel tracker's features at strides 4 and 8, and its embedding beside the latter: the last of its channels.

    Args:
        trunk: the pixel tracker's.
        key: the pixel tracker's embedding, of the trunk's features at stride 8.
    """

    strides = (4, 8)

    def __init__(self, trunk: CompactTrunk, key: nn.Conv2d) -> None:
        super().__init__()
        self.trunk, self.key = trunk, key
        _, c4, c8 = trunk.channels
        self.channels = (c4, c8 + key.out_channels)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See ``ViewTrunk``."""
        features = self.trunk(images.to(self.key.weight.dtype))
        key = functional.normalize(self.key(features.s8).float(), dim=1) * KEY_LENGTH
        return features.s4.float(), torch.cat([features.s8.float(), key], 1)


class ResNet18ViewTrunk(ViewTrunk):
    """conv3_x and conv4_x of torchvision's ResNet-18, at strides 8 and 16 (ATOM, Sec. 3.1 and 3.2)."""

    strides = (8, 16)
    channels = (128, 256)

    def __init__(self) -> None:
        super().__init__()
        whole = _resnet18()
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool)
        self.layer1, self.layer2, self.layer3 = whole.layer1, whole.layer2, whole.layer3

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See ``ViewTrunk``."""
        fine = self.layer2(self.layer1(self.stem(images.to(next(self.parameters()).dtype))))
        return fine.float(), self.layer3(fine).float()

    def load_resnet(self, state: dict[str, Tensor]) -> None:
        """Take the parameters of a whole torchvision ResNet-18, by name; strictly."""
        self.load_state_dict(resnet_stages(state))


def fetch_resnet18_state() -> dict[str, Tensor]:
    """Torchvision's public ImageNet weights of ResNet-18, fetched or from its cache.

    Raises:
        InputError: if they cannot be fetched.
    """
    from torchvision.models import ResNet18_Weights

    return fetch_public_state(ResNet18_Weights.IMAGENET1K_V1, "ImageNet", "take the preset compact")


def _resnet18() -> ResNet:
    # Imported here because it costs memory and a second, which the compact trunk need not pay.
    from torchvision.models import resnet18

    return resnet18(weights=None)


def trunk_and_key(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a ``CompactViewTrunk`` among those of a whole pixel tracker."""
    return {name: value for name, value in state.items() if name.startswith(PIXEL_PREFIXES)}
