"""Training of trackprop's three networks together, on stills, real clips and what is made of them (Sec. 4)."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.training_clip import TrainingClip
from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError
from shibori.systems.trackprop.losses import Batch, RoundsTraining
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.size import SIZES
from shibori.systems.trackprop.views import render_for_rounds
from shibori.tracking.shipped import load_shipped
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile
from shibori.training.schedule import linear
from shibori.training.start import StartConfig, starting_network


@dataclass(frozen=True, kw_only=True)
class TrainConfig(StartConfig):
    """One training run of trackprop. Saved as JSON beside its weights."""

    out: Path = option(Path("runs/trackprop"), "Folder for the checkpoint, the log, the configuration, the weights.")
    preset: str = option("compact", "Size of the networks.")
    steps: int = run_option("steps", 3000)
    rate: float = run_option("rate", 1.5e-3)
    average: float = run_option("average", 0.995)
    seed: int = option(0, "Seed of the parameters, the clips, the marks and the noise.")
    threads: int = option(2, "CPU threads of the networks.")
    device: str = option("cpu", "Device of the networks: cpu or cuda.")
    batch: int = option(6, "Clips a step and process.")
    size: int = option(192, "Side of the training regions in pixels, a multiple of 16.")
    frames: int = option(3, "Frames a clip, 2 or more.")
    real_share: float = option(0.4, "Share of clips drawn from real sequences.")
    max_gap: int = option(5, "Largest gap between frames of a real clip.")


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[Batch]:
    """The three networks, and the clips of which they make rounds."""
    _check(config)
    regions = starting_network(config, "trackprop", SIZES, build_trackprop, load_shipped)
    regions = regions.to(device).to(memory_format=torch.channels_last)

    def inputs(step: int, clips: Batch) -> Sequence[Any]:
        hard_share = linear(step / config.steps, 1.0, 0.25, until=0.5)
        return clips.on(device), hard_share, config.seed * 1_000_003 + step

    return Recipe(
        network=regions,
        losses=RoundsTraining(regions),
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=(WeightsFile("trackprop"),),
        modules={"network": regions},
        parts=(regions,),
        frozen=regions.frozen_prefixes,
        load_frozen=lambda: load_shipped(regions),
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[Batch]:
    stills, sequences = read_training_folder(config.data, config.split)
    plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
    length = config.steps * config.batch * group.world_size
    clips = TrainingClips(stills, sequences, plan, config.seed, length, render_for_rounds)
    indices = StepBatches(first_step, config.steps, config.batch, group)
    return step_loader(clips, indices, config.workers, stack_clips)


def _check(config: TrainConfig) -> None:
    if config.size < 32 or config.size % 16:
        raise InputError(f"expected a size that is a multiple of 16, found {config.size}; give one such as 192")
    if config.frames < 2:
        raise InputError(f"expected at least 2 frames a clip, found {config.frames}; give 3")


def stack_clips(clips: list[TrainingClip]) -> Batch:
    """B clips as a batch."""
    names = ("images", "masks", "others", "windows")
    return Batch(*(torch.stack([getattr(clip, name) for clip in clips]) for name in names))
