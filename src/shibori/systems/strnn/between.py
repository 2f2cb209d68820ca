"""Masks of the frames between key frames, carried from both sides (Sec. 2.4.2, in every round instead of the last).

Whatever carries masks from frame to frame is a ``Propagator``: the paper has RGMP, this project its pixel tracker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import Propagator
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks
from shibori.media.mask_store import FrameStore
from shibori.media.soft_mask import SoftMasks

Ids = NDArray[Any]
MAX_OTHER_KEYS = 2
"""Key frames the propagator is shown before the one it starts from: the nearest ones, so that it knows both ends."""


@dataclass(frozen=True, eq=False)
class Key:
    """A frame whose masks are taken for true."""

    ids: Ids
    """(H, W)."""
    reported: tuple[int, ...]
    """The objects it reports on: those it shows, and those it is known not to show."""
    version: int = 0
    """Another one whenever it changes."""
    soft: SoftMasks | None = None
    """What the ids were decided from, as far as that is known."""

    @property
    def references(self) -> dict[int, NDArray[np.bool_]]:
        """object_id -> (H, W) bool."""
        return {object_id: self.ids == object_id for object_id in self.reported}


class Sides(NamedTuple):
    """What is carried to a frame from the nearest key frame before it and from the nearest one after it."""

    before: tuple[int, FrameMasks] | None
    """Index of that key frame, and what came of it."""
    after: tuple[int, FrameMasks] | None


@dataclass
class Carrier:
    """Runs between key frames. What did not change since it was last asked for is not run again."""

    propagator: Propagator
    clip: Clip
    num_runs: int = 0
    """Runs so far."""
    _runs: dict[tuple[int, int], tuple[object, FrameStore]] = field(default_factory=dict)

    def sides(self, keys: Mapping[int, Key]) -> Iterator[tuple[int, Sides]]:
        """Every frame that is no key frame and can be decoded, in order."""
        order = sorted(keys)
        for left, right in zip([None, *order], [*order, None], strict=True):
            ahead, back = self._run(keys, left, 1), self._run(keys, right, -1)
            for index in sorted({*ahead.frames, *back.frames}):
                yield index, Sides(_side(left, ahead.get(index)), _side(right, back.get(index)))

    def fetch(self, keys: Mapping[int, Key], source: int, target: int, object_id: int) -> NDArray[np.bool_]:
        """(H, W) the mask of one object in one key frame, carried there from another."""
        propagation = self.propagator.begin(self.clip.size_hw)
        propagation.step(self.clip.frame(source).image, {object_id: keys[source].ids == object_id})
        ahead = target > source
        frames = self.clip.frames(source + 1, target + 1) if ahead else self.clip.backward(source - 1, target - 1)
        found = np.zeros(self.clip.size_hw, np.bool_)
        for frame in frames:
            found = propagation.step(frame.image).ids == object_id
        return found

    def _run(self, keys: Mapping[int, Key], start: int | None, way: int) -> FrameStore:
        """What is carried from key frame ``start`` in one direction, up to the next key frame; None: nothing."""
        if start is None:
            return FrameStore()
        others = [index for index in keys if (index - start) * way > 0]
        end = (min(others) if way > 0 else max(others)) if others else (self.clip.num_frames if way > 0 else -1)
        shown = self._shown(keys, start)
        signature = (end, tuple((index, keys[index].version) for index in shown))
        known = self._runs.get((start, way))
        if known is None or known[0] != signature:
            known = (signature, self._carry(keys, shown, end, way))
            self._runs[start, way] = known
        return known[1]

    def _shown(self, keys: Mapping[int, Key], start: int) -> list[int]:
        """The key frames a run is shown, the one it starts from last."""
        others = sorted((index for index in keys if index != start), key=lambda index: abs(index - start))
        return [*reversed(others[:MAX_OTHER_KEYS]), start]

    def _carry(self, keys: Mapping[int, Key], shown: list[int], end: int, way: int) -> FrameStore:
        start, carried = shown[-1], FrameStore()
        if abs(end - start) <= 1:
            return carried
        self.num_runs += 1
        propagation = self.propagator.begin(self.clip.size_hw)
        for index in shown:
            propagation.step(self.clip.frame(index).image, keys[index].references)
        frames = self.clip.frames(start + 1, end) if way > 0 else self.clip.backward(start - 1, end)
        for frame in frames:
            carried.put(replace(propagation.step(frame.image), index=frame.index))
        return carried


def _side(key: int | None, carried: FrameMasks | None) -> tuple[int, FrameMasks] | None:
    return None if key is None or carried is None else (key, carried)
