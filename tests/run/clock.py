"""A clip whose frames tell their own number, masks for it, and a plan of some of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from shibori.media.clip import Clip, Frame
from shibori.run.plan import FrameRange, Plan

SIZE_HW = (8, 40)


class ClockClip(Clip):
    """Every pixel of frame t is t."""

    def __init__(self, num_frames: int = 20, decodable: int | None = None) -> None:
        self.name, self.path, self.size_hw = "clock", Path("clock"), SIZE_HW
        self.num_frames, self.frame_rate, self.time_base = num_frames, Fraction(25), Fraction(1, 25)
        self.decodable = num_frames if decodable is None else decodable
        self.decoded: list[int] = []

    @property
    def shortfall(self) -> str | None:
        return None if self.decodable == self.num_frames else "the file ends early"

    def frame(self, index: int) -> Frame:
        self.decoded.append(index)
        return Frame(index, Fraction(index, 25), np.full((*self.size_hw, 3), index, np.uint8))

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        stop = self.num_frames if stop is None else stop
        yield from map(self.frame, range(start, min(stop, self.decodable), step))

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        yield from map(self.frame, range(start, stop, -1))


def box(left: int, object_id: int = 1, top: int = 0) -> np.ndarray:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[top : top + 3, left : left + 4] = object_id
    return ids


def planned() -> Plan:
    """Every second frame from 2 to 11, and 7 besides, where object 2 begins."""
    return Plan({4: box(6), 7: box(9, 2, top=4)}, FrameRange(2, 12, 2))
