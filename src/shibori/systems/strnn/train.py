"""Training of strnn in two steps (Sec. 2.4.1): extractor and spatial part, then the RNN with its temporal link."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.training_clip import TrainingClip
from shibori.datasets.training_folder import read_training_folder
from shibori.datasets.views import render_widely
from shibori.systems.strnn.losses import ClipLoss
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.size import SIZES, rule_of
from shibori.systems.strnn.tracker import start_from_tracker
from shibori.tracking.shipped import load_shipped
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile
from shibori.training.start import StartConfig, starting_network


@dataclass(frozen=True, kw_only=True)
class TrainConfig(StartConfig):
    """One training run of strnn. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/strnn"))
    steps: int = run_option("steps", 1500)
    rate: float = run_option("rate", 3e-4)
    decay_share: float = run_option("decay_share", 0.35)
    average: float = run_option("average", 0.99)
    first_share: float = option(0.6, "Part of them for the first step: extractor and spatial part, frames unlinked.")
    batch: int = option(4, "Clips a step and process.")
    size: int = option(256, "Side of the training frames in pixels, a multiple of 16.")
    frames: int = option(3, "Frames a clip.")
    adaption_weight: float = option(1.0, "Weight of the adaption's own loss beside Eq. 4; 0 for Eq. 4 alone.")
    real_share: float = option(0.5, "Share of clips drawn from real sequences.")
    max_gap: int = option(4, "Largest gap between frames of a real clip.")


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[list[Tensor]]:
    """The network in the first or the second step of Sec. 2.4.1, and the clips it learns from."""
    network = start_network(config).to(device).to(memory_format=torch.channels_last)

    def inputs(step: int, clips: list[Tensor]) -> Sequence[Any]:
        with_time = step >= config.first_share * config.steps
        set_step(network, with_time)
        images, masks = (part.to(device, non_blocking=True) for part in clips)
        return images, masks, with_time, config.seed + step

    return Recipe(
        network=network,
        losses=ClipLoss(network, rule_of(config.preset), adaption_weight=config.adaption_weight),
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=(WeightsFile("strnn"),),
        modules={"network": network},
        parts=(network,),
        parts_idle=True,  # in the second step the extractor has no gradient
        frozen=network.frozen_prefixes,
        load_frozen=lambda: load_shipped(network),
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[list[Tensor]]:
    stills, sequences = read_training_folder(config.data, config.split)
    length = config.steps * config.batch * group.world_size
    plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
    clips = TrainingClips(stills, sequences, plan, config.seed, length, render_widely)
    indices = StepBatches(first_step, config.steps, config.batch, group)
    return step_loader(clips, indices, config.workers, stack_clips)


def start_network(config: TrainConfig) -> StrnnNetwork:
    """The network a run starts from. InputError for a preset or weights that are not there."""
    return starting_network(config, "strnn", SIZES, _untrained, load_shipped)


def _untrained(preset: str, pretrained: bool) -> StrnnNetwork:
    network = build_strnn(preset, pretrained)
    start_from_tracker(network)
    return network


def set_step(network: StrnnNetwork, with_time: bool) -> None:
    """Make the network ready for the first or the second step of Sec. 2.4.1: in the second the extractor is fixed.

    A pixel tracker is fixed in both. Batch statistics stay what they were in both, since batches are small.
    """
    network.train()
    network.extractor.eval().requires_grad_(not with_time and network.tracker is None)


def stack_clips(clips: list[TrainingClip]) -> list[Tensor]:
    """B clips -> images (B, T, 3, S, S), masks (B, T, S, S)."""
    return [torch.stack([clip.images for clip in clips]), torch.stack([clip.masks for clip in clips])]
