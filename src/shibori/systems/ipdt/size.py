"""The widths that tell one preset of IPDT's detector from another, and the classes each knows."""

from __future__ import annotations

from dataclasses import dataclass

from shibori.boxtracking.siamese_network import SiameseSize
from shibori.boxtracking.views import ViewRule
from shibori.datasets.classes import COARSE


@dataclass(frozen=True)
class DetectorSize:
    """One preset."""

    trunk: str | None
    """Preset of the pixel tracker whose frozen trunk gives the features; None for a backbone of torchvision's."""
    backbone: str | None
    """Name of that backbone."""
    stage_channels: tuple[int, int]
    """Of the own residual stages at strides 16 and 32, where a trunk gives stride 8."""
    pyramid_channels: int
    """Of the feature pyramid."""
    box_channels: int
    """Of the box head's hidden layer."""
    mask_channels: int
    """Of the mask head."""
    side: int
    """Frames are resized to about this side squared pixels."""
    anchor_sizes: tuple[int, ...]
    """Square root of the anchors' area at each level of the pyramid, in pixels of the resized frame."""
    classes: tuple[str, ...] = COARSE
    """Category ids are 1, 2 ... in this order."""


SIZES = {
    "paper": DetectorSize(None, "resnext101_32x8d", (0, 0), 256, 1024, 256, 768, (32, 64, 128, 256, 512)),
    "compact": DetectorSize("compact", None, (144, 160), 80, 160, 64, 352, (28, 56, 112, 224)),
    "tiny": DetectorSize("tiny", None, (24, 32), 16, 32, 16, 96, (12, 24, 40, 64)),
}
"""``tiny`` is for tests."""

STRIDE = 32
"""Resized frames have sides that are multiples of this."""


@dataclass(frozen=True)
class TrackerSize:
    """The trackers of one preset."""

    pixel: str
    """Preset of the pixel-level tracker's network."""
    trunk: str
    """What gives the features of the instance-level tracker: pixel, the trunk of that network, or resnet18."""
    siamese: SiameseSize
    """Of the instance-level tracker, the same as trackprop's: they share weights."""
    views: ViewRule
    """How finely frames are looked at; the first is what the detector sees, where it uses the same trunk."""


TRACKERS = {
    "paper": TrackerSize(
        "paper", "resnet18", SiameseSize((128, 256), 256), ViewRule((320, 453, 640, 905), least_side=58.0)
    ),
    "compact": TrackerSize("compact", "pixel", SiameseSize((64, 192), 96), ViewRule((352, 640))),
    "tiny": TrackerSize("tiny", "pixel", SiameseSize((16, 40), 16), ViewRule((96, 192), least_side=20.0)),
}
