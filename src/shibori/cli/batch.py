"""``shibori batch``: many clips, each with marks and options of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer

from shibori.batch.run_batch import BatchJob, BatchSummary, run_batch
from shibori.cli.options import command_from, json_switch
from shibori.cli.outcome import complaint, outcome, print_json, progress_bar

SOME_FAILED = 1
KEPT = "interrupted; the clips finished so far are kept, --resume goes on"
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class BatchOptions(BatchJob):
    """Do the jobs in JOBS: segment or search many clips, each with marks and options of its own."""

    as_json: bool = json_switch()


def batch(options: BatchOptions) -> None:
    """Do the jobs and say what came of them; leave with 1 where some failed."""
    with outcome(KEPT), progress_bar("batch", wanted=not options.as_json) as bar:
        summary = run_batch(options, bar)
    if options.as_json:
        print_json(asdict(summary))
    else:
        print("\n".join(report(summary)), flush=True)
    if summary.failed:
        raise complaint(f"{summary.failed} of {summary.clips} clips failed", SOME_FAILED)


def report(summary: BatchSummary) -> list[str]:
    """What was done, in lines for a person."""
    kept = f", {summary.kept} of them before" if summary.kept else ""
    return [
        f"{summary.done} of {summary.clips} clips done{kept}; {summary.frames} frames, {summary.seconds:.1f} s "
        f"({summary.frames_per_second:.1f} frames/s)",
        f"  {summary.report}",
        f"  {summary.manifest}",
        *(f"  {failure}" for failure in summary.failures),
    ]


app.command("batch")(command_from(BatchOptions, batch))
