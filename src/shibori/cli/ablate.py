"""``shibori ablate SYSTEM``: what each part of a system is worth, beside what its paper says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import typer

import shibori.systems as systems
from shibori.cli.options import command_from
from shibori.cli.outcome import outcome, print_json, progress_bar
from shibori.evaluation.ablation import (
    Ablation,
    InstanceAblation,
    MarkAblation,
    MaskAblation,
    Row,
    table_lines,
)
from shibori.evaluation.ablation_clips import AblationClips, InstanceClips
from shibori.evaluation.interactive_scores import InteractiveRules

app = typer.Typer(name="ablate", no_args_is_help=True, add_completion=False)


@app.callback()
def ablate_help() -> None:
    """Measure what each part of a system is worth: the rows of its paper's table."""


@dataclass(frozen=True)
class Networks:
    """Of all rows."""

    preset: str = field(default="compact", metadata={"help": "Size of the networks."})
    weights: Path | None = field(default=None, metadata={"help": "Weights file; without one, those that ship."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps."})
    as_json: bool = field(default=False, metadata={"help": "Print the rows for machines.", "flags": ("--json",)})


@dataclass(frozen=True)
class MaskOptions(Networks, AblationClips):
    """The rows of the paper's table on the same clips, one after the other."""


@dataclass(frozen=True)
class InteractiveClips(AblationClips):
    """Clips, and rounds of marks on them."""

    on: str = field(default="sequences", metadata={"help": "sequences: as they are; composites; hidden."})
    frames: int = field(default=60, metadata={"help": "Frames of a composite."})
    seed: int = field(default=0, metadata={"help": "Of the composites and the first scribbles."})
    interactions: int = field(default=8, metadata={"help": "Interactions a sample, the first included."})
    starts: int = field(default=1, metadata={"help": "Samples a clip, which differ in the first scribbles."})


@dataclass(frozen=True)
class MarkOptions(Networks, InteractiveClips):
    """The rows of the paper's table through the same rounds of marks, one after the other."""


@dataclass(frozen=True)
class InstanceOptions(Networks, InstanceClips):
    """The rows of the paper's Table 2 on made clips of held-out material, calibration and directions besides."""

    weights: Path | None = field(default=None, metadata={"help": "Detector's weights; without, those that ship."})
    tracker_weights: Path | None = field(default=None, metadata={"help": "Instance-level tracker's weights."})
    tracked: int = field(default=6, metadata={"help": "Candidates of each that are followed, at most."})


def ablate_masks(name: str, options: MaskOptions) -> None:
    """Measure the rows of a system for masks."""

    def prepare() -> tuple[Ablation[Any], list[Any]]:
        rows = systems.ABLATIONS[name](options.preset, options.device, options.weights)
        return MaskAblation(options.read()), rows

    _report(prepare, options.as_json, {"on": options.on})


def ablate_marks(name: str, options: MarkOptions) -> None:
    """Measure the rows of a system for marks."""

    def prepare() -> tuple[Ablation[Any], list[Any]]:
        rules = InteractiveRules(options.interactions, num_starts=options.starts)
        ablation = MarkAblation(options.read(), rules, options.seed)
        return ablation, systems.INTERACTIVE_ABLATIONS[name](options.preset, options.device, options.weights)

    _report(prepare, options.as_json, {"on": options.on})


def ablate_instances(name: str, options: InstanceOptions) -> None:
    """Measure the rows of a system that finds instances."""

    def prepare() -> tuple[Ablation[Any], list[Any]]:
        ablation = InstanceAblation(options.read())
        files = options.weights, options.tracker_weights
        return ablation, systems.INSTANCE_ABLATIONS[name](options.preset, options.device, *files, options.tracked)

    _report(prepare, options.as_json, {})


def _report(prepare: Callable[[], tuple[Ablation[Any], Sequence[Any]]], as_json: bool, facts: dict[str, Any]) -> None:
    """Print the rows: as lines of a table, each when it is known, or all at the end for machines."""
    with outcome(), progress_bar("ablate", wanted=not as_json) as bar:
        ablation, rows = prepare()
        results = ablation.run([Row(*row) for row in rows], bar)
        if as_json:
            known = [{"variant": text} | dict(values) for text, values in results]
        else:
            for line in table_lines(ablation.columns, results):
                print(line, flush=True)
    if as_json:
        print_json(facts | {"rows": known})


for names, options, ablate in (
    (systems.ABLATIONS, MaskOptions, ablate_masks),
    (systems.INSTANCE_ABLATIONS, InstanceOptions, ablate_instances),
    (systems.INTERACTIVE_ABLATIONS, MarkOptions, ablate_marks),
):
    for name in names:
        app.command(name)(command_from(options, partial(ablate, name)))
