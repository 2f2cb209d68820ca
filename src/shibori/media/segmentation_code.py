"""Segmentations as COCO-style JSON writes them - run-length codes, plain run lengths, polygons - made one kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from shibori.errors import InputError

Rle = Mapping[str, Any]
"""``{"size": [H, W], "counts": str}``: a compressed COCO run-length code."""

# Six bits a character from "0" on; the highest says that the number goes on, so the last character cannot have it.
_COUNTS = re.compile("[0-o]*[0-O]")
_CHUNK = 1 << 20  # characters checked at once


def segmentation_to_rle(segmentation: Any, size_hw: tuple[int, int] | None, what: str) -> Rle:
    """A compressed run-length code of a segmentation of any COCO kind.

    Args:
        segmentation: ``{"size", "counts"}`` with compressed or plain counts, or a list of polygons
            ``[x0, y0, x1, y1, ...]`` in pixels.
        size_hw: the size it must have; None takes the code's own (then polygons cannot be read).
        what: names it in the sentence of an error.

    Raises:
        InputError: it is none of these, or has another size. ``check_totals`` finds codes that are cut short.
    """
    if isinstance(segmentation, Mapping) and {"size", "counts"} <= set(segmentation):
        return _checked_code(segmentation, size_hw, what)
    if isinstance(segmentation, list) and segmentation and size_hw is not None and all(map(_is_polygon, segmentation)):
        code = coco.merge(coco.frPyObjects(segmentation, *size_hw))
        return {"size": list(size_hw), "counts": code["counts"].decode("ascii")}
    found = str(segmentation)
    raise InputError(
        f"{what} is no segmentation: expected null, a run-length code with size and counts, or polygons, found "
        f"{found[:60]}{'...' if len(found) > 60 else ''}"
    )


def _is_polygon(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) >= 6 and len(value) % 2 == 0
    return is_list and all(isinstance(number, int | float) for number in value)


def _checked_code(code: Rle, size_hw: tuple[int, int] | None, what: str) -> Rle:
    size, counts = code["size"], code["counts"]
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        raise InputError(f"{what} has the size {size}: expected [height, width] in pixels")
    if size_hw is not None and tuple(size) != tuple(size_hw):
        raise InputError(
            f"{what} is {size[1]}x{size[0]} pixels, but its video is {size_hw[1]}x{size_hw[0]} (width x height): "
            "write masks at the video's own size"
        )
    if isinstance(counts, list):
        return _from_runs(counts, (size[0], size[1]), what)
    if not (isinstance(counts, str) and _COUNTS.fullmatch(counts)):
        raise InputError(f"{what} has counts that are no run-length code: {str(counts)[:40]!r}")
    return {"size": size, "counts": counts}


def _from_runs(counts: list[Any], size_hw: tuple[int, int], what: str) -> Rle:
    if not all(isinstance(count, int) and count >= 0 for count in counts) or sum(counts) != size_hw[0] * size_hw[1]:
        raise InputError(
            f"{what} has run lengths that do not fill its {size_hw[1]}x{size_hw[0]} pixels: the file is damaged"
        )
    code = coco.frPyObjects({"size": list(size_hw), "counts": counts}, *size_hw)
    return {"size": list(size_hw), "counts": code["counts"].decode("ascii")}


def check_totals(codes: Sequence[Rle], names: Sequence[str]) -> None:
    """InputError, naming the first, where a code's runs do not fill its picture: it is cut short or of another size.

    Args:
        codes: with compressed counts.
        names: what each is called in the sentence.
    """
    lengths = np.cumsum([len(code["counts"]) for code in codes])
    begin = 0
    while begin < len(codes):
        before = lengths[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(lengths, before + _CHUNK)))
        totals = run_totals([code["counts"] for code in codes[begin:end]])
        for place, total in enumerate(totals.tolist(), begin):
            height, width = codes[place]["size"]
            if total != height * width:
                raise InputError(
                    f"{names[place]} has a run-length code for {total} pixels, but is {width}x{height}: it is damaged, "
                    "or was made for another size"
                )
        begin = end


def run_totals(counts: Sequence[str]) -> NDArray[np.int64]:
    """(N,) int64: how many pixels the runs of each compressed code cover.

    A number of the code is five bits a character, the last one's highest is its sign; from the fourth on it is the
    difference to the number two before. So number j of n counts as often as numbers of its chain follow, itself
    included, and none of the runs needs to be known.
    """
    sizes = np.array([len(code) for code in counts])
    bits = np.frombuffer("".join(counts).encode("ascii"), np.uint8).astype(np.int32) - 48
    last = (bits & 32) == 0
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    order = np.arange(len(bits), dtype=np.int32) - np.repeat(
        starts.astype(np.int32), ends - starts + 1
    )  # in its number
    values = np.add.reduceat((bits & 31) << (5 * order), starts).astype(np.int64)
    values -= ((bits[ends] & 16) >> 4).astype(np.int64) << (5 * (order[ends] + 1))
    firsts = np.concatenate([[0], np.cumsum(last)[np.cumsum(sizes) - 1]])  # number with which each code begins
    lengths = np.diff(firsts)
    place = np.arange(len(values)) - np.repeat(firsts[:-1], lengths)
    weights = (np.repeat(lengths, lengths) - place + 1) // 2
    weights[firsts[:-1]] = 1
    return np.add.reduceat(values * weights, firsts[:-1])


def mask_ious(codes: Sequence[Rle], others: Sequence[Rle]) -> NDArray[np.float64]:
    """(A, B) intersection over union of A and B compressed codes of one size; 0 where both are empty."""
    if not codes or not others:
        return np.zeros((len(codes), len(others)))
    ious: NDArray[np.float64] = coco.iou(list(codes), list(others), [0] * len(others))
    return ious
