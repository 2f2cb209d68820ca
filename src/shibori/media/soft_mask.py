"""Soft masks of one frame: for every object log-odds on a grid over a window, from which probabilities come on demand.

They are small, a few hundred positions across whatever the size of the clip, and are enlarged once, to the clip's size,
only where somebody asks: a matte, a file of probabilities. A palette mask needs none of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.mask_file import values_present

Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame, half-open."""
LARGEST_LOGIT = 12.0
"""Log-odds beyond which nothing changes: 160,000 to one."""


@dataclass(frozen=True, eq=False)
class SoftLayer:
    """One object's log-odds, background where its window does not reach."""

    object_id: int
    window: Window
    logits: NDArray[np.floating]
    """(h, w) on any grid over the window."""

    def odds(self) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
        """Rows and columns of the frame that the window covers, and the odds of each of their pixels."""
        left, top, right, bottom = self.window
        logits = cv2.resize(
            self.logits.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
        )
        limited = np.exp(np.clip(np.asarray(logits), -LARGEST_LOGIT, LARGEST_LOGIT))
        return (slice(top, bottom), slice(left, right)), limited.astype(np.float32)


@dataclass(frozen=True, eq=False)
class SoftMasks:
    """All objects of one frame: one that has neither a layer nor a given mask is not there."""

    size_hw: tuple[int, int]
    layers: tuple[SoftLayer, ...] = ()
    given: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    """Object id -> (H, W) masks that are true: certain where they are set, and nobody else's there."""

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Every object that has a layer or a given mask."""
        return tuple(sorted({layer.object_id for layer in self.layers} | set(self.given)))

    def shares(self, object_ids: Sequence[int]) -> NDArray[np.float32]:
        """(N, H, W) float32 in [0, 1]: the probability of each object, those it overlaps taken into account.

        One distribution over the background and all objects (trackprop, Eq. 1 and 2): odds over one plus all odds.
        """
        total = np.ones(self.size_hw, np.float32)
        rows = np.zeros((len(object_ids), *self.size_hw), np.float32)
        for layer in self.layers:
            area, odds = layer.odds()
            total[area] += odds
            if layer.object_id in object_ids:
                rows[object_ids.index(layer.object_id)][area] += odds
        rows /= total
        for object_id, mask in self.given.items():
            rows[:, mask] = 0
            if object_id in object_ids:
                rows[object_ids.index(object_id)][mask] = 1
        return rows

    def only(self, object_ids: Collection[int]) -> SoftMasks:
        """Without the other objects."""
        layers = tuple(layer for layer in self.layers if layer.object_id in object_ids)
        return SoftMasks(self.size_hw, layers, {i: mask for i, mask in self.given.items() if i in object_ids})

    def joined(self, other: SoftMasks) -> SoftMasks:
        """With the objects of another, which has none of these."""
        return SoftMasks(self.size_hw, (*self.layers, *other.layers), {**self.given, **other.given})


def settled_shares(soft: SoftMasks, ids: NDArray[Any], object_ids: Sequence[int]) -> NDArray[np.float32]:
    """(N, H, W) float32 in [0, 1]: the probability of each object where everywhere the one in ``ids`` is the likeliest.

    Where another label is likelier, the two change places: an edge that was moved a little stays soft, what was settled
    by other means altogether is certain.

    Args:
        soft: of the same frame; it may know nothing of some objects.
        ids: (H, W) of the frame, uint8 or uint16.
        object_ids: N of them.
    """
    labels = np.array(sorted({0, *soft.object_ids, *object_ids, *values_present(ids).tolist()}))
    shares = soft.shares(labels[1:].tolist())
    rows = np.concatenate([1 - shares.sum(0, keepdims=True).clip(0, 1), shares])
    slots = np.zeros(labels[-1] + 1, np.intp)
    slots[labels] = np.arange(len(labels))
    said, likeliest = slots[ids], rows.argmax(0)
    y, x = np.nonzero(said != likeliest)
    here, there = (said[y, x], y, x), (likeliest[y, x], y, x)
    rows[here], rows[there] = rows[there], rows[here]
    return rows[slots[list(object_ids)]]


def as_bytes(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Probabilities in [0, 1] -> 0..255."""
    return np.rint(shares * 255).astype(np.uint8)
