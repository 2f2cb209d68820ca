"""Files that appear whole or not at all, and disk errors as sentences."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shibori.errors import InputError


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into an InputError that names the place."""
    try:
        yield
    except OSError as error:
        raise InputError(_sentence(path, error)) from error


def _sentence(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {path} could not be written; free some space and go on with --resume"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} is not writable ({error.strerror}): choose another output"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{path} cannot be made: a file stands where a folder is needed"
    return f"{path} could not be written: {error.strerror or error}"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes ``path`` on leaving, or is removed on an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with disk_errors(path):
            yield partial
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file atomically. InputError where the disk refuses."""
    with whole_file(path) as partial:
        partial.write_bytes(data)
