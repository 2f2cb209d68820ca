"""The database of a project: its tables, their versions, and disk errors as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from shibori.errors import InputError

VERSION = 2
"""Of the tables. A project of an earlier one is brought up to it, step by step, by ``MIGRATIONS``."""

TABLES = MetaData()
FACTS = Table("facts", TABLES, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
"""version; clip (JSON); cursor: how many of the actions count; revision: how often anything was changed; job (JSON): a
propagation that is to go on, or null."""
ACTIONS = Table(
    "actions",
    TABLES,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)
"""All that was done, in order, from 0; those from ``cursor`` on were undone."""
RESULTS = Table(
    "results",
    TABLES,
    Column("frame", Integer, nullable=False),
    Column("frame_key", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("pack", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    Column("checksum", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    PrimaryKeyConstraint("frame", "frame_key"),
)
"""Where the masks of a frame lie, for what it depended on; number: they were made in this order."""


def _with_job_and_summaries(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE results ADD COLUMN summary TEXT NOT NULL DEFAULT '[]'")
    connection.execute(insert(FACTS).values(name="job", value="null"))


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _with_job_and_summaries}
"""Version -> what turns its tables into those of the next one."""


def open_database(path: Path) -> Engine:
    """The database of a file. Every commit is on the disk when it returns; others may read meanwhile."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what a disk or a database refuses into an InputError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise InputError(_sentence(path, str(error.orig))) from error
    except OSError as error:
        raise InputError(_sentence(path, error.strerror or str(error))) from error


def _sentence(path: Path, reason: str) -> str:
    if "full" in reason or "No space" in reason or "quota" in reason.lower():
        return f"the disk is full: free some space and do it again; all that was done before is kept in {path}"
    if "locked" in reason:
        return f"another program is writing to {path}: wait for it, and do it again"
    if "readonly" in reason or "unable to open" in reason or "denied" in reason:
        return f"{path} cannot be written: see that the folder is yours, or copy it to one that is"
    if "malformed" in reason or "not a database" in reason or "corrupt" in reason:
        return f"{path} is damaged: run shibori project repair"
    return f"{path} could not be written: {reason}"


def create_tables(connection: Connection, clip: str) -> None:
    """A database in which nothing was done yet."""
    TABLES.create_all(connection)
    values = {"version": str(VERSION), "clip": clip, "cursor": "0", "revision": "0", "job": "null"}
    connection.execute(insert(FACTS), [{"name": name, "value": value} for name, value in values.items()])


def check_version(connection: Connection) -> int:
    """The version of the tables, for somebody who cannot change them. InputError where it is not this one."""
    found = int(fact(connection, "version"))
    if found > VERSION:
        raise InputError(
            f"the project has version {found} of its format, and this shibori knows {VERSION}: update shibori"
        )
    if found < VERSION:
        raise InputError("an older shibori is at work on this project: close it there first")
    return found


def migrate(connection: Connection) -> None:
    """Bring the tables up to this version. InputError where they are of a version to come."""
    for version in range(int(fact(connection, "version")), VERSION):
        MIGRATIONS[version](connection)
        set_fact(connection, "version", version + 1)
    check_version(connection)


def fact(connection: Connection, name: str) -> str:
    """One of ``FACTS``."""
    return str(connection.execute(select(FACTS.c.value).where(FACTS.c.name == name)).scalar_one())


def set_fact(connection: Connection, name: str, value: object) -> None:
    """Change one of ``FACTS``."""
    connection.execute(update(FACTS).where(FACTS.c.name == name).values(value=str(value)))
