"""``shibori segment``: masks of chosen objects in every frame of a clip."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass

import typer

from shibori.cli.options import OrderedCommand, command_from, json_switch
from shibori.cli.outcome import BAD_INPUT, complaint, outcome, print_json, progress_bar
from shibori.run.job import SegmentJob, SegmentSummary, run_job

KEPT = "interrupted; the frames finished so far are kept, --resume goes on"
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class SegmentOptions(SegmentJob):
    """Segment objects in every frame of CLIP, given masks, clicks, boxes or strokes on some frames, in any order."""

    as_json: bool = json_switch()


def segment(options: SegmentOptions) -> None:
    """Do the job and say what came of it."""
    with outcome(KEPT), progress_bar("segment", wanted=not options.as_json) as bar:
        summary = run_job(options, bar)
    for note in summary.notes:
        print(f"shibori: {note}", file=sys.stderr)
    if options.as_json:
        print_json(asdict(summary))
    else:
        _report(summary, "a click helps: --click {}:X,Y" if options.is_marked else "a mask helps: --mask {}:FILE")
    if summary.shortfall:
        raise complaint(summary.shortfall, BAD_INPUT)


def _report(summary: SegmentSummary, advice: str) -> None:
    frames, objects = _counted(summary.frames, "frame"), _counted(len(summary.objects), "object")
    print(f"{frames}, {objects}, {summary.seconds:.1f} s ({summary.frames_per_second:.1f} frames/s)")
    print("\n".join(f"  {place}" for place in (*summary.outputs, summary.tracks)))
    for object_id, first in summary.first_lost.items():
        lost = _counted(summary.lost_frames[object_id], "frame")
        print(f"  object {object_id} was lost in {lost}, first in frame {first}; {advice.format(first)}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


app.command("segment", cls=OrderedCommand)(command_from(SegmentOptions, segment))
