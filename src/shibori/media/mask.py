"""What a mask is: an integer map of object ids. How one comes from a file is in ``mask_file``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.mask_file import VOID, read_ids, rgb_to_ids, values_present
from shibori.media.soft_mask import SoftMasks, as_bytes, settled_shares

__all__ = [
    "VOID",
    "FrameMasks",
    "ObjectStatus",
    "check_size",
    "ids_to_masks",
    "masks_to_ids",
    "object_ids",
    "read_ids",
    "require_objects",
    "rgb_to_ids",
    "tracked_confidence",
]


@dataclass(frozen=True)
class ObjectStatus:
    """What a system knows of one object in one frame."""

    object_id: int
    confidence: float
    """In [0, 1]."""
    state: Literal["tracked", "lost", "absent"]
    sources: tuple[int, ...] = ()
    """The marked frames that it comes from, ascending: those from which it is carried, or the frame itself where the
    object is marked there. Empty where a person said that it is absent, and where the system does not say."""


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """The masks of one frame."""

    index: int
    ids: NDArray[Any]
    """(H, W) uint8 object ids, 0 background; uint16 where an id is above 254."""
    statuses: tuple[ObjectStatus, ...] = ()
    soft: SoftMasks | None = None
    """What the ids were decided from, as far as that is known; None where there are ids alone."""

    shaped: Mapping[int, NDArray[np.float32]] | None = None
    """object_id -> (H, W) opacity in [0, 1], where edges were changed after the fact (``edges``): then these count."""

    @property
    def probs(self) -> NDArray[np.uint8] | None:
        """(N + 1, H, W) uint8, 255 certain: row 0 the background, then the objects in ``statuses`` order.

        The likeliest is the one in ``ids``. Computed anew at every call; None where there are ids alone.
        """
        if self.soft is None:
            return None
        shares = settled_shares(self.soft, self.ids, [status.object_id for status in self.statuses])
        return as_bytes(np.concatenate([1 - shares.sum(0, keepdims=True).clip(0, 1), shares]))

    def opacity(self, object_ids: Sequence[int]) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1] of some objects together: soft where their edges are known softly, else 0 or 1."""
        if self.shaped is not None:
            parts = [self.shaped[object_id] for object_id in object_ids if object_id in self.shaped]
            return sum(parts, np.zeros(self.ids.shape, np.float32)).clip(0, 1)
        if self.soft is None:
            return np.isin(self.ids, object_ids).astype(np.float32)
        return settled_shares(self.soft, self.ids, object_ids).sum(0).clip(0, 1)

    def alpha(self, object_ids: Sequence[int]) -> NDArray[np.uint8]:
        """The same as (H, W) uint8, 255 opaque."""
        return as_bytes(self.opacity(object_ids))

    def confidence(self, object_id: int) -> float:
        """See ``tracked_confidence``."""
        return tracked_confidence(self.statuses, object_id)


def tracked_confidence(statuses: Sequence[ObjectStatus], object_id: int) -> float:
    """Of one object; 0 where it is not tracked."""
    return next((s.confidence for s in statuses if s.object_id == object_id and s.state == "tracked"), 0.0)


def require_objects(ids: NDArray[Any], what: str) -> None:
    """InputError where a mask that must show an object shows none. ``what`` names it in the sentence."""
    if not object_ids(ids):
        raise InputError(f"{what} shows no object: every pixel is background; mark at least one object in it")


def check_size(ids: NDArray[Any], size_hw: tuple[int, int], what: str) -> None:
    """InputError where a mask has another size than its clip. ``what`` names it in the sentence."""
    if ids.shape != tuple(size_hw):
        raise InputError(
            f"{what} is {ids.shape[1]}x{ids.shape[0]} pixels, but the clip is {size_hw[1]}x{size_hw[0]} (width x "
            "height, upright): export the mask at the clip's size"
        )


def object_ids(ids: NDArray[Any]) -> list[int]:
    """The ids present in an (H, W) map, ascending, without background and (uint8) void."""
    return [i for i in values_present(ids).tolist() if i != 0 and not (ids.dtype == np.uint8 and i == VOID)]


def ids_to_masks(ids: NDArray[Any]) -> dict[int, NDArray[np.bool_]]:
    """Object id -> (H, W) bool, for every id present but background and (uint8) void."""
    return {object_id: ids == object_id for object_id in object_ids(ids)}


def masks_to_ids(masks: Mapping[int, NDArray[np.bool_]], size_hw: tuple[int, int]) -> NDArray[Any]:
    """(H, W) ids map, uint8, or uint16 where an id is above 254. Where masks overlap the later one wins."""
    if any(not 0 < object_id <= 65535 for object_id in masks):
        raise ValueError(f"object ids must be 1..65535, got {sorted(masks)}")
    ids = np.zeros(size_hw, np.uint16 if max(masks, default=0) >= VOID else np.uint8)
    for object_id, mask in masks.items():
        ids[mask] = object_id
    return ids
