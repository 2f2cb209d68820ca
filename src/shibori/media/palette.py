"""The DAVIS / PASCAL VOC colour map, and ids maps as PNG files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.atomic import write_whole
from shibori.media.picture import encode_flat_png

LARGEST_PALETTE_ID = 254


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


def check_palette_ids(largest: int, num_objects: int) -> None:
    """InputError where ids do not fit a palette PNG."""
    if num_objects > LARGEST_PALETTE_ID:
        raise InputError(
            f"{num_objects} objects do not fit a palette PNG, which holds {LARGEST_PALETTE_ID}: use the format ids16"
        )
    if largest > LARGEST_PALETTE_ID:
        raise InputError(
            f"object id {largest} does not fit a palette PNG, which ends at {LARGEST_PALETTE_ID}: use the format ids16"
        )


def write_palette_png(path: str | Path, ids: NDArray[Any]) -> None:
    """Write an (H, W) ids map as a palette PNG with the DAVIS colours, atomically.

    Raises:
        InputError: an id above 254 (255 is void, which only a uint8 map can hold); or the disk refuses.
    """
    if ids.dtype != np.uint8:
        check_palette_ids(int(ids.max(initial=0)), 0)
    write_whole(Path(path), encode_flat_png(ids.astype(np.uint8, copy=False), davis_palette()))
