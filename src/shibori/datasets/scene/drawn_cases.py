"""Drawn clips that ask one hard question each, with exact masks: no data needed.

Twins ask for position and continuity, since their looks do not tell them apart; a tiny object asks for resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.blending import Picture, over_in_8_bits
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.landscape import noise
from shibori.datasets.scene.renderer import Patch, Scene

RGB = tuple[int, int, int]
_ORANGE: RGB = (226, 122, 48)
_MOSS: RGB = (112, 126, 96)


@dataclass(frozen=True, eq=False)
class MovingDisc:
    """A disc of one colour; a pixel is its own where the pixel's centre lies inside, so its mask is exact."""

    object_id: int
    centre_xy: NDArray[np.float64]
    """(T, 2) pixels, corners on integers."""
    radius: float
    colour: RGB

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch | None:
        """See ``Layer``."""
        (x, y), reach = self.centre_xy[index], self.radius + 1
        left, top = (max(int(np.floor(side - reach)), 0) for side in (x, y))
        right, bottom = (min(int(np.ceil(s + reach)), end) for s, end in zip((x, y), size_hw[::-1], strict=True))
        if right <= left or bottom <= top:
            return None
        rows, columns = np.ogrid[top:bottom, left:right]
        distance = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        # One half where the distance is the radius: the edge is soft over a pixel.
        coverage = (self.radius + 0.5 - distance).clip(0, 1).astype(np.float32)
        colours = np.full((*coverage.shape, 3), self.colour, np.uint8)
        return Patch((slice(top, bottom), slice(left, right)), coverage, partial(over_in_8_bits, coverage, colours))


def circling_discs(
    seed: int = 0,
    size_hw: tuple[int, int] = (480, 854),
    num_frames: int = 40,
    num_discs: int = 6,
    diameter: float = 22,
) -> CompositeSequence:
    """Identical discs that go round each other once, drawing close on the way so that their gaps are half a disc.

    Only where each one was tells which it is. They never touch.

    Args:
        seed: of the ground's texture and of where they begin.
        size_hw: of the clip.
        num_frames: of the clip; the fewer, the faster they are.
        num_discs: how many.
        diameter: pixels.
    """
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, num_frames)
    closest = 0.75 * diameter / np.sin(np.pi / num_discs)  # neighbours are then 1.5 diameters apart
    radius = closest * (1.5 + 0.5 * np.cos(4 * np.pi * time))
    begin = rng.uniform(0, 2 * np.pi)
    middle = np.array(size_hw[::-1]) / 2
    discs = []
    for slot in range(num_discs):
        angle = begin + 2 * np.pi * (slot / num_discs + time)
        centre = middle + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        discs.append(MovingDisc(slot + 1, centre, diameter / 2, _ORANGE))
    scene = Scene(partial(_still, _textured(rng, size_hw)), discs, size_hw)
    name, object_ids = f"{num_discs}-discs-of-{diameter:g}", tuple(disc.object_id for disc in discs)
    return CompositeSequence(name, num_frames, object_ids, size_hw, scene, scene.ids)


def small_disc(
    seed: int = 0, size_hw: tuple[int, int] = (480, 854), num_frames: int = 12, diameter: float = 8
) -> CompositeSequence:
    """A small disc that moves on over a textured ground, by three quarters of its width a frame.

    Args:
        seed: of the ground's texture and of the path.
        size_hw: of the clip.
        num_frames: of the clip.
        diameter: pixels.
    """
    rng = np.random.default_rng(seed)
    ground = _textured(rng, size_hw)
    heading = rng.uniform(0, 2 * np.pi)
    steps = 0.75 * diameter * (np.arange(num_frames) - num_frames / 2)
    centre = np.array(size_hw[::-1]) / 2 + steps[:, None] * np.array([np.cos(heading), np.sin(heading)])
    scene = Scene(partial(_still, ground), (MovingDisc(1, centre, diameter / 2, _ORANGE),), size_hw)
    return CompositeSequence(f"disc-of-{diameter:g}", num_frames, (1,), size_hw, scene, scene.ids)


def drawn_cases(seed: int = 0) -> list[CompositeSequence]:
    """The drawn clips of the benchmarks, 854x480: six discs of 22 pixels over 40 frames, one of 8 over 12."""
    return [circling_discs(seed), small_disc(seed)]


def _textured(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: blotches and grain in the tones of a forest floor, the finest as wide as a small disc."""
    blotches, grain = noise(rng, size_hw, 48, 5)[..., None], noise(rng, size_hw, 10, 2)[..., None]
    tones = np.array(_MOSS) + 26 * blotches + 12 * grain * [1, 0.6, 0.3]
    return np.asarray(tones.clip(0, 255), np.uint8)


def _still(picture: Picture, index: int) -> Picture:
    return picture
