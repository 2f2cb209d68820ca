"""At most one program writes a project. The lock goes with the program, however it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class WriterLock:
    """Held until it is released or the process ends: an exclusive transaction of a database that stays empty.

    Args:
        path: of the lock's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: sqlite3.Connection | None = None

    @property
    def is_held(self) -> bool:
        """Whether this one may write."""
        return self._held is not None

    def take(self) -> bool:
        """Try to get it; whether it is held now."""
        if self._held is None:
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                connection.close()
                return False
            self._held = connection
        return True

    def release(self) -> None:
        """Let others have it."""
        if self._held is not None:
            self._held.close()
            self._held = None
