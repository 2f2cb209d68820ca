"""The presets agree with what they stand on."""

from __future__ import annotations

import pytest

from shibori.boxtracking.presets import SIZES as TRACKER_SIZES
from shibori.systems.trackprop.rule import RULES
from shibori.systems.trackprop.size import SIZES, DecoderSize, DeeplabSize
from shibori.tracking.matcher import PixelTracker, build_matcher


@pytest.mark.parametrize("preset", [name for name, size in SIZES.items() if isinstance(size, DecoderSize)])
def test_the_decoder_fits_the_pixel_trackers_trunk(preset: str):
    size = SIZES[preset]
    assert isinstance(size, DecoderSize)
    tracker = build_matcher(size.matcher)
    assert isinstance(tracker, PixelTracker)
    assert size.trunk_channels == tuple(tracker.trunk.channels)
    assert size.channels % 3 == 0  # a third of them at stride 2


def test_a_preset_has_networks_numbers_and_trackers():
    assert set(SIZES) == set(RULES) == set(TRACKER_SIZES)


def test_paper_is_the_papers():
    """Sec. 3.2."""
    assert SIZES["paper"] == DeeplabSize("tu-xception65", 256)
