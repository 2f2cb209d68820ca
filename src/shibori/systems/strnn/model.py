"""The network of strnn (Lin et al. 2019, Sec. 2.1 and 2.2): features of a frame with their context in space and time.

Axes: B clips, C channels, H W pixels of the working frame, h w its grid; the direction of a sweep comes first.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.errors import InputError
from shibori.nn.backbones import CompactTrunk, PyramidFeatures
from shibori.nn.deeplab import DeeplabFeatures
from shibori.nn.weights import DIGEST_BYTES
from shibori.ops.recurrence import DIRECTIONS, sweep_southeast, turned
from shibori.systems.strnn.size import SIZES, DeeplabSize, StrnnSize, TrackerSize
from shibori.tracking.compact import PixelTracker, build_pixel_tracker

EXTRACTOR_PREFIX = "extractor."


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


class StrnnNetwork(nn.Module):
    """Feature extractor and spatio-temporal RNN. The features that come out have stride 4.

    Where the extractor is the pixel tracker, that one is frozen, and it is not part of ``own_state``: its weights ship
    on their own, and ``tracker_digest`` says which they were.
    """

    stride = 4
    tracker_digest: Tensor

    def __init__(self, size: StrnnSize, pretrained: bool = False) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("tracker_digest", torch.zeros(DIGEST_BYTES, dtype=torch.uint8))
        self.extractor, channels, fine_channels = _build_extractor(size, pretrained)
        self.fine = nn.Conv2d(fine_channels, size.feature_channels, 1, bias=False) if fine_channels else None
        self.rnn = SpatioTemporalRnn(channels, size.hidden_channels, size.feature_channels, size.shortcut)
        if self.tracker is not None:
            self.tracker.eval().requires_grad_(False)

    @property
    def tracker(self) -> PixelTracker | None:
        """The frozen pixel tracker, where it is the extractor."""
        return self.extractor if isinstance(self.extractor, PixelTracker) else None

    def own_state(self) -> dict[str, Tensor]:
        """Parameters and buffers without a frozen pixel tracker's."""
        return self.own_part(self.state_dict())

    def own_part(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """What of a state dict of this network is not a frozen pixel tracker's."""
        if self.tracker is None:
            return state
        return {name: value for name, value in state.items() if not name.startswith(EXTRACTOR_PREFIX)}

    def load_own_state(self, state: dict[str, Tensor]) -> None:
        """The opposite of ``own_state``, strictly.

        Raises:
            InputError: if parameters are missing, too many or of another shape.
        """
        own = self.own_state()
        frozen = {name: value for name, value in self.state_dict().items() if name not in own}
        try:
            self.load_state_dict(state | frozen)
        except RuntimeError as error:
            raise InputError("expected weights of this preset of strnn, found parameters that do not fit it") from error

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
        tracker = build_pixel_tracker(size.extractor.preset)
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
