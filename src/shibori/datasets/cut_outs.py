"""Cut-outs of photographs, changed: under another light, with thin parts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def recoloured(rng: Generator, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cut-out under a slightly different light than it was photographed in."""
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3))
    colours = np.clip(rgba[..., :3] * gain, 0, 255).astype(np.uint8)
    return np.dstack([colours, rgba[..., 3]])


def with_thin_parts(rng: Generator, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 4) -> (h', w', 4): a cut-out with one to three thin limbs, in colours of its own, on a wider canvas."""
    height, width = rgba.shape[:2]
    margin = max(height, width) // 3
    wide = np.asarray(cv2.copyMakeBorder(rgba, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)))
    places = np.argwhere(wide[..., 3] > 127)
    if len(places) == 0:
        return rgba
    thickness = max(int(rng.uniform(0.012, 0.04) * max(height, width)), 1)
    for _ in range(int(rng.integers(1, 4))):
        row, column = places[rng.integers(len(places))]
        colour = wide[tuple(places[rng.integers(len(places))])][:3].tolist()
        end = (np.array([column, row]) + rng.normal(0, 0.5, 2) * max(height, width)).astype(int)
        wide = np.ascontiguousarray(wide)
        cv2.line(wide, (int(column), int(row)), tuple(end.tolist()), (*colour, 255), thickness, cv2.LINE_AA)
    return np.asarray(wide, np.uint8)
