"""A landscape made from noise: sky, hills, a row of trees and a meadow, each passing by at its own speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.blending import over_premultiplied

HORIZON = 0.56  # of the height


@dataclass(frozen=True)
class Strip:
    """One wide picture of the landscape, further away than the next."""

    rgba: NDArray[np.float32]
    """(H, wide W, 4) in [0, 1], colour premultiplied by alpha."""
    speed: float
    """How far it moves for each pixel of panning."""


def make_landscape(rng: np.random.Generator, size_hw: tuple[int, int], reach: float) -> list[Strip]:
    """Strips from the sky to the meadow, wide enough to be panned by up to ``reach`` pixels."""
    height, width = size_hw
    wide_hw = (height, int(np.ceil(width + abs(reach))) + 4)
    return [
        Strip(_sky(rng, wide_hw), 0.05),
        Strip(_hills(rng, wide_hw), 0.25),
        Strip(_trees(rng, wide_hw), 0.6),
        Strip(_meadow(rng, wide_hw), 1.0),
    ]


def pan(strips: list[Strip], offset: float, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W, 3) float32 in [0, 1]: the landscape seen from ``offset`` pixels to the right."""
    height, width = size_hw
    image = np.zeros((height, width, 3), np.float32)
    for strip in strips:
        shift = np.array([[1, 0, offset * strip.speed], [0, 1, 0]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(strip.rgba, shift, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        image = over_premultiplied(np.asarray(seen, np.float32), image)
    return image


def noise(rng: np.random.Generator, size_hw: tuple[int, int], cell: float, octaves: int = 4) -> NDArray[np.float32]:
    """(H, W) float32 of mean 0 and deviation 1: smooth noise whose largest blobs are ``cell`` pixels wide."""
    total = np.zeros(size_hw, np.float32)
    for octave in range(octaves):
        side = max(cell / 2**octave, 1.0)
        grid_hw = [int(np.ceil(length / side)) + 2 for length in size_hw]
        grid = rng.standard_normal(grid_hw).astype(np.float32)
        fine = cv2.resize(grid, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_CUBIC)
        total += fine * 0.6**octave
    spread: NDArray[np.float32] = (total - total.mean()) / (total.std() + 1e-6)
    return spread


def _opaque(colour: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.dstack([colour.clip(0, 1), np.ones(colour.shape[:2])]).astype(np.float32)


def _cut(colour: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.dstack([colour.clip(0, 1) * alpha[..., None], alpha])


def _tinted(
    size_hw: tuple[int, int], rgb: tuple[float, float, float], light: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    flat = np.full((*size_hw, 3), rgb, np.float32)
    return (flat * light[..., None]).astype(np.float32)


def _sky(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    height, _ = size_hw
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    blue = (np.array([0.36, 0.56, 0.82]) * (1 - down) + np.array([0.86, 0.9, 0.93]) * down).astype(np.float32)
    clouds = (noise(rng, size_hw, height / 2.5, 5) * 0.8 - 0.1).clip(0, 1)[..., None]
    return _opaque(blue * (1 - 0.8 * clouds) + 0.97 * 0.8 * clouds)


def _ridge_alpha(top: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    """(H, W) coverage of everything below the line ``top`` (W,)."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return (rows - top + 0.5).clip(0, 1)


def _hills(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    height, width = size_hw
    line = noise(rng, (1, width), height * 0.9, 3)[0]
    alpha = _ridge_alpha(height * (HORIZON - 0.12 + 0.035 * line), height)
    light = 1 + 0.1 * noise(rng, size_hw, height / 9, 4)
    return _cut(_tinted(size_hw, (0.46, 0.58, 0.55), light), alpha)


def _trees(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    height, width = size_hw
    alpha = np.zeros(size_hw, np.float32)
    light = 1 + 0.3 * noise(rng, size_hw, height / 25, 4)
    base = height * (HORIZON + 0.02)
    x = 0.0
    while x < width:
        radius = height * rng.uniform(0.035, 0.085)
        centre = (int(x), int(base - 1.1 * radius))
        cv2.ellipse(alpha, centre, (int(radius), int(1.3 * radius)), 0, 0, 360, 1.0, -1, cv2.LINE_8)
        x += radius * rng.uniform(0.8, 2.6)
    ragged = noise(rng, size_hw, height / 40, 3) * 0.22
    crowns = cv2.GaussianBlur(alpha, (0, 0), height / 130)
    alpha = ((crowns + ragged * (crowns > 0.05) - 0.5) * 3 + 0.5).clip(0, 1)
    alpha[int(base + 1) :] = 0
    return _cut(_tinted(size_hw, (0.2, 0.34, 0.2), light), alpha)


def _meadow(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    height, width = size_hw
    line = noise(rng, (1, width), height / 3, 3)[0]
    alpha = _ridge_alpha(height * (HORIZON + 0.004 * line), height)
    patches = noise(rng, size_hw, height / 4, 4)
    blades = cv2.GaussianBlur(rng.standard_normal(size_hw).astype(np.float32), (0, 0), 0.7, sigmaY=1.6)
    nearness = np.linspace(-HORIZON, 1 - HORIZON, height, dtype=np.float32)[:, None].clip(0) / (1 - HORIZON)
    light = 0.95 + 0.09 * patches + 0.45 * blades * nearness
    colour = _tinted(size_hw, (0.47, 0.55, 0.27), light)
    dry = (noise(rng, size_hw, height / 6, 4) * 0.5).clip(0, 1)[..., None]
    return _cut(colour * (1 - 0.5 * dry) + np.array([0.62, 0.54, 0.36], np.float32) * 0.5 * dry, alpha)
