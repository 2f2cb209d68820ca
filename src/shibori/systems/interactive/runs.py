"""One object carried from a frame that shows it into one direction, as far as somebody asked.

A run depends on what it starts from and on what is said on its way, and on nothing else: so it serves every state of
work in which that is the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import Propagator
from shibori.media.clip import Clip
from shibori.media.heap import trimmed
from shibori.media.mask import FrameMasks
from shibori.media.rounds import GivenMask
from shibori.ops.overlap import WindowedLogits, iou_of_masks
from shibori.systems.interactive.state import ObjectState
from shibori.tracking.logit_store import Answer, LogitStore

MEMORY_BYTES = 64 << 20
"""Of all runs in memory; the rest of them is on disk."""
MAX_RUNS = 1024
"""Runs that are kept; those not asked for longest go."""
MAX_LIVE = 8
"""Of these the ones that can go on where they are, besides those at work: a network's memory hangs on each."""
CERTAIN = 6.0
"""Log-odds of what came without any."""
THE_OBJECT = 1
"""In a run there is one object, whatever its id."""


class RunKey(NamedTuple):
    """All that a run depends on."""

    start: int
    mask: GivenMask
    """Of the object in frame ``start``."""
    way: int
    """1 or -1."""
    absent: tuple[tuple[int, int], ...]
    """First and last of the stretches on its way where the object is said not to be."""

    @classmethod
    def of(cls, state: ObjectState, start: int, way: int) -> RunKey:
        """The run from one frame of an object to the next one that shows it, or to the end of the clip."""
        first, last = (start, state.after(start)) if way > 0 else (state.before(start), start)
        absent = tuple(
            stretch
            for stretch in state.absent
            if (first is None or stretch[0] > first) and (last is None or stretch[0] < last)
        )
        mask = state.frames[start].mask
        assert mask is not None, "a run starts where the object is"
        return cls(start, mask, way, absent)


class Source(NamedTuple):
    """What all runs of a clip have in common."""

    clip: Clip
    propagator: Propagator
    answers: LogitStore
    """By frame and number of the run."""


class Run:
    """One of them, which goes on when it is asked to."""

    def __init__(self, source: Source, key: RunKey, number: int) -> None:
        self.source, self.key, self.number = source, key, number
        self.reached = key.start
        self._frames: set[int] = set()
        self._steps: Iterator[int] | None = None
        self._proofs: dict[tuple[int, GivenMask], float] = {}

    @property
    def is_live(self) -> bool:
        """Whether it can go on where it is."""
        return self._steps is not None

    def missing(self, frame: int) -> int:
        """Frames it has to go on for, to come to one."""
        return max((frame - self.reached) * self.key.way, 0)

    def get(self, frame: int) -> Answer | None:
        """What it says of a frame; None where it did not come to it, or that cannot be decoded."""
        return self.source.answers.get(frame, self.number)

    def go_on(self, frame: int, looking: Callable[[], None]) -> None:
        """Come to a frame, if it is not there yet; ``looking`` is called before each step, and may raise."""
        while self.missing(frame):
            if self._steps is None:
                self.reached, self._steps = self.key.start, self._walk()
            looking()
            try:
                # What cannot be decoded is passed over; behind the last frame that can be nothing comes any more.
                self.reached = next(self._steps, frame)
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Forget how to go on. What it said so far stays, until it is to go on after all."""
        self._steps = None

    def forget(self) -> None:
        """Forget all of it."""
        self.stop()
        for frame in self._frames:
            self.source.answers.drop(frame, self.number)

    def proof(self, frame: int, mask: GivenMask) -> float:
        """IoU of what it says of a frame with the mask that is settled there; 1 where it does not say anything."""
        if (frame, mask) not in self._proofs:
            answer = self.get(frame)
            if answer is None:
                return 1.0
            found = answer.logits.mask(self.source.clip.size_hw)
            self._proofs[frame, mask] = iou_of_masks(found, mask.mask())
        return self._proofs[frame, mask]

    def _walk(self) -> Iterator[int]:
        start, way = self.key.start, self.key.way
        clip = self.source.clip
        propagation = self.source.propagator.begin(clip.size_hw)
        propagation.step(clip.frame(start).image, {THE_OBJECT: self.key.mask.mask()})
        nowhere = np.zeros(clip.size_hw, np.bool_)
        frames = clip.frames(start + 1) if way > 0 else clip.backward(start - 1)
        for frame in trimmed(frames):
            is_absent = any(first <= frame.index <= last for first, last in self.key.absent)
            masks = propagation.step(frame.image, {THE_OBJECT: nowhere} if is_absent else None)
            self.source.answers.put(frame.index, self.number, answer_of(masks, THE_OBJECT))
            self._frames.add(frame.index)
            yield frame.index


def answer_of(masks: FrameMasks, object_id: int) -> Answer:
    """One object's log-odds, and how sure they are: 0 where it is not tracked."""
    layers = () if masks.soft is None else masks.soft.layers
    for layer in layers:
        if layer.object_id == object_id:
            window = np.array(layer.window, np.float64)
            logits = WindowedLogits(object_id, window, layer.logits.astype(np.float32))
            return Answer(logits, masks.confidence(object_id))
    return Answer(certain_logits(masks.ids == object_id, object_id), masks.confidence(object_id))


def certain_logits(mask: NDArray[np.bool_], object_id: int) -> WindowedLogits:
    """Log-odds of (H, W) a mask that knows no doubt."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top, right, bottom = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else (0, 0, 1, 1)
    part = np.where(mask[top:bottom, left:right], np.float32(CERTAIN), np.float32(-CERTAIN))
    return WindowedLogits(object_id, np.array([left, top, right, bottom], np.float64), part)


class Runs:
    """Those that are kept."""

    def __init__(self, clip: Clip, propagator: Propagator) -> None:
        self.source = Source(clip, propagator, LogitStore(memory_bytes=MEMORY_BYTES))
        self._runs: OrderedDict[RunKey, Run] = OrderedDict()
        self._numbers = count()

    def __getitem__(self, key: RunKey) -> Run:
        """The run, as far as it is."""
        run = self._runs.pop(key, None) or Run(self.source, key, next(self._numbers))
        self._runs[key] = run
        while len(self._runs) > MAX_RUNS:
            self._runs.popitem(last=False)[1].forget()
        return run

    def rest(self, at_work: int) -> None:
        """Let only those go on where they are that were asked for last: some, and as many more as are at work."""
        for run in [run for run in self._runs.values() if run.is_live][: -MAX_LIVE - at_work]:
            run.stop()
