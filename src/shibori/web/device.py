"""The server's end of a worker: questions as coroutines, answers in the server's own loop."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from shibori.errors import InputError
from shibori.interfaces import Suggestion
from shibori.media.frame_code import decode_frame
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Rounds
from shibori.web.questions import Answer, Load, Preview, Propagate, Question, Ready, Stop, Suggest
from shibori.web.worker import run_worker

GONE = "the process that segments ended unexpectedly (out of memory?); it was started again: try once more"
OnAnswer = Callable[[Answer], None]


class Device:
    """A worker process, which is started again where it dies. All but ``close`` belongs to one event loop.

    Args:
        load: makes the segmenter, in the worker; it can be pickled.
        name: of the device, for people.
    """

    def __init__(self, load: Load, name: str = "auto") -> None:
        self.load, self.name = load, name
        self.is_local = True
        """See ``InteractiveSegmenter``; what is usual, until the networks are there."""
        self.problem: str | None = None
        """Why there are no networks."""
        self.ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, OnAnswer] = {}
        self._long: set[int] = set()
        """Of those waited for, what takes a while."""
        self._closed = False
        self._start()

    # ---- questions

    @property
    def is_busy(self) -> bool:
        """Whether it is at something that takes a while."""
        return bool(self._long)

    async def preview(self, clip: str, rounds: Rounds, frame: int) -> FrameMasks:
        """The masks of one frame. InputError where the rounds do not fit, or the worker died over it."""
        coded = await self._ask(Preview(next(self._numbers), clip, rounds, frame))
        return await asyncio.to_thread(decode_frame, coded)

    async def quick_preview(self, clip: str, rounds: Rounds, frame: int) -> FrameMasks | None:
        """The same, if at most one frame has to be looked at for it; else None."""
        coded = await self._ask(Preview(next(self._numbers), clip, rounds, frame, most_looks=1))
        return None if coded is None else await asyncio.to_thread(decode_frame, coded)

    async def glance(self, clip: str, rounds: Rounds, frame: int) -> FrameMasks:
        """The masks of one frame from rounds about it alone: waits for nothing that is computed."""
        coded = await self._ask(Preview(next(self._numbers), clip, rounds, frame, is_glance=True))
        return await asyncio.to_thread(decode_frame, coded)

    async def suggestion(self, clip: str, rounds: Rounds) -> Suggestion | None:
        """Where a correction would help most. Where the coroutine is cancelled the worker looks no further."""
        number = next(self._numbers)
        self._long.add(number)
        try:
            found: Suggestion | None = await self._ask(Suggest(number, clip, rounds))
        except asyncio.CancelledError:
            self.stop(number)
            raise
        return found

    def propagate(self, clip: str, rounds: Rounds, runs: list[range], on_answer: OnAnswer) -> int:
        """Begin a propagation, whose answers go to ``on_answer``; its number, for ``stop``."""
        number = next(self._numbers)
        self._waiting[number] = on_answer
        self._long.add(number)
        self._send(Propagate(number, clip, rounds, tuple(runs)))
        return number

    def stop(self, number: int) -> None:
        """No more answers, but the last one."""
        self._send(Stop(number))

    async def _ask(self, question: Preview | Suggest) -> Any:
        await self.ready.wait()
        future: asyncio.Future[Answer] = self._loop.create_future()

        def settle(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self._waiting[question.number] = settle
        self._send(question)
        answer = await future
        if answer.problem is not None:
            raise InputError(answer.problem)
        return answer.value

    def _send(self, question: Question) -> None:
        if self.problem is not None:
            if not isinstance(question, Stop):
                self._hear(Answer(question.number, problem=self.problem))
            return
        try:
            self._connection.send(question)
        except OSError:  # it died: the reader finds out and answers for it
            return

    # ---- the process

    def _start(self) -> None:
        self._connection, other = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=run_worker, args=(other, self.load), daemon=True, name="shibori-worker")
        self._process.start()
        other.close()
        threading.Thread(target=self._read, args=(self._connection,), daemon=True, name="worker-reader").start()

    def _read(self, connection: Connection) -> None:
        """In a thread of its own: what the worker says goes to the loop, as long as that runs."""
        with suppress(RuntimeError):  # the loop is closed
            try:
                while True:
                    message = connection.recv()
                    hear = self._become_ready if isinstance(message, Ready) else self._hear
                    self._loop.call_soon_threadsafe(hear, message)
            except (EOFError, OSError):
                if not self._closed:
                    self._loop.call_soon_threadsafe(self._start_again)

    def _become_ready(self, message: Ready) -> None:
        self.is_local, self.problem = message.is_local, message.problem
        self.ready.set()

    def _hear(self, answer: Answer) -> None:
        on_answer = self._waiting.get(answer.number)
        if answer.is_last:
            self._waiting.pop(answer.number, None)
            self._long.discard(answer.number)
        if on_answer is not None:
            on_answer(answer)

    def _start_again(self) -> None:
        if self._closed or self.problem is not None:
            return
        self.ready.clear()
        lost, self._waiting = self._waiting, {}
        self._long.clear()
        self._start()
        for number, on_answer in lost.items():
            on_answer(Answer(number, problem=GONE))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._process.terminate()
        self._process.join(5)
        self._connection.close()
