"""What the server asks of the process that owns the networks, and what that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shibori.interfaces import InteractiveSegmenter
from shibori.media.rounds import Rounds

Load = Callable[[], InteractiveSegmenter]


@dataclass(frozen=True)
class Preview:
    """The masks of one frame."""

    number: int
    """Of the question; answers carry it."""
    clip: str
    """Path."""
    rounds: Rounds
    frame: int
    most_looks: int | None = None
    """Frames that may be looked at for it; where that is not enough the answer is None. None: as many as it takes."""
    is_glance: bool = False
    """Whether it is to be answered at once, beside whatever is computed: the rounds are about that frame alone."""


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
    """No more answers to that question but the last one."""

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
