"""Candidates made by hand."""

from __future__ import annotations

import numpy as np

from shibori.media.rle import encode_rle
from shibori.systems.ipdt.candidate import Candidate

SIZE = (40, 60)


def box_mask(x0: int, y0: int, x1: int, y1: int) -> dict:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return encode_rle(mask)


def candidate(frame_index: int, box: tuple[int, int, int, int], scores, look: float | None = None) -> Candidate:
    """``look`` is an angle: appearances are points of a circle."""
    embedding = None if look is None else np.array([np.cos(look), np.sin(look)], np.float32)
    return Candidate(frame_index, np.array(scores, float), np.array(box, float), box_mask(*box), embedding)
