"""Tasks in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from shibori.batch.attempt import Failure, keeping, try_task
from shibori.batch.engine import Advanced, Ended, Engine, Event, Try
from shibori.run.choice import USUAL_LOADERS, Loaders

_SECONDS_BETWEEN = 0.5
"""Reports of progress."""


class LocalEngine(Engine):
    """Processes of this machine, each with a system of its own; one that dies is replaced when it is needed.

    Args:
        num_workers: processes, at most.
        loaders: what they load systems with; can be pickled.
        num_cards: graphics cards of the machine, which they share out among them.
        threads: of each for networks; None: the processors shared out evenly.
    """

    def __init__(
        self, num_workers: int, loaders: Loaders = USUAL_LOADERS, num_cards: int = 0, threads: int | None = None
    ) -> None:
        self.num_workers, self.loaders, self.num_cards = num_workers, loaders, num_cards
        self.threads = threads or max(1, (os.cpu_count() or 1) // num_workers)
        self._seats: dict[int, _Seat] = {}

    @property
    def num_free(self) -> int:
        return self.num_workers - sum(seat.current is not None for seat in self._seats.values())

    def begin(self, attempt: Try) -> None:
        index = next(
            index for index in range(self.num_workers) if index not in self._seats or self._seats[index].current is None
        )
        seat = self._seats.get(index)
        if seat is None or not seat.process.is_alive():
            seat = self._seats[index] = self._new_seat(index)
        seat.current = attempt
        try:
            seat.connection.send(attempt)
        except OSError:  # it died just now: ``wait`` finds out
            return

    def wait(self, seconds: float) -> Sequence[Event]:
        busy = {seat.connection: (index, seat) for index, seat in self._seats.items() if seat.current is not None}
        ready = wait(list(busy), seconds)
        return [event for connection in ready for event in self._heard(*busy[connection])]  # type: ignore[index]

    def _heard(self, index: int, seat: _Seat) -> Sequence[Event]:
        try:
            event: Event = seat.connection.recv()
        except (EOFError, OSError):
            del self._seats[index]
            return [seat.death()]
        if isinstance(event, Ended):
            seat.current = None
            if isinstance(event.result, Failure) and event.result.is_defect:
                del self._seats[index]
                seat.end()
        return [event]

    def _new_seat(self, index: int) -> _Seat:
        context = multiprocessing.get_context("spawn")
        connection, other = context.Pipe()
        share = Share(self.threads, index % self.num_cards if self.num_cards else None)
        process = context.Process(
            target=run_worker, args=(other, self.loaders, share), daemon=True, name=f"batch-{index}"
        )
        process.start()
        other.close()
        return _Seat(process, connection)

    def close(self) -> None:
        for seat in self._seats.values():
            seat.end()
        self._seats.clear()


@dataclass
class _Seat:
    """A process, and what it is at."""

    process: BaseProcess
    connection: Connection
    current: Try | None = None

    def death(self) -> Ended:
        """What to say of its try, now that it is dead."""
        assert self.current is not None
        self.process.join(5)
        code = self.process.exitcode
        how = f"exit code {code}" if code is None or code >= 0 else f"killed by {signal.Signals(-code).name}"
        reason = f"the process that worked on it ended unexpectedly ({how}; out of memory?)"
        self.end()
        return Ended(self.current.number, f"process {self.process.pid}", Failure(reason, is_final=False))

    def end(self) -> None:
        """Of the process, now."""
        self.process.kill()
        self.process.join(5)
        self.connection.close()


@dataclass(frozen=True)
class Share:
    """What a process has of its machine."""

    threads: int
    """For networks."""
    card: int | None
    """Index of a graphics card; None where there is none."""

    def take(self) -> None:
        """Before PyTorch is imported: it looks at these once."""
        os.environ["OMP_NUM_THREADS"] = str(self.threads)
        if self.card is not None:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[self.card] if visible else str(self.card)


def run_worker(connection: Connection, loaders: Loaders, share: Share) -> None:
    """What a process does: one task after the other, until the other end is closed or its process is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it
    _end_with_parent()
    share.take()
    kept, worker = keeping(loaders), f"process {os.getpid()}"
    try:
        while True:
            attempt: Try = connection.recv()
            progress = _spaced(connection, attempt.number)
            result = try_task(attempt.task, attempt.folder, kept, progress)
            connection.send(Ended(attempt.number, worker, result))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def usual_engine(num_workers: int, loaders: Loaders) -> LocalEngine:
    """With 0 workers one for each graphics card; without any, one for each two processors."""
    from torch.cuda import device_count

    num_cards = device_count()
    return LocalEngine(num_workers or num_cards or max(1, (os.cpu_count() or 1) // 2), loaders, num_cards)


def _end_with_parent() -> None:
    """A process whose parent was killed would go on with its clip, beside the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def _spaced(connection: Connection, number: int) -> Callable[[int, int], None]:
    """Progress that is told now and then."""
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN:
            last = time.monotonic()
            connection.send(Advanced(number, done, total))

    return tell
