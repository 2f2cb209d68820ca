"""How far a job is: frames done and frames to do, over runs in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from shibori.interfaces import ClipPropagator, Propagation, Propagator
from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks
from shibori.run.propagate import Plan

Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number of all frames to do, backward ones included."""


class JobCounter:
    """Steps of the backward run first, then frames of the forward run, as one count."""

    def __init__(self, plan: Plan, both_ways: bool, progress: Progress) -> None:
        last = max(plan.first_frames.values(), default=plan.start)
        runs_backward = both_ways and last > plan.start
        self.backward = sum(plan.is_due(index) for index in range(plan.start, last + 1)) if runs_backward else 0
        self.total = self.backward + plan.num_frames
        self.steps = self.written = 0
        self.plan, self.progress = plan, progress

    def counted(self, system: Propagator) -> Propagator:
        """The system, its steps counted: those of a whole clip tell of themselves, and come before all others."""
        if isinstance(system, ClipPropagator):
            self.backward = self.plan.num_frames
            self.total = 2 * self.plan.num_frames
            return system
        return CountedPropagator(system, self.step)

    def seen(self, frames: int) -> None:
        self.progress(frames, self.total)

    def step(self) -> None:
        self.steps += 1
        if self.written == 0 and self.steps <= self.backward:
            self.progress(self.steps, self.total)

    def told(self, answers: Iterator[tuple[Frame, FrameMasks]]) -> Iterator[tuple[Frame, FrameMasks]]:
        """The answers, each counted once it was written."""
        for answer in answers:
            yield answer
            self.written += 1
            self.progress(self.backward + self.written, self.total)


@dataclass(frozen=True)
class CountedPropagator(Propagator):
    """Another propagator, and a call after each of its steps."""

    inner: Propagator
    stepped: Callable[[], None]

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        """Start a run of the inner propagator."""
        return _CountedPropagation(self.inner.begin(size_hw), self.stepped)


@dataclass(frozen=True)
class _CountedPropagation(Propagation):
    inner: Propagation
    stepped: Callable[[], None]

    def step(self, image: NDArray[Any], references: Any = None) -> FrameMasks:
        masks = self.inner.step(image, references)
        self.stepped()
        return masks
