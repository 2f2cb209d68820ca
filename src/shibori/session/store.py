"""A project in its folder: every change is on the disk before it is acknowledged, and can be taken back.

What counts is the list of actions and how many of them hold; the project is what they come to. Undo changes the number,
a new action cuts off what was undone. Masks lie beside it, each with a key of what it was made from (``freshness``): so
those of an earlier state are there again when it is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks
from shibori.session.action_json import action_from_json, action_to_json
from shibori.session.actions import Action, apply, name_of, replay
from shibori.session.clip_reference import ClipReference
from shibori.session.database import (
    ACTIONS,
    RESULTS,
    check_version,
    create_tables,
    database_errors,
    fact,
    migrate,
    open_database,
    set_fact,
)
from shibori.session.pack import MaskPacks, Record
from shibori.session.project import Project
from shibori.session.writer_lock import WriterLock

DATABASE_NAME = "project.sqlite"
KEPT_RESULTS = 6
"""Of each frame: those made last, for as many states of work that undo may come back to."""


@dataclass(frozen=True)
class PropagationJob:
    """A propagation that was asked for: the frames whose masks are to be brought up to date."""

    frame: int
    """Where somebody looks: frames near it come first."""
    first: int
    last: int
    """Included."""


class ProjectStore:
    """An open project. Calls from several threads wait for each other.

    Args:
        folder: of the project.

    Raises:
        InputError: there is no project in it, or one of a version to come, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE_NAME
        if not self.path.is_file():
            raise InputError(f"there is no project in {folder}: expected a folder with {DATABASE_NAME}")
        self.packs = MaskPacks(folder / "masks")
        self._guard = threading.RLock()
        self._lock = WriterLock(folder / "writer.lock")
        self._engine = open_database(self.path)
        self._actions: list[Action] = []
        self._cursor = 0
        self.revision = -1
        """Counts changes of any kind."""
        self._results: dict[int, dict[str, Record]] = {}
        with database_errors(self.path):
            self._lock.take()
            self._settle()
            self.refresh()

    @classmethod
    def create(cls, folder: Path, clip: Clip) -> ProjectStore:
        """A new project. InputError where one is there already, or the disk refuses."""
        path = folder / DATABASE_NAME
        if path.exists():
            raise InputError(f"there is a project in {folder} already: open it, or choose another folder")
        reference = ClipReference.of(clip)
        with database_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
            _create_database(path, reference)
        return cls(folder)

    def close(self) -> None:
        """Let others write."""
        self._engine.dispose()
        self._lock.release()

    def __enter__(self) -> ProjectStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the state

    @property
    def project(self) -> Project:
        """As the actions that hold have it."""
        return self._project

    @property
    def actions(self) -> tuple[Action, ...]:
        """Those that hold, in order."""
        return tuple(self._actions[: self._cursor])

    @property
    def undo_name(self) -> str | None:
        """What an undo takes back, in a few words; None where there is nothing."""
        return name_of(self._actions[self._cursor - 1]) if self._cursor else None

    @property
    def redo_name(self) -> str | None:
        """What a redo does again."""
        return name_of(self._actions[self._cursor]) if self._cursor < len(self._actions) else None

    @property
    def is_writer(self) -> bool:
        """Whether changes can be made here; else another program makes them, and ``refresh`` shows them."""
        return self._lock.is_held

    def become_writer(self) -> bool:
        """Try to be the one that makes changes: after another one has gone."""
        with self._guard, database_errors(self.path):
            if not self._lock.is_held and self._lock.take():
                self._settle()
                self.refresh()
            return self._lock.is_held

    def refresh(self) -> bool:
        """Look at the disk; whether anything is other than it was."""
        with self._guard, database_errors(self.path), self._engine.connect() as connection:
            revision = int(fact(connection, "revision"))
            if revision == self.revision:
                return False
            rows = connection.execute(select(ACTIONS.c.content).order_by(ACTIONS.c.position)).scalars()
            self._actions = [action_from_json(json.loads(content)) for content in rows]
            self._cursor = int(fact(connection, "cursor"))
            self._clip = clip_from_json(json.loads(fact(connection, "clip")))
            self._project = replay(Project.of(self._clip), self._actions[: self._cursor])
            self._results = _results_of(connection)
            job = json.loads(fact(connection, "job"))
            self._job = None if job is None else PropagationJob(**job)
            self.revision = revision
        return True

    @property
    def job(self) -> PropagationJob | None:
        """A propagation that was neither finished nor stopped: it is to go on, also after a restart."""
        return self._job

    # ---- changes

    def do(self, action: Action) -> Project:
        """Carry out an action; it is on the disk when this returns.

        Raises:
            InputError: it does not fit the project, somebody else writes it, or the disk refuses: nothing is changed.
        """
        with self._writing() as connection:
            changed = apply(self._project, action)
            connection.execute(delete(ACTIONS).where(ACTIONS.c.position >= self._cursor))
            content = json.dumps(action_to_json(action))
            connection.execute(insert(ACTIONS).values(position=self._cursor, content=content))
            set_fact(connection, "cursor", self._cursor + 1)
        # Only what is on the disk is true.
        self._actions = [*self._actions[: self._cursor], action]
        self._cursor, self._project = self._cursor + 1, changed
        return changed

    def undo(self) -> Project:
        """Take the last action back. InputError where there is none."""
        return self._go_to(self._cursor - 1, "there is nothing to take back")

    def redo(self) -> Project:
        """Carry out again what was taken back last. InputError where there is nothing."""
        return self._go_to(self._cursor + 1, "there is nothing that was taken back")

    def move_clip(self, path: Path) -> Project:
        """Say where the clip is now. InputError where that is another one."""
        moved = self._clip.moved_to(path)
        with self._writing() as connection:
            set_fact(connection, "clip", json.dumps(asdict(moved)))
        self._clip = moved
        self._project = replay(Project.of(moved), self._actions[: self._cursor])
        return self._project

    def set_job(self, job: PropagationJob | None) -> None:
        """Say that a propagation is to be done; None: that none is any more."""
        if job == self._job:
            return
        with self._writing() as connection:
            set_fact(connection, "job", json.dumps(None if job is None else asdict(job)))
        self._job = job

    def _go_to(self, cursor: int, otherwise: str) -> Project:
        with self._writing() as connection:
            if not 0 <= cursor <= len(self._actions):
                raise InputError(otherwise)
            set_fact(connection, "cursor", cursor)
        self._project = replay(Project.of(self._clip), self._actions[:cursor])
        self._cursor = cursor
        return self._project

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._guard:
            if not self.is_writer:
                raise InputError(f"another program is at work on {self.folder}: close it there, or look on here")
            with database_errors(self.path), self._engine.begin() as connection:
                yield connection
                set_fact(connection, "revision", self.revision + 1)
            self.revision += 1

    def _settle(self) -> None:
        """Bring the tables to this version, remove masks that nothing leads to. Whoever looks on changes nothing."""
        if not self.is_writer:
            with self._engine.connect() as connection:
                check_version(connection)
            return
        with self._engine.begin() as connection:
            migrate(connection)
            wanted = set(connection.execute(select(RESULTS.c.pack).distinct()).scalars())
        self.packs.keep_only(wanted)

    # ---- masks

    def save_masks(self, keyed: Iterable[tuple[str, FrameMasks]]) -> None:
        """Keep masks of frames, each under the key of what it depends on. InputError where the disk refuses."""
        pairs = list(keyed)
        if not pairs:
            return
        with self._writing() as connection:
            records = self.packs.append([masks for _, masks in pairs])
            number = connection.execute(select(func.max(RESULTS.c.number))).scalar() or 0
            for (key, masks), record in zip(pairs, records, strict=True):
                number += 1
                _replace_result(connection, masks.index, key, number, record)
        for (key, masks), record in zip(pairs, records, strict=True):
            of_frame = {k: r for k, r in self._results.get(masks.index, {}).items() if k != key}
            of_frame[key] = record
            self._results[masks.index] = dict(list(of_frame.items())[-KEPT_RESULTS:])

    def masks(self, frame: int, key: str | None = None) -> FrameMasks | None:
        """Those of a frame that were made for a key, or those that were made last; None where there are none.

        InputError where they are damaged.
        """
        with self._guard:
            of_frame = self._results.get(frame, {})
            record = of_frame.get(key) if key is not None else next(reversed(of_frame.values()), None)
        return None if record is None else self.packs.read(record)

    def records(self) -> dict[int, Record]:
        """Of each frame that has masks, for any key, where those lie that were made last."""
        with self._guard:
            return {frame: next(reversed(of_frame.values())) for frame, of_frame in self._results.items() if of_frame}

    def damaged_results(self) -> list[tuple[int, str]]:
        """Frame and key of masks that cannot be read."""
        with self._guard:
            results = [(frame, *pair) for frame, of_frame in self._results.items() for pair in of_frame.items()]
        return [(frame, key) for frame, key, record in results if not self.packs.is_sound(record)]

    def drop_results(self, results: list[tuple[int, str]]) -> None:
        """Forget some masks."""
        with self._writing() as connection:
            for frame, key in results:
                connection.execute(delete(RESULTS).where(RESULTS.c.frame == frame, RESULTS.c.frame_key == key))
        for frame, key in results:
            self._results[frame] = {k: record for k, record in self._results[frame].items() if k != key}

    def frames_with(self, keys: list[str]) -> list[int]:
        """The frames whose masks were made for the keys they have in ``keys``, ascending."""
        with self._guard:
            return [frame for frame, key in enumerate(keys) if key in self._results.get(frame, {})]


def _create_database(path: Path, clip: ClipReference) -> None:
    """The file appears whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    engine = open_database(partial)
    with engine.begin() as connection:
        create_tables(connection, json.dumps(asdict(clip)))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    partial.replace(path)


def clip_from_json(content: dict[str, Any]) -> ClipReference:
    """A reference as the database has it."""
    height, width = content.pop("size_hw")
    return ClipReference(size_hw=(height, width), **content)


def _results_of(connection: Connection) -> dict[int, dict[str, Record]]:
    found: dict[int, dict[str, Record]] = {}
    for row in connection.execute(select(RESULTS).order_by(RESULTS.c.number)):
        found.setdefault(row.frame, {})[row.frame_key] = Record(
            row.pack, row.place, row.length, row.checksum, row.summary
        )
    return found


def _replace_result(connection: Connection, frame: int, key: str, number: int, record: Record) -> None:
    """Keep one more result of a frame, and of the others only so many."""
    of_frame = RESULTS.c.frame == frame
    connection.execute(delete(RESULTS).where(of_frame, RESULTS.c.frame_key == key))
    connection.execute(insert(RESULTS).values(frame=frame, frame_key=key, number=number, **asdict(record)))
    kept = select(RESULTS.c.number).where(of_frame).order_by(RESULTS.c.number.desc()).limit(KEPT_RESULTS)
    connection.execute(delete(RESULTS).where(of_frame, RESULTS.c.number.not_in(kept)))
