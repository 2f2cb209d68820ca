"""Parquet files, by pyarrow, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from shibori.errors import InputError
from shibori.media.atomic import whole_file

TYPES = {
    "text": pyarrow.string(),
    "texts": pyarrow.list_(pyarrow.string()),
    "whole": pyarrow.int64(),
    "wholes": pyarrow.list_(pyarrow.int64()),
    "number": pyarrow.float64(),
    "time": pyarrow.timestamp("ms", tz="UTC"),
    "lost": pyarrow.list_(
        pyarrow.struct([("object_id", pyarrow.int64()), ("frames", pyarrow.int64()), ("first", pyarrow.int64())])
    ),
    "strips": pyarrow.list_(pyarrow.struct([("object_id", pyarrow.int64()), ("states", pyarrow.string())])),
}
"""What a column may hold."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, None where a cell is empty. InputError where it is no Parquet."""
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Write rows as one file, all or nothing.

    Args:
        path: of the file.
        rows: column -> value, of every column.
        columns: name -> what it holds, one of ``TYPES``, in the order of the file.

    Raises:
        InputError: the disk refuses.
    """
    schema = pyarrow.schema([(name, TYPES[kind]) for name, kind in columns.items()])
    table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with whole_file(path) as partial:
        pyarrow.parquet.write_table(table, partial, compression="zstd")
