"""``shibori ablate SYSTEM``: what each part of a system is worth, beside what its paper says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from shibori.cli.options import command_from
from shibori.cli.outcome import outcome, print_json
from shibori.cli.progress import progress_bar

app = typer.Typer(name="ablate", no_args_is_help=True, add_completion=False)


@app.callback()
def ablate_help() -> None:
    """Measure what each part of a system is worth: the rows of its paper's table."""


@dataclass(frozen=True)
class AblateOptions:
    """The rows of the paper's table on the same clips, one after the other."""

    data: Path = field(metadata={"help": "DAVIS folder: JPEGImages, Annotations, ImageSets."})
    on: str = field(
        default="hidden",
        metadata={
            "help": "hidden: composites with full occlusions and re-entries; composites; sequences: as they are."
        },
    )
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=2016, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    clips: int = field(default=8, metadata={"help": "How many clips."})
    frames: int = field(default=90, metadata={"help": "Frames of a composite."})
    objects: int = field(default=3, metadata={"help": "Objects of a composite."})
    seed: int = field(default=0, metadata={"help": "Of the composites."})
    preset: str = field(default="compact", metadata={"help": "Size of the networks."})
    weights: Path | None = field(default=None, metadata={"help": "Weights file; without one, those that ship."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps."})
    as_json: bool = field(default=False, metadata={"help": "Print the rows for machines.", "flags": ("--json",)})


def ablate_system(name: str, options: AblateOptions) -> None:
    """Run the rows of a system and print them as a Markdown table."""
    from shibori.ablation import AblationClips, AblationRow, run_ablation
    from shibori.systems import ABLATIONS

    with outcome(), progress_bar("ablate", wanted=not options.as_json) as bar:
        wanted = AblationClips(
            options.data,
            options.on,
            options.split,
            options.year,
            options.clips,
            options.frames,
            options.objects,
            options.seed,
        )
        rows = [AblationRow(*row) for row in ABLATIONS[name](options.preset, options.device, options.weights)]
        results = []
        for result in run_ablation(rows, wanted.read(), lambda done: bar(done.frames_done, done.num_frames)):
            results.append(result)
            if not options.as_json:
                _print_row(result, results)
    if options.as_json:
        print_json({"on": options.on, "rows": [_as_values(result) for result in results]})


def _print_row(result: Any, results: list[Any]) -> None:
    """One line; the heading before the first."""
    if len(results) == 1:
        print("| variant | J | F | J&F | delta | paper J&F | paper delta | found again | frames/s |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
    before = results[-2] if len(results) > 1 else None
    scores = result.scores
    delta = "" if before is None else f"{scores.j_and_f - before.scores.j_and_f:+.3f}"
    published = "" if result.published is None else f"{result.published:.3f}"
    both = before is not None and before.published is not None and result.published is not None
    published_delta = f"{result.published - before.published:+.3f}" if both and before is not None else ""
    back = f"{result.found} of {result.returns}" if result.returns else ""
    cells = (result.text, f"{scores.j.mean:.3f}", f"{scores.f.mean:.3f}", f"{scores.j_and_f:.3f}", delta)
    print(
        f"| {' | '.join((*cells, published, published_delta, back, f'{scores.frames_per_second:.1f}'))} |", flush=True
    )


def _as_values(result: Any) -> dict[str, Any]:
    scores = result.scores
    return {
        "variant": result.text,
        "j": scores.j.mean,
        "f": scores.f.mean,
        "j_and_f": scores.j_and_f,
        "paper_j_and_f": result.published,
        "found_again": result.found,
        "reappearances": result.returns,
        "frames_per_second": scores.frames_per_second,
    }


def _dyenet(options: AblateOptions) -> None:
    """Measure what each part of DyeNet is worth: the rows of the paper's Table 1."""
    ablate_system("dyenet", options)


app.command("dyenet")(command_from(AblateOptions, _dyenet))


@dataclass(frozen=True)
class InstanceAblateOptions:
    """The rows of the paper's Table 2 on made clips of held-out material, calibration and directions besides."""

    data: Path = field(metadata={"help": "Folder with davis2016/ and stills/voc_seg/."})
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    clips: int = field(default=40, metadata={"help": "How many clips."})
    frames: int = field(default=32, metadata={"help": "Frames of each, 32 or more."})
    objects: int = field(default=3, metadata={"help": "Instances of each."})
    tracked: int = field(default=6, metadata={"help": "Candidates of each that are followed, at most."})
    height: int = field(default=180, metadata={"help": "Height in pixels; the width is 16/9 of it."})
    seed: int = field(default=0, metadata={"help": "Of the clips."})
    preset: str = field(default="compact", metadata={"help": "Size of the networks."})
    weights: Path | None = field(default=None, metadata={"help": "Detector's weights; without, those that ship."})
    tracker_weights: Path | None = field(default=None, metadata={"help": "Instance-level tracker's weights."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps."})
    as_json: bool = field(default=False, metadata={"help": "Print the rows for machines.", "flags": ("--json",)})


def ablate_instances(name: str, options: InstanceAblateOptions) -> None:
    """Run the rows of a system that finds instances and print them as a Markdown table."""
    from shibori.instance_ablation import InstanceClips, InstanceRow, run_instance_ablation
    from shibori.systems import INSTANCE_ABLATIONS

    with outcome(), progress_bar("ablate", wanted=not options.as_json) as bar:
        size_hw = (options.height, round(options.height * 16 / 18) * 2)
        wanted = InstanceClips(
            options.data, options.clips, options.frames, options.objects, size_hw, options.seed, options.split
        )
        clips = wanted.read()
        rows = INSTANCE_ABLATIONS[name](
            options.preset, options.device, options.weights, options.tracker_weights, options.tracked
        )
        results = run_instance_ablation([InstanceRow(*row) for row in rows], clips, bar)
    if options.as_json:
        print_json({"rows": [_instance_values(result) for result in results]})
        return
    print("| variant | mAP | AP50 | AP75 | AR1 | AR10 | one class: AP | AP50 | paper mAP | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        measures = [f"{result.scores.summary[key] or 0:.3f}" for key in _MEASURES]
        measures += [f"{result.alike.summary[key] or 0:.3f}" for key in _MEASURES[:2]]
        published = "" if result.published is None else f"{result.published:.3f}"
        print(f"| {' | '.join((result.text, *measures, published, f'{result.seconds:.0f}'))} |")


_MEASURES = ("AP", "AP50", "AP75", "AR1", "AR10")


def _instance_values(result: Any) -> dict[str, Any]:
    measures = {key: result.scores.summary[key] for key in _MEASURES}
    alike = {f"one_class_{key}": result.alike.summary[key] for key in _MEASURES}
    return {"variant": result.text, **measures, **alike, "paper_map": result.published, "seconds": result.seconds}


def _ipdt(options: InstanceAblateOptions) -> None:
    """Measure what each part of IPDT is worth: the rows of the paper's Table 2."""
    ablate_instances("ipdt", options)


app.command("ipdt")(command_from(InstanceAblateOptions, _ipdt))


@dataclass(frozen=True)
class InteractiveAblateOptions:
    """The rows of the paper's table through the same rounds of marks, one after the other."""

    data: Path = field(metadata={"help": "DAVIS folder: JPEGImages, Annotations, ImageSets."})
    on: str = field(default="sequences", metadata={"help": "sequences: as they are; composites; hidden."})
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=2016, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    clips: int = field(default=8, metadata={"help": "How many clips."})
    frames: int = field(default=60, metadata={"help": "Frames of a composite."})
    objects: int = field(default=3, metadata={"help": "Objects of a composite."})
    interactions: int = field(default=8, metadata={"help": "Interactions a sample, the first included."})
    starts: int = field(default=1, metadata={"help": "Samples a clip, which differ in the first scribbles."})
    seed: int = field(default=0, metadata={"help": "Of the composites and the first scribbles."})
    preset: str = field(default="compact", metadata={"help": "Size of the networks."})
    weights: Path | None = field(default=None, metadata={"help": "Weights file; without one, those that ship."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps."})
    as_json: bool = field(default=False, metadata={"help": "Print the rows for machines.", "flags": ("--json",)})


def ablate_interactive(name: str, options: InteractiveAblateOptions) -> None:
    """Run the rows of a system and print them as a Markdown table."""
    from shibori.ablation import AblationClips
    from shibori.evaluation.interactive_scores import InteractiveRules
    from shibori.interactive_ablation import InteractiveRow, run_interactive_ablation
    from shibori.systems import INTERACTIVE_ABLATIONS

    with outcome(), progress_bar("ablate", wanted=not options.as_json) as bar:
        rules = InteractiveRules(options.interactions, num_starts=options.starts)
        made = (options.clips, options.frames, options.objects, options.seed)
        clips = AblationClips(options.data, options.on, options.split, options.year, *made).read()
        rows = [
            InteractiveRow(*row) for row in INTERACTIVE_ABLATIONS[name](options.preset, options.device, options.weights)
        ]
        results = []
        for result in run_interactive_ablation(
            rows, clips, rules, options.seed, lambda done: bar(done.frames_done, done.num_frames)
        ):
            results.append(result)
            if not options.as_json:
                _print_interactive_row(result, is_first=len(results) == 1)
    if options.as_json:
        print_json({"on": options.on, "rows": [_interactive_values(result) for result in results]})


def _print_interactive_row(result: Any, is_first: bool) -> None:
    """One line; the heading before the first."""
    if is_first:
        print("| variant | J&F at first | J&F | AUC | J&F@60s | paper AUC | paper J&F@60s |")
        print("|---|---|---|---|---|---|---|", flush=True)
    values = _interactive_values(result)
    keys = ("j_and_f_at_first", "j_and_f", "auc", "j_and_f_at_threshold", "paper_auc", "paper_j_and_f_at_threshold")
    cells = ("" if values[key] is None else f"{values[key]:.3f}" for key in keys)
    print(f"| {' | '.join((result.text, *cells))} |", flush=True)


def _interactive_values(result: Any) -> dict[str, Any]:
    auc, at_threshold = result.published or (None, None)
    return {
        "variant": result.text,
        "j_and_f_at_first": float(result.scores.curve.j_and_f[1]),
        "j_and_f": result.scores.j_and_f,
        "auc": result.scores.auc,
        "j_and_f_at_threshold": result.scores.at_threshold,
        "paper_auc": auc,
        "paper_j_and_f_at_threshold": at_threshold,
    }


def _trackprop(options: InteractiveAblateOptions) -> None:
    """Measure what gives the regions in trackprop: the rows of the paper's Table 1."""
    ablate_interactive("trackprop", options)


app.command("trackprop")(command_from(InteractiveAblateOptions, _trackprop))


def _strnn(options: InteractiveAblateOptions) -> None:
    """Measure what each part of strnn is worth, its figures beside those of the paper's whole."""
    ablate_interactive("strnn", options)


app.command("strnn")(command_from(InteractiveAblateOptions, _strnn))
