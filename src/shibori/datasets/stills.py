"""Photographs with object masks, from which clips are synthesised.

A set is a folder ``<set>/{images,masks}`` with the same stems in both; mask values are object ids (255: ignore), as
described in the data's own README. A set whose masks cover the whole image gives regions instead of objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError

VOID = 255
MIN_AREA_SHARE, MAX_AREA_SHARE = 0.01, 0.7
MIN_SIDE = 20


@dataclass(frozen=True)
class Still:
    """One photograph and the objects in it that are worth following."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    ids: NDArray[np.uint8]
    """(H, W) object ids, 255 ignored."""
    object_ids: tuple[int, ...]
    """The ids that are neither too small nor too large to follow."""
    regions: bool
    """Whether the ids cover the whole image: such an object cannot be cut out, only warped with its surroundings."""


def read_stills(root: Path, sets: Sequence[str] | None = None, threads: int = 2) -> list[Still]:
    """All photographs under ``root`` that have at least one object to follow, kept in memory.

    Args:
        root: folder of sets.
        sets: names of the sets to read; all of them by default.
        threads: how many files to decode at once.

    Raises:
        InputError: if there is none, or one cannot be read.
    """
    folders = [root / name for name in sets] if sets is not None else sorted(p for p in root.glob("*") if p.is_dir())
    pairs = [pair for folder in folders for pair in _pairs(folder)]
    with ThreadPoolExecutor(threads) as pool:
        stills = [still for still in pool.map(lambda pair: _read_still(*pair), pairs) if still.object_ids]
    if not stills:
        raise InputError(f"expected folders <set>/images and <set>/masks with the same stems under {root}, found none")
    return stills


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
    images = sorted(path for path in (folder / "images").glob("*") if path.stem in masks)
    return [(image, masks[image.stem]) for image in images]


def _read_still(image_path: Path, mask_path: Path) -> Still:
    stored, values = cv2.imread(str(image_path), cv2.IMREAD_COLOR), cv2.imread(str(mask_path), cv2.IMREAD_UNCHANGED)
    if stored is None or values is None:
        damaged = image_path if stored is None else mask_path
        raise InputError(f"expected a photograph and its mask, found {damaged} unreadable")
    image = np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)
    if values.shape != image.shape[:2]:
        raise InputError(
            f"expected a one-channel mask of {image.shape[:2]} pixels, found {values.shape} in {mask_path}"
        )
    ids: NDArray[np.uint8] = values.astype(np.uint8)
    counts = np.bincount(ids.ravel(), minlength=256)
    regions = bool(counts[0] == 0)
    object_ids = tuple(i for i in np.flatnonzero(counts).tolist() if i not in (0, VOID) and _is_worth(ids == i))
    return Still(image, ids, object_ids, regions)


def _is_worth(mask: NDArray[np.bool_]) -> bool:
    share = mask.mean()
    if not MIN_AREA_SHARE <= share <= MAX_AREA_SHARE:
        return False
    _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return bool(min(width, height) >= MIN_SIDE)
