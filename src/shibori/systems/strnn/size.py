"""What tells one preset of strnn's network from another."""

from __future__ import annotations

from dataclasses import dataclass

from shibori.systems.strnn.rule import RULES, AdaptionRule


@dataclass(frozen=True)
class TrackerSize:
    """The feature extractor of ``compact``: this version's pixel tracker, frozen; its strides 4 and 8 and embedding."""

    preset: str = "compact"
    """Of the pixel tracker."""


@dataclass(frozen=True)
class TrunkSize:
    """The feature extractor of ``tiny``: a small trunk of its own, its strides 4 and 8."""

    widths: tuple[int, int, int, int]
    """Channels at strides 2, 4, 8, 16."""
    blocks: tuple[int, int, int]
    """Residual blocks at strides 4, 8, 16."""


@dataclass(frozen=True)
class DeeplabSize:
    """The feature extractor of ``paper`` and ``paper-resnet``: DeepLabv3+ without its classifier (Sec. 2.1)."""

    backbone: str = "tu-xception65"
    """A name that ``nn.deeplab`` knows."""
    channels: int = 256
    """Of the features, which have stride 4."""


@dataclass(frozen=True)
class StrnnSize:
    """The network of one preset."""

    extractor: TrackerSize | TrunkSize | DeeplabSize
    hidden_channels: int
    """Of the hidden state of each of the four sweeps."""
    feature_channels: int
    """Of the features that the online classifier sees."""
    shortcut: bool
    """Whether the extractor's features, projected, are added to what the sweeps give; Eq. 2 has the sweeps alone."""


SIZES: dict[str, StrnnSize] = {
    "paper": StrnnSize(DeeplabSize(), 64, 64, shortcut=False),
    "paper-resnet": StrnnSize(DeeplabSize("resnet101"), 64, 64, shortcut=False),
    "compact": StrnnSize(TrackerSize(), 48, 64, shortcut=True),
    "tiny": StrnnSize(TrunkSize((8, 16, 24, 32), (1, 1, 1)), 8, 16, shortcut=True),
}

SAME_RULE = {"paper-resnet": "paper"}
"""Presets that differ from another in their backbone alone go by its rule."""


def rule_of(preset: str) -> AdaptionRule:
    """The online adaption of a preset; KeyError for a name that is not in ``SIZES``."""
    return RULES[SAME_RULE.get(preset, preset)]
