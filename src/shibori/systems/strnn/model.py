"""The network of strnn (Lin et al. 2019, Sec. 2.1 and 2.2): features of a frame with their context in space and time.

Axes: B clips, C channels, H W pixels of the working frame, h w its grid; the direction of a sweep comes first.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import CompactTrunk, PyramidFeatures
from shibori.nn.deeplab import DeeplabFeatures
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.ops.recurrence import DIRECTIONS, sweep_southeast, turned
from shibori.systems.strnn.size import SIZES, DeeplabSize, StrnnSize, TrackerSize
from shibori.tracking.matcher import PixelTracker, build_matcher


class SpatioTemporalRnn(nn.Module):
    """Four sweeps over the grid, each with a link to the frame before (Sec. 2.2, Eq. 2)."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int, shortcut: bool) -> None:
        super().__init__()
        count = len(DIRECTIONS)
        self.enter = nn.Conv2d(in_channels, count * hidden_channels, 1)  # U_d and b_d
        self.spatial = nn.Parameter(torch.eye(hidden_channels).repeat(count, 1, 1) * 0.2)  # K_d
        self.temporal = nn.Parameter(torch.eye(hidden_channels) * 0.2)  # K
        self.leave = nn.Conv2d(count * hidden_channels, out_channels, 1)  # V_d and c
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False) if shortcut else None

    def forward(self, features: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give features their context.

        Args:
            features: (B, C, h, w) x of this frame.
            before: (4, B, h, w, hidden) float32 hidden states of the frame before; None where there is none, or no
                temporal link is wanted.

        Returns:
            (B, D, h, w) y, and this frame's hidden states.
        """
        given = self.enter(features).float().unflatten(1, (len(DIRECTIONS), -1)).permute(1, 0, 3, 4, 2)
        # The sweeps are short multiplications one after the other: converting numbers would take most of the time.
        with torch.autocast(features.device.type, enabled=False):
            if before is not None:
                given = given + before @ self.temporal
            hidden = turned(sweep_southeast(turned(given), self.spatial))
        out = self.leave(hidden.permute(1, 0, 4, 2, 3).flatten(1, 2).to(features.dtype))
        return (out if self.shortcut is None else out + self.shortcut(features)), hidden


class Extracted(NamedTuple):
    """What the feature extractor knows of B frames without their context (Sec. 2.1)."""

    features: Tensor
    """(B, C, h, w) for the RNN: stride 8 in ``compact``, 4 in ``paper``."""
    fine: Tensor | None
    """(B, C4, 2 h, 2 w) at stride 4, where the RNN works at stride 8."""


class StrnnNetwork(FrozenTrunkNetwork):
    """Feature extractor and spatio-temporal RNN. The features that come out have stride 4.

    Where the extractor is the pixel tracker, that one is frozen.
    """

    system, frozen_name, digest_name = "strnn", "extractor", "tracker_digest"
    stride = 4

    def __init__(self, size: StrnnSize, pretrained: bool = False) -> None:
        super().__init__()
        self.size = size
        self.extractor, channels, fine_channels = _build_extractor(size, pretrained)
        self.fine = nn.Conv2d(fine_channels, size.feature_channels, 1, bias=False) if fine_channels else None
        self.rnn = SpatioTemporalRnn(channels, size.hidden_channels, size.feature_channels, size.shortcut)
        self.freeze()

    @property
    def tracker(self) -> PixelTracker | None:
        """The frozen pixel tracker, where it is the extractor."""
        return self.extractor if isinstance(self.extractor, PixelTracker) else None

    @property
    def frozen(self) -> PixelTracker | None:
        """See ``FrozenTrunkNetwork``."""
        return self.tracker

    @property
    def frozen_preset(self) -> str | None:
        """See ``FrozenTrunkNetwork``."""
        return self.size.extractor.preset if isinstance(self.size.extractor, TrackerSize) else None

    def extract(self, images: Tensor) -> Extracted:
        """(B, 3, H, W) normalised images, H and W multiples of 16 -> features without context."""
        if self.tracker is not None:
            with torch.no_grad():
                encoded = self.tracker.encode(images)
            known = PyramidFeatures(*encoded.features)
            return Extracted(torch.cat([known.s8, encoded.key.to(known.s8.dtype)], 1), known.s4)
        features = self.extractor(images.to(self.rnn.enter.weight.dtype))
        if isinstance(features, PyramidFeatures):
            return Extracted(features.s8, features.s4)
        return Extracted(features, None)

    def contextualise(self, extracted: Extracted, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features F of one frame, as Eq. 3 and Eq. 4 take them, from what was extracted; see ``forward``."""
        features, hidden = self.rnn(extracted.features, before)
        if self.fine is not None:
            assert extracted.fine is not None
            wide = functional.interpolate(features, scale_factor=2.0, mode="bilinear")
            features = wide + self.fine(extracted.fine)
        return functional.normalize(features.float(), dim=1), hidden

    def forward(self, images: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features F of one frame, as Eq. 3 and Eq. 4 take them.

        Args:
            images: (B, 3, H, W) normalised, H and W multiples of 16.
            before: what this returned second for the frame before, or None.

        Returns:
            (B, D, H / 4, W / 4) float32 of unit length, and the hidden states.
        """
        return self.contextualise(self.extract(images), before)


def _build_extractor(size: StrnnSize, pretrained: bool) -> tuple[nn.Module, int, int]:
    """The extractor; channels for the RNN; channels at stride 4, 0 where the RNN's are."""
    if isinstance(size.extractor, DeeplabSize):
        channels = size.extractor.channels
        return DeeplabFeatures(size.extractor.backbone, channels, pretrained=pretrained), channels, 0
    if isinstance(size.extractor, TrackerSize):
        tracker = build_matcher(size.extractor.preset)
        assert isinstance(tracker, PixelTracker)
        _, fine_channels, channels = tracker.trunk.channels
        return tracker, channels + tracker.size.key_channels, fine_channels
    trunk = CompactTrunk(size.extractor.widths, size.extractor.blocks)
    _, fine_channels, channels = trunk.channels
    return trunk, channels, fine_channels


def build_strnn(preset: str, pretrained: bool = False) -> StrnnNetwork:
    """The network of a preset, with random parameters.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: fetch public ImageNet weights for the backbone of ``paper``; the others have none.

    Raises:
        InputError: if ``paper`` needs libraries that are not installed, or its backbone's weights cannot be fetched.
    """
    return StrnnNetwork(SIZES[preset], pretrained)
