"""``shibori export``: masks of a finished run in other formats."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer

from shibori.cli.options import command_from, json_switch
from shibori.cli.outcome import BAD_INPUT, complaint, outcome, print_json, progress_bar
from shibori.run.export import ExportJob, ExportSummary, run_export

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class ExportOptions(ExportJob):
    """Write the masks of RESULT in other formats, without segmenting again."""

    as_json: bool = json_switch()


def export(options: ExportOptions) -> None:
    """Do the job and say what came of it."""
    with outcome(), progress_bar("export", wanted=not options.as_json) as bar:
        summary = run_export(options, bar)
    if options.as_json:
        print_json(asdict(summary))
    else:
        print("\n".join(report(summary)))
    if summary.shortfall:
        raise complaint(summary.shortfall, BAD_INPUT)


def report(summary: ExportSummary) -> list[str]:
    """What was written, in lines for a person."""
    edges = "soft edges" if summary.soft else "hard edges: the result holds no probabilities (--keep-soft keeps them)"
    lines = [f"{summary.frames} frames, {_counted(len(summary.objects))}, {summary.seconds:.1f} s; {edges}"]
    if summary.without_masks:
        lines.append(f"  {summary.without_masks} frames have no masks in the result and were written empty")
    return [*lines, *(f"  {line}" for line in (*summary.outputs, *summary.remarks))]


def _counted(objects: int) -> str:
    return "1 object" if objects == 1 else f"{objects} objects"


app.command("export")(command_from(ExportOptions, export))
