"""Tiny networks, batches of moving squares to train them on, and systems with definite answers to run on clips."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from shibori.interfaces import FrameSource
from shibori.nn.backbones import CompactTrunk
from shibori.ops.window import WindowRule
from shibori.systems.dyenet.batch import Clips, Scenes
from shibori.systems.dyenet.build import propagator_from_state
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.losses import MIX, JointTraining
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.systems.dyenet.size import SIZES
from shibori.tracking.config import MATCHER_CONFIG

TINY = SIZES["tiny"]
SIDE = 64


def tiny_network(seed: int = 0) -> DyeNet:
    """The preset with random parameters, those included that start at zero: else some parts would have no effect."""
    torch.manual_seed(seed)
    return _definite(build_dyenet("tiny"))


def own_trunk_network(seed: int = 0) -> DyeNet:
    """As ``paper`` is built, without a pixel tracker and with a trunk of its own, but tiny."""
    torch.manual_seed(seed)
    trunk = CompactTrunk((*TINY.feature_channels, 32), (1, 1, 1))
    return _definite(DyeNet(replace(TINY, matcher=None), None, trunk))


def _definite(network: DyeNet) -> DyeNet:
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


# ---- inference


def changed(rule: DyeNetRule, **numbers: float) -> DyeNetRule:
    """A rule with other numbers of its own, or of its tracker."""
    of_tracker = {name: numbers.pop(name) for name in [*numbers] if hasattr(rule.tracker, name)}
    return replace(rule, tracker=replace(rule.tracker, **of_tracker), **numbers)


QUICK = DyeNetRule(replace(MATCHER_CONFIG, window=WindowRule(area_side=64)), frame_side=64, roi_side=96)
CREDULOUS = changed(
    QUICK,
    lost_threshold=-1,
    redetect_threshold=-1,
    seed_similarity=-1.1,
    min_area=0,
    remember_threshold=-1,
    remember_every=2,
    expand_from=-1,
    expand_every=2,
)
"""Believes every answer and remembers it."""
DOUBTFUL = changed(CREDULOUS, lost_threshold=2, redetect_threshold=2)
"""Believes none, so that every object is lost in its second frame and looked for ever after."""
FICKLE = changed(CREDULOUS, lost_threshold=2, reid_every=1)
"""Loses every object in its second frame and then takes whatever is proposed for it."""


@cache
def strong_state() -> dict[str, Tensor]:
    """Random parameters, normalised by what goes through them, so that answers differ: half of the pixels say yes."""
    network = tiny_network()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    JointTraining(network, 5, 10)(made_clips(len(MIX)), made_scenes(), 1.0)
    mask = network.propagation.output[2]
    assert isinstance(mask, nn.Conv2d)
    with torch.no_grad():
        mask.weight -= mask.weight.mean()  # what goes in is positive
        mask.weight *= 10
    return network.own_state()


def appearance_channels(network: DyeNet) -> int:
    """Of what its identities are told from: features at stride 8, and the matching embedding."""
    return network.reid.feature_channels + network.reid.key_channels


def made_propagator(
    rule: DyeNetRule = CREDULOUS, variant: str = "combined", dtype: torch.dtype = torch.float32, bias: float = 0.0
) -> DyeNetPropagator:
    """DyeNet with definite answers; ``bias`` is added to the log-odds of every pixel."""
    state = strong_state()
    moved = {"propagation.output.2.bias": state["propagation.output.2.bias"] + bias}
    return propagator_from_state(state | moved, "tiny", "cpu", variant, rule, dtype)


class ArrayFrames(FrameSource):
    """Pictures in memory; those in ``damaged`` do not come."""

    def __init__(self, images: Sequence[np.ndarray], damaged: Collection[int] = ()) -> None:
        self.images, self.damaged = images, damaged

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.images[0].shape[0], self.images[0].shape[1]

    @property
    def num_frames(self) -> int:
        return len(self.images)

    def read(self, index: int) -> np.ndarray:
        return self.images[index]

    def forward(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        return ((index, self.images[index]) for index in range(start, stop) if index not in self.damaged)

    def backward(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        return ((index, self.images[index]) for index in range(start, stop, -1) if index not in self.damaged)


SIZE_HW = (60, 84)


def frame(index: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """(H, W, 3) smooth noise that moves a pixel a frame."""
    height, width = size_hw
    noise = np.random.default_rng(0).integers(0, 256, (height // 4 + 2, width // 4 + 40, 3)).astype(np.uint8)
    wide = cv2.resize(noise, (noise.shape[1] * 4, noise.shape[0] * 4), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:height, index : index + width])


def frames(count: int, size_hw: tuple[int, int] = SIZE_HW, damaged: Collection[int] = ()) -> ArrayFrames:
    return ArrayFrames([frame(index, size_hw) for index in range(count)], damaged)


def rectangle(left: int, top: int, right: int, bottom: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask
