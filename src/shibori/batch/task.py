"""One clip of a batch: what is to be done, what came of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from shibori.run.discover import DiscoverJob
from shibori.run.job import SegmentJob

NOT_THE_WORK = ("out", "resume", "overwrite")
"""Options of a job that say where its results go; a batch has its own say in that."""


@dataclass(frozen=True)
class ClipTask:
    """A clip with its name in the batch."""

    name: str
    """Also of the folder for its results."""
    job: SegmentJob | DiscoverJob
    """Its ``out`` is not looked at."""

    @property
    def kind(self) -> str:
        """``segment`` where anything is said of the clip, else ``discover``."""
        return "segment" if isinstance(self.job, SegmentJob) else "discover"

    @cached_property
    def digest(self) -> str:
        """The same for the same work, whenever it is asked for; of no file's content."""
        options = {name: value for name, value in asdict(self.job).items() if name not in NOT_THE_WORK}
        return hashlib.sha256(json.dumps([self.kind, options], default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class LostFrames:
    """How often the system had lost an object."""

    object_id: int
    frames: int
    first: int
    """Index of the first of them."""


@dataclass(frozen=True)
class Strip:
    """Where an object shows, from the first frame to the last."""

    object_id: int
    states: str
    """A letter for each of equal spans of the clip: t tracked in all of it, l lost in some frame, a neither."""


@dataclass(frozen=True)
class ClipResult:
    """What was done with a clip."""

    frames: int
    objects: tuple[int, ...]
    seconds: float
    """Decoding and writing included, fetching the clip and loading the network not."""
    frames_per_second: float
    outputs: tuple[str, ...]
    """Paths from the clip's folder on; ``.`` is that folder."""
    strips: tuple[Strip, ...]
    lost: tuple[LostFrames, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know, a sentence each."""
    shortfall: str | None = None
    """Which frames could not be decoded, in a sentence."""


@dataclass(frozen=True)
class Outcome:
    """Of a clip, after all tries."""

    task: ClipTask
    result: ClipResult | None
    """None where it failed."""
    worker: str = ""
    """Who did it, in words."""
    reasons: tuple[str, ...] = field(default=())
    """Why each try failed that did."""
    folder: Path | None = None
    """Where the results are so far, which are whole; they are to be moved."""

    @property
    def tries(self) -> int:
        """How many there were."""
        return len(self.reasons) + (self.result is not None)
