"""The networks of the pixel tracker by preset."""

from __future__ import annotations

from shibori.tracking.mobile import MobileTracker, MobileTrackerSize
from shibori.tracking.network import PixelNetwork
from shibori.tracking.paper import PaperTracker, PaperTrackerSize

SIZES: dict[str, PaperTrackerSize | MobileTrackerSize] = {
    "paper": PaperTrackerSize(),
    "compact": MobileTrackerSize(1.0, 96, 64, 32, 96, 32, 128, 128, 2, 3, 8),
    "tiny": MobileTrackerSize(0.25, 24, 16, 16, 16, 8, 32, 32, 1, 1, 4),
}


def build_pixel_tracker(preset: str, pretrained: bool = False) -> PixelNetwork:
    """The network of a preset, with random parameters.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: fetch public ImageNet weights for the backbone of ``paper``; the others have none.

    Raises:
        InputError: if ``paper`` needs libraries that are not installed, or its backbone's weights cannot be fetched.
    """
    size = SIZES[preset]
    return PaperTracker(size, pretrained) if isinstance(size, PaperTrackerSize) else MobileTracker(size)
