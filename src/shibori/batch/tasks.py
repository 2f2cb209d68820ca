"""Rows of a list of jobs as tasks. What is wrong with one is said before anything runs."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from shibori.batch.table import Row
from shibori.batch.task import NOT_THE_WORK, ClipTask
from shibori.errors import InputError
from shibori.media.reader import address_of
from shibori.media.reference import mark_parts
from shibori.media.writer import FORMATS
from shibori.run.discover import DiscoverJob
from shibori.run.job import REPEATED, SegmentJob

SEPARATOR = ";"
"""Between the values of a cell that holds several."""
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def _options(job: type[SegmentJob] | type[DiscoverJob]) -> dict[str, str]:
    """Column -> the field of a job."""
    known = [field for field in fields(job) if field.name not in NOT_THE_WORK and not field.metadata.get("order")]
    return {field.metadata.get("flags", (field.name,))[0].lstrip("-").replace("-", "_"): field.name for field in known}


OPTIONS = {"segment": _options(SegmentJob), "discover": _options(DiscoverJob)}
"""Kind of a task -> column -> field of its job."""
COLUMNS = ("name", *OPTIONS["segment"], *(name for name in OPTIONS["discover"] if name not in OPTIONS["segment"]))
"""What a row may say."""
_STARTS = {column for column, field in OPTIONS["segment"].items() if field in (*REPEATED, "found")}
"""Columns of which a row with any is one for ``segment``."""
FOR_ALL = tuple(column for column in COLUMNS if column not in {"name", "clip", "keep", *_STARTS})
"""What may be said once for all rows."""
TAKEN_NAMES = {"manifest"}
"""Which a batch has for itself."""


def make_tasks(rows: Sequence[Row], base: Path, usual: Mapping[str, str]) -> list[ClipTask]:
    """A task for each row.

    Args:
        rows: of the list.
        base: the folder that paths in it are relative to.
        usual: column -> what counts where a row says nothing; options that a row's kind does not have are passed over.

    Raises:
        InputError: an unknown column, a row without clip, a value that is none for its column, two rows of one name;
            one sentence, about the first row that is wrong, and how many more are.
    """
    for column in usual:
        if column not in FOR_ALL:
            raise InputError(f"there is no option {column!r} for all rows: choose one of {', '.join(FOR_ALL)}")
    tasks, problems = [], []
    for row in rows:
        try:
            tasks.append(_task(row, base, usual))
        except InputError as error:
            problems.append(str(error))
    problems += [] if problems else _twins(tasks, rows)
    if problems:
        more = len(problems) - 1
        raise InputError(problems[0] + (f" ({more} more of {len(rows)} rows are wrong too)" if more else ""))
    return tasks


def _twins(tasks: Iterable[ClipTask], rows: Iterable[Row]) -> list[str]:
    first: dict[str, str] = {}
    found = []
    for task, row in zip(tasks, rows, strict=True):
        earlier = first.setdefault(task.name.casefold(), row.place)
        if earlier != row.place:
            found.append(f"{row.place} and {earlier} are both called {task.name}: give each a name in a column name")
    return found


def _task(row: Row, base: Path, usual: Mapping[str, str]) -> ClipTask:
    for column in row.values:
        if column not in COLUMNS:
            raise InputError(f"{row.place} has an unknown column {column!r}: expected some of {', '.join(COLUMNS)}")
    if "clip" not in row.values:
        raise InputError(f"{row.place} names no clip: a column clip holds a path or an address")
    kind = "segment" if _STARTS & row.values.keys() else "discover"
    job_class = SegmentJob if kind == "segment" else DiscoverJob
    known, hints = OPTIONS[kind], get_type_hints(job_class)
    for column in row.values.keys() - known.keys() - {"name"}:
        other = "that start from nothing" if kind == "segment" else "with a mask or a mark"
        raise InputError(f"{row.place} says {column}, which is for rows {other}")
    values: dict[str, Any] = {}
    for column, value in {**usual, **row.values}.items():
        if column in known:
            read = _Cell(f"{row.place}, {column}", base if column in row.values else Path.cwd()).read
            values[known[column]] = read(value, hints[known[column]])
    if kind == "segment":
        values["mask"] = tuple(_placed_mask(text, base) for text in values.get("mask", ()))
        values["order"] = tuple(name for name in values if name in (*REPEATED, "found") for _ in _each(values[name]))
    for name in values.get("format", ()):
        if name not in FORMATS:
            raise InputError(f"{row.place}: there is no format {name!r}: choose one of {', '.join(FORMATS)}")
    job = job_class(**values, out=Path())
    return ClipTask(_name(row, job.clip), job)


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _placed_mask(text: str, base: Path) -> str:
    when, kind, file = mark_parts(text)
    return ":".join(part for part in (when, kind, str(_placed(str(file), base))) if part is not None)


def _placed(text: str, base: Path) -> Path:
    return Path(text) if address_of(text) else (base / Path(text).expanduser()).absolute()


def _name(row: Row, clip: Path) -> str:
    name = str(row.values.get("name", Path(clip.name.partition("?")[0]).stem)).strip()
    if not name or name.startswith(".") or name in TAKEN_NAMES or any(letter in name for letter in '/\\\0:*?"<>|'):
        raise InputError(f"{row.place} is called {name!r}, which no folder of results can be: give another name")
    return name


class _Cell:
    """Reads one cell; ``place`` is where it is, for people, ``base`` the folder its paths start from."""

    def __init__(self, place: str, base: Path) -> None:
        self.place, self.base = place, base

    def read(self, value: Any, hint: Any) -> Any:
        """The value as a field of a job has it. InputError where it cannot be one."""
        if get_origin(hint) in (Union, types.UnionType):
            hint = next(each for each in get_args(hint) if each is not type(None))
        if get_origin(hint) is tuple:
            parts = value if isinstance(value, list) else str(value).split(SEPARATOR)
            return tuple(self.read(part, get_args(hint)[0]) for part in parts if str(part).strip())
        readers: dict[Any, Callable[[Any], Any]] = {bool: self._switch, int: self._whole, Path: self._path}
        return readers.get(hint, self._text)(value)

    def _path(self, value: Any) -> Path:
        return _placed(self._text(value), self.base)

    def _text(self, value: Any) -> str:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise InputError(f"{self.place}: expected text, found {value!r}")
        return str(value).strip()

    def _switch(self, value: Any) -> bool:
        text = str(value).strip().lower()
        if text not in (*_TRUE, *_FALSE):
            raise InputError(f"{self.place}: expected yes or no, found {value!r}")
        return text in _TRUE

    def _whole(self, value: Any) -> int:
        try:
            number = float(value)
            if number != int(number):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{self.place}: expected a whole number, found {value!r}") from None
        return int(number)
