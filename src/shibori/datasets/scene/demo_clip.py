"""The demonstration's clip, drawn from nothing: no data needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.datasets.scene.blending import Picture, over_premultiplied
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.demo_figures import Ball, Dog, Figure, Van, draw
from shibori.datasets.scene.landscape import Strip, make_landscape, pan
from shibori.datasets.scene.motion import eased, smoothed
from shibori.datasets.scene.renderer import Patch, Scene

_WIDE = {1: 0.62, 2: 0.95, 3: 0.5}  # half the width of each object's shadow, in heights


@dataclass(frozen=True)
class MovingFigure:
    """A figure on its way through the clip."""

    object_id: int
    figure: Figure
    height: float
    """Pixels."""
    feet_xy: NDArray[np.float64]
    """(T, 2) pixels."""
    phase: NDArray[np.float64]
    """(T,) distance gone so far, in heights: it turns wheels and legs."""
    ground_y: float
    """Where its shadow falls: pixels from the top."""
    mirror: bool
    """The figure looks to the left."""

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch:
        """See ``Layer``."""
        feet_x, feet_y = self.feet_xy[index].tolist()
        rgba = draw(self.figure, float(self.phase[index]), (feet_x, feet_y), self.height, size_hw, self.mirror)
        return Patch((slice(None), slice(None)), rgba[..., 3], partial(over_premultiplied, rgba))


def make_demo_clip(seed: int, size_hw: tuple[int, int] = (360, 640), num_frames: int = 60) -> CompositeSequence:
    """A dog (1), a van (2) and a ball (3) before a landscape that pans past.

    The dog passes in front of the van; the ball rolls behind the dog and in front of the van, leaves the picture and
    comes back. The same seed gives the same clip, bit by bit.
    """
    rng = np.random.default_rng(seed)
    panning = 0.35 * size_hw[1] * np.linspace(0, 1, num_frames)
    figures = _draw_figures(rng, size_hw, panning)
    landscape = make_landscape(rng, size_hw, panning[-1])
    ground = partial(_draw_ground, landscape, panning, figures, size_hw)
    scene = Scene(ground, figures, size_hw, partial(_photographed, seed))
    return CompositeSequence(f"demo-{seed}", num_frames, (1, 2, 3), size_hw, scene, scene.ids)


def _draw_figures(rng: Generator, size_hw: tuple[int, int], panning: NDArray[np.float64]) -> list[MovingFigure]:
    """The figures, back to front."""
    height, width = size_hw
    time = np.linspace(0, 1, len(panning))
    coats = [
        ((0.92, 0.88, 0.8), (0.5, 0.3, 0.16)),
        ((0.85, 0.66, 0.42), (0.6, 0.4, 0.2)),
        ((0.3, 0.28, 0.28), (0.9, 0.87, 0.83)),
    ]
    paints = [
        ((0.8, 0.18, 0.14), (0.95, 0.9, 0.8)),
        ((0.16, 0.42, 0.68), (0.95, 0.85, 0.3)),
        ((0.93, 0.73, 0.2), (0.25, 0.3, 0.4)),
    ]
    coat, paint = coats[rng.integers(len(coats))], paints[rng.integers(len(paints))]
    dog_height, van_height, ball_height = 0.4 * height, 0.36 * height, 0.2 * height
    van_y, ball_y, dog_y = 0.7 * height, 0.82 * height, 0.93 * height
    van_path = _path(width * (0.25 + 0.48 * eased(time)), van_y)
    dog_path = _path(width * (0.78 - 0.58 * time), dog_y)
    # The ball rolls to the right, out of the picture, and back in again.
    ball_x = width * np.interp(time, [0, 0.55, 0.68, 1], [0.2, 1.12, 1.12, 0.62])
    hops = 0.1 * height * np.abs(np.sin(5 * np.pi * time)) * (1 - time)
    ball_path = _path(smoothed(ball_x), ball_y - hops)
    white = (0.95, 0.94, 0.9)
    ball = Ball(ball_height, [(0.86, 0.16, 0.2), white, (0.15, 0.35, 0.8), white, (0.95, 0.76, 0.15), white])
    van, dog = Van(rng, van_height, *paint), Dog(rng, dog_height, *coat)
    van_phase, ball_phase = _gone(van_path, panning, van_height), _gone(ball_path, panning, ball_height)
    dog_phase = 1.2 * _gone(dog_path, panning, dog_height) + 0.05 * np.arange(len(panning))
    return [
        MovingFigure(2, van, van_height, van_path, van_phase, van_y, False),
        MovingFigure(3, ball, ball_height, ball_path, ball_phase, ball_y, False),
        MovingFigure(1, dog, dog_height, dog_path, dog_phase, dog_y, True),
    ]


def _path(x: NDArray[np.float64], y: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.stack([x, np.broadcast_to(y, x.shape)], axis=1)


def _gone(feet_xy: NDArray[np.float64], panning: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """(T,) distance covered over the ground, which moves below the figure too, in heights."""
    steps = np.abs(np.diff(feet_xy[:, 0] + panning))
    return np.array([steps[:index].sum() for index in range(len(panning))]) / height


def _draw_ground(
    landscape: list[Strip],
    panning: NDArray[np.float64],
    figures: list[MovingFigure],
    size_hw: tuple[int, int],
    index: int,
) -> NDArray[np.float32]:
    image = pan(landscape, panning[index], size_hw)
    for figure in figures:
        _darken_below(image, figure, index)
    return image


def _darken_below(image: NDArray[np.float32], figure: MovingFigure, index: int) -> None:
    """Lay a figure's shadow on the ground, the fainter the higher it is above it."""
    x, y = figure.feet_xy[index]
    lift = (figure.ground_y - y) / figure.height
    wide = figure.height * _WIDE[figure.object_id] * (1 - 0.3 * min(lift, 1))
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = ((columns - x) / wide) ** 2 + ((rows - figure.ground_y) / (0.1 * figure.height)) ** 2
    image *= (1 - 0.5 * (1 - 0.6 * min(lift, 1)) * np.exp(-1.5 * distance**2))[..., None].astype(np.float32)


def _photographed(seed: int, image: Picture, index: int) -> NDArray[np.uint8]:
    """A little softness and sensor noise, and 8 bits."""
    rng = np.random.default_rng((seed, index))
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    grain = rng.standard_normal(image.shape[:2], np.float32)[..., None] * 0.012
    photographed: NDArray[np.uint8] = ((soft + grain) * 255).clip(0, 255).round().astype(np.uint8)
    return photographed
