"""Masks as COCO run-length codes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


def encode_rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """(H, W) bool -> ``{"size": [H, W], "counts": str}``, compressed, ready for JSON."""
    code = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode("ascii")}


def decode_rle(code: Mapping[str, Any]) -> NDArray[np.bool_]:
    """COCO code, compressed (counts str or bytes) or not (counts list) -> (H, W) bool.

    Raises:
        ValueError: runs that do not cover the stated size.
    """
    height, width = code["size"]
    counts = code["counts"]
    if isinstance(counts, list):
        if sum(counts) != height * width:
            raise ValueError(f"runs of {sum(counts)} pixels for a mask of {height}x{width}")
        values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return values.reshape(width, height).T.copy()
    data = counts.encode("ascii") if isinstance(counts, str) else counts
    with warnings.catch_warnings():
        # pycocotools 2.0.x hands its memory to NumPy 2 in a way NumPy 2 calls old-fashioned.
        warnings.simplefilter("ignore", DeprecationWarning)
        decoded: NDArray[np.uint8] = coco.decode({"size": [height, width], "counts": data})
    return decoded.astype(bool)


def rle_area(code: Mapping[str, Any]) -> int:
    """Number of pixels of a compressed code, without decoding it."""
    counts = code["counts"]
    return int(
        coco.area({"size": code["size"], "counts": counts.encode("ascii") if isinstance(counts, str) else counts})
    )
