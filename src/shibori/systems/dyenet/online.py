"""Online training (Sec. 4): a few steps on the masks given in one frame, made into clips.

The frame and its masks are warped, and its objects cut out and moved over it, as the training clips are made from
photographs; the networks of the propagation learn what these very objects look like. The rest stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.stills import Still
from shibori.errors import InputError
from shibori.nn.prepare import mixed_precision
from shibori.systems.dyenet.batch import flow_clips, stack_clips, with_flows
from shibori.systems.dyenet.losses import QUALITY_WEIGHT, propagation_loss
from shibori.systems.dyenet.model import DyeNet
from shibori.systems.dyenet.variant import Variant

BATCH, FRAMES, SIZE = 4, 3, 208
RATE = 1e-4
LONGEST_SIDE = 640
"""The frame is shrunk to this before clips are made of it."""
SMALLEST_SIDE = 5
"""Shorter side of an object's box, in pixels, from which it can be cut out and seen again."""
INPAINTING = 5
"""Pixels around an object from which the ground below it is made up."""


def train_online(
    network: DyeNet,
    image: NDArray[np.uint8],
    masks: Mapping[int, NDArray[np.bool_]],
    variant: Variant,
    steps: int,
    device: torch.device,
) -> None:
    """Train ``network.propagation`` in place.

    Args:
        network: with its parameters, not prepared for inference.
        image: (H, W, 3) uint8 RGB.
        masks: object_id -> (H, W) bool.
        variant: the parts that will take part.
        steps: optimiser steps; none are made where no object is large enough to be cut out.
        device: of the network.
    """
    stills = frame_stills(image, masks)
    try:
        drawn = TrainingClips(stills, [], SamplingPlan(FRAMES, SIZE, 0.0), 0, steps * BATCH)
    except InputError:
        return
    clips = flow_clips(drawn, SIZE, network.raft)
    # Normalisation keeps the statistics of the real training: a few clips of one frame would ruin them.
    network.eval().requires_grad_(False)
    network.propagation.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.propagation.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(steps):
        batch = with_flows(stack_clips([clips[step * BATCH + i] for i in range(BATCH)]).on(device), network.raft)
        with mixed_precision(device):
            pixels, quality, _ = propagation_loss(network, batch, [variant] * BATCH, 0.3)
            loss: Tensor = pixels + QUALITY_WEIGHT * quality
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(network.propagation.parameters(), 1.0)
        optimiser.step()


def frame_stills(image: NDArray[np.uint8], masks: Mapping[int, NDArray[np.bool_]]) -> list[Still]:
    """The frame with its objects, and the frame without them: a photograph to cut from, and one to paste onto."""
    height, width = image.shape[:2]
    ids = np.zeros((height, width), np.uint8)
    for number, mask in enumerate(list(masks.values())[:254], 1):
        ids[mask] = number
    zoom = min(LONGEST_SIDE / max(height, width), 1.0)
    size_wh = max(round(width * zoom), 1), max(round(height * zoom), 1)
    small = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    small_ids = np.asarray(cv2.resize(ids, size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
    numbers = tuple(int(i) for i in np.unique(small_ids) if i and _shorter_side(small_ids == i) >= SMALLEST_SIDE)
    covered = cv2.dilate((small_ids > 0).astype(np.uint8), np.ones((9, 9), np.uint8))
    empty = np.asarray(cv2.inpaint(small, covered, INPAINTING, cv2.INPAINT_TELEA), np.uint8)
    return [Still(small, small_ids, numbers, False), Still(empty, np.zeros_like(small_ids), (), False)]


def _shorter_side(mask: NDArray[np.bool_]) -> int:
    _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return min(width, height)
