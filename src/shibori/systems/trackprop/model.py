"""The three networks of trackprop (Sec. 3, 3.2): propagation, first interaction, later interactions.

Axes: B regions (one object each), C channels, H W pixels of the region.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import PyramidFeatures
from shibori.nn.deeplab import DeeplabFeatures
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.systems.trackprop.network import RegionDecoder, Stem
from shibori.systems.trackprop.size import SIZES, DecoderSize, DeeplabSize
from shibori.tracking.matcher import build_matcher
from shibori.tracking.network import Encoded, PixelNetwork

MATCH_SCALE = 4.0
"""Log-odds of the pixel tracker are divided by this before they are squashed into an input."""
GRAIN = 16
"""DeepLab takes pictures whose sides are multiples of this; 513 is not one, and is padded."""


class Seen(NamedTuple):
    """B regions, and what is known of their pictures alone: computed once, whichever networks look at them."""

    images: Tensor
    """(B, 3, H, W) normalised."""
    encoded: Encoded | None
    """The pixel tracker's view of them, where it is part of the network."""


class RegionNetwork(FrozenTrunkNetwork, ABC):
    """One object a region: its log-odds from the picture and from what is known of the object.

    Where a preset has a pixel tracker, that one is frozen, and its trunk gives the features.
    """

    system, frozen_name, digest_name = "trackprop", "matcher", "matcher_digest"
    matcher: PixelNetwork | None

    def __init__(self, matcher: PixelNetwork | None) -> None:
        super().__init__()
        self.matcher = matcher
        self.freeze()

    @property
    def frozen(self) -> PixelNetwork | None:
        """See ``FrozenTrunkNetwork``."""
        return self.matcher

    @property
    def frozen_preset(self) -> str | None:
        """See ``FrozenTrunkNetwork``."""
        return None

    @abstractmethod
    def see(self, images: Tensor) -> Seen:
        """(B, 3, H, W) normalised pictures -> what all three networks know of them."""

    @abstractmethod
    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        """The mask in this frame from the one in the previous (Sec. 3.2, 4 channels).

        Args:
            seen: of the regions in this frame.
            previous: (B, 1, H, W) probability of the object in the previous frame, in the same region.
            matched: (B, 1, H, W) log-odds of the pixel tracker, which remembers the marked frames (ours); zeros, or
                None, where it takes no part.

        Returns:
            (B, 1, H, W) float32 log-odds.
        """

    @abstractmethod
    def segment(self, seen: Seen, guidance: Tensor, matched: Tensor | None) -> Tensor:
        """First interaction (Sec. 3, 4 channels).

        Args:
            seen: of the regions.
            guidance: (B, 1, H, W) map of the marks in them.
            matched: (B, 1, H, W) log-odds of the pixel tracker (ours; ``recall.match_marks``), as in ``propagate``.

        Returns:
            (B, 1, H, W) float32 log-odds.
        """

    @abstractmethod
    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        """Later interaction (Sec. 3, 5 channels).

        Args:
            seen: of the regions.
            guidance: (B, 1, H, W) map of all marks in them.
            before: (B, 1, H, W) probability of the object in the previous round.
            matched: (B, 1, H, W) log-odds of the pixel tracker (ours).

        Returns:
            (B, 1, H, W) float32 log-odds.
        """


class TrunkNetwork(RegionNetwork):
    """``compact`` and ``tiny``: one decoder on the pixel tracker's trunk, a stem for each of the three networks."""

    def __init__(self, size: DecoderSize) -> None:
        super().__init__(build_matcher(size.matcher))
        self.size = size
        self.propagation_stem = Stem(2, size.stem_channels)
        self.first_stem = Stem(2, size.stem_channels)
        self.later_stem = Stem(3, size.stem_channels)
        self.decoder = RegionDecoder(size)
        self.trust = nn.Parameter(torch.ones(3))

    @property
    def frozen_preset(self) -> str | None:
        """See ``FrozenTrunkNetwork``."""
        return self.size.matcher

    def see(self, images: Tensor) -> Seen:
        """See ``RegionNetwork``. H and W are multiples of 16."""
        assert self.matcher is not None
        return Seen(images, self.matcher.encode(images))

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``. The pixel tracker's log-odds are an input, and are added to the output."""
        return self._decoded(seen, self.propagation_stem, [previous], matched, self.trust[0])

    def segment(self, seen: Seen, guidance: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``."""
        return self._decoded(seen, self.first_stem, [guidance], matched, self.trust[1])

    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``."""
        return self._decoded(seen, self.later_stem, [guidance, before], matched, self.trust[2])

    def _decoded(self, seen: Seen, stem: Stem, planes: list[Tensor], matched: Tensor | None, trust: Tensor) -> Tensor:
        assert seen.encoded is not None
        matched = torch.zeros_like(planes[0]) if matched is None else matched.float()
        inputs = torch.cat([*planes, torch.tanh(matched / MATCH_SCALE)], 1)
        logits = self.decoder(PyramidFeatures(*seen.encoded.features), stem(inputs))
        return logits + trust * matched


class DeeplabMask(nn.Module):
    """DeepLabv3+ with further input channels and one output."""

    def __init__(self, size: DeeplabSize, num_planes: int, pretrained: bool) -> None:
        super().__init__()
        self.features = DeeplabFeatures(size.backbone, size.channels, pretrained=pretrained, extra_channels=num_planes)
        self.mask = nn.Conv2d(size.channels, 1, 1)

    def forward(self, images: Tensor, planes: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, K, H, W) -> (B, 1, H, W) float32 log-odds."""
        height, width = images.shape[2:]
        padding = (0, -width % GRAIN, 0, -height % GRAIN)
        wide = functional.pad(torch.cat([images, planes.to(images.dtype)], 1), padding, mode="replicate")
        coarse = self.mask(self.features(wide)).float()
        logits = functional.interpolate(coarse, wide.shape[2:], mode="bilinear")
        return logits[:, :, :height, :width]


class PaperNetwork(RegionNetwork):
    """``paper``: three DeepLabv3+ networks on Xception-65, with 4, 4 and 5 input channels."""

    def __init__(self, size: DeeplabSize, pretrained: bool = False) -> None:
        super().__init__(None)
        self.propagation = DeeplabMask(size, 1, pretrained)
        self.first = DeeplabMask(size, 1, pretrained)
        self.later = DeeplabMask(size, 2, pretrained)

    def see(self, images: Tensor) -> Seen:
        """See ``RegionNetwork``."""
        return Seen(images, None)

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``; there is no pixel tracker."""
        logits: Tensor = self.propagation(seen.images, previous)
        return logits

    def segment(self, seen: Seen, guidance: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``."""
        logits: Tensor = self.first(seen.images, guidance)
        return logits

    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        """See ``RegionNetwork``."""
        logits: Tensor = self.later(seen.images, torch.cat([guidance, before], 1))
        return logits


def build_trackprop(preset: str, pretrained: bool = False) -> RegionNetwork:
    """The networks of a preset, with random parameters.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: fetch public ImageNet weights for the backbones of ``paper``; the others have none.

    Raises:
        InputError: if ``paper`` needs libraries that are not installed, or its backbone's weights cannot be fetched.
    """
    size = SIZES[preset]
    return PaperNetwork(size, pretrained) if isinstance(size, DeeplabSize) else TrunkNetwork(size)
