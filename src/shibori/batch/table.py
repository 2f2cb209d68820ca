"""The rows of a list of jobs, from any of its formats: CSV, Parquet, JSON lines, a folder of clips."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.folder import natural_key
from shibori.media.picture import IMAGE_SUFFIXES
from shibori.media.reader import CLIP_SUFFIXES


@dataclass(frozen=True)
class Row:
    """One job, as it was written."""

    place: str
    """Where, for people."""
    values: dict[str, Any]
    """Column -> what stands there, in the order of the columns; empty cells are left out."""


def read_table(path: Path) -> list[Row]:
    """All rows.

    Raises:
        InputError: there is no such file, its name does not say its format, it is damaged or empty.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    if not path.is_dir() and path.suffix.lower() not in readers:
        raise InputError(f"{path} is no list of jobs: expected a folder, or a file that ends in {', '.join(readers)}")
    read = _folder if path.is_dir() else readers[path.suffix.lower()]
    try:
        rows = [Row(place, _filled(values)) for place, values in read(path)]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not written in UTF-8: save it so") from error
    if not rows:
        what = f"no clip ({', '.join(sorted(CLIP_SUFFIXES))}, or a folder of images)" if path.is_dir() else "no row"
        raise InputError(f"{path} holds {what}: there is nothing to do")
    return rows


def _filled(values: dict[Any, Any]) -> dict[str, Any]:
    named = {str(name).strip().lstrip("-").replace("-", "_"): value for name, value in values.items()}
    return {name: value for name, value in named.items() if not _is_empty(value)}


def _is_empty(value: Any) -> bool:
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or value == [] or (isinstance(value, str) and not value.strip())


def _csv(path: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        head = next(reader, [])
        if len(set(head)) < len(head):
            twice = next(name for name in head if head.count(name) > 1)
            raise InputError(f"{path} has two columns {twice!r}: several values stand in one cell, with ; between them")
        for cells in reader:
            place = f"line {reader.line_num} of {path}"
            if len(cells) > len(head):
                raise InputError(f"{place} has {len(cells)} cells, but the head has {len(head)}")
            if any(cell.strip() for cell in cells):
                yield place, dict(zip(head, cells, strict=False))


def _json_lines(path: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        place = f"line {number} of {path}"
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place} is no JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError(f"{place} is no JSON object: expected one such as {{'clip': 'a.mp4', 'mask': 'a.png'}}")
        yield place, values


def _parquet(path: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    from shibori.batch.parquet import read_rows

    for number, values in enumerate(read_rows(path), 1):
        yield f"row {number} of {path}", values


def _folder(path: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Its videos and folders of images; a PNG of the same name beside one is the mask of its first frame."""
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    for entry in sorted(entries, key=natural_key):
        if entry.suffix.lower() in CLIP_SUFFIXES or (entry.is_dir() and _has_images(entry)):
            name = entry.name if entry.is_dir() else entry.stem
            mask = entry.with_name(f"{name}.png")
            yield str(entry), {"clip": entry.name, "name": name, "mask": mask.name if mask.is_file() else None}


def _has_images(folder: Path) -> bool:
    return any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in folder.iterdir())
