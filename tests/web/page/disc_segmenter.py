"""A clip in which a disc moves, and a segmenter that paints what was marked: quick, and the same every time."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from shibori.interfaces import InteractiveSegmenter
from shibori.media.rounds import Absence, GivenMask, Mark, Rounds
from shibori.web import serve
from shibori.web.studio import StudioSettings

from ...painted import Painted

NUM_FRAMES, SIZE_HW, RADIUS = 24, (180, 320), 24


def disc_frames() -> list[np.ndarray]:
    """A light disc on a dark ground, from left to right."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    frames = []
    for index in range(NUM_FRAMES):
        frame = np.full((*SIZE_HW, 3), (30, 60, 50), np.uint8)
        frame[(rows - 90) ** 2 + (columns - 60 - 8 * index) ** 2 < RADIUS**2] = (240, 190, 60)
        frames.append(frame)
    return frames


class Discs(Painted):
    """Each object is what was marked of it last: a box, a disc around the first point, or a mask."""

    slow_seconds = 0.08

    def mask(self, rounds: Rounds, frame: int) -> np.ndarray:
        mask = np.zeros(self.clip.size_hw, np.bool_)
        for each in rounds:
            if isinstance(each.what, Absence) and frame in each.frames:
                mask = np.zeros_like(mask)
            elif isinstance(each.what, GivenMask):
                mask = each.what.mask()
            elif isinstance(each.what, Mark):
                drawn = self._drawn(each.what)
                mask = mask | drawn if each.what.is_object else mask & ~drawn
        return mask

    def _drawn(self, mark: Mark) -> np.ndarray:
        height, width = self.clip.size_hw
        rows, columns = np.mgrid[:height, :width]
        if mark.box is not None:
            x0, y0, x1, y1 = mark.box
            return (rows >= y0 * height) & (rows < y1 * height) & (columns >= x0 * width) & (columns < x1 * width)
        x, y = mark.lines[0][0]
        return (rows - y * height) ** 2 + (columns - x * width) ** 2 < RADIUS**2


def load_discs() -> InteractiveSegmenter:
    """What the worker loads."""
    return Discs()


def serve_discs() -> None:
    """A studio in this process: of the folder and at the port that its arguments name."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    address = serve.Address(serve.THIS_MACHINE, port, None)
    settings = StudioSettings(folder, load_discs, version="1")
    serve.serve(settings, serve.free_socket(address.host, port), address, print, browse=False)
