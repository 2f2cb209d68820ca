"""Presets fit together, and the blocks that follow from them keep what they promise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from shibori.nn.backbones import ResNetFeatures
from shibori.nn.deeplab import XceptionFeatures
from shibori.systems.dyenet.size import SIZES, region_blocks
from shibori.tracking.matcher import SIZES as TRACKER_SIZES
from shibori.tracking.matcher import PixelTrackerSize

from .made import TINY, random


def test_features_are_those_of_the_pixel_tracker_a_preset_names():
    for name in ("compact", "tiny"):
        tracker = TRACKER_SIZES[SIZES[name].matcher]
        assert isinstance(tracker, PixelTrackerSize)
        assert SIZES[name].feature_channels == tracker.trunk_widths[:3]


@pytest.mark.parametrize(("preset", "backbone"), [("paper", ResNetFeatures), ("paper-xception", XceptionFeatures)])
def test_features_are_those_of_the_backbone_a_preset_names(preset: str, backbone: type):
    assert SIZES[preset].feature_channels == backbone.channels
    assert SIZES[preset].matcher is None


def test_the_papers_numbers():
    """Sec. 2.1: 28 x 28 RoIs, 256 numbers an identity; conv1 to conv4_x of ResNet-101 for the features."""
    paper = SIZES["paper"]
    assert (paper.region_side, paper.embedding_channels, paper.feature_channels) == (28, 256, (64, 256, 1024))
    assert paper.region_channels == 0
    assert paper.matcher is None


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_our_own_blocks_all_have_the_stride(count: int, stride: int):
    blocks, channels = region_blocks(replace(TINY, region_blocks=count), 7, stride)
    found = blocks.eval()(random(2, 7, 16, 12))
    assert channels == TINY.region_channels
    assert found.shape[:2] == (2, channels)
    assert found.shape[2:] == tuple(math.ceil(side / stride**count) for side in (16, 12))


@pytest.mark.parametrize("in_channels", [1024, 1030])
def test_conv5_takes_what_is_not_its_own_number_through_a_projection(in_channels: int):
    with torch.device("meta"):
        blocks, channels = region_blocks(SIZES["paper"], in_channels, stride=1)
        assert blocks(torch.empty(1, in_channels, 4, 4)).shape == (1, 2048, 4, 4)
    assert channels == 2048
    assert isinstance(blocks[0], torch.nn.Identity) == (in_channels == 1024)
