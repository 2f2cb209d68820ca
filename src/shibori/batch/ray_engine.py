"""Tasks in actors of a Ray cluster. Paths travel: the machines share the file system that holds the results."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from shibori.batch.attempt import Failure, keeping, try_task
from shibori.batch.engine import Advanced, Ended, Engine, Event, Try
from shibori.batch.task import ClipResult
from shibori.errors import InputError
from shibori.run.choice import USUAL_LOADERS, Loaders

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of anybody's batches is told to others

try:
    import ray
except ImportError:  # an extra; who makes the engine is told
    ray = cast(Any, None)

MOST_SECONDS_WITHOUT_WORKER = 900.0
"""Machines that a cluster starts when they are needed take minutes."""
MOST_FAILED_STARTS = 8
"""Of actors one after the other, before any was there."""
_SECONDS_BETWEEN = 1.0
"""Questions to an actor how far it is."""


class _Worker:
    """What an actor is: a system that stays loaded. ``how_far`` is answered while ``work`` goes on."""

    def __init__(self, loaders: Loaders) -> None:
        self._loaders = keeping(loaders)
        self._far = (0, 0)

    def name(self) -> str:
        """In words."""
        return f"process {os.getpid()} of {ray.util.get_node_ip_address()}"

    def work(self, attempt: Try) -> ClipResult | Failure:
        """One try."""
        self._far = (0, 0)
        return try_task(attempt.task, attempt.folder, self._loaders, self._note)

    def how_far(self) -> tuple[int, int]:
        """Frames done, and all."""
        return self._far

    def _note(self, done: int, total: int) -> None:
        self._far = (done, total)


@dataclass
class _Actor:
    """One of them, as the engine sees it."""

    handle: Any
    starting: Any
    """Reference to its name, until it has said it; then None."""
    name: str = ""
    current: Try | None = None
    working: Any = None
    """Reference to the result of ``current``."""
    asked: Any = None
    """Reference to how far it is."""
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def is_free(self) -> bool:
        return self.starting is None and self.current is None

    def references(self) -> Iterator[Any]:
        """All that is to be waited for."""
        yield from (each for each in (self.starting, self.working, self.asked) if each is not None)


class RayEngine(Engine):
    """Actors of a cluster, each with a system of its own and a graphics card where the cluster has any.

    An actor that dies, with its process or its machine, is replaced wherever there is room for it. Tasks go to actors
    that are there alone, so none waits for one that never comes.

    Args:
        address: of the cluster; None: that of the environment, or else a new one on this machine.
        num_workers: actors; 0: one for each graphics card, without any one for each ``threads`` processors.
        loaders: what they load systems with; can be pickled.
        threads: processors of each actor.

    Raises:
        InputError: the package ray is not there, or no cluster at the address.
    """

    def __init__(
        self, address: str | None = None, num_workers: int = 0, loaders: Loaders = USUAL_LOADERS, threads: int = 2
    ) -> None:
        if ray is None:
            raise InputError("--engine ray needs the package ray: pip install shibori[ray]")
        self._is_ours = not ray.is_initialized()
        try:
            ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"there is no Ray cluster at {address}: {str(error).splitlines()[0]}") from error
        resources = ray.cluster_resources()
        cards = int(resources.get("GPU", 0))
        self.num_workers = num_workers or cards or max(1, int(resources.get("CPU", 1)) // threads)
        self._loaders = ray.put(loaders)
        remote: Any = ray.remote
        self._class = remote(_Worker).options(
            num_cpus=threads,
            num_gpus=1 if cards else 0,
            max_concurrency=2,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actors: list[_Actor] = []
        self._last_alive = time.monotonic()
        self._failed_starts: list[str] = []
        self._fill()

    @property
    def num_free(self) -> int:
        return sum(actor.is_free for actor in self._actors)

    def begin(self, attempt: Try) -> None:
        actor = next(actor for actor in self._actors if actor.is_free)
        actor.current, actor.working = attempt, actor.handle.work.remote(attempt)

    def wait(self, seconds: float) -> Sequence[Event]:
        self._fill()
        self._ask()
        references = [each for actor in self._actors for each in actor.references()]
        ready, _ = ray.wait(references, timeout=seconds)
        if ready:
            ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        said = set(ready)
        events = [event for actor in list(self._actors) for event in self._heard(actor, said)]
        self._require_workers()
        return events

    def _fill(self) -> None:
        for _ in range(self.num_workers - len(self._actors)):
            handle: Any = self._class.remote(self._loaders)
            self._actors.append(_Actor(handle, handle.name.remote()))

    def _ask(self) -> None:
        for actor in self._actors:
            is_due = time.monotonic() - actor.asked_at > _SECONDS_BETWEEN
            if actor.current is not None and actor.asked is None and is_due:
                actor.asked, actor.asked_at = actor.handle.how_far.remote(), time.monotonic()

    def _heard(self, actor: _Actor, said: set[Any]) -> Iterator[Event]:
        try:
            if actor.starting in said:
                actor.name, actor.starting = ray.get(actor.starting), None
                self._failed_starts.clear()
            if actor.asked in said:
                done, total = ray.get(actor.asked)
                actor.asked = None
                if actor.current is not None:
                    yield Advanced(actor.current.number, done, total)
            if actor.working in said:
                yield self._ended(actor, ray.get(actor.working))
        except ray.exceptions.RayError as error:
            self._drop(actor)
            lines = str(error).strip().splitlines() or [""]
            if actor.current is not None:
                cause = f"{type(error).__name__}: {lines[0].rstrip(' .:')}"
                reason = f"the actor that worked on it is gone ({cause}; out of memory?)"
                yield Ended(actor.current.number, actor.name, Failure(reason, is_final=False))
            elif actor.starting is not None:
                self._failed_starts.append(lines[-1].strip())

    def _ended(self, actor: _Actor, result: ClipResult | Failure) -> Event:
        assert actor.current is not None
        number, actor.current, actor.working = actor.current.number, None, None
        if isinstance(result, Failure) and result.is_defect:
            self._drop(actor)
        return Ended(number, actor.name, result)

    def _drop(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        ray.kill(actor.handle)

    def _require_workers(self) -> None:
        if any(actor.starting is None for actor in self._actors):
            self._last_alive = time.monotonic()
        elif len(self._failed_starts) > MOST_FAILED_STARTS:
            raise InputError(f"no worker of the Ray cluster can start: {self._failed_starts[-1]}")
        elif time.monotonic() - self._last_alive > MOST_SECONDS_WITHOUT_WORKER:
            raise InputError(
                f"the Ray cluster gave no worker for {MOST_SECONDS_WITHOUT_WORKER:.0f} s: it has "
                f"{ray.available_resources().get('CPU', 0):.0f} processors free; start machines, then use --resume"
            )

    def close(self) -> None:
        for actor in self._actors:
            ray.kill(actor.handle)
        self._actors.clear()
        if self._is_ours:
            ray.shutdown()
