"""Masks of the frames between key frames, carried from both sides (Sec. 2.4.2, in every round instead of the last).

Whatever carries masks from frame to frame is a ``Propagator``: the paper has RGMP, this project its pixel tracker.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import Propagation, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks, ObjectStatus

Ids = NDArray[Any]
MAX_OTHER_KEYS = 2
"""Key frames the propagator is shown before the one it starts from: the nearest ones, so that it knows both ends."""


@dataclass(frozen=True, eq=False)
class Key:
    """A frame whose masks are taken for true."""

    ids: Ids
    """(H, W)."""
    told: tuple[int, ...]
    """The objects it tells of: those it shows, and those it is known not to show."""
    version: int = 0
    """Another one whenever it changes."""

    @property
    def references(self) -> dict[int, NDArray[np.bool_]]:
        """object_id -> (H, W) bool."""
        return {object_id: self.ids == object_id for object_id in self.told}


class Carried(NamedTuple):
    """What one run says of one frame."""

    packed: bytes
    dtype: str
    shape: tuple[int, ...]
    statuses: tuple[ObjectStatus, ...]

    @classmethod
    def pack(cls, masks: FrameMasks) -> Carried:
        return cls(zlib.compress(masks.ids.tobytes(), 1), masks.ids.dtype.str, masks.ids.shape, masks.statuses)

    @property
    def ids(self) -> Ids:
        """(H, W)."""
        return np.frombuffer(zlib.decompress(self.packed), self.dtype).reshape(self.shape)

    def confidence(self, object_id: int) -> float:
        """Of an object, 0 for one that is lost."""
        return next((s.confidence for s in self.statuses if s.object_id == object_id and s.state == "tracked"), 0.0)


class Sides(NamedTuple):
    """What is carried to a frame from the nearest key frame before it and from the nearest one after it."""

    before: tuple[int, Carried] | None
    """Index of that key frame, and what came of it."""
    after: tuple[int, Carried] | None


@dataclass
class Carrier:
    """Runs between key frames. What did not change since it was last asked for is not run again."""

    propagator: Propagator
    clip: Clip
    num_runs: int = 0
    """Runs so far."""
    _runs: dict[tuple[int, int], tuple[object, dict[int, Carried]]] = field(default_factory=dict)

    def sides(self, keys: Mapping[int, Key]) -> Iterator[tuple[int, Sides]]:
        """Every frame that is no key frame and can be decoded, in order."""
        order = sorted(keys)
        for left, right in zip([None, *order], [*order, None], strict=True):
            ahead = self._run(keys, left, 1) if left is not None else {}
            back = self._run(keys, right, -1) if right is not None else {}
            for index in sorted(ahead.keys() | back.keys()):
                yield (
                    index,
                    Sides(
                        (left, ahead[index]) if left is not None and index in ahead else None,
                        (right, back[index]) if right is not None and index in back else None,
                    ),
                )

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

    def _run(self, keys: Mapping[int, Key], start: int, way: int) -> dict[int, Carried]:
        """Frame -> what is carried to it from key frame ``start`` in one direction, up to the next key frame."""
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

    def _carry(self, keys: Mapping[int, Key], shown: list[int], end: int, way: int) -> dict[int, Carried]:
        start = shown[-1]
        if abs(end - start) <= 1:
            return {}
        self.num_runs += 1
        propagation = self.propagator.begin(self.clip.size_hw)
        for index in shown:
            propagation.step(self.clip.frame(index).image, keys[index].references)
        frames = self.clip.frames(start + 1, end) if way > 0 else self.clip.backward(start - 1, end)
        return dict(_stepped(propagation, frames))


def _stepped(propagation: Propagation, frames: Iterator[Frame]) -> Iterator[tuple[int, Carried]]:
    for frame in frames:
        yield frame.index, Carried.pack(propagation.step(frame.image))
