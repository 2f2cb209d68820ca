"""The widths that tell one preset of IPDT's detector from another, and the classes each knows."""

from __future__ import annotations

from dataclasses import dataclass

from shibori.boxtracking.presets import SIZES as TRACKER_SIZES
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


VIEWS = {
    "paper": TRACKER_SIZES["paper"].views,
    "compact": ViewRule((352, 640)),
    "tiny": ViewRule((96, 192), least_side=20.0),
}
"""How finely frames are looked at; the first is what the detector sees, where trackers and detector share a trunk."""
