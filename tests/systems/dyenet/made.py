"""Tiny networks, and batches of moving squares to train them on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from shibori.nn.backbones import CompactTrunk
from shibori.systems.dyenet.losses import Clips, Scenes
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.size import SIZES

TINY = SIZES["tiny"]
SIDE = 64


def tiny_network(seed: int = 0) -> DyeNet:
    """The preset with random parameters, those included that start at zero: else some parts would have no effect."""
    torch.manual_seed(seed)
    return _opinionated(build_dyenet("tiny"))


def own_trunk_network(seed: int = 0) -> DyeNet:
    """As ``paper`` is built, without a pixel tracker and with a trunk of its own, but tiny."""
    torch.manual_seed(seed)
    trunk = CompactTrunk((*TINY.feature_channels, 32), (1, 1, 1))
    return _opinionated(DyeNet(replace(TINY, matcher=None), None, trunk))


def _opinionated(network: DyeNet) -> DyeNet:
    for layer in (network.propagation.attention.score, network.propagation.pyramid.mask):
        nn.init.normal_(layer.weight, std=0.3)
    return network


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def made_clips(count: int, num_frames: int = 3, side: int = SIDE, seed: int = 0) -> Clips:
    """A bright square that moves 4 pixels a frame over noise, in windows that stay where they are."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 120, (count, num_frames, 3, side, side), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(count, num_frames, side, side, dtype=torch.uint8)
    others = torch.zeros_like(masks)
    for t in range(num_frames):
        masks[:, t, 12 : side // 2 + 4, 8 + 4 * t : side // 2 + 4 * t] = 1
        others[:, t, side // 2 + 8 : side - 4, 20:44] = 1
    windows = torch.tensor([0.0, 0, side, side]).expand(count, num_frames, 4).clone()
    flows = torch.zeros(count, num_frames, 2, side // 4, side // 4, dtype=torch.float16)
    flows[:, 1:, 0] = -4
    return Clips(images + 120 * masks[:, :, None], masks, others, windows, flows)


def made_scenes(num_pictures: int = 2, side: int = SIDE, seed: int = 0) -> Scenes:
    """Two squares a picture, the same two (0 and 1) in each, and a third that nobody knows."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 255, (num_pictures, 3, side, side), dtype=torch.uint8, generator=generator)
    places = [(4, 6, 30, 28), (34, 30, 60, 62), (40, 2, 56, 20)]
    boxes = torch.tensor(places * num_pictures, dtype=torch.float32)
    masks = torch.zeros(len(boxes), side, side, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, places * num_pictures, strict=True):
        mask[top:bottom, left:right] = True
    picture = torch.arange(num_pictures).repeat_interleave(3)
    return Scenes(images, masks, boxes, torch.tensor([0, 1, -1] * num_pictures), picture)
