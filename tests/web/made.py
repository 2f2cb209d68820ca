"""A clip, and a segmenter for the worker process: what a process of its own has to be able to import."""

from __future__ import annotations

import numpy as np

from shibori.interfaces import InteractiveSegmenter
from shibori.media.rounds import Mark, Rounds

from ..painted import Painted

NUM_FRAMES, SIZE_HW = 16, (48, 64)


def moving_frames(number: int) -> list[np.ndarray]:
    """Grey frames, each of another brightness."""
    return [np.full((*SIZE_HW, 3), 8 * index + 20, np.uint8) for index in range(number)]


class Boxes(Painted):
    """Each object is a box around the first point of its last mark."""

    slow_seconds = 0.05

    def mask(self, rounds: Rounds, frame: int) -> np.ndarray:
        mask = np.zeros(self.clip.size_hw, np.bool_)
        marks = [each.what for each in rounds if isinstance(each.what, Mark) and each.what.lines]
        mask[_around(*marks[-1].lines[0][0], self.clip.size_hw)] = True
        return mask


def _around(x: float, y: float, size_hw: tuple[int, int]) -> tuple[slice, slice]:
    row, column = int(y * (size_hw[0] - 1)), int(x * (size_hw[1] - 1))
    return slice(max(0, row - 8), row + 8), slice(max(0, column - 8), column + 8)


def load_boxes() -> InteractiveSegmenter:
    """What the worker loads."""
    return Boxes()


def click(frame: int, object_id: int = 1, x: float = 0.5, y: float = 0.5) -> dict[str, object]:
    """To say a click."""
    mark = {"kind": "mark", "frame": frame, "object": object_id, "lines": [[[x, y]]], "box": None, "is_object": True}
    return {"kind": "say", "round": mark}


def look(client, project: str, page: str, **options):
    """The WebSocket of a page."""
    return client.websocket_connect(f"ws://127.0.0.1{project}/live?page={page}", **options)
