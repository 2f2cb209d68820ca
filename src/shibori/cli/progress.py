"""Progress on the terminal; silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from shibori.run.progress import Progress


@contextmanager
def progress_bar(label: str, wanted: bool = True) -> Iterator[Progress]:
    """A bar on stderr while the block runs, if that is a terminal and ``wanted``."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from shibori.cli.bar import terminal_bar  # its library takes a while to import

    with terminal_bar(label) as progress:
        yield progress
