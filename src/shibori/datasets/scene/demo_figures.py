"""Jointed, textured, shaded figures: a dog, a van and a ball. Each draws itself in any pose as colour and coverage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.blending import over_premultiplied
from shibori.datasets.scene.landscape import noise
from shibori.datasets.scene.motion import SpriteMotion
from shibori.datasets.scene.renderer import covered_box

RGB = tuple[float, float, float]
FINE = 4  # outlines are drawn this many times larger, then averaged: smooth edges


@dataclass(frozen=True)
class Piece:
    """A shaded piece of a figure; lengths are in units of the figure's height."""

    rgba: NDArray[np.float32]
    """(h, w, 4) in [0, 1], colour premultiplied by alpha."""
    centre_xy: tuple[float, float]
    """Where the piece's own origin, about which it turns, lies in ``rgba``: pixels."""
    scale: float
    """Pixels of ``rgba`` per unit of the figure."""


@dataclass(frozen=True)
class PlacedPiece:
    """A piece put somewhere in its figure."""

    piece: Piece
    x: float
    y: float
    turn: float = 0.0
    """Radians, clockwise on the screen."""


class Figure(ABC):
    """A figure one unit high that stands with its feet at y = 0; y grows downwards."""

    @abstractmethod
    def pose(self, phase: float) -> list[PlacedPiece]:
        """The pieces, back to front; ``phase`` is the distance gone so far, in units of the figure's height."""


def draw(
    figure: Figure, phase: float, feet_xy: tuple[float, float], height: float, size_hw: tuple[int, int], mirror: bool
) -> NDArray[np.float32]:
    """(H, W, 4) float32 in [0, 1], premultiplied: the figure ``height`` pixels high, its feet at ``feet_xy``."""
    canvas = np.zeros((*size_hw, 4), np.float32)
    facing = -1.0 if mirror else 1.0
    for placed in figure.pose(phase):
        centre = np.array([[feet_xy[0] + facing * placed.x * height, feet_xy[1] + placed.y * height]])
        zoom, turn = np.array([height / placed.piece.scale]), np.array([placed.turn])
        motion = SpriteMotion(centre, zoom, turn, mirror)
        _paint(canvas, placed.piece.rgba, motion.matrices(np.array(placed.piece.centre_xy))[0])
    return canvas


def _paint(canvas: NDArray[np.float32], rgba: NDArray[np.float32], matrix: NDArray[np.float64]) -> None:
    """Lay the transformed piece over the canvas, touching only the box it falls in."""
    left, top, right, bottom = covered_box(matrix, rgba.shape, canvas.shape[:2])
    if left >= right or top >= bottom:
        return
    local = matrix.copy()
    local[:, 2] -= (left, top)
    box = canvas[top:bottom, left:right]
    box[:] = over_premultiplied(np.asarray(cv2.warpAffine(rgba, local, (right - left, bottom - top)), np.float32), box)


def make_piece(
    outline: Sequence[tuple[float, float]],
    texture: NDArray[np.float32],
    scale: float,
    roundness: float = 0.5,
    fit: bool = False,
) -> Piece:
    """A piece with this closed outline, painted with a corner of ``texture`` and shaded as if it bulged.

    Args:
        outline: corners (x, y) in units of the figure, about the piece's own origin.
        texture: (h, w, 3) float32 in [0, 1]; enlarged where it is smaller than the piece.
        scale: pixels per unit.
        roundness: 0 is flat; 1 is as round as a ball.
        fit: paint with the whole texture, shrunk to the piece.
    """
    points = np.asarray(outline, np.float64) * scale
    low = np.floor(points.min(axis=0)) - 3
    width, height = (np.ceil(points.max(axis=0)) + 3 - low).astype(int)
    fine = np.zeros((height * FINE, width * FINE), np.uint8)
    cv2.fillPoly(fine, [np.round((points - low) * FINE).astype(np.int32)], 255)
    alpha = cv2.resize(fine, (int(width), int(height)), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    least_wh = (0, 0) if fit else texture.shape[1::-1]
    painted = cv2.resize(texture, (int(max(width, least_wh[0])), int(max(height, least_wh[1]))))
    colour = (painted[:height, :width] * _shading(fine, (height, width), roundness)[..., None]).clip(0, 1)
    return Piece(np.dstack([colour * alpha[..., None], alpha]), (-low[0], -low[1]), scale)


def _shading(fine: NDArray[np.uint8], size_hw: tuple[int, int], roundness: float) -> NDArray[np.float32]:
    """(h, w) brightness of a bulging piece lit from above left."""
    depth = cv2.distanceTransform(cv2.resize(fine, size_hw[::-1], interpolation=cv2.INTER_AREA), cv2.DIST_L2, 5)
    reach = max(float(depth.max()), 1.0)
    bulge = np.sqrt(1 - (1 - (depth / reach)).clip(0, 1) ** 2) * reach * roundness
    bulge = cv2.GaussianBlur(bulge, (0, 0), max(reach / 6, 0.8))
    slope_y, slope_x = np.gradient(bulge)
    facing = (0.35 * -slope_x + 0.75 * -slope_y + 0.65) / np.sqrt(1 + slope_x**2 + slope_y**2)
    shade: NDArray[np.float32] = (0.5 + 0.65 * -(-facing).clip(None, 0)).astype(np.float32)
    return shade


def ellipse(half_width: float, half_height: float, x: float = 0.0, y: float = 0.0) -> list[tuple[float, float]]:
    """The outline of an ellipse about (x, y)."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return [(x + half_width * float(np.cos(a)), y + half_height * float(np.sin(a))) for a in angles]


def limb(length: float, wide: float, narrow: float) -> list[tuple[float, float]]:
    """A tapering limb that hangs down from its origin."""
    top = [(wide * float(np.cos(a)), wide * float(np.sin(a))) for a in np.linspace(np.pi, 2 * np.pi, 16)]
    turn = np.linspace(0, np.pi, 16)
    return top + [(narrow * float(np.cos(a)), length + narrow * float(np.sin(a))) for a in turn]


def fur(rng: np.random.Generator, base: RGB, patch: RGB, cell: float) -> NDArray[np.float32]:
    """(256, 256, 3): two colours in patches, with fine grain."""
    size_hw = (256, 256)
    blend = (noise(rng, size_hw, cell, 3) * 3 + 0.5).clip(0, 1)[..., None]
    grain = 1 + 0.07 * noise(rng, size_hw, 6, 2)[..., None]
    return ((np.array(base) * (1 - blend) + np.array(patch) * blend) * grain).astype(np.float32)


def plain(rng: np.random.Generator, colour: RGB, grain: float = 0.03) -> NDArray[np.float32]:
    """(64, 64, 3): one colour, a little uneven."""
    speckle = 1 + grain * noise(rng, (64, 64), 12, 3)[..., None]
    return (np.array(colour, np.float32) * speckle).astype(np.float32)


class Dog(Figure):
    """Four two-jointed legs in a trot, a nodding head, a wagging tail, a patched coat."""

    def __init__(self, rng: np.random.Generator, scale: float, base: RGB, patch: RGB) -> None:
        coat, dark = fur(rng, base, patch, 60), fur(rng, patch, patch, 40)
        shaded = coat * 0.72
        self._trunk = make_piece(_belly(ellipse(0.42, 0.19)), coat, scale, 0.7)
        self._head = make_piece(ellipse(0.16, 0.145), coat[64:], scale, 0.7)
        self._snout = make_piece(ellipse(0.12, 0.075), np.minimum(coat * 1.1, 1), scale, 0.7)
        self._nose = make_piece(ellipse(0.032, 0.028), plain(rng, (0.08, 0.07, 0.07)), scale)
        self._eye = make_piece(ellipse(0.02, 0.022), plain(rng, (0.05, 0.04, 0.04)), scale)
        self._ear = make_piece(limb(0.15, 0.055, 0.04), dark, scale, 0.6)
        self._neck = make_piece(limb(0.26, 0.14, 0.12), coat, scale, 0.6)
        self._tail = make_piece(limb(0.3, 0.045, 0.02), dark, scale, 0.7)
        self._collar = make_piece(
            [(-0.12, -0.025), (0.12, -0.025), (0.12, 0.025), (-0.12, 0.025)], plain(rng, (0.8, 0.15, 0.1)), scale
        )
        self._near = [
            make_piece(limb(0.22, 0.085, 0.055), coat, scale),
            make_piece(limb(0.22, 0.055, 0.04), coat, scale),
        ]
        self._far = [
            make_piece(limb(0.22, 0.08, 0.05), shaded, scale),
            make_piece(limb(0.22, 0.05, 0.04), shaded, scale),
        ]

    def pose(self, phase: float) -> list[PlacedPiece]:
        stride = 2 * np.pi * phase / 0.8
        bob = 0.015 * np.sin(2 * stride)
        nod = 0.09 * np.sin(stride + 0.6)
        hips, shoulders, level = -0.3, 0.29, -0.48 + bob
        head_x, head_y = 0.53, -0.82 + bob + 0.03 * np.sin(stride)
        return [
            *self._leg(self._far, shoulders - 0.03, level, stride + np.pi),
            *self._leg(self._far, hips - 0.03, level, stride + 0.3),
            PlacedPiece(self._tail, -0.4, -0.62 + bob, 2.3 + 0.3 * float(np.sin(1.7 * stride))),
            PlacedPiece(self._neck, 0.47, -0.78 + bob, 0.75),
            PlacedPiece(self._trunk, 0.0, -0.52 + bob),
            *self._leg(self._near, shoulders, level, stride),
            *self._leg(self._near, hips, level, stride + np.pi + 0.3),
            PlacedPiece(self._collar, 0.41, -0.71 + bob, 0.75),
            PlacedPiece(self._head, head_x, head_y, nod),
            PlacedPiece(self._snout, head_x + 0.15, head_y + 0.045, nod),
            PlacedPiece(self._nose, head_x + 0.255, head_y + 0.02, nod),
            PlacedPiece(self._eye, head_x + 0.06, head_y - 0.035, nod),
            PlacedPiece(self._ear, head_x - 0.06, head_y - 0.07, 0.35 + 2 * nod),
        ]

    @staticmethod
    def _leg(pieces: list[Piece], x: float, y: float, stride: float) -> list[PlacedPiece]:
        swing = 0.45 * float(np.sin(stride))
        bend = 0.5 * max(0.0, float(np.cos(stride))) + 0.05
        knee_x, knee_y = x - 0.22 * float(np.sin(swing)), y + 0.22 * float(np.cos(swing))
        return [PlacedPiece(pieces[1], knee_x, knee_y, swing + bend), PlacedPiece(pieces[0], x, y, swing)]


def _belly(outline: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Deeper at the chest than at the waist."""
    return [(x, y * (1.0 + 0.35 * x)) for x, y in outline]


class Van(Figure):
    """A delivery van: rounded body, windows, a stripe, turning wheels."""

    def __init__(self, rng: np.random.Generator, scale: float, paint: RGB, stripe: RGB) -> None:
        corners = [(-0.85, -0.2), (-0.85, -0.9), (-0.78, -0.98), (0.38, -0.98), (0.52, -0.9)]
        corners += [(0.72, -0.55), (0.88, -0.48), (0.92, -0.4), (0.92, -0.2)]
        glass = plain(rng, (0.2, 0.27, 0.33), 0.15)
        self._body = make_piece(corners, plain(rng, paint, 0.02), scale, 0.25)
        band = [(-0.85, -0.05), (0.9, -0.05), (0.9, 0.05), (-0.85, 0.05)]
        self._stripe = make_piece(band, plain(rng, stripe), scale, 0.0)
        window = [(-0.17, -0.14), (0.17, -0.14), (0.17, 0.14), (-0.17, 0.14)]
        front = [(-0.16, -0.14), (0.04, -0.14), (0.19, 0.14), (-0.16, 0.14)]
        self._windows = [make_piece(outline, glass, scale, 0.05) for outline in (window, window, front)]
        self._tyre = make_piece(ellipse(0.19, 0.19), plain(rng, (0.09, 0.09, 0.1)), scale, 0.3)
        self._rim = make_piece(ellipse(0.115, 0.115), _spokes(), scale, 0.0, fit=True)
        self._light = make_piece(ellipse(0.04, 0.05), plain(rng, (0.98, 0.94, 0.7)), scale, 0.4)
        self._sill = make_piece(
            [(-0.85, -0.06), (0.92, -0.06), (0.92, 0.04), (-0.85, 0.04)], plain(rng, (0.16,) * 3), scale, 0.2
        )

    def pose(self, phase: float) -> list[PlacedPiece]:
        bounce = 0.006 * float(np.sin(9 * phase))
        wheel = self._tyre, self._rim
        wheels = [PlacedPiece(piece, x, -0.19, phase / 0.19) for x in (-0.52, 0.54) for piece in wheel]
        return [
            PlacedPiece(self._sill, 0.0, -0.2 + bounce),
            PlacedPiece(self._body, 0.0, bounce),
            PlacedPiece(self._stripe, 0.0, -0.42 + bounce),
            *(PlacedPiece(w, x, -0.72 + bounce) for w, x in zip(self._windows, (-0.55, -0.1, 0.36), strict=True)),
            PlacedPiece(self._light, 0.87, -0.36 + bounce),
            *wheels,
        ]


def _spokes() -> NDArray[np.float32]:
    """(64, 64, 3): a hub cap with five spokes, so that one sees it turn."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j].astype(np.float32)
    bright = 0.55 + 0.35 * (np.cos(5 * np.arctan2(y, x)) > 0.2)
    return np.repeat(bright[..., None], 3, axis=2).astype(np.float32)


class Ball(Figure):
    """A beach ball with six coloured panels that rolls as it goes."""

    def __init__(self, scale: float, colours: Sequence[RGB]) -> None:
        self._skin = make_piece(ellipse(0.5, 0.5), _panels(colours, int(scale)), scale, 0.0, fit=True)
        # The light stays above while the skin turns, so shade and shine are pieces of their own.
        self._shade = _shadow_piece(scale)

    def pose(self, phase: float) -> list[PlacedPiece]:
        return [PlacedPiece(self._skin, 0.0, -0.5, phase / 0.5), PlacedPiece(self._shade, 0.0, -0.5)]


def _panels(colours: Sequence[RGB], side: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    x, y = x - 0.25, y + 0.15
    panel = ((np.arctan2(y, x) / (2 * np.pi) + 0.5 + 0.06 * np.hypot(x, y)) * 6).astype(int) % 6
    skin = np.array(colours, np.float32)[panel % len(colours)]
    skin[np.hypot(x, y) < 0.14] = 0.95
    return skin


def _shadow_piece(scale: float) -> Piece:
    """Darkness below right and a shine above left, both laid over the turning skin."""
    side = int(scale) + 6
    axis = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (scale / 2)
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x, y) < 0.97
    dark = (0.62 * (0.45 * x + 0.75 * y + np.hypot(x, y) ** 2 - 0.55)).clip(0, 0.6) * inside
    shine = 0.6 * np.exp(-((x + 0.35) ** 2 + (y + 0.42) ** 2) / 0.03) * inside
    alpha = dark + shine * (1 - dark)
    colour = np.repeat(shine[..., None], 3, axis=2)
    return Piece(np.dstack([colour, alpha]).astype(np.float32), ((side - 1) / 2, (side - 1) / 2), scale)
