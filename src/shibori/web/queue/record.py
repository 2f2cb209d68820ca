"""A job that somebody handed in over HTTP: as the queue knows it, and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from shibori.media.atomic import write_whole

State = Literal["queued", "running", "done", "failed"]
HookState = Literal["none", "waiting", "delivered", "given up"]


@dataclass
class JobRecord:
    """One job."""

    id: str
    number: int
    """In the order in which they came."""
    row: dict[str, Any]
    """What was asked for: columns of ``shibori batch``."""
    hook: str | None
    """Where to say that it is over."""
    submitted: float
    """Seconds since 1970."""
    state: State = "queued"
    done: int = 0
    """Frames."""
    total: int = 0
    finished: float | None = None
    result: dict[str, Any] | None = None
    """See ``ClipResult``; None where it failed, and before it is done."""
    reasons: list[str] = field(default_factory=list)
    """Why each try failed that did."""
    hook_state: HookState = "none"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("done", "failed")


class RecordFolder:
    """The records on disk, a file each, which is whole whenever it is looked at.

    Args:
        folder: of the files; it is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, record: JobRecord) -> None:
        """Put it down. InputError where the disk refuses."""
        write_whole(self._path(record.id), json.dumps(asdict(record)).encode())

    def remove(self, job_id: str) -> None:
        """Forget it."""
        self._path(job_id).unlink(missing_ok=True)

    def read(self) -> Iterator[JobRecord]:
        """All of them, in the order in which they came."""
        records = [JobRecord(**json.loads(path.read_text())) for path in self.folder.glob("[0-9a-f]*.json")]
        yield from sorted(records, key=lambda record: record.number)

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"
