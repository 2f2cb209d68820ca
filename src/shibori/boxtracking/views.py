"""A frame as trackers of boxes see it: whole, at one of a few resolutions, its features computed once for all objects.

No crop is made for any object: a region of interest is sampled from the features of the whole frame, in cells whose
size goes with the object's, so that objects share a trunk's work and an object that is lost can be looked for anywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shibori.ops.normalise import normalise_images

GRID = 16
"""Pictures are resized to multiples of this: of the largest stride of the trunks."""


@dataclass(frozen=True)
class ViewRule:
    """How finely a frame is looked at."""

    sides: tuple[int, ...] = (320, 640)
    """Roots of the areas in pixels to which the whole frame may be resized, ascending."""
    least_side: float = 40.0
    """An object is looked at so finely that the root of its box's area is at least this many pixels, if possible."""
    max_zoom: float = 2.0
    """A frame is not enlarged by more than this."""


class Features(NamedTuple):
    """Of a batch of B pictures."""

    fine: Tensor
    """(B, C, h, w) float32."""
    coarse: Tensor
    """(B, C, h, w) float32."""
    strides: tuple[int, int]
    """Pixels from one position to the next, of the fine and the coarse features."""


class ViewTrunk(nn.Module, ABC):
    """Features of whole pictures at two strides."""

    strides: tuple[int, int]
    """Of the fine and the coarse features, in pixels."""
    channels: tuple[int, int]
    """Of the fine and the coarse features."""

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) normalised pictures, H and W multiples of 16, -> fine and coarse features, float32."""

    @torch.no_grad()
    def see(self, images: Tensor) -> Features:
        """The features of (B, 3, H, W) normalised pictures, H and W multiples of 16; the trunk is frozen."""
        fine, coarse = self(images)
        return Features(fine, coarse, self.strides)


@dataclass(frozen=True)
class View:
    """One frame at one resolution."""

    features: Features
    """Of one picture."""
    size_hw: tuple[int, int]
    """Of the view, in its pixels."""
    frame_hw: tuple[int, int]
    """Of the frame, in its pixels."""

    def boxes_into(self, boxes_xyxy: NDArray[np.float64]) -> Tensor:
        """(..., 4) in pixels of the frame -> float32 in pixels of the view."""
        boxes = torch.from_numpy(np.asarray(boxes_xyxy) * self._scale())
        return boxes.to(self.features.coarse.device, torch.float32)

    def boxes_out(self, boxes_xyxy: Tensor) -> NDArray[np.float64]:
        """(..., 4) in pixels of the view -> float64 in pixels of the frame."""
        return np.asarray(boxes_xyxy.detach().cpu().double().numpy() / self._scale())

    def _scale(self) -> NDArray[np.float64]:
        zoom = np.array(self.size_hw[::-1], np.float64) / self.frame_hw[::-1]
        return np.concatenate([zoom, zoom])


class FrameViews:
    """One frame; its views are computed when an object first asks for them.

    Args:
        image: (H, W, 3) uint8 RGB.
        trunk: gives the features; None for trackers that need none.
        rule: the resolutions.
        device: where the trunk computes.
    """

    def __init__(
        self, image: NDArray[np.uint8], trunk: ViewTrunk | None, rule: ViewRule, device: torch.device | None = None
    ) -> None:
        self.image = image
        self.size_hw = (image.shape[0], image.shape[1])
        self._trunk, self._rule, self._device = trunk, rule, device or torch.device("cpu")
        self._views: dict[int, View] = {}

    def of(self, box_xyxy: NDArray[np.float64]) -> View:
        """The view in which an object with this box, (4,) in pixels of the frame, is large enough."""
        side = view_side(self._rule, box_xyxy, self.size_hw)
        if side not in self._views:
            self._views[side] = self._computed(side)
        return self._views[side]

    def _computed(self, side: int) -> View:
        assert self._trunk is not None, "a tracker without a trunk has no views"
        size_hw = view_size(side, self.size_hw)
        shrinks = size_hw[1] < self.size_hw[1]
        mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(self.image, (size_hw[1], size_hw[0]), interpolation=mode))
        images = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self._device)
        return View(self._trunk.see(normalise_images(images)), size_hw, self.size_hw)


def view_side(rule: ViewRule, box_xyxy: NDArray[np.float64], frame_hw: tuple[int, int]) -> int:
    """The first of the rule's sides at which the object is large enough; else the last that may be used."""
    frame_side = float(np.sqrt(frame_hw[0] * frame_hw[1]))
    usable = [side for side in rule.sides if side <= rule.max_zoom * frame_side] or [rule.sides[0]]
    extent = float(np.sqrt(np.maximum(box_xyxy[2:] - box_xyxy[:2], 1).prod()))
    fine_enough = [side for side in usable if extent * side / frame_side >= rule.least_side]
    return fine_enough[0] if fine_enough else usable[-1]


def view_size(side: int, frame_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width, multiples of ``GRID``, of a frame resized to about ``side`` squared pixels."""
    zoom = side / float(np.sqrt(frame_hw[0] * frame_hw[1]))
    height, width = (max(round(extent * zoom / GRID), 1) * GRID for extent in frame_hw)
    return height, width
