"""``shibori calibrate``: what a tracker's confidence means, measured on clips with truth and kept in its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shibori.cli.options import command_from
from shibori.cli.outcome import outcome

if TYPE_CHECKING:
    from shibori.datasets.annotated_sequence import AnnotatedSequence

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class CalibrateOptions:
    """Measure how good masks of each confidence are, and keep it in the weights: the tracker's thresholds follow."""

    weights: Path = field(kw_only=True, metadata={"help": "Weights of the pixel tracker, rewritten.", "argument": True})
    data: Path = field(kw_only=True, metadata={"help": "Folder in the DAVIS layout."})
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    year: int = field(default=2016, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    composites: int = field(default=6, metadata={"help": "Made clips with hidden objects, besides the sequences."})
    frames: int = field(default=60, metadata={"help": "Frames of a made clip."})
    seed: int = field(default=100, metadata={"help": "Of the made clips."})
    preset: str = field(default="compact", metadata={"help": "Size of the network."})


def run_calibration(options: CalibrateOptions) -> None:
    """Follow the clips, fit the curves, write them, say which thresholds follow."""
    from shibori.nn.weights import load_state, save_state
    from shibori.tracking.build import propagator_from_state
    from shibori.tracking.calibrate import calibrate, observe
    from shibori.tracking.calibration import calibrated
    from shibori.tracking.config import TrackerConfig

    with outcome():
        state = load_state(options.weights, "pixel", options.preset)
        propagator = propagator_from_state(state, options.preset, config=TrackerConfig())
        observations = observe(propagator, _clips(options), _show)
        curves = calibrate(observations)
        save_state(options.weights, state | {"calibration": curves}, "pixel", options.preset)
        config = calibrated(TrackerConfig(), curves)
        print(
            f"{options.weights}: lost below {config.lost_threshold:.2f}, looked for elsewhere below "
            f"{config.doubt_threshold:.2f}, found again from {config.redetect_threshold:.2f}"
        )


def _show(name: str, count: int) -> None:
    print(f"{name}: {count} predictions so far", flush=True)


def _clips(options: CalibrateOptions) -> Iterator[AnnotatedSequence]:
    from shibori.datasets.davis import read_davis
    from shibori.datasets.scene.occlusion_composites import hidden_composites

    sequences = read_davis(options.data, options.year, options.split)
    yield from sequences
    if options.composites:
        yield from hidden_composites(sequences, options.seed, options.composites, num_frames=options.frames)


app.command(name="calibrate")(command_from(CalibrateOptions, run_calibration))
