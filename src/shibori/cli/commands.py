"""The commands. Heavy libraries are imported by the command that needs them, so that ``--help`` is quick."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from shibori import __version__
from shibori.cli.ablation import ablate
from shibori.cli.discovery import DiscoverOptions, UnsupervisedOptions, discover, evaluate_unsupervised
from shibori.cli.options import command_from
from shibori.cli.outcome import BAD_INPUT, complaint, outcome
from shibori.cli.progress import ProgressBar
from shibori.cli.tables import print_json, show_instance_scores, show_interactive_scores, show_scores
from shibori.cli.training import train
from shibori.evaluation.scores import ProtocolName
from shibori.run.choice import SystemChoice, facts_of, load_interactive_system, load_system, settled_choice
from shibori.run.job import SegmentJob, SegmentSummary, run_job

ABOUT = "Video object segmentation: a clip and a few marks in, a mask of every chosen object in every frame out."
DEVICE_HELP, WEIGHTS_HELP = (
    next(entry.metadata["help"] for entry in fields(SystemChoice) if entry.name == name)
    for name in ("device", "weights")
)
JSON_HELP = "Print a summary for machines on stdout, and no progress."
LATE = "Also count objects that are not in the first frame, each from the frame after its own first."
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
    return field(default=False, metadata={"help": JSON_HELP, "flags": ("--json",)})


@dataclass(frozen=True)
class SegmentOptions(SegmentJob):
    """Segment objects in every frame of CLIP, given masks of some frames, or scribbles, clicks or boxes on some."""

    as_json: bool = _json_switch()


def segment(options: SegmentOptions) -> None:
    """Do the job and say what came of it."""
    with outcome(KEPT), ProgressBar("segment", wanted=not options.as_json) as bar:
        summary = run_job(options, bar)
    if options.as_json:
        print_json(asdict(summary))
    else:
        _tell(summary, "a click helps: --click {}:X,Y" if options.is_marked else "a mask helps: --mask {}:FILE")
    if summary.shortfall:
        raise complaint(summary.shortfall, BAD_INPUT)


def _tell(summary: SegmentSummary, advice: str) -> None:
    frames, objects = _counted(summary.frames, "frame"), _counted(len(summary.objects), "object")
    print(f"{frames}, {objects}, {summary.seconds:.1f} s ({summary.frames_per_second:.1f} frames/s)")
    print("\n".join(f"  {place}" for place in (*summary.outputs, summary.tracks)))
    for object_id, first in summary.first_lost.items():
        lost = _counted(summary.lost_frames[object_id], "frame")
        print(f"  object {object_id} was lost in {lost}, first in frame {first}; {advice.format(first)}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


app.command("segment")(command_from(SegmentOptions, segment))
app.command("discover")(command_from(DiscoverOptions, discover))


@app.command()
def score(
    results: Annotated[Path, typer.Argument(help="Folder of mask PNGs, or of one such folder for each sequence.")],
    ground_truth: Annotated[
        Path, typer.Argument(help="True masks: a DAVIS folder, a folder of sequences, or one sequence's folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and the HTML report.")] = None,
    protocol: Annotated[ProtocolName, typer.Option(help="How ids of results and truth relate.")] = "semi-supervised",
    late_objects: Annotated[bool, typer.Option("--late-objects", help=LATE)] = False,
    workers: Annotated[int, typer.Option(help="Processes that share the sequences.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Score a folder of anyone's masks with J, F and J&F as DAVIS defines them."""
    from shibori.evaluation.davis import score_folder
    from shibori.evaluation.report import write_report

    with outcome(), ProgressBar("score", wanted=not as_json) as bar:
        scores = score_folder(
            results,
            ground_truth,
            protocol=protocol,
            late_objects=late_objects,
            progress=lambda done: bar(done.frames_done, done.num_frames),
            workers=workers,
        )
        report = write_report(scores, out) if out else None
    show_scores(scores, report, as_json)


app.add_typer(ablate, name="ablate")


evaluate = typer.Typer(no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")


@evaluate.callback()
def evaluate_help() -> None:
    """Run a system over a dataset and score its masks."""


@dataclass(frozen=True)
class EvaluateOptions(SystemChoice):
    """Run a system over DAVIS, first masks given, write its masks and score them."""

    root: Path = field(kw_only=True, metadata={"help": "Folder with JPEGImages and Annotations.", "argument": True})
    out: Path = field(kw_only=True, metadata={"help": "Folder for the masks, the tables and the HTML report."})
    split: str = field(default="val", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=None, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    late_objects: bool = field(default=False, metadata={"help": LATE})
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})
    as_json: bool = _json_switch()


def evaluate_davis(options: EvaluateOptions) -> None:
    """Run, score, and write the report."""
    from shibori.datasets.davis import read_davis
    from shibori.evaluation import davis
    from shibori.evaluation.report import write_report

    with outcome(), ProgressBar("evaluate", wanted=not options.as_json) as bar:
        sequences = read_davis(options.root, options.year, options.split)
        scores = davis.evaluate_davis(
            sequences,
            load_system(options),
            options.out / "masks",
            late_objects=options.late_objects,
            overwrite=options.overwrite,
            progress=lambda done: bar(done.frames_done, done.num_frames),
        )
        report = write_report(scores, options.out, facts=facts_of(settled_choice(options)))
    show_scores(scores, report, options.as_json)


evaluate.command("davis")(command_from(EvaluateOptions, evaluate_davis))


@evaluate.command("vis")
def evaluate_vis(
    annotations: Annotated[Path, typer.Argument(help="YouTube-VIS annotations: JSON with videos and true tracks.")],
    results: Annotated[Path, typer.Argument(help="YouTube-VIS results: JSON list of found tracks.")],
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and the HTML report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Score anyone's instance tracks with AP and AR as YouTube-VIS defines them."""
    from shibori.evaluation.instance_report import write_instance_report
    from shibori.evaluation.instances import score_vis

    with outcome():
        scores = score_vis(annotations, results)
        report = write_instance_report(scores, out, facts={"results": results.name}) if out else None
    show_instance_scores(scores, report, as_json)


evaluate.command("unsupervised")(command_from(UnsupervisedOptions, evaluate_unsupervised))


@dataclass(frozen=True)
class InteractiveOptions(SystemChoice):
    """Run a system through the DAVIS interactive protocol: a robot marks errors, the system answers, a clock runs."""

    root: Path = field(kw_only=True, metadata={"help": "Folder with JPEGImages and Annotations.", "argument": True})
    out: Path = field(kw_only=True, metadata={"help": "Folder for masks, scribbles, tables and the HTML report."})
    split: str = field(default="val", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=None, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    scribbles: Path | None = field(
        default=None, metadata={"help": "Folder of first scribbles that people drew; without one, ROOT/Scribbles."}
    )
    interactions: int = field(default=8, metadata={"help": "Interactions a sample, the first included."})
    starts: int = field(default=3, metadata={"help": "Samples a sequence whose first scribbles the robot has to draw."})
    seed: int = field(default=0, metadata={"help": "Of the first scribbles the robot draws."})
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})
    as_json: bool = _json_switch()


def evaluate_interactive(options: InteractiveOptions) -> None:
    """Run, score, and write the report."""
    from shibori.datasets.davis import read_davis
    from shibori.evaluation import interactive
    from shibori.evaluation.interactive_report import write_interactive_report
    from shibori.evaluation.interactive_scores import InteractiveRules

    with outcome(), ProgressBar("evaluate", wanted=not options.as_json) as bar:
        rules = InteractiveRules(options.interactions, num_starts=options.starts)
        sequences = read_davis(options.root, options.year, options.split)
        drawn = options.root / "Scribbles"
        folder = options.scribbles or (drawn if drawn.is_dir() else None)
        scores = interactive.evaluate_interactive(
            interactive.InteractiveSession(sequences, folder, rules=rules, seed=options.seed),
            load_interactive_system(options),
            out_dir=options.out,
            overwrite=options.overwrite,
            progress=lambda done: bar(done.frames_done, done.num_frames),
        )
        report = write_interactive_report(scores, options.out, facts=facts_of(settled_choice(options, for_marks=True)))
    show_interactive_scores(scores, report, options.as_json)


evaluate.command("interactive")(command_from(InteractiveOptions, evaluate_interactive))


app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(train)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demonstration makes.")] = Path("demo-output"),
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    weights: Annotated[Path | None, typer.Option(help=WEIGHTS_HELP)] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another clip.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Draw a clip whose objects cross and hide each other, segment it, and score the masks against the known truth."""
    from shibori.demo import demo_job, run_demo
    from shibori.evaluation.report import scores_to_json

    with outcome(), ProgressBar("segment", wanted=not as_json) as bar:
        job = replace(demo_job(out), device=device, weights=weights)
        result = run_demo(job, seed, progress=bar)
    if as_json:
        print_json(asdict(result.summary) | scores_to_json(result.scores) | {"report": str(result.report)})
        return
    show_scores(result.scores, None, as_json=False)
    places = ("clip", "first_mask", "masks", "overlay", "sheet", "report")
    print("\n".join(f"{name.replace('_', ' '):<12}{getattr(result, name)}" for name in places))
    print(f"{1000 * result.summary.seconds / result.summary.frames:.0f} ms per frame")
    print(f"J&F {result.scores.j_and_f:.3f} against the known truth of {len(result.summary.objects)} objects")


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
        print_json({"findings": [asdict(finding) for finding in findings]})
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)
