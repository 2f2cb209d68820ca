"""A small clip with two objects that colours tell apart, and marks on it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from shibori.boxtracking.target import Target, TargetState, TrackedBox, Tracker
from shibori.boxtracking.views import FrameViews, ViewRule
from shibori.evaluation.sequence import sequence_clip
from shibori.media.clip import Clip
from shibori.media.scribble import Stroke
from shibori.ops.window import mask_box
from shibori.systems.trackprop.model import RegionNetwork, Seen

from ...evaluation.made import ArraySequence

SIZE_HW = (96, 128)
COLOURS = np.array([[40, 60, 40], [230, 40, 30], [40, 60, 230]], np.uint8)


class Painted(ArraySequence):
    """Its pictures are a little noisy."""

    def read_image(self, index: int) -> np.ndarray:
        noise = np.random.default_rng(index).integers(-9, 9, (*SIZE_HW, 3))
        return (COLOURS[self.ids[index]].astype(int) + noise).clip(0, 255).astype(np.uint8)


def made_sequence(num_frames: int = 6) -> Painted:
    """Object 1 is red and walks right, object 2 is blue and walks left, on green."""
    frames = []
    for index in range(num_frames):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[8:40, 8 + 4 * index : 40 + 4 * index] = 1
        ids[52:88, 84 - 4 * index : 116 - 4 * index] = 2
        frames.append(ids)
    return Painted("boxes", tuple(frames))


def made_clip(num_frames: int = 6) -> Clip:
    return sequence_clip(made_sequence(num_frames))


def line(object_id: int, row: float, left: float, right: float) -> Stroke:
    """A level line, in pixels."""
    last_row, last_column = SIZE_HW[0] - 1, SIZE_HW[1] - 1
    return Stroke(object_id, ((left / last_column, row / last_row), (right / last_column, row / last_row)))


class ColourNetwork(RegionNetwork):
    """The object is what has the mean colour of what is known of it: no network, and no pixel tracker."""

    def __init__(self) -> None:
        super().__init__(None)

    def see(self, images: Tensor) -> Seen:
        return Seen(images, None)

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        return alike(seen.images, (previous > 0.5).float())

    def segment(self, seen: Seen, guidance: Tensor, matched: Tensor | None) -> Tensor:
        return alike(seen.images, (guidance > 0.9).float())

    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        return alike(seen.images, (guidance > 0.9).float())


def alike(images: Tensor, weights: Tensor) -> Tensor:
    """(B, 3, H, W) and (B, 1, H, W) -> (B, 1, H, W) log-odds; -4 everywhere where nothing is known."""
    total = weights.sum((2, 3), keepdim=True)
    mean = (images * weights).sum((2, 3), keepdim=True) / total.clamp_min(1)
    near = (images - mean).square().sum(1, keepdim=True) < 1
    return torch.where(near & (total > 0), 4.0, -4.0)


class ColourTracker(Tracker):
    """The object is where the colour of the middle of its first box is."""

    def see(self, image: np.ndarray) -> FrameViews:
        return FrameViews(image, None, ViewRule())

    def begin(self, frame: FrameViews, box_xyxy: np.ndarray) -> Target:
        column, row = ((box_xyxy[:2] + box_xyxy[2:]) / 2).astype(int)
        return ColourTarget(frame.image[row, column].astype(int))


class ColourTarget(Target):
    def __init__(self, colour: np.ndarray) -> None:
        self.colour = colour

    def follow(self, frame: FrameViews) -> TrackedBox:
        box = mask_box(np.abs(frame.image.astype(int) - self.colour).max(2) < 40)
        assert box is not None
        return TrackedBox(box, 1.0, TargetState.CERTAIN)

    def settle(self, box_xyxy: np.ndarray) -> None:
        raise AssertionError("nothing vouches for masks here")
