"""Clips at an address that fsspec opens: fetched whole into a temporary file."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from shibori.errors import InputError


def fetched(address: str) -> Path:
    """A local copy of what is at an address, under its own name. InputError where it cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="shibori-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return fetched_into(folder, address)


def fetched_into(folder: Path, address: str) -> Path:
    """The same in a folder of the caller's, who clears it away."""
    try:
        import fsspec
    except ImportError as error:
        raise InputError(f"{address} needs the package fsspec: pip install shibori[exchange]") from error
    copy = folder / (re.split(r"[?#]", address)[0].rstrip("/").rpartition("/")[2] or "clip")
    try:
        with fsspec.open(address, "rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{address} cannot be fetched: {type(error).__name__}: {error}") from error
    return copy
