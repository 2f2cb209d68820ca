"""The features of a clip, in frame order, each frame's computed once and kept (strnn, Sec. 2.4.2)."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.media.clip import Clip
from shibori.ops.normalise import normalise_images
from shibori.systems.strnn.cache import FeatureCache
from shibori.systems.strnn.model import StrnnNetwork
from shibori.systems.strnn.rule import AdaptionRule

GRAIN = 16
"""Sides of the working frame are multiples of this."""


class Encoder:
    """Features of the frames of a clip, each with the context of those before it.

    Args:
        network: ready for inference.
        clip: whose frames they are.
        rule: how large a frame is seen, and how much is kept in memory.
        device: of the network.
        linked: whether frames are linked in time (Eq. 2).
    """

    def __init__(
        self, network: StrnnNetwork, clip: Clip, rule: AdaptionRule, device: torch.device, linked: bool
    ) -> None:
        self.network, self.device, self.linked = network, device, linked
        self.channels = network.size.feature_channels
        self.clip = clip
        self.size_hw = working_size(clip.size_hw, rule.short_side)
        self._cache = FeatureCache(rule.cache_bytes)
        self._frames = clip.frames()
        self._order: list[int] = []
        self._hidden: Tensor | None = None

    def __contains__(self, index: int) -> bool:
        return index in self._cache

    def __getitem__(self, index: int) -> Tensor:
        """(D, h, w) float32 of a frame that was reached."""
        return self._cache[index].to(self.device)

    def encode_alone(self, index: int) -> Tensor:
        """(D, h, w) float32 of any frame, without the context of the frames before it."""
        return self.network(self._input(self.clip.frame(index).image))[0][0]

    def reach(self, index: int) -> None:
        """Go on until a frame is reached."""
        while index not in self._cache and self._advance():
            pass

    def features(self) -> Iterator[tuple[int, Tensor]]:
        """Every frame that can be decoded, in order."""
        position = 0
        while position < len(self._order) or self._advance():
            index = self._order[position]
            yield index, self[index]
            position += 1

    def _advance(self) -> bool:
        frame = next(self._frames, None)
        if frame is None:
            return False
        features, hidden = self.network(self._input(frame.image), self._hidden)
        self._hidden = hidden if self.linked else None
        self._cache[frame.index] = features[0]
        self._order.append(frame.index)
        return True

    def _input(self, image: NDArray[np.uint8]) -> Tensor:
        height, width = self.size_hw
        mode = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(image, (width, height), interpolation=mode))
        pixels = torch.from_numpy(small).to(self.device).permute(2, 0, 1)[None]
        return normalise_images(pixels).contiguous(memory_format=torch.channels_last)


def working_size(size_hw: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Height and width near the clip's shape, the shorter about ``short_side``, both multiples of 16.

    >>> working_size((480, 854), 384)
    (384, 688)
    """
    scale = short_side / min(size_hw)
    height, width = (max(round(side * scale / GRAIN), 1) * GRAIN for side in size_hw)
    return height, width
