"""Soft edges, and how a piece with soft coverage is laid over what is below it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
"""(H, W, 3) RGB: uint8, or float32 where a scene is composed in finer steps."""


def feathered(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft edges about a pixel wide, pulled inwards so that no rim of the old background comes along."""
    return ((cv2.GaussianBlur(coverage, (0, 0), 1.2) - 0.35) / 0.5).clip(0, 1)


def over_in_8_bits(coverage: NDArray[np.float32], colours: Picture, below: Picture) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 colours with (h, w) coverage in [0, 1] over a uint8 picture, rounded."""
    return np.asarray(cv2.blendLinear(colours, below, coverage, 1 - coverage), np.uint8)


def over_in_float(coverage: NDArray[np.float32], colours: Picture, below: Picture) -> NDArray[np.float32]:
    """(h, w, 3) colours with (h, w) coverage in [0, 1] over a float32 picture."""
    soft = coverage[..., None]
    return np.asarray(below + soft * (colours.astype(np.float32, copy=False) - below), np.float32)


def over_premultiplied(rgba: NDArray[np.float32], below: Picture) -> NDArray[np.float32]:
    """(h, w, 4) colours multiplied by their alpha over a float32 picture, or over another such piece."""
    return np.asarray(rgba[..., : below.shape[2]] + below * (1 - rgba[..., 3:]), np.float32)
