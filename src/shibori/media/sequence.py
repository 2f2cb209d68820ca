"""Numbered sequences: the files that a pattern stands for, and the gaps in their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from shibori.errors import InputError

_PATTERN = re.compile(r"%0?(\d*)d|(#+)")
_NUMBER = re.compile(r"(\d+)$")


def is_pattern(path: Path) -> bool:
    """Whether a name stands for a sequence: ``plate.%04d.png`` or ``plate.####.exr``."""
    return len(_PATTERN.findall(path.name)) == 1


def files_of_pattern(path: Path) -> list[Path]:
    """The files a pattern stands for, by rising number. InputError where there are none."""
    found = _PATTERN.search(path.name)
    assert found is not None
    before, after = path.name[: found.start()], path.name[found.end() :]
    width = int(found[1] or 0) if found[2] is None else len(found[2])
    name = re.compile(re.escape(before) + rf"(\d{{{max(1, width)},}})" + re.escape(after))
    folder = path.parent
    files = (
        {}
        if not folder.is_dir()
        else {int(match[1]): entry for entry in folder.iterdir() if (match := name.fullmatch(entry.name))}
    )
    if not files:
        raise InputError(
            f"there is no file like {path}: expected numbers of {max(1, width)} digits or more in its place"
        )
    return [files[number] for number in sorted(files)]


def trailing_number(name: str) -> int | None:
    """The digits at the end of a name as a number; None where there are none."""
    found = _NUMBER.search(name)
    return int(found[1]) if found else None


def gaps_in_numbers(names: Sequence[str]) -> str | None:
    """A sentence about numbers that are missing at the ends of names; None where none is, or not all have one."""
    numbers = [number for name in names if (number := trailing_number(name)) is not None]
    if len(numbers) < len(names) or len(numbers) < 2:
        return None
    step = min(after - before for before, after in pairwise(numbers))
    if step < 1:
        return None
    gaps = [(a + step, b - step) for a, b in pairwise(numbers) if b - a > step]
    if not gaps:
        return None
    shown = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in gaps[:4])
    more = ", ..." if len(gaps) > 4 else ""
    missing = sum((high - low) // step + 1 for low, high in gaps)
    return f"{missing} frames are missing in the numbers of the sequence ({shown}{more}); the others keep theirs"
