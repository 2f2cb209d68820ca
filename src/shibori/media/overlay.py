"""Masks drawn over pictures, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def overlay_image(image: NDArray[np.uint8], ids: NDArray[Any], object_ids: Sequence[int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the picture with each object filled in its colour and outlined."""
    raise NotImplementedError


def contact_sheet(images: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures of one size side by side, (H, W, 3) uint8."""
    raise NotImplementedError
