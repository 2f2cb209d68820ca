"""The command line: each command reads its options, calls one library function, and says what came of it."""

from __future__ import annotations

from shibori.cli.commands import app


def main() -> None:
    """Run the command line and exit: 0 done, 2 the input was wrong (one sentence on stderr), 130 interrupted."""
    app(prog_name="shibori")
