"""The commands. Heavy libraries are imported by the command that needs them, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

import shibori.systems as systems
from shibori import __version__
from shibori.cli.options import command_from
from shibori.cli.outcome import outcome
from shibori.cli.progress import ProgressBar
from shibori.errors import InputError
from shibori.job import SegmentJob, SegmentSummary, run_job

ABOUT = "Video object segmentation: a clip and a few marks in, a mask of every chosen object in every frame out."
KEPT = "interrupted; the frames finished so far are kept, --resume goes on"
app = typer.Typer(
    name="shibori", help=ABOUT, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
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


def _json_switch() -> Any:
    text = "Print a summary for machines on stdout, and no progress."
    return field(default=False, metadata={"help": text, "flags": ("--json",)})


def _print_json(summary: dict[str, Any]) -> None:
    print(json.dumps(summary, indent=2))


@dataclass(frozen=True)
class SegmentOptions(SegmentJob):
    """Segment objects in every frame of CLIP, given masks of some frames."""

    as_json: bool = _json_switch()


def segment(options: SegmentOptions) -> None:
    """Do the job and say what came of it."""
    with outcome(KEPT), ProgressBar("segment", wanted=not options.as_json) as bar:
        summary = run_job(options, bar)
    if options.as_json:
        _print_json(asdict(summary))
    else:
        _tell(summary)


def _tell(summary: SegmentSummary) -> None:
    objects = "1 object" if len(summary.objects) == 1 else f"{len(summary.objects)} objects"
    print(f"{summary.frames} frames, {objects}, {summary.seconds:.1f} s ({summary.frames_per_second:.1f} frames/s)")
    print("\n".join(f"  {place}" for place in (*summary.outputs, summary.tracks)))
    for object_id, frames in summary.lost_frames.items():
        if frames:
            print(f"  object {object_id} was lost in {frames} frames; a mask there (--mask WHEN:FILE) would help")
    if summary.shortfall:
        print(f"shibori: {summary.shortfall}", file=sys.stderr)


app.command("segment")(command_from(SegmentOptions, segment))


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(context: typer.Context) -> None:
    """Train a system: shibori train SYSTEM, with options of its own (shibori train pixel --help)."""
    name, *rest = [*context.args, ""]
    if name in ("", "-h", "--help"):
        print(f"Usage: shibori train SYSTEM [OPTIONS]\n\n  Systems: {', '.join(systems.PROPAGATORS)}")
        return
    with outcome("interrupted; --resume goes on from the last checkpoint"):
        if name not in systems.PROPAGATORS:
            raise InputError(f"there is no system {name!r}: choose one of {', '.join(systems.PROPAGATORS)}")
        # Only the system knows its options, and its networks take a while to import.
        training = importlib.import_module(f"shibori.systems.{name}.train")
        command = command_from(training.TrainConfig, lambda config: _train(training, config))
        _run_alone(command, f"shibori train {name}", rest[:-1])


def _run_alone(command: Any, name: str, arguments: Sequence[str]) -> None:
    inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    inner.command()(command)
    inner(args=list(arguments), prog_name=name)


def _train(training: Any, config: Any) -> None:
    print(f"weights: {training.train(config)}")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings for machines.")] = False,
) -> None:
    """Versions, processor, devices, weights: what this machine has and whether it works."""
    from shibori.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            print(f"{'ok ' if finding.fine else 'BAD'}  {finding.topic:<10} {finding.name:<24} {finding.value}")
    if as_json:
        _print_json({"findings": [asdict(finding) for finding in findings]})
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)
