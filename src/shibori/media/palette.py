"""The DAVIS / PASCAL VOC colour map, and ids maps as PNG files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=1)
def davis_palette() -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB, read-only: (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128) ...

    Bits 0, 1, 2 of the index are the top bits of red, green, blue; bits 3, 4, 5 the next ones, and so on.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = (index >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


def write_palette_png(path: str | Path, ids: NDArray[Any]) -> None:
    """Write an (H, W) ids map as a palette PNG with the DAVIS colours, atomically.

    Raises:
        InputError: an id above 254 (255 is void) that is not void in a uint8 map; or the disk refuses.
    """
    raise NotImplementedError


def write_ids16_png(path: str | Path, ids: NDArray[Any]) -> None:
    """Write an (H, W) ids map as a 16-bit greyscale PNG, atomically. InputError where the disk refuses."""
    raise NotImplementedError
