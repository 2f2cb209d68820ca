"""The process that owns the networks of one device. It answers between two frames of what it is at, and in turn."""

from __future__ import annotations

import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from shibori.errors import InputError
from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.frame_code import encode_frame
from shibori.media.reader import read_clip
from shibori.media.rounds import Rounds

Load = Callable[[], InteractiveSegmenter]
MAX_CLIPS = 4
"""Of which what was worked out is remembered."""


@dataclass(frozen=True)
class Preview:
    """The masks of one frame."""

    number: int
    """Of the question; answers carry it."""
    clip: str
    """Path."""
    rounds: Rounds
    frame: int


@dataclass(frozen=True)
class Propagate:
    """The masks of many frames, each as it comes."""

    number: int
    clip: str
    rounds: Rounds
    runs: tuple[range, ...]


@dataclass(frozen=True)
class Suggest:
    """Where a correction would help most."""

    number: int
    clip: str
    rounds: Rounds


@dataclass(frozen=True)
class Stop:
    """No more answers to that question."""

    number: int


Question = Preview | Propagate | Suggest | Stop


@dataclass(frozen=True)
class Ready:
    """The networks are there, or cannot be."""

    is_local: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Answer:
    """To one question."""

    number: int
    value: Any = None
    """Masks as bytes (``frame_code``), a ``Suggestion``, or None."""
    is_last: bool = True
    problem: str | None = None


def run_worker(connection: Connection, load: Load) -> None:
    """What the process does: load the networks, then answer until the other end is closed."""
    try:
        segmenter = load()
    except InputError as error:
        connection.send(Ready(problem=str(error)))
        return
    connection.send(Ready(segmenter.is_local))
    try:
        Worker(connection, segmenter).run()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


class Worker:
    """Questions of several projects at one segmenter: short ones first, long ones a frame of each in turn."""

    def __init__(self, connection: Connection, segmenter: InteractiveSegmenter) -> None:
        self.connection, self.segmenter = connection, segmenter
        self._short: deque[Preview | Suggest] = deque()
        self._long: deque[tuple[int, Iterator[bytes]]] = deque()
        self._stopped: set[int] = set()
        self._clips: OrderedDict[str, Interaction] = OrderedDict()

    def run(self) -> None:
        """Until the pipe is closed."""
        while True:
            self._read(is_idle=not self._short and not self._long)
            if self._short:
                self._answer(self._short.popleft())
            elif self._long:
                self._go_on()

    def _read(self, is_idle: bool) -> None:
        while is_idle or self.connection.poll():
            is_idle = False
            question = self.connection.recv()
            if isinstance(question, Stop):
                self._stopped.add(question.number)
            elif isinstance(question, Propagate):
                self._long.append((question.number, self._masks(question)))
            else:
                self._short.append(question)

    def _answer(self, question: Preview | Suggest) -> None:
        if question.number in self._stopped:
            self._stopped.discard(question.number)
            self._tell(Answer(question.number))
            return
        self._try(question.number, lambda: self._tell(Answer(question.number, self._value(question))))

    def _value(self, question: Preview | Suggest) -> Any:
        interaction = self._interaction(question.clip)
        if isinstance(question, Suggest):
            return interaction.suggestion(question.rounds)
        return encode_frame(interaction.preview(question.rounds, question.frame))

    def _go_on(self) -> None:
        number, masks = self._long.popleft()
        self._try(number, lambda: self._next(number, masks))

    def _next(self, number: int, masks: Iterator[bytes]) -> None:
        coded = None if number in self._stopped else next(masks, None)
        if coded is None:
            self._stopped.discard(number)
            self._tell(Answer(number))
        else:
            self._long.append((number, masks))
            self._tell(Answer(number, coded, is_last=False))

    def _masks(self, question: Propagate) -> Iterator[bytes]:
        interaction = self._interaction(question.clip)
        for run in question.runs:
            for masks in interaction.propagate(
                question.rounds, run, cancelled=lambda: self._is_stopped(question.number)
            ):
                yield encode_frame(masks)
            if question.number in self._stopped:
                return

    def _is_stopped(self, number: int) -> bool:
        self._read(is_idle=False)
        return number in self._stopped

    def _try(self, number: int, work: Callable[[], None]) -> None:
        """What is wrong with one question is its answer; a defect too, for the others are not to suffer from it."""
        try:
            work()
        except InputError as error:
            self._tell(Answer(number, problem=str(error)))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            traceback.print_exc()
            self._tell(Answer(number, problem=f"this went wrong inside shibori ({type(error).__name__}: {error})"))

    def _tell(self, answer: Answer) -> None:
        self.connection.send(answer)

    def _interaction(self, clip: str) -> Interaction:
        found = self._clips.pop(clip, None) or self.segmenter.begin(read_clip(clip))
        self._clips[clip] = found
        while len(self._clips) > MAX_CLIPS:
            self._clips.popitem(last=False)
        return found
