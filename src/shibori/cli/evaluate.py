"""``shibori evaluate``: run a system over a dataset and score what it gives; ``vis`` scores tracks that are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from shibori.cli.options import JSON_HELP, command_from, json_switch
from shibori.cli.outcome import outcome, progress_bar
from shibori.cli.score import LATE
from shibori.cli.tables import show_click_scores, show_instance_scores, show_interactive_scores, show_scores
from shibori.datasets.davis import read_davis
from shibori.errors import InputError
from shibori.evaluation import clicks, davis, interactive, unsupervised
from shibori.evaluation.instance_report import write_instance_report
from shibori.evaluation.instances import score_vis
from shibori.evaluation.interactive_report import write_interactive_report
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.evaluation.report import write_report
from shibori.run.choice import (
    SegmenterChoice,
    SystemChoice,
    facts_of,
    load_instance_segmenter,
    load_interactive_system,
    load_system,
    settled_choice,
)

app = typer.Typer(name="evaluate", no_args_is_help=True, add_completion=False)


@app.callback()
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
    as_json: bool = json_switch()


def evaluate_davis(options: EvaluateOptions) -> None:
    """Run, score, and write the report."""
    with outcome(), progress_bar("evaluate", wanted=not options.as_json) as bar:
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


app.command("davis")(command_from(EvaluateOptions, evaluate_davis))


@app.command("vis")
def evaluate_vis(
    annotations: Annotated[Path, typer.Argument(help="YouTube-VIS annotations: JSON with videos and true tracks.")],
    results: Annotated[Path, typer.Argument(help="YouTube-VIS results: JSON list of found tracks.")],
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and the HTML report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Score anyone's instance tracks with AP and AR as YouTube-VIS defines them."""
    with outcome():
        scores = score_vis(annotations, results)
        report = write_instance_report(scores, out, facts={"results": results.name}) if out else None
    show_instance_scores(scores, report, as_json)


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
    with outcome(), progress_bar("evaluate", wanted=not options.as_json) as bar:
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


app.command("unsupervised")(command_from(UnsupervisedOptions, evaluate_unsupervised))


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
    next_frame: str = field(
        default="worst",
        metadata={
            "help": "Which frame the robot marks next: worst, by the truth, as the protocol has it; suggested, by the "
            "system; middle, of the longest stretch without a mark."
        },
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})
    as_json: bool = json_switch()


def evaluate_interactive(options: InteractiveOptions) -> None:
    """Run, score, and write the report."""
    with outcome(), progress_bar("evaluate", wanted=not options.as_json) as bar:
        rules = InteractiveRules(options.interactions, num_starts=options.starts)
        sequences = read_davis(options.root, options.year, options.split)
        drawn = options.root / "Scribbles"
        folder = options.scribbles or (drawn if drawn.is_dir() else None)
        scores = interactive.evaluate_interactive(
            interactive.InteractiveSession(sequences, folder, rules=rules, seed=options.seed),
            load_interactive_system(options),
            out_dir=options.out,
            overwrite=options.overwrite,
            next_frame=options.next_frame,
            progress=lambda done: bar(done.frames_done, done.num_frames),
        )
        report = write_interactive_report(scores, options.out, facts=facts_of(settled_choice(options, for_marks=True)))
    show_interactive_scores(scores, report, options.as_json)


app.command("interactive")(command_from(InteractiveOptions, evaluate_interactive))


PROMPT = "prompt"
"""In place of a system: the promptable network alone."""


@dataclass(frozen=True)
class ClickOptions(SystemChoice):
    """Count the clicks that it takes to segment an object in one frame, and measure one box and one stroke."""

    root: Path = field(kw_only=True, metadata={"help": "Folder with JPEGImages and Annotations.", "argument": True})
    system: str = field(
        default="auto",
        metadata={"help": f"A system for marks; auto: the default one; {PROMPT}: the promptable network alone."},
    )
    split: str = field(default="val", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=None, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    frames: int = field(default=4, metadata={"help": "Frames of each sequence: the first, others evenly spread."})
    clicks: int = field(default=20, metadata={"help": "Clicks on an object, at most."})
    out: Path | None = field(default=None, metadata={"help": "File for all of it as JSON, every object included."})
    overwrite: bool = field(default=False, metadata={"help": "Replace a file that is already there."})
    as_json: bool = json_switch()


def evaluate_clicks(options: ClickOptions) -> None:
    """Click, and say what came of it."""
    with outcome(), progress_bar("evaluate", wanted=not options.as_json) as bar:
        if options.out is not None and options.out.exists() and not options.overwrite:
            raise InputError(f"{options.out} is there already: choose another --out, or use --overwrite")
        rules = clicks.ClickRules(options.clicks, num_frames=options.frames)
        sequences = read_davis(options.root, options.year, options.split)
        scores = clicks.evaluate_clicks(sequences, _begin_frame(options), rules, bar)
        if options.out is not None:
            clicks.write_click_scores(scores, options.out, _click_facts(options))
    show_click_scores(scores, options.as_json)


def _click_facts(options: ClickOptions) -> dict[str, str]:
    return facts_of(settled_choice(options, for_marks=True)) | {"data": f"{options.root} {options.split}"}


def _begin_frame(options: ClickOptions) -> clicks.BeginFrame:
    if options.system != PROMPT:
        return clicks.frame_of(load_interactive_system(options))
    from shibori.prompting.build import build_prompt_segmenter
    from shibori.prompting.marked_frame import PromptedFrame

    segmenter = build_prompt_segmenter(options.preset, options.device, options.size, options.weights)
    return partial(PromptedFrame, segmenter)


app.command("clicks")(command_from(ClickOptions, evaluate_clicks))
