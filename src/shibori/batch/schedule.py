"""Tasks given to an engine, as many as it has workers for; outcomes in the order in which they come about."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from shibori.batch.attempt import Failure
from shibori.batch.engine import Advanced, Engine, Try
from shibori.batch.task import ClipResult, ClipTask, Outcome
from shibori.run.progress import Progress

_SECONDS = 1.0
"""To wait for an engine before it is asked again how many workers it has."""


class Schedule:
    """Each task once, and again where a try failed that might not fail again.

    Args:
        engine: what carries them out.
        working: a folder of this run alone, for results that are not whole yet.
        retries: further tries of a task, at most.
        advanced: called with the name of a task, and with its frames done and all of them.
    """

    def __init__(self, engine: Engine, working: Path, retries: int, advanced: Callable[[str, int, int], None]) -> None:
        self.engine, self.working, self.retries, self.advanced = engine, working, retries, advanced
        self._waiting: deque[ClipTask] = deque()
        self._running: dict[int, Try] = {}
        self._reasons: dict[str, list[str]] = {}
        self._num_begun = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not (self._waiting or self._running)

    @property
    def running(self) -> frozenset[str]:
        """Names of the tasks that a worker is at."""
        return frozenset(attempt.task.name for attempt in self._running.values())

    def add(self, task: ClipTask) -> None:
        """One more, of a name that no other task has which is not over."""
        self._waiting.append(task)
        self._reasons[task.name] = []

    def remove(self, name: str) -> bool:
        """Take back a task that no worker is at; whether it was one."""
        found = [task for task in self._waiting if task.name == name]
        for task in found:
            self._waiting.remove(task)
            del self._reasons[name]
        return bool(found)

    def outcomes(self, tasks: Iterable[ClipTask]) -> Iterator[Outcome]:
        """Of all of these. A late answer of a worker that was given up is not among them."""
        for task in tasks:
            self.add(task)
        while not self.is_idle:
            yield from self.step(_SECONDS)

    def step(self, seconds: float) -> Iterator[Outcome]:
        """Give free workers something to do, then wait, so long at most, for what comes about."""
        while self._waiting and self.engine.num_free > 0:
            self._begin(self._waiting.popleft())
        for event in self.engine.wait(seconds):
            if event.number not in self._running:
                continue
            if isinstance(event, Advanced):
                self.advanced(self._running[event.number].task.name, event.done, event.total)
                continue
            yield from self._end(self._running.pop(event.number), event.worker, event.result)

    def _begin(self, task: ClipTask) -> None:
        attempt = Try(self._num_begun, task, self.working / f"{self._num_begun}-{task.name}")
        self._num_begun += 1
        self._running[attempt.number] = attempt
        self.engine.begin(attempt)

    def _end(self, attempt: Try, worker: str, result: ClipResult | Failure) -> Iterator[Outcome]:
        task, reasons = attempt.task, self._reasons[attempt.task.name]
        if isinstance(result, ClipResult):
            yield Outcome(task, result, worker, tuple(reasons), attempt.folder)
        else:
            shutil.rmtree(attempt.folder, ignore_errors=True)
            reasons.append(result.reason)
            if not result.is_final and len(reasons) <= self.retries:
                self._waiting.append(task)
                return
            yield Outcome(task, None, worker, tuple(reasons))
        del self._reasons[task.name]


class BatchCount:
    """Frames done of all clips, and of how many; a clip that was not begun is taken to have as many as the others.

    Args:
        num_clips: all there are.
        progress: what is called.
    """

    def __init__(self, num_clips: int, progress: Progress) -> None:
        self.num_clips, self.progress = num_clips, progress
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}

    def advance(self, name: str, done: int, total: int) -> None:
        """A clip is further."""
        self._done[name], self._total[name] = done, total
        self._tell()

    def end(self, outcome: Outcome) -> None:
        """A clip is over."""
        name = outcome.task.name
        if outcome.result is not None:
            self._total[name] = outcome.result.frames
        self._done[name] = self._total.setdefault(name, 0)
        self._tell()

    def _tell(self) -> None:
        known = sum(self._total.values())
        self.progress(sum(self._done.values()), round(known * self.num_clips / max(1, len(self._total))))
