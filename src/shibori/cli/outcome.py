"""How far a command is, and what came of it.

A bar on stderr where a person watches; JSON for machines on stdout; what went wrong, as one sentence on stderr and an
exit code.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from shibori.errors import InputError
from shibori.run.progress import Progress

BAD_INPUT = 2
INTERRUPTED = 130


@contextmanager
def outcome(when_interrupted: str = "interrupted") -> Iterator[None]:
    """Leave with 2 for wrong input or a full disk, with 130 for Ctrl-C; else it is a defect, traceback and all."""
    try:
        yield
    except InputError as error:
        raise complaint(str(error), BAD_INPUT) from None
    except KeyboardInterrupt:
        raise complaint(when_interrupted, INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = f" at {error.filename}" if error.filename else ""
        raise complaint(f"the disk is full{place}: free some space and go on with --resume", BAD_INPUT) from None


def complaint(sentence: str, code: int) -> typer.Exit:
    """Say it, and give back the exit to raise."""
    print(f"shibori: {sentence}", file=sys.stderr, flush=True)
    return typer.Exit(code)


def print_json(summary: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(summary, indent=2))


@contextmanager
def progress_bar(label: str, wanted: bool = True) -> Iterator[Progress]:
    """A bar on stderr while the block runs, if that is a terminal and ``wanted``."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from shibori.cli.bar import terminal_bar  # its library takes a while to import

    with terminal_bar(label) as progress:
        yield progress
