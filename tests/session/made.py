"""A small clip, a project of it, and an interaction that paints boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from shibori.interfaces import Interaction, InteractiveSegmenter, Suggestion
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.picture import encode_png
from shibori.media.reader import read_clip
from shibori.media.rounds import Absence, Mark, Round, Rounds, check_rounds, known_objects
from shibori.session.store import ProjectStore

NUM_FRAMES, SIZE_HW = 12, (24, 32)


def make_clip(folder: Path, num_frames: int = NUM_FRAMES) -> Clip:
    """A folder of pictures, as a clip."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(num_frames):
        image = np.full((*SIZE_HW, 3), 10 * index % 250, np.uint8)
        (folder / f"{index:05d}.png").write_bytes(encode_png(image))
    return read_clip(folder)


def make_store(folder: Path, num_frames: int = NUM_FRAMES) -> ProjectStore:
    """A new project of a new clip."""
    return ProjectStore.create(folder / "project", make_clip(folder / "clip", num_frames))


def click(frame: int, object_id: int = 1, x: float = 0.5, y: float = 0.5, is_object: bool = True) -> Round:
    """One click."""
    return Round(frame, object_id, Mark((((x, y),),), is_object=is_object))


class BoxSegmenter(InteractiveSegmenter):
    """See ``BoxInteraction``."""

    def begin(self, clip: Clip) -> BoxInteraction:
        return BoxInteraction(clip)


class BoxInteraction(Interaction):
    """Each object is a box around the nearest click on it; the later object has the pixels."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.looked_at: list[int] = []

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        ids, statuses = np.zeros(self.clip.size_hw, np.uint8), []
        for object_id in known_objects(rounds):
            is_absent = any(
                frame in each.frames and isinstance(each.what, Absence)
                for each in rounds
                if each.object_id == object_id
            )
            if not is_absent:
                ids[_box(rounds, object_id, frame, self.clip.size_hw)] = object_id
            statuses.append(ObjectStatus(object_id, 0.0 if is_absent else 0.9, "absent" if is_absent else "tracked"))
        return FrameMasks(frame, ids, tuple(statuses))

    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        frames = list(range(self.clip.num_frames) if span is None else span)
        if not in_order:
            frames.sort(key=lambda index: (abs(index - rounds[-1].frame), index))
        return self._frames(rounds, frames, report, cancelled)

    def _frames(self, rounds, frames, report, cancelled) -> Iterator[FrameMasks]:
        for done, frame in enumerate(frames, 1):
            if cancelled is not None and cancelled():
                return
            self.looked_at.append(frame)
            if report is not None:
                report(done, len(frames))
            yield self.preview(rounds, frame)

    def suggestion(self, rounds: Rounds) -> Suggestion | None:
        return Suggestion(self.clip.num_frames - 1, known_objects(rounds)[0], 0.5)


def _box(rounds: Rounds, object_id: int, frame: int, size_hw: tuple[int, int]) -> tuple[slice, slice]:
    own = [each for each in rounds if each.object_id == object_id and each.begins and isinstance(each.what, Mark)]
    nearest = min(own, key=lambda each: abs(each.frame - frame)).what
    x, y = nearest.lines[0][0] if nearest.lines else nearest.box[:2]
    row, column = int(y * (size_hw[0] - 1)), int(x * (size_hw[1] - 1))
    return slice(max(0, row - 4), row + 4), slice(max(0, column - 5), column + 5)
