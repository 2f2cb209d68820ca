"""Edges that hold still: opacities averaged along the motion over neighbouring frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Frame
from shibori.media.edges import Alpha, with_opacities
from shibori.media.mask import FrameMasks

_LARGEST_SIDE = 960
"""Of the pictures in which motion is looked for; larger ones are made smaller first."""
_SAME_COLOUR = 12.0
"""Grey levels by which a pixel and its like in another frame may differ: the scale of the weight, see ``_likeness``."""

_SLACK, _SLACK_SHARE = 1.0, 0.05
"""Pixels, and share of the way, by which going there and back again may miss a pixel: the scale of the weight."""

_NO_MAP: Any = None
"""OpenCV's second map, where the first one holds x and y; its stubs do not know that it may be None."""


@dataclass(frozen=True, eq=False)
class _Held:
    frame: Frame
    masks: FrameMasks
    alphas: dict[int, Alpha]
    grey: NDArray[np.uint8]
    """A picture small enough for the search for motion."""
    flows: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """Index of another frame -> (h, w, 2) motion of this one's pixels to it, as far as it was looked for."""

    def flow_to(self, other: _Held) -> NDArray[np.float32]:
        """Of the pixels of ``grey``; looked for once, since it is needed there and back."""
        index = other.frame.index
        if index not in self.flows:
            search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
            self.flows[index] = np.asarray(search.calc(self.grey, other.grey, None))  # type: ignore[call-overload]
        return self.flows[index]


def calm_masks(
    pairs: Iterator[tuple[Frame, FrameMasks]], object_ids: Sequence[int], radius: int
) -> Iterator[tuple[Frame, FrameMasks]]:
    """The same frames, each object's opacity averaged with those of ``radius`` frames before and after.

    Opacities come along optical flow (DIS; Kroeger et al., ECCV 2016), so that edges that move stay sharp; where a
    pixel's like does not look like it, or the flow does not lead back from there (it was hidden, or the flow is
    wrong), it counts for little. At most 2 * ``radius`` + 1 frames are held.

    Args:
        pairs: frames in order, with their masks.
        object_ids: of the objects; others are left out.
        radius: frames to either side; at least 1.
    """
    held: deque[_Held] = deque()
    here = 0
    for frame, masks in pairs:
        held.append(_hold(frame, masks, object_ids))
        if len(held) - here > radius:
            yield _calmed(held, here)
            here += 1
        if here > radius:
            held.popleft()
            here -= 1
    while here < len(held):
        yield _calmed(held, here)
        here += 1
        if here > radius:
            held.popleft()
            here -= 1


def _hold(frame: Frame, masks: FrameMasks, object_ids: Sequence[int]) -> _Held:
    grey = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = _LARGEST_SIDE / max(grey.shape)
    if scale < 1:
        size_wh = max(1, round(scale * grey.shape[1])), max(1, round(scale * grey.shape[0]))
        grey = np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return _Held(frame, masks, {i: masks.opacity((i,)) for i in object_ids}, grey)


def _calmed(held: Sequence[_Held], place: int) -> tuple[Frame, FrameMasks]:
    here = held[place]
    total = np.ones(here.masks.ids.shape, np.float32)
    sums = {object_id: alpha.copy() for object_id, alpha in here.alphas.items()}
    for other in (*list(held)[:place], *list(held)[place + 1 :]):
        if not any(alpha.any() for alpha in (*here.alphas.values(), *other.alphas.values())):
            continue
        where, weight = _motion(here, other)
        total += weight
        for object_id, alpha in other.alphas.items():
            if alpha.any():
                sums[object_id] += weight * _taken_from(alpha, where)
    return here.frame, with_opacities(here.masks, {object_id: each / total for object_id, each in sums.items()})


def _motion(here: _Held, other: _Held) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(H, W, 2) place x, y in the other frame of each pixel of this one, and (H, W) how sure that is, in [0, 1]."""
    height, width = here.masks.ids.shape
    flow = here.flow_to(other)
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    target = np.dstack([columns + flow[..., 0], rows + flow[..., 1]])
    weight = _likeness(here.grey, _taken_from(other.grey, target)) * _return(flow, other.flow_to(here), target)
    if flow.shape[:2] != (height, width):
        flow = np.asarray(cv2.resize(flow, (width, height))) * np.float32(width / flow.shape[1])
        weight = np.asarray(cv2.resize(weight, (width, height)))
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        target = np.dstack([columns + flow[..., 0], rows + flow[..., 1]])
    return target.astype(np.float32), weight


def _taken_from(image: NDArray[Any], places: NDArray[np.float32]) -> NDArray[Any]:
    """An image at (H, W, 2) places x, y of it."""
    return np.asarray(cv2.remap(image, places, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: 1 where a pixel's surroundings look the same, 0.6 where they differ by ``_SAME_COLOUR``."""
    difference = cv2.blur(cv2.absdiff(first, second).astype(np.float32), (5, 5))
    return np.asarray(np.exp(-0.5 * (np.asarray(difference) / _SAME_COLOUR) ** 2), np.float32)


def _return(
    flow: NDArray[np.float32], flow_back: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: 1 where the way back from ``target`` ends where it began (Sundaram et al., ECCV 2010)."""
    missed = np.linalg.norm(flow + _taken_from(flow_back, target), axis=2)
    slack = _SLACK + _SLACK_SHARE * np.linalg.norm(flow, axis=2)
    return np.asarray(np.exp(-0.5 * (missed / slack) ** 2), np.float32)
