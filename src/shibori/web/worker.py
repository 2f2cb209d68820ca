"""The process that owns the networks of one device. It answers between two frames of what it is at, and in turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter
from shibori.media.frame_code import encode_frame
from shibori.web.glances import Glances, Interactions, answer_with
from shibori.web.questions import Answer, Load, Preview, Propagate, Ready, Stop, Suggest


def run_worker(connection: Connection, load: Load) -> None:
    """What the process does: load the networks, then answer until the other end is closed."""
    try:
        segmenter = load()
    except InputError as error:
        connection.send(Ready(problem=str(error)))
        return
    connection.send(Ready(segmenter.is_local))
    try:
        Worker(connection, segmenter, load).run()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


class Worker:
    """Questions of several projects at one segmenter: short ones first, long ones a frame of each in turn.

    Glances are answered beside them.

    Args:
        connection: to the server.
        segmenter: of this thread.
        load: makes that of the glances.
    """

    def __init__(self, connection: Connection, segmenter: InteractiveSegmenter, load: Load) -> None:
        self.connection = connection
        self._interactions = Interactions(segmenter)
        self._asked: SimpleQueue[Preview | Propagate | Suggest | None] = SimpleQueue()
        self._short: deque[Preview | Suggest] = deque()
        self._long: deque[tuple[int, Iterator[bytes]]] = deque()
        self._stopped: set[int] = set()
        self._telling = threading.Lock()
        self._glances = Glances(load, self._tell)
        threading.Thread(target=self._hear, daemon=True, name="questions").start()

    def run(self) -> None:
        """Until the pipe is closed."""
        while True:
            self._take(is_idle=not self._short and not self._long)
            if self._short:
                self._answer(self._short.popleft())
            elif self._long:
                self._go_on()

    def _hear(self) -> None:
        """In a thread of its own: what cannot wait for a frame that is being computed does not."""
        try:
            while True:
                question = self.connection.recv()
                if isinstance(question, Stop):
                    self._stopped.add(question.number)
                elif isinstance(question, Preview) and question.is_glance:
                    self._glances.ask(question)
                else:
                    self._asked.put(question)
        except (EOFError, OSError):
            self._asked.put(None)

    def _take(self, is_idle: bool) -> None:
        """What was asked meanwhile; where there is nothing to do, what is asked next. EOFError where nobody asks."""
        while is_idle or not self._asked.empty():
            is_idle = False
            question = self._asked.get()
            if question is None:
                raise EOFError
            if isinstance(question, Propagate):
                self._long.append((question.number, self._masks(question)))
            else:
                self._short.append(question)

    def _answer(self, question: Preview | Suggest) -> None:
        work = self._suggested if isinstance(question, Suggest) else self._previewed
        if question.number in self._stopped:
            self._tell(Answer(question.number))
        else:
            answer_with(question.number, self._tell, lambda: work(question))
        self._stopped.discard(question.number)

    def _suggested(self, question: Any) -> Any:
        return self._interactions.of(question.clip).suggestion(
            question.rounds, lambda: question.number in self._stopped
        )

    def _previewed(self, question: Any) -> bytes | None:
        interaction, looks = self._interactions.of(question.clip), count(1)
        if question.most_looks is None:
            return encode_frame(interaction.preview(question.rounds, question.frame))
        span = range(question.frame, question.frame + 1)
        masks = interaction.propagate(question.rounds, span, cancelled=lambda: next(looks) > question.most_looks)
        found = next(iter(masks), None)
        return None if found is None else encode_frame(found)

    def _go_on(self) -> None:
        number, masks = self._long.popleft()

        def work() -> bytes | None:
            return None if number in self._stopped else next(masks, None)

        def tell(answer: Answer) -> None:
            if answer.value is None:
                self._stopped.discard(number)
                self._tell(answer)
            else:
                self._long.append((number, masks))
                self._tell(Answer(number, answer.value, is_last=False))

        answer_with(number, tell, work)

    def _masks(self, question: Propagate) -> Iterator[bytes]:
        interaction = self._interactions.of(question.clip)
        for run in question.runs:
            for masks in interaction.propagate(
                question.rounds, run, cancelled=lambda: question.number in self._stopped
            ):
                yield encode_frame(masks)
            if question.number in self._stopped:
                return

    def _tell(self, answer: Answer) -> None:
        with self._telling:
            self.connection.send(answer)
