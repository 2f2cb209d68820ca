"""The trackers' networks at the size of each preset, and the frozen trunk they look through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from shibori.boxtracking.atom.estimation import EstimationSize, IouNetwork
from shibori.boxtracking.siamese_network import SiameseNetwork, SiameseSize
from shibori.boxtracking.trunks import (
    CompactViewTrunk,
    ResNet18ViewTrunk,
    fetch_resnet18_state,
    trunk_and_key,
)
from shibori.boxtracking.views import ViewRule, ViewTrunk
from shibori.nn.backbones import COMPACT_TRUNKS, CompactTrunk
from shibori.nn.weights import load_state
from shibori.weights import locate_weights

RESNET18 = "resnet18"
"""A trunk with torchvision's public weights."""


@dataclass(frozen=True)
class TrackerSize:
    """One preset."""

    trunk: str
    """``RESNET18``, or the preset of the pixel tracker whose trunk it is."""
    estimation: EstimationSize
    """Of ATOM's IoU network."""
    siamese: SiameseSize
    """Of the Siamese region proposal network."""
    views: ViewRule
    """How finely frames are looked at."""


SIZES = {
    "paper": TrackerSize(
        RESNET18,
        EstimationSize((128, 256), 256, 256, 256, 0),
        SiameseSize((128, 256), 256),
        ViewRule((320, 453, 640, 905), least_side=58.0),
    ),
    "compact": TrackerSize(
        "compact", EstimationSize((64, 192), 64, 96, 128, 64), SiameseSize((64, 192), 96), ViewRule((320, 640))
    ),
    "tiny": TrackerSize(
        "tiny",
        EstimationSize((16, 40), 16, 16, 32, 16),
        SiameseSize((16, 40), 16),
        ViewRule((128, 256), least_side=24.0),
    ),
}
"""``tiny`` is for tests."""


def build_trunk(preset: str, pretrained: bool = True) -> ViewTrunk:
    """The frozen trunk of a preset, in evaluation mode, float32.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: take ResNet-18's public weights for ``paper``, which are fetched.

    Raises:
        InputError: if they cannot be fetched, or the shipped pixel tracker is not as it was shipped.
    """
    name = SIZES[preset].trunk
    if name == RESNET18:
        resnet = ResNet18ViewTrunk()
        if pretrained:
            resnet.load_resnet(fetch_resnet18_state())
        return _frozen(resnet)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # ``tiny`` is random, and always the same
        maps = CompactTrunk(*COMPACT_TRUNKS[name])
        key = nn.Conv2d(maps.channels[2], SIZES[preset].estimation.match_channels, 3, padding=1)
    trunk = CompactViewTrunk(maps, key)
    if name != "tiny":
        state = load_state(locate_weights("matcher", name), "matcher", name)
        trunk.load_state_dict(trunk_and_key(state))
    return _frozen(trunk)


def _frozen(trunk: ViewTrunk) -> ViewTrunk:
    trunk.eval().requires_grad_(False)
    return trunk


def build_iou_network(preset: str) -> IouNetwork:
    """ATOM's IoU network with random parameters."""
    return IouNetwork(SIZES[preset].estimation)


def build_siamese(preset: str) -> SiameseNetwork:
    """The Siamese region proposal network with random parameters."""
    return SiameseNetwork(SIZES[preset].siamese)
