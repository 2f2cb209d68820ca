"""``shibori discover``: find every instance of a clip, without any mark."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer

from shibori.cli.options import command_from, json_switch
from shibori.cli.outcome import outcome, print_json, progress_bar
from shibori.run.discover import DiscoverJob, DiscoverSummary, run_discovery

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class DiscoverOptions(DiscoverJob):
    """Find, classify, track and segment every instance in CLIP, without any mark."""

    as_json: bool = json_switch()


def discover(options: DiscoverOptions) -> None:
    """Do the job and say what was found."""
    with outcome(), progress_bar("discover", wanted=not options.as_json) as bar:
        summary = run_discovery(options, bar)
    if options.as_json:
        print_json(asdict(summary))
    else:
        print("\n".join(report(summary)))


def report(summary: DiscoverSummary) -> list[str]:
    """What was found, in lines for a person."""
    lines = [
        f"{summary.frames} frames, {len(summary.instances)} instances, {summary.seconds:.1f} s "
        f"({summary.frames_per_second:.1f} frames/s)"
    ]
    if not summary.instances:
        lines.append(f"  nothing was found: {summary.candidates} candidates, none that stood the test of the clip")
    for each in summary.instances:
        lines.append(f"  {each.track_id}: {each.category}, score {each.score:.2f}, in {each.frames} frames")
    if summary.left_out:
        lines.append(
            f"  {summary.left_out} of {summary.candidates} candidates were beyond the limit of work and not tracked; "
            f"the best {summary.tracked} were"
        )
    return [*lines, *(f"  {place}" for place in summary.outputs)]


app.command("discover")(command_from(DiscoverOptions, discover))
