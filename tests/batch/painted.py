"""Systems that need no network, for workers: what a process of its own has to be able to import. And clips for them."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np

from shibori.interfaces import InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.palette import write_palette_png
from shibori.media.rle import encode_rle
from shibori.media.writer import write_video
from shibori.run.choice import Loaders

from ..holder import Holder, Holding
from ..squares import Squares

SIZE_HW, NUM_FRAMES = (32, 48), 6


class Brightest(InstanceSegmenter):
    """Finds one instance: the box in which a frame is brighter than it is on average; not in the first frame."""

    @property
    def categories(self):
        return {1: "thing"}

    def discover(self, frames, progress=None) -> Discovery:
        codes = [encode_rle(image[..., 0] > image.mean()) for _, image in frames.forward(0, frames.num_frames)]
        track = InstanceTrack(1, 1, "thing", 0.5, (None, *codes[1:]))
        return Discovery((track,), 1, 1, 0)


class SlowHolder(Holder):
    """Takes its time for every frame, and ends its process before the first one where ``mark`` says nothing yet."""

    def __init__(self, seconds: float = 0.0, mark: Path | None = None, always: bool = False) -> None:
        super().__init__(lost_frame=4)
        self.seconds, self.mark, self.always = seconds, mark, always

    def begin(self, size_hw):
        if self.mark is not None and (self.always or not self.mark.exists()):
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return SlowHolding(size_hw, self.lost_frame, self.seconds)


class SlowHolding(Holding):
    def __init__(self, size_hw, lost_frame, seconds) -> None:
        super().__init__(size_hw, lost_frame)
        self.seconds = seconds

    def step(self, image, references=None):
        time.sleep(self.seconds)
        return super().step(image, references)


def load_holder(choice, **options) -> Holder:
    return SlowHolder(**options)


def load_squares(choice) -> Squares:
    return Squares()


def load_brightest(choice) -> Brightest:
    return Brightest()


def painted(**options) -> Loaders:
    """Loaders that can be pickled; options of ``SlowHolder``."""
    return Loaders(partial(load_holder, **options), load_squares, load_brightest)


def make_clips(folder: Path, names: list[str], num_frames: int = NUM_FRAMES) -> None:
    """``NAME.mp4``, each another one, and ``first.png`` with objects 1 and 2."""
    for number, name in enumerate(names):
        frames = np.full((num_frames, *SIZE_HW, 3), 40 + number, np.uint8)
        for index, frame in enumerate(frames):
            frame[8:20, 4 + index : 16 + index] = 200
        write_video(folder / f"{name}.mp4", list(frames), rate=5)
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[8:20, 4:16] = 1
    ids[24:30, 20:40] = 2
    write_palette_png(folder / "first.png", ids)


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
