"""A training clip: T frames of one object with their masks, and where each was looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.mask_noise import as_detected


@dataclass(frozen=True)
class TrainingClip:
    """T frames of one object, or a batch of them with a leading B."""

    images: Tensor
    """(T, 3, S, S) uint8 RGB."""
    masks: Tensor
    """(T, S, S) uint8 0/1: the object."""
    others: Tensor
    """(T, S, S) uint8 0/1: other objects that the tracker knows of."""
    windows: Tensor
    """(T, 4) float32 xyxy, where each frame was looked at, in pixels of the scene."""


def with_noisy_reference(rng: Generator, clip: TrainingClip) -> TrainingClip:
    """The clip with a first mask such as a detector gives; it covers what others it lies on."""
    noisy = torch.from_numpy(as_detected(rng, clip.masks[0].numpy() > 0)).to(clip.masks)
    masks, others = clip.masks.clone(), clip.others.clone()
    masks[0], others[0] = noisy, others[0] * (1 - noisy)
    return replace(clip, masks=masks, others=others)


def stacked_clip(
    images: list[NDArray[np.uint8]],
    masks: list[NDArray[np.uint8]],
    others: list[NDArray[np.uint8]],
    windows: list[NDArray[np.float64]],
) -> TrainingClip:
    """A clip out of its frames: (S, S, 3) images, (S, S) masks and others, (4,) windows."""
    stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return TrainingClip(
        torch.from_numpy(stacked),
        torch.from_numpy(np.stack(masks)),
        torch.from_numpy(np.stack(others)),
        torch.from_numpy(np.stack(windows).astype(np.float32)),
    )
