"""Whether a project is as it should be, and what can be saved of one that is not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import insert

from shibori.errors import InputError
from shibori.session.action_json import action_from_json, action_to_json
from shibori.session.actions import Action, apply
from shibori.session.clip_reference import ClipReference
from shibori.session.database import ACTIONS, create_tables, open_database, set_fact
from shibori.session.project import Project
from shibori.session.store import DATABASE_NAME, ProjectStore, clip_from_json

_COMPANIONS = ("", "-wal", "-shm")


def faults(folder: Path) -> list[str]:
    """What is wrong with a project, a sentence each; nothing where all is well.

    Raises:
        InputError: there is no project.
    """
    path = _database_of(folder)
    if not _is_sound(path):
        return [f"{path} is damaged: run shibori project repair"]
    found = []
    with ProjectStore(folder) as store:
        state = Project.of(store.project.clip)
        for number, action in enumerate(store.actions):
            try:
                state = apply(state, action)
            except InputError as error:
                found.append(f"action {number} does not fit what was done before it: {error}")
                break
        damaged = store.damaged_results()
        if damaged:
            frames = sorted({frame for frame, _ in damaged})
            found.append(f"the masks of {len(frames)} frames are damaged, the first is {frames[0]}: repair drops them")
        try:
            store.project.clip.opened()
        except InputError as error:
            found.append(str(error))
    return found


def repair(folder: Path) -> list[str]:
    """Save what can be saved; what was done about it, a sentence each. The damaged database is kept beside the new one.

    Raises:
        InputError: there is no project, somebody is at work on it, or nothing of it can be saved.
    """
    path = _database_of(folder)
    done = []
    if not _is_sound(path):
        done.append(_salvage(path))
    with ProjectStore(folder) as store:
        damaged = store.damaged_results()
        if damaged:
            store.drop_results(damaged)
            done.append(f"the masks of {len({frame for frame, _ in damaged})} frames are dropped: propagate again")
    return done


def _database_of(folder: Path) -> Path:
    path = folder / DATABASE_NAME
    if not path.is_file():
        raise InputError(f"there is no project in {folder}: expected a folder with {DATABASE_NAME}")
    return path


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
            connection.execute("SELECT count(*) FROM facts, actions, results").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(answer == "ok")


def _salvage(path: Path) -> str:
    """Begin a new database with the actions of the damaged one, as far as they can be read and fit."""
    clip, cursor, actions = _read_damaged(path)
    kept = path.with_name(path.name + ".damaged")
    for suffix in _COMPANIONS:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + suffix))
    engine = open_database(path)
    with engine.begin() as connection:
        create_tables(connection, json.dumps(asdict(clip)))
        for position, action in enumerate(actions):
            content = json.dumps(action_to_json(action))
            connection.execute(insert(ACTIONS).values(position=position, content=content))
        set_fact(connection, "cursor", min(cursor, len(actions)))
    engine.dispose()
    return f"{len(actions)} actions are saved; masks have to be made again; what was there is in {kept.name}"


def _read_damaged(path: Path) -> tuple[ClipReference, int, list[Action]]:
    actions: list[Action] = []
    with closing(sqlite3.connect(path)) as connection:
        try:
            facts = dict(connection.execute("SELECT name, value FROM facts WHERE name IN ('clip', 'cursor')"))
            clip = clip_from_json(json.loads(facts["clip"]))
        except (sqlite3.DatabaseError, KeyError, ValueError) as error:
            raise InputError(f"nothing of {path} can be saved: {error}") from error
        state = Project.of(clip)
        try:
            for content in _contents(connection):
                action = action_from_json(json.loads(content))
                state = apply(state, action)
                actions.append(action)
        except (sqlite3.DatabaseError, ValueError):
            pass  # what comes after the damage has nothing to stand on
    return clip, int(facts.get("cursor", len(actions))), actions


def _contents(connection: sqlite3.Connection) -> Iterator[str]:
    position = 0
    while (
        row := connection.execute("SELECT content FROM actions WHERE position = ?", (position,)).fetchone()
    ) is not None:
        yield row[0]
        position += 1
