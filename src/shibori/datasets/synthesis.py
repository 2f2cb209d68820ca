"""Training clips made from still photographs: warped wholes, and cut-outs that move over other pictures.

A scene is a base (a warped photograph, or frames of a real clip) with layers pasted over it in order. It is rendered
only where it is looked at: each frame through a square window, straight to the training size. All coordinates are
pixels of the scene; windows and boxes are xyxy, half-open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.datasets.stills import VOID, Still

Affine = NDArray[np.float64]
"""(2, 3): scene pixel -> source pixel."""

OTHERS = 2
"""What marks other objects in a base's labels."""

NO_MAP: Any = None
"""What OpenCV wants in place of a second map when the first holds both coordinates; its stubs ask for an array."""


@dataclass(frozen=True)
class Ripple:
    """A smooth displacement of source pixels: two waves whose phases drift from frame to frame."""

    amplitude: float
    wave: NDArray[np.float64]
    """(2, 2) radians per source pixel, a row per wave."""
    phase: NDArray[np.float64]
    """(T, 2) radians."""

    def displace(self, grid: NDArray[np.float32], frame: int) -> NDArray[np.float32]:
        """(H, W, 2) source coordinates, displaced in place by at most ``amplitude`` pixels along each axis."""
        if self.amplitude > 0:
            first = grid @ self.wave[0].astype(np.float32) + np.float32(self.phase[frame, 0])
            second = grid @ self.wave[1].astype(np.float32) + np.float32(self.phase[frame, 1])
            grid[..., 0] += np.float32(self.amplitude) * np.sin(first)
            grid[..., 1] += np.float32(self.amplitude) * np.sin(second)
        return grid


class Base(Protocol):
    """What lies under all layers."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the scene."""
        ...

    def render(self, frame: int, window: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(size, size, 3) uint8 RGB; (size, size) uint8: 1 where the target is, 2 where other known objects are."""
        ...


@dataclass(frozen=True)
class WarpedStill:
    """A photograph seen by a moving camera; its target, if any, moves along."""

    still: Still
    target_id: int | None
    motions: NDArray[np.float64]
    """(T, 2, 3) scene -> source."""
    ripple: Ripple
    size_hw: tuple[int, int]

    def render(self, frame: int, window: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``Base``."""
        grid = self.ripple.displace(source_grid(self.motions[frame], window, size), frame)
        image = cv2.remap(self.still.image, grid, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        if self.target_id is None:
            return np.asarray(image), np.zeros((size, size), np.uint8)
        ids = np.asarray(cv2.remap(self.still.ids, grid, NO_MAP, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT))
        labels = (ids == self.target_id).astype(np.uint8)
        if not self.still.regions:
            labels[(ids > 0) & (ids != VOID) & (ids != self.target_id)] = OTHERS
        return np.asarray(image), labels


@dataclass(frozen=True)
class CutBase:
    """One base until a hard cut, and after it another that does not show the target."""

    first: Base
    second: Base
    is_cut: tuple[bool, ...]
    """For each frame, whether it shows ``second``."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of both bases."""
        return self.first.size_hw

    def render(self, frame: int, window: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``Base``."""
        if not self.is_cut[frame]:
            return self.first.render(frame, window, size)
        image, labels = self.second.render(frame, window, size)
        return image, np.zeros_like(labels)


@dataclass(frozen=True)
class Layer:
    """A cut-out that moves by itself."""

    rgba: NDArray[np.uint8]
    """(h, w, 4) colours and coverage."""
    motions: NDArray[np.float64]
    """(T, 2, 3) scene -> cut-out."""
    ripple: Ripple
    visible: tuple[bool, ...]
    """For each frame, whether it is there."""
    is_target: bool

    def paint(self, image: NDArray[np.uint8], frame: int, window: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Paste onto ``image`` in place and return the (size, size) uint8 0..255 coverage."""
        size = image.shape[0]
        if not self.visible[frame]:
            return np.zeros((size, size), np.uint8)
        grid = self.ripple.displace(source_grid(self.motions[frame], window, size), frame)
        cut = np.asarray(cv2.remap(self.rgba, grid, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
        alpha = cut[..., 3:].astype(np.uint16)
        image[:] = ((cut[..., :3] * alpha + image * (255 - alpha)) // 255).astype(np.uint8)
        return np.asarray(cut[..., 3], np.uint8)


def cut_out(still: Still, object_id: int) -> NDArray[np.uint8]:
    """(h, w, 4) uint8: an object of a photograph with a soft coverage channel and a margin of two pixels."""
    mask = (still.ids == object_id).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    rows = slice(max(top - 2, 0), top + height + 2)
    columns = slice(max(left - 2, 0), left + width + 2)
    coverage = cv2.GaussianBlur(mask[rows, columns] * 255, (0, 0), 0.8)
    rgba = np.dstack([still.image[rows, columns], coverage])
    return np.asarray(cv2.copyMakeBorder(rgba, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)))


def source_grid(motion: Affine, window: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """(size, size, 2) float32 source coordinates of the centres of the window's pixels, in OpenCV's convention."""
    step_x, step_y = (window[2] - window[0]) / size, (window[3] - window[1]) / size
    xs = (window[0] + (np.arange(size) + 0.5) * step_x).astype(np.float32)
    ys = (window[1] + (np.arange(size) + 0.5) * step_y).astype(np.float32)
    m = motion.astype(np.float32)
    grid = np.empty((size, size, 2), np.float32)
    grid[..., 0] = m[0, 0] * xs[None, :] + (m[0, 1] * ys[:, None] + (m[0, 2] - 0.5))
    grid[..., 1] = m[1, 0] * xs[None, :] + (m[1, 1] * ys[:, None] + (m[1, 2] - 0.5))
    return grid


@dataclass(frozen=True)
class Trajectory:
    """Where a cut-out is, how large and how turned, frame by frame."""

    centres: NDArray[np.float64]
    """(T, 2) x, y in scene pixels."""
    scales: NDArray[np.float64]
    """(T, 2) scene pixels per source pixel, in x and y."""
    angles: NDArray[np.float64]
    """(T,) radians."""

    def motions(self, source_centre: tuple[float, float]) -> NDArray[np.float64]:
        """(T, 2, 3) affine maps from the scene to the source whose ``source_centre`` sits at ``centres``."""
        maps = np.empty((len(self.angles), 2, 3))
        for t, (centre, scale, angle) in enumerate(zip(self.centres, self.scales, self.angles, strict=True)):
            cosine, sine = np.cos(angle), np.sin(angle)
            linear = np.array([[cosine, sine], [-sine, cosine]]) / scale[:, None]
            maps[t, :, :2] = linear
            maps[t, :, 2] = np.asarray(source_centre) - linear @ centre
        return maps


def random_trajectory(
    rng: Generator, start: NDArray[np.float64], scale: float, extent: float, pace: NDArray[np.float64]
) -> Trajectory:
    """A random walk with a preferred direction.

    Args:
        rng: source of chance.
        start: (2,) first position.
        scale: first scale.
        extent: size of the object in scene pixels: motion is measured by it.
        pace: (T - 1,) how much happens between frames; 1 is the change between neighbouring frames.
    """
    speed = extent * float(rng.choice([0.03, 0.08, 0.2, 0.4], p=[0.3, 0.35, 0.25, 0.1]))
    heading = rng.normal(0, speed, 2)
    steps = (heading + rng.normal(0, 0.4 * speed, (len(pace), 2))) * np.sqrt(pace)[:, None]
    growth = rng.normal(0, 0.04, (len(pace), 2)) * 0.5 + rng.normal(0, 0.05, (len(pace), 1))
    turns = rng.normal(0, 0.06, len(pace)) * np.sqrt(pace)
    zero = np.zeros((1, 2))
    centres = start + np.concatenate([zero, steps.cumsum(0)])
    scales = scale * np.exp(np.concatenate([zero, (growth * np.sqrt(pace)[:, None]).cumsum(0)]))
    angles = rng.normal(0, 0.1) + np.concatenate([[0.0], turns.cumsum()])
    return Trajectory(centres, scales, angles)


def random_ripple(rng: Generator, extent: float, pace: NDArray[np.float64], strength: float) -> Ripple:
    """A displacement of up to ``strength`` of the object's ``extent`` (source pixels), one to two waves across it."""
    wave = rng.normal(0, 1, (2, 2))
    wave *= (2 * np.pi / extent) * rng.uniform(0.4, 1.2, (2, 1)) / np.linalg.norm(wave, axis=1, keepdims=True)
    drift = rng.normal(0, 0.6, (len(pace), 2)) * np.sqrt(pace)[:, None]
    phase = rng.uniform(0, 2 * np.pi, 2) + np.concatenate([np.zeros((1, 2)), drift.cumsum(0)])
    return Ripple(float(extent * strength * rng.random()), wave, phase)


def camera_over(
    rng: Generator, still: Still, target_id: int | None, size_hw: tuple[int, int], pace: NDArray[np.float64]
) -> WarpedStill:
    """A photograph that fills a scene of ``size_hw``, under a moving camera."""
    height, width = still.image.shape[:2]
    fit = max(size_hw[0] / height, size_hw[1] / width) * rng.uniform(1.0, 1.25)
    centre = np.array([size_hw[1] / 2, size_hw[0] / 2]) + rng.normal(0, 0.04, 2) * min(size_hw)
    extent = min(size_hw) * (0.5 if target_id is not None else 0.25)
    track = random_trajectory(rng, centre, fit, extent, pace)
    flip = rng.random() < 0.5
    motions = track.motions((width / 2, height / 2))
    if flip:
        motions[:, 0] = np.array([0, 0, width]) - motions[:, 0]
    ripple = random_ripple(rng, min(height, width), pace, 0.04 if target_id is not None else 0.01)
    return WarpedStill(still, target_id, motions, ripple, size_hw)


def moving_layer(
    rng: Generator,
    rgba: NDArray[np.uint8],
    start: NDArray[np.float64],
    extent: float,
    pace: NDArray[np.float64],
    visible: Sequence[bool],
    is_target: bool,
) -> Layer:
    """A cut-out of about ``extent`` scene pixels that starts at ``start`` and goes its way."""
    height, width = rgba.shape[:2]
    scale = extent / np.sqrt(height * width)
    track = random_trajectory(rng, start, scale, extent, pace)
    motions = track.motions((width / 2, height / 2))
    if rng.random() < 0.5:
        motions[:, 0] = np.array([0, 0, width]) - motions[:, 0]
    ripple = random_ripple(rng, float(np.sqrt(height * width)), pace, 0.06)
    return Layer(rgba, motions, ripple, tuple(visible), is_target)


@dataclass(frozen=True)
class Scene:
    """A base and the layers over it, lowest first."""

    base: Base
    layers: tuple[Layer, ...]

    def render(
        self, frame: int, window: NDArray[np.float64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """One frame through one window.

        Returns:
            (size, size, 3) uint8 RGB; (size, size) uint8 0/1 mask of the target as it is visible; and of all other
            objects.
        """
        image, labels = self.base.render(frame, window, size)
        target, others = (labels == 1).astype(np.uint8), (labels == OTHERS).astype(np.uint8)
        for layer in self.layers:
            covers = layer.paint(image, frame, window) > 127
            target[covers] = layer.is_target
            others[covers] = not layer.is_target
        return image, target, others

    def target_box(self, frame: int) -> NDArray[np.float64] | None:
        """(4,) xyxy of the visible target in scene pixels, to within 1/96 of the scene; None where it is hidden."""
        height, width = self.base.size_hw
        _, target, _ = self.render(frame, np.array([0.0, 0.0, width, height]), 96)
        left, top, box_width, box_height = cv2.boundingRect(target)
        if box_width == 0:
            return None
        scale = np.array([width, height, width, height]) / 96
        return np.array([left, top, left + box_width, top + box_height]) * scale
