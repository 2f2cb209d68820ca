"""The demonstration's clip, drawn from nothing: no data needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.composite_sequence import CompositeSequence, ImageAndIds
from shibori.datasets.scene.demo_figures import Ball, Dog, Puppet, Van, draw
from shibori.datasets.scene.landscape import Strip, make_landscape, pan
from shibori.datasets.scene.motion import eased, smoothed


@dataclass(frozen=True)
class Actor:
    """A figure and its way through the clip."""

    object_id: int
    puppet: Puppet
    height: float
    """Pixels."""
    feet_xy: NDArray[np.float64]
    """(T, 2) pixels."""
    ground_y: float
    """Where its shadow falls: pixels from the top."""
    mirror: bool
    """The figure looks to the left."""


def make_demo_clip(seed: int, size_hw: tuple[int, int] = (360, 640), num_frames: int = 60) -> CompositeSequence:
    """A dog (1), a van (2) and a ball (3) before a landscape that pans past.

    The dog passes in front of the van; the ball rolls behind the dog and in front of the van, leaves the picture and
    comes back. The same seed gives the same clip, bit by bit.
    """
    rng = np.random.default_rng(seed)
    actors = _cast(rng, size_hw, num_frames)
    panning = 0.35 * size_hw[1] * np.linspace(0, 1, num_frames)
    landscape = make_landscape(rng, size_hw, panning[-1])
    compose = partial(_draw_frame, landscape, panning, actors, size_hw, seed)
    return CompositeSequence(f"demo-{seed}", num_frames, (1, 2, 3), size_hw, compose)


def _cast(rng: np.random.Generator, size_hw: tuple[int, int], num_frames: int) -> list[Actor]:
    """The figures, back to front."""
    height, width = size_hw
    time = np.linspace(0, 1, num_frames)
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
    van_x = width * (0.25 + 0.48 * eased(time))
    dog_x = width * (0.78 - 0.58 * time)
    # The ball rolls to the right, out of the picture, and back in again.
    ball_x = width * np.interp(time, [0, 0.55, 0.68, 1], [0.2, 1.12, 1.12, 0.62])
    hops = 0.1 * height * np.abs(np.sin(5 * np.pi * time)) * (1 - time)
    white = (0.95, 0.94, 0.9)
    ball = Ball(ball_height, [(0.86, 0.16, 0.2), white, (0.15, 0.35, 0.8), white, (0.95, 0.76, 0.15), white])
    return [
        Actor(2, Van(rng, van_height, *paint), van_height, _path(van_x, van_y), van_y, False),
        Actor(3, ball, ball_height, _path(smoothed(ball_x), ball_y - hops), ball_y, False),
        Actor(1, Dog(rng, dog_height, *coat), dog_height, _path(dog_x, dog_y), dog_y, True),
    ]


def _path(x: NDArray[np.float64], y: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.stack([x, np.broadcast_to(y, x.shape)], axis=1)


def _draw_frame(
    landscape: list[Strip],
    panning: NDArray[np.float64],
    actors: list[Actor],
    size_hw: tuple[int, int],
    seed: int,
    index: int,
) -> ImageAndIds:
    image = pan(landscape, panning[index], size_hw)
    for actor in actors:
        _cast_shadow(image, actor, index)
    ids = np.zeros(size_hw, np.uint8)
    for actor in actors:
        # A figure turns its wheels and legs by the ground it covers, and the ground moves below it too.
        gone = np.abs(np.diff(actor.feet_xy[: index + 1, 0] + panning[: index + 1])).sum() / actor.height
        phase = gone if not actor.mirror else 1.2 * gone + 0.05 * index
        layer = draw(actor.puppet, phase, tuple(actor.feet_xy[index]), actor.height, size_hw, actor.mirror)
        image = layer[..., :3] + image * (1 - layer[..., 3:])
        ids[layer[..., 3] > 0.5] = actor.object_id
    return _photographed(image, np.random.default_rng((seed, index))), ids


def _cast_shadow(image: NDArray[np.float32], actor: Actor, index: int) -> None:
    """Darken the ground below an actor, the less the higher it is above it."""
    x, y = actor.feet_xy[index]
    lift = (actor.ground_y - y) / actor.height
    wide = actor.height * {1: 0.62, 2: 0.95}.get(actor.object_id, 0.5) * (1 - 0.3 * min(lift, 1))
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = ((columns - x) / wide) ** 2 + ((rows - actor.ground_y) / (0.1 * actor.height)) ** 2
    image *= (1 - 0.5 * (1 - 0.6 * min(lift, 1)) * np.exp(-1.5 * distance**2))[..., None].astype(np.float32)


def _photographed(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A little softness and sensor noise, and 8 bits."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    grain = rng.standard_normal(image.shape[:2], np.float32)[..., None] * 0.012
    photographed: NDArray[np.uint8] = ((soft + grain) * 255).clip(0, 255).round().astype(np.uint8)
    return photographed
