"""What tells one preset of trackprop's networks from another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeeplabSize:
    """Three DeepLabv3+ networks that differ in their input channels (Sec. 3 and 3.2)."""

    backbone: str = "tu-xception65"
    """A name that ``nn.deeplab`` knows."""
    channels: int = 256
    """Of the decoder."""


@dataclass(frozen=True)
class DecoderSize:
    """One decoder on the pixel tracker's frozen trunk, with a stem for each of the three networks."""

    matcher: str
    """Preset of the pixel tracker."""
    trunk_channels: tuple[int, int, int]
    """Its features at strides 2, 4, 8."""
    stem_channels: tuple[int, int, int]
    """What a stem makes of masks and guidance at strides 2, 4, 8."""
    channels: int
    """Of the decoder at stride 8; two thirds of them at 4, a third at 2."""
    dilations: tuple[int, ...]
    """Of its residual blocks at stride 8."""


SIZES: dict[str, DeeplabSize | DecoderSize] = {
    "paper": DeeplabSize(),
    "compact": DecoderSize("compact", (32, 64, 128), (12, 24, 48), 72, (1, 2, 4, 8)),
    "tiny": DecoderSize("tiny", (8, 16, 24), (4, 8, 8), 24, (1, 2)),
}
