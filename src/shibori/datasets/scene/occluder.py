"""Opaque pieces of other pictures' backgrounds, behind which objects vanish."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.motion import SpriteMotion
from shibori.datasets.scene.renderer import MovingSprite
from shibori.datasets.scene.sprite import CutOut, Footage

_TRIES = 16


def occluder_layer(
    rng: np.random.Generator,
    footage: Footage,
    outline_xy: NDArray[np.float64],
    centre_xy: NDArray[np.float64],
    bare: bool = False,
) -> MovingSprite | None:
    """An occluder of an outline (pixels around its centre) on its path, cut where little of the footage's object is.

    Args:
        rng: source of randomness.
        footage: whose background it is cut from.
        outline_xy: (N, 2) pixels of the clip, around (0, 0).
        centre_xy: (T, 2) pixels of the clip.
        bare: whether it must show nothing of the object; then None where no such cut was found.
    """
    height, width = footage.picture(0).shape[:2]
    low, high = outline_xy.min(axis=0), outline_xy.max(axis=0)
    zoom = max(1.0, *((high - low + 3) / (width, height)))
    points = np.round((outline_xy - low) / zoom).astype(int)
    (wide, high) = points.max(axis=0) + 1
    covered, index, (x, y) = _emptiest(rng, footage, (wide, high), (width, height))
    if bare and covered:
        return None
    mask = np.zeros((high, wide), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    occluder = CutOut(footage.name, np.dstack([footage.picture(index)[y : y + high, x : x + wide], mask]))
    num_frames = len(centre_xy)
    motion = SpriteMotion(centre_xy + low, np.full(num_frames, zoom), np.zeros(num_frames))
    return MovingSprite(0, occluder, motion.matrices(np.zeros(2)))


def _emptiest(
    rng: np.random.Generator, footage: Footage, size_xy: tuple[int, int], picture_xy: tuple[int, int]
) -> tuple[int, int, tuple[int, int]]:
    """Of some drawn, the frame and the corner where the object covers least of a cut of this size; that area first."""
    best: tuple[int, int, tuple[int, int]] | None = None
    for _ in range(_TRIES):
        index = int(rng.integers(footage.sequence.num_frames))
        x, y = (int(rng.integers(max(whole - part, 0) + 1)) for whole, part in zip(picture_xy, size_xy, strict=True))
        x0, y0, x1, y1 = footage.silhouette(index).box_xyxy
        wide, high = min(x1, x + size_xy[0]) - max(x0, x), min(y1, y + size_xy[1]) - max(y0, y)
        covered = int(max(wide, 0) * max(high, 0))
        if best is None or covered < best[0]:
            best = (covered, index, (x, y))
        if covered == 0:
            break
    assert best is not None
    return best
