"""A report as files of one folder: CSV for a spreadsheet, JSON for a program, HTML for a person."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shibori.errors import InputError


class Table(NamedTuple):
    """One CSV file."""

    name: str
    """Of the file."""
    header: Sequence[str]
    rows: Iterable[Sequence[object]]
    """None among the cells is written as nothing."""


def write_report_files(
    folder: str | Path, tables: Sequence[Table], values: Mapping[str, Any], facts: Mapping[str, str], page: str
) -> Path:
    """Write the tables, ``scores.json`` and ``report.html`` into a folder, which is made if need be.

    Files of these names are replaced.

    Args:
        folder: where to.
        tables: each a file of its own.
        values: what the JSON holds; all plain.
        facts: name -> text, kept in the JSON beside them.
        page: the HTML.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    path = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            _write_csv(folder / table.name, table)
        text = json.dumps({**values, "facts": dict(facts)}, indent=1)
        (folder / "scores.json").write_text(text + "\n", encoding="utf-8")
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    return path


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.header)
        writer.writerows(table.rows)
