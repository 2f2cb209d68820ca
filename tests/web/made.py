"""A clip, and a segmenter for the worker process: what a process of its own has to be able to import."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from shibori.interfaces import Interaction, InteractiveSegmenter, Suggestion
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.rounds import Mark, Rounds, check_rounds, known_objects

NUM_FRAMES, SIZE_HW = 16, (48, 64)
SLOW_SECONDS = 0.05
"""For each frame of a propagation."""


def moving_frames(number: int) -> list[np.ndarray]:
    """Grey frames, each of another brightness."""
    return [np.full((*SIZE_HW, 3), 8 * index + 20, np.uint8) for index in range(number)]


class Boxes(InteractiveSegmenter, Interaction):
    """Each object is a box around the first point of its last mark."""

    is_local = True

    def begin(self, clip: Clip) -> Boxes:
        self.clip = clip
        return self

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        ids, statuses = np.zeros(self.clip.size_hw, np.uint8), []
        for object_id in known_objects(rounds):
            for each in rounds:
                if each.object_id == object_id and isinstance(each.what, Mark) and each.what.lines:
                    x, y = each.what.lines[0][0]
                    area = _around(x, y, self.clip.size_hw)
            ids[area] = object_id
            statuses.append(ObjectStatus(object_id, 0.75, "tracked"))
        return FrameMasks(frame, ids, tuple(statuses))

    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        for frame in span or range(self.clip.num_frames):
            if cancelled is not None and cancelled():
                return
            time.sleep(SLOW_SECONDS)
            yield self.preview(rounds, frame)

    def suggestion(self, rounds: Rounds) -> Suggestion | None:
        return Suggestion(7, known_objects(rounds)[0], 0.25)


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
