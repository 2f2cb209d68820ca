"""What carries out the tasks of a batch: workers with a loaded system each, here or elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from shibori.batch.attempt import Failure
from shibori.batch.task import ClipResult, ClipTask


@dataclass(frozen=True)
class Try:
    """One try at a task."""

    number: int
    """No other try of this batch has it."""
    task: ClipTask
    folder: Path
    """Where its results go, which is not there yet."""


@dataclass(frozen=True)
class Advanced:
    """A worker is further than before."""

    number: int
    """Of the try."""
    done: int
    """Frames."""
    total: int


@dataclass(frozen=True)
class Ended:
    """A try is over."""

    number: int
    worker: str
    """Who was at it, in words."""
    result: ClipResult | Failure


Event = Advanced | Ended


class Engine(ABC):
    """Use as a context manager: its workers end with it. One thread at a time."""

    @property
    @abstractmethod
    def num_free(self) -> int:
        """How many tries can be begun now; none is begun that would have to wait for a worker."""

    @abstractmethod
    def begin(self, attempt: Try) -> None:
        """Have a free worker begin; paths travel, not arrays."""

    @abstractmethod
    def wait(self, seconds: float) -> Sequence[Event]:
        """What happened since the last call; where that is nothing, wait for it, so long at most.

        A try whose worker died ends in a failure, once.

        Raises:
            InputError: there can be no worker any more.
        """

    @abstractmethod
    def close(self) -> None:
        """End all workers, whatever they are at."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
