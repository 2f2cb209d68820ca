"""The sRGB curve (IEC 61966-2-1): display values to linear light and back; and the curve of scanned film."""

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


def linear_from_cineon(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Printing density in [0, 1] of the code range -> linear light: 1 at code 685 of 1023, 0 at 95 (Kodak Cineon)."""
    light = 10 ** ((values.astype(np.float32) * 1023 - 685) * np.float32(0.002 / 0.6))
    black = np.float32(10 ** ((95 - 685) * 0.002 / 0.6))
    return np.asarray((light - black) / (1 - black), np.float32)


@cache
def _table() -> NDArray[np.float16]:
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float16)
