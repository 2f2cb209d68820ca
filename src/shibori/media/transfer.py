"""The sRGB curve (IEC 61966-2-1): display values to linear light and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def linear_from_srgb(image: NDArray[np.uint8]) -> NDArray[np.float16]:
    """uint8 display values of any shape -> float16 linear light, 1 white."""
    return _table()[image]


def srgb_from_linear(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Linear light of any shape -> uint8 display values; below 0 and above 1 is clipped."""
    clipped = np.nan_to_num(values.astype(np.float32), posinf=1.0).clip(0, 1)
    curved = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.rint(255 * curved).astype(np.uint8)


@cache
def _table() -> NDArray[np.float16]:
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float16)
