"""The first frame seen in other ways (ATOM, Sec. 3.4): turned, mirrored, blurred, shifted, with channels left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class AugmentationRule:
    """Which samples the first frame gives."""

    turns: tuple[float, ...] = (-20.0, -10.0, 10.0, 20.0, 45.0)
    """Degrees."""
    mirrored: bool = True
    """One picture is mirrored."""
    blurs: tuple[tuple[float, float], ...] = ((2.0, 0.3), (0.3, 2.0))
    """Deviations across and down, in pixels of the patch."""
    shifts: tuple[tuple[float, float], ...] = ((1.2, 0.9), (-1.0, 1.3), (0.8, -1.2), (-1.3, -0.7), (0.5, 0.4))
    """In sizes of the object."""
    dropouts: int = 2
    """Copies of the sample as it is, with channels left out."""
    dropout: float = 0.2
    """Share of the channels that is left out."""
    pixels_per_size: float = 40.0
    """How finely a patch shows an object at most."""


def augmented_patches(
    image: NDArray[np.uint8], centre_xy: NDArray[np.float64], side: float, patch_side: int, rule: AugmentationRule
) -> Tensor:
    """Patches about the object, which stays in the middle.

    Args:
        image: (H, W, 3) uint8 RGB.
        centre_xy: (2,) of the object.
        side: of the square that a patch shows, in pixels of the image.
        patch_side: of a patch, in its pixels.
        rule: which.

    Returns:
        (P, 3, patch_side, patch_side) uint8; beyond the image its edge goes on.
    """
    zoom = patch_side / side
    upright = _patch(image, centre_xy, zoom, 0.0, patch_side)
    patches = [_patch(image, centre_xy, zoom, turn, patch_side) for turn in rule.turns]
    patches += [upright[:, ::-1]] if rule.mirrored else []
    patches += [np.asarray(cv2.GaussianBlur(upright, (0, 0), across, None, down)) for across, down in rule.blurs]
    return torch.from_numpy(np.ascontiguousarray(np.stack(patches).transpose(0, 3, 1, 2)))


def _patch(
    image: NDArray[np.uint8], centre_xy: NDArray[np.float64], zoom: float, turn: float, side: int
) -> NDArray[np.uint8]:
    """One patch, turned by so many degrees about its middle."""
    if zoom < 0.5:  # pixels that are passed over would flicker
        image = np.asarray(cv2.blur(image, (round(0.7 / zoom), round(0.7 / zoom))))
    x, y = centre_xy - 0.5  # OpenCV counts from the middle of the first pixel
    matrix = np.asarray(cv2.getRotationMatrix2D((float(x), float(y)), turn, zoom), np.float64)
    matrix[:, 2] += side / 2 - 0.5 - np.array([x, y])
    seen = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)


def with_dropout(sample: Tensor, rule: AugmentationRule, generator: torch.Generator) -> Tensor:
    """(1, C, n, n) -> (rule.dropouts, C, n, n): channels left out, the others stronger."""
    kept = torch.rand((rule.dropouts, sample.shape[1], 1, 1), generator=generator) >= rule.dropout
    return sample * kept.to(sample) / (1 - rule.dropout)


def shifted_centres(centre_xy: Tensor, size: Tensor, shifts: Sequence[tuple[float, float]]) -> Tensor:
    """(2,) and () -> (S, 2): where the middle of each shifted region is."""
    return centre_xy + size * torch.tensor(shifts, dtype=centre_xy.dtype, device=centre_xy.device).reshape(-1, 2)
