"""What was done of a batch so far: Parquet files that grow with it, and are whole whenever they are looked at.

The folder ``manifest`` holds ``00000.parquet``, ``00001.parquet`` ...: a row for each clip that was done or given up,
in the order in which they were. The last file is written anew with every row, until it has ``ROWS_IN_FILE`` of them.
A clip that was done in a later run has a later row, which counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shibori.batch.parquet import read_rows, write_rows
from shibori.batch.task import ClipResult, LostFrames, Outcome, Strip
from shibori.errors import InputError
from shibori.media.atomic import disk_errors

ROWS_IN_FILE = 256
COLUMNS = {
    "name": "text",
    "clip": "text",
    "kind": "text",
    "state": "text",
    "tries": "whole",
    "reasons": "texts",
    "frames": "whole",
    "objects": "wholes",
    "seconds": "number",
    "frames_per_second": "number",
    "lost": "lost",
    "shortfall": "text",
    "notes": "texts",
    "outputs": "texts",
    "strips": "strips",
    "worker": "text",
    "finished": "time",
    "digest": "text",
}
"""Of the manifest: name and what it holds. ``state`` is done or failed, ``outputs`` start from the clip's folder."""
DONE, FAILED = "done", "failed"
Row = Mapping[str, Any]


class Manifest:
    """The manifest of a batch.

    Args:
        folder: of its files; it is made if it is not there.

    Raises:
        InputError: the disk refuses, or a file in it is none of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        files = sorted(folder.glob("[0-9]*.parquet"))
        self.rows: list[Row] = [row for file in files for row in read_rows(file)]
        for row in self.rows:
            if not row.keys() >= COLUMNS.keys():
                raise InputError(f"{folder} holds Parquet files that are no manifest: choose another --out")

    @property
    def latest(self) -> dict[str, Row]:
        """Name of a clip -> its row that counts."""
        return {row["name"]: row for row in self.rows}

    def add(self, outcome: Outcome) -> None:
        """Put down what came of a clip. It is on disk afterwards."""
        self.rows.append(_row(outcome))
        number = (len(self.rows) - 1) // ROWS_IN_FILE
        write_rows(self.folder / f"{number:05d}.parquet", self.rows[number * ROWS_IN_FILE :], COLUMNS)


def result_of(row: Row) -> ClipResult | None:
    """What a row says was done; None for one that failed."""
    if row["state"] != DONE:
        return None
    named = {each.name: row[each.name] for each in fields(ClipResult)}
    named |= {name: tuple(value) for name, value in named.items() if isinstance(value, list)}
    named["lost"] = tuple(LostFrames(**each) for each in named["lost"])
    named["strips"] = tuple(Strip(**each) for each in named["strips"])
    return ClipResult(**named)


def _row(outcome: Outcome) -> Row:
    task, result = outcome.task, outcome.result
    row: dict[str, Any] = dict.fromkeys(COLUMNS) if result is None else asdict(result)
    return row | {
        "name": task.name,
        "clip": str(task.job.clip),
        "kind": task.kind,
        "state": FAILED if result is None else DONE,
        "tries": outcome.tries,
        "reasons": list(outcome.reasons),
        "worker": outcome.worker,
        "finished": datetime.now(UTC),
        "digest": task.digest,
    }
