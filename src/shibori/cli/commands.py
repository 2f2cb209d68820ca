"""The commands by name. Each is imported when it is asked for, so that none waits for what another one needs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from shibori import __version__

ABOUT = "Video object segmentation: a clip and a few marks in, a mask of every chosen object in every frame out."
COMMANDS = {
    "segment": "shibori.cli.segment",
    "studio": "shibori.cli.studio",
    "project": "shibori.cli.project",
    "discover": "shibori.cli.discover",
    "batch": "shibori.cli.batch",
    "serve": "shibori.cli.serve",
    "export": "shibori.cli.export",
    "convert": "shibori.cli.convert",
    "score": "shibori.cli.score",
    "train": "shibori.cli.training",
    "calibrate": "shibori.cli.calibrate",
    "demo": "shibori.cli.demo",
    "doctor": "shibori.cli.doctor",
    "ablate": "shibori.cli.ablate",
    "evaluate": "shibori.cli.evaluate",
}
"""Name of a command -> the module whose ``app`` it is, in the order of ``--help``."""


class ImportedCommands(Mapping[str, Any]):
    """The commands of ``COMMANDS``."""

    def __getitem__(self, name: str) -> Any:
        return typer.main.get_command(importlib.import_module(COMMANDS[name]).app)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class CommandGroup(TyperGroup):
    """Typer's group of commands, over those of ``COMMANDS``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = ImportedCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, of which none has to be imported."""
        return list(COMMANDS)


app = typer.Typer(
    name="shibori",
    cls=CommandGroup,
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"shibori {__version__}")
        raise typer.Exit


@app.callback()
def shibori(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Video object segmentation: a clip and a few marks in, a mask of every chosen object in every frame out."""
