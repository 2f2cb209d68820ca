"""One frame as inference looks at it: the picture, the flow to the frame before, features computed once."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.nn.backbones import PyramidFeatures
from shibori.nn.flow import FlowEstimator
from shibori.ops.normalise import normalise_images
from shibori.ops.roi import roi_align
from shibori.ops.window import cut_window
from shibori.systems.dyenet.model import DyeNet, Seen

FEATURE_GRID = 16
"""Pictures are resized to multiples of this."""


class FrameView:
    """A frame under one network. What is asked for is computed once.

    Args:
        network: prepared for inference.
        image: (H, W, 3) uint8 RGB.
        previous: the frame the objects come from, forward or backward in time; None at a start.
        flow: how motion is estimated.
        device: of the network.
    """

    def __init__(
        self,
        network: DyeNet,
        image: NDArray[np.uint8],
        previous: NDArray[np.uint8] | None,
        flow: FlowEstimator,
        device: torch.device,
    ) -> None:
        self.network, self.image, self.previous, self.estimator, self.device = network, image, previous, flow, device
        self.size_hw = (image.shape[0], image.shape[1])
        self._whole: dict[int, tuple[Seen, tuple[float, float]]] = {}
        self._patch: tuple[tuple[float, ...], Seen] | None = None
        """Where it was last looked at closely, and what was seen."""
        self._under: dict[DyeNet, FrameView] = {}

    @cached_property
    def flow_backward(self) -> Tensor:
        """(1, 2, h, w) float32, in pixels of the frame."""
        if self.previous is None:
            return torch.zeros(1, 2, 1, 1, device=self.device)
        return self.estimator.estimate(self.image, self.previous).as_tensor(self.device)

    def still(self) -> FrameView:
        """The same frame as if nothing had moved into it; what was computed is shared."""
        same = FrameView(self.network, self.image, None, self.estimator, self.device)
        same._whole = self._whole
        return same

    def under(self, network: DyeNet) -> FrameView:
        """The same frame under another network; the flow is shared."""
        if network is self.network:
            return self
        if network not in self._under:
            view = FrameView(network, self.image, self.previous, self.estimator, self.device)
            view.__dict__["flow_backward"] = self.flow_backward
            self._under[network] = view
        return self._under[network]

    def patch(self, window: NDArray[np.float64], size_hw: tuple[int, int]) -> Seen:
        """Features of a window, resized to ``size_hw`` (Sec. 3, bounding-box input)."""
        place = (*window.tolist(), *size_hw)
        if self._patch is None or self._patch[0] != place:
            self._patch = (place, self._see(cut_window(self.image, window, size_hw)))
        return self._patch[1]

    def whole(self, side: int) -> tuple[Seen, tuple[float, float]]:
        """Features of the frame resized to a short side of about ``side``, and the resized pixels to one of the frame's
        along x and y.
        """
        if side not in self._whole:
            zoom = min(side / min(self.size_hw), 1.0)
            height, width = (max(round(s * zoom / FEATURE_GRID), 1) * FEATURE_GRID for s in self.size_hw)
            small = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
            scale = (width / self.size_hw[1], height / self.size_hw[0])
            self._whole[side] = (self._see(np.asarray(small, np.uint8)), scale)
        return self._whole[side]

    def roi(self, window: NDArray[np.float64], side: int) -> PyramidFeatures:
        """Features of a square window of the whole frame: m x m by RoIAlign, and twice and four times that."""
        seen, (scale_x, scale_y) = self.whole(side)
        box = torch.tensor(window * [scale_x, scale_y, scale_x, scale_y], dtype=torch.float32, device=self.device)
        index, m = torch.zeros(1, dtype=torch.int64, device=self.device), self.network.size.region_side
        levels = zip(seen.features, (4, 2, 1), (2, 4, 8), strict=True)
        maps = (roi_align(part, box[None], index, m * factor, stride) for part, factor, stride in levels)
        return PyramidFeatures(*maps)

    def _see(self, picture: NDArray[np.uint8]) -> Seen:
        tensor = torch.from_numpy(picture).to(self.device).permute(2, 0, 1)[None]
        return self.network.see(normalise_images(tensor).contiguous(memory_format=torch.channels_last))
