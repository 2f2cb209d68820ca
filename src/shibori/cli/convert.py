"""``shibori convert``: annotations of one tool for another."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer

from shibori.cli.options import command_from, json_switch
from shibori.cli.outcome import outcome, print_json
from shibori.run.convert import ConvertJob, convert

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class ConvertOptions(ConvertJob):
    """Turn the annotations in SOURCE into those of another format, at TARGET."""

    as_json: bool = json_switch()


def run_convert(options: ConvertOptions) -> None:
    """Do the job and say what came of it."""
    with outcome():
        summary = convert(options)
    if options.as_json:
        print_json(asdict(summary))
        return
    print(
        f"{summary.source_format} to {summary.format}: {summary.frames} frames, {summary.objects} objects, "
        f"{summary.shapes} masks"
    )
    print(f"  {summary.output}")
    if summary.loss:
        print(f"  {summary.loss}")


app.command("convert")(command_from(ConvertOptions, run_convert))
