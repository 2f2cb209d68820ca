"""The masks of a frame, hard and soft, as a few kilobytes."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.mask_store import LOGIT_STEP
from shibori.media.soft_mask import LARGEST_LOGIT, SoftLayer, SoftMasks

_MOST_POSITIONS = 256
"""Across a layer of log-odds: a finer grid is thinned out to this, which moves edges by less than a pixel of HD."""


def encode_frame(masks: FrameMasks) -> bytes:
    """Bytes that ``decode_frame`` turns back into the same ids, states and given masks; log-odds in whole steps.

    A length (u32, little-endian), that many bytes of JSON, then the maps that it lists in that order, all deflated.
    """
    parts = [_pack_flat(masks.ids)]
    note: dict[str, Any] = {
        "index": masks.index,
        "size": masks.ids.shape,
        "deep": masks.ids.dtype != np.uint8,
        "objects": [[each.object_id, round(each.confidence, 4), each.state, *each.sources] for each in masks.statuses],
    }
    if masks.soft is not None:
        steps = [_steps(layer.logits) for layer in masks.soft.layers]
        note["layers"] = [
            [layer.object_id, [int(side) for side in layer.window], map_.shape]
            for layer, map_ in zip(masks.soft.layers, steps, strict=True)
        ]
        note["given"] = [int(object_id) for object_id in masks.soft.given]
        parts += [_pack_smooth(map_) for map_ in steps]
        parts += [_pack_flat(mask.astype(np.uint8)) for mask in masks.soft.given.values()]
    note["lengths"] = [len(part) for part in parts]
    head = json.dumps(note).encode()
    return zlib.compress(struct.pack("<I", len(head)) + head + b"".join(parts), 6)


def decode_frame(data: bytes) -> FrameMasks:
    """What ``encode_frame`` was given. ValueError where the bytes are none of its."""
    try:
        content = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    (length,) = struct.unpack_from("<I", content)
    note = json.loads(content[4 : 4 + length])
    parts, offset = [], 4 + length
    for size in note["lengths"]:
        parts.append(content[offset : offset + size])
        offset += size
    size_hw = (note["size"][0], note["size"][1])
    statuses = tuple(_status(*entry) for entry in note["objects"])
    ids = _unpack_flat(parts[0], size_hw, np.uint16 if note["deep"] else np.uint8)
    return FrameMasks(note["index"], ids, statuses, _soft_masks(note, parts[1:], size_hw))


def _status(
    object_id: int, confidence: float, state: Literal["tracked", "lost", "absent"], *sources: int
) -> ObjectStatus:
    return ObjectStatus(object_id, confidence, state, sources)


def _soft_masks(note: dict[str, Any], parts: list[bytes], size_hw: tuple[int, int]) -> SoftMasks | None:
    if "layers" not in note:
        return None
    layers = tuple(
        SoftLayer(object_id, tuple(window), _unpack_smooth(part, shape).astype(np.float16) * np.float16(LOGIT_STEP))
        for (object_id, window, shape), part in zip(note["layers"], parts, strict=False)
    )
    masks = [_unpack_flat(part, size_hw, np.uint8).astype(bool) for part in parts[len(layers) :]]
    return SoftMasks(size_hw, layers, dict(zip(note["given"], masks, strict=True)))


def _steps(logits: NDArray[np.floating]) -> NDArray[np.int8]:
    height, width = logits.shape
    values = logits.astype(np.float32)
    if max(height, width) > _MOST_POSITIONS:
        scale = _MOST_POSITIONS / max(height, width)
        size_wh = max(1, round(width * scale)), max(1, round(height * scale))
        values = np.asarray(cv2.resize(values, size_wh, interpolation=cv2.INTER_AREA))
    return np.rint(np.clip(values, -LARGEST_LOGIT, LARGEST_LOGIT) / LOGIT_STEP).astype(np.int8)


def _pack_flat(values: NDArray[Any]) -> bytes:
    """Where an (H, W) map of flat areas differs from the row above: u16 values, and i32 steps from one place to the
    next with their bytes sorted by rank, which deflates well.
    """
    differs = values.copy()
    differs[1:] ^= values[:-1]
    places = np.flatnonzero(differs)
    steps = np.diff(places, prepend=0).astype("<i4")
    return steps.view(np.uint8).reshape(-1, 4).T.tobytes() + differs.ravel()[places].astype("<u2").tobytes()


def _unpack_flat(data: bytes, size_hw: tuple[int, int], dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    count = len(data) // 6
    ranks = np.frombuffer(data, np.uint8, 4 * count).reshape(4, count)
    places = np.cumsum(np.ascontiguousarray(ranks.T).view("<i4").ravel())
    differs = np.zeros(size_hw[0] * size_hw[1], dtype)
    differs[places] = np.frombuffer(data, "<u2", count, 4 * count)
    return np.bitwise_xor.accumulate(differs.reshape(size_hw), axis=0)


def _pack_smooth(values: NDArray[np.int8]) -> bytes:
    """Each value of an (h, w) map as its difference to what its left, upper and upper left neighbours let expect."""
    padded = np.pad(values.view(np.uint8), ((1, 0), (1, 0)))
    return (padded[1:, 1:] - padded[:-1, 1:] - padded[1:, :-1] + padded[:-1, :-1]).tobytes()


def _unpack_smooth(data: bytes, shape: list[int]) -> NDArray[np.int8]:
    differences = np.frombuffer(data, np.uint8).reshape(shape)
    sums = np.cumsum(np.cumsum(differences, axis=0, dtype=np.uint8), axis=1, dtype=np.uint8)
    return sums.view(np.int8)
