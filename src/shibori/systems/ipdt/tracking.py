"""Candidates extended to tubelets: followed through the clip in both directions (Sec. 3.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.boxtracking.views import FrameViews, ViewRule, ViewTrunk
from shibori.interfaces import FrameSource
from shibori.media.rle import decode_rle, encode_rle
from shibori.media.segmentation_code import Rle
from shibori.ops.window import mask_box
from shibori.systems.ipdt.candidate import Candidate
from shibori.systems.ipdt.dual import DualTarget, DualTracker

MOST_FRAMES = 16
"""Frames whose features are kept, the last ones that were used; of others they are computed again. About 4 MB each, 16
where objects are so small that the frame is looked at more finely."""
RESTS = ((25, 12), (10, 3))
"""An object that was looked for in vain more often than the first number is looked for in every so many frames only."""


class SharedFrames:
    """The frames of a clip with the features that all candidates share, computed once while they are kept.

    Args:
        source: of the frames.
        trunk: gives the features.
        rule: the resolutions.
        device: of the trunk.
        most: frames whose features are kept.
    """

    def __init__(
        self,
        source: FrameSource,
        trunk: ViewTrunk | None,
        rule: ViewRule,
        device: torch.device,
        most: int = MOST_FRAMES,
    ) -> None:
        self.source, self.trunk, self.rule, self.device, self.most = source, trunk, rule, device, most
        self._kept: OrderedDict[int, FrameViews] = OrderedDict()

    def read(self, index: int) -> FrameViews:
        """One frame."""
        return self._kept[index] if index in self._kept else self._views(index, self.source.read(index))

    def forward(self, start: int, stop: int) -> Iterator[tuple[int, FrameViews]]:
        """See ``FrameSource``."""
        return ((index, self._views(index, image)) for index, image in self.source.forward(start, stop))

    def backward(self, start: int, stop: int) -> Iterator[tuple[int, FrameViews]]:
        """See ``FrameSource``."""
        return ((index, self._views(index, image)) for index, image in self.source.backward(start, stop))

    def _views(self, index: int, image: NDArray[np.uint8]) -> FrameViews:
        if index not in self._kept:
            self._kept[index] = FrameViews(image, self.trunk, self.rule, self.device)
        self._kept.move_to_end(index)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return self._kept[index]


def track(
    tracker: DualTracker, frames: SharedFrames, candidates: Sequence[Candidate], backward: bool = True
) -> list[tuple[Rle | None, ...]]:
    """The masks of candidates of one frame through the clip, one code or None for each frame.

    Args:
        tracker: follows each of them on its own.
        frames: of the clip.
        candidates: all of the same frame.
        backward: whether to go against time as well; before the frame there is no mask otherwise.
    """
    num_frames, start = frames.source.num_frames, candidates[0].frame_index
    found: list[list[Rle | None]] = [[None] * num_frames for _ in candidates]
    for codes, candidate in zip(found, candidates, strict=True):
        codes[start] = candidate.mask
    first = frames.read(start)
    ways = [frames.forward(start + 1, num_frames)]
    ways += [frames.backward(start - 1, -1)] if backward and start > 0 else []
    for way in ways:
        targets = [_begun(tracker, first, candidate) for candidate in candidates]
        for index, frame in way:
            for codes, target in zip(found, targets, strict=True):
                codes[index] = _followed(tracker, target, frame, index)
    return [tuple(codes) for codes in found]


def _begun(tracker: DualTracker, frame: FrameViews, candidate: Candidate) -> DualTarget:
    mask = decode_rle(candidate.mask)
    box = mask_box(mask)
    assert box is not None, "a candidate has a mask"
    return tracker.begin(frame, mask, box)


def _followed(tracker: DualTracker, target: DualTarget, frame: FrameViews, index: int) -> Rle | None:
    rest = next((rest for patience, rest in RESTS if target.state.lost_for > patience), 1)
    if index % rest:
        return None
    answer = tracker.step(target, frame)
    return None if answer is None else encode_rle(answer.mask)
