"""``shibori train SYSTEM``: the options are the fields of the system's own ``TrainConfig``."""

from __future__ import annotations

import importlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

import shibori.systems as systems
from shibori.cli.options import command_from
from shibori.cli.outcome import outcome
from shibori.errors import InputError

if TYPE_CHECKING:
    from shibori.training.recipe import DevScore

DEV_SPLIT = "dev"
app = typer.Typer(add_completion=False)


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(context: typer.Context) -> None:
    """Train a system: shibori train SYSTEM, with options of its own (shibori train pixel --help)."""
    name, *arguments = context.args or ["--help"]
    known = list(systems.TRAINABLE)
    if name in ("-h", "--help"):
        print(f"Usage: shibori train SYSTEM [OPTIONS]\n\n  Systems: {', '.join(known)}")
        return
    with outcome():
        if name not in known:
            raise InputError(f"there is no system {name!r}: choose one of {', '.join(known)}")
        # Only the system knows its options, and its networks take a while to import.
        training = importlib.import_module(systems.TRAINABLE[name])
        inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        inner.command()(command_from(training.TrainConfig, lambda config: _train(name, training, config)))
        inner(args=arguments, prog_name=f"shibori train {name}")


def _train(name: str, training: Any, config: Any) -> None:
    from shibori.training.fit import train as run

    with outcome("interrupted; --resume goes on from the last checkpoint"):
        files = run(config, training.recipe, dev_score(name, config))
        print(f"weights: {', '.join(map(str, files))}")


def dev_score(name: str, config: Any) -> DevScore | None:
    """J&F of a state dict on the held-out sequences of the training data.

    None where there are none or none is asked for, and for systems that are judged by rounds of marks, which takes too
    long between steps.
    """
    davis = Path(config.data) / "davis2016"
    is_there = (davis / "ImageSets" / "480p" / f"{DEV_SPLIT}.txt").is_file()
    if name not in systems.PROPAGATORS or not is_there or not config.dev_every:
        return None
    from shibori.datasets.davis import read_davis
    from shibori.evaluation.davis import evaluate_davis
    from shibori.training.recipe import DevScore

    sequences = read_davis(davis, 2016, DEV_SPLIT)
    build = importlib.import_module(f"{systems.HOMES[name]}.build")

    def score(state: dict[str, Any]) -> float:
        with TemporaryDirectory() as folder:
            propagator = build.propagator_from_state(state, config.preset, config.device)
            return evaluate_davis(sequences, propagator, folder).j_and_f

    return DevScore(score, config.dev_every)
