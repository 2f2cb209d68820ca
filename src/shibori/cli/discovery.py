"""``shibori discover``: find every instance of a clip; ``shibori evaluate unsupervised``: of every clip of a set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from shibori.cli.outcome import outcome
from shibori.cli.progress import ProgressBar
from shibori.cli.tables import print_json, show_scores
from shibori.run.choice import SegmenterChoice, load_instance_segmenter
from shibori.run.discover import DiscoverJob, DiscoverSummary, run_discovery


@dataclass(frozen=True)
class DiscoverOptions(DiscoverJob):
    """Find, classify, track and segment every instance in CLIP, without any mark."""

    as_json: bool = field(
        default=False,
        metadata={"help": "Print a summary for machines on stdout, and no progress.", "flags": ("--json",)},
    )


def discover(options: DiscoverOptions) -> None:
    """Do the job and say what was found."""
    with outcome(), ProgressBar("discover", wanted=not options.as_json) as bar:
        summary = run_discovery(options, bar)
    if options.as_json:
        print_json(asdict(summary))
    else:
        print("\n".join(told(summary)))


def told(summary: DiscoverSummary) -> list[str]:
    """What a person is told."""
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


@dataclass(frozen=True)
class UnsupervisedOptions(SegmenterChoice):
    """Let a system find the objects of DAVIS by itself and score the best of its tracks."""

    root: Path = field(kw_only=True, metadata={"help": "Folder with JPEGImages and Annotations.", "argument": True})
    out: Path = field(kw_only=True, metadata={"help": "Folder for the masks, the tables and the HTML report."})
    split: str = field(default="val", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=None, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    most: int = field(default=10, metadata={"help": "Tracks of a sequence, the best ones; the protocol allows 20."})
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})
    as_json: bool = field(
        default=False, metadata={"help": "Print the scores for machines on stdout.", "flags": ("--json",)}
    )


def evaluate_unsupervised(options: UnsupervisedOptions) -> None:
    """Run, score, and write the report."""
    from shibori.datasets.davis import read_davis
    from shibori.evaluation import unsupervised
    from shibori.evaluation.report import write_report

    with outcome(), ProgressBar("evaluate", wanted=not options.as_json) as bar:
        scores = unsupervised.evaluate_unsupervised(
            read_davis(options.root, options.year, options.split),
            load_instance_segmenter(options),
            options.out / "masks",
            most=options.most,
            overwrite=options.overwrite,
            progress=lambda done: bar(done.frames_done, done.num_frames),
        )
        report = write_report(scores, options.out, facts={"system": f"{options.system} {options.preset}"})
    show_scores(scores, report, options.as_json)
