"""Single pictures on and off disk: the only door to Pillow besides ``mask``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright (EXIF orientation applied). InputError where it is no picture."""
    raise NotImplementedError


def encode_png(image: NDArray[Any]) -> bytes:
    """PNG bytes of (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA uint8, or (H, W) uint16."""
    raise NotImplementedError


def encode_jpeg(image: NDArray[np.uint8], quality: int = 85) -> bytes:
    """JPEG bytes of (H, W, 3) RGB or (H, W) grey uint8."""
    raise NotImplementedError
