"""Training of the pixel tracker, from nothing or from shipped weights."""

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
from shibori.datasets.training_folder import read_multi_objects, read_training_folder
from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.tracking.losses import UnrolledTracker
from shibori.tracking.mobile import MobileTracker
from shibori.tracking.network import PixelNetwork
from shibori.tracking.presets import SIZES, build_pixel_tracker
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile
from shibori.training.schedule import linear
from shibori.training.start import StartConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig(StartConfig):
    """One training run of the pixel tracker. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/pixel"))
    steps: int = run_option("steps", 6000)
    warmup: int = run_option("warmup", 200)
    decay_share: float = run_option("decay_share", 0.35)
    save_every: int = run_option("save_every", 200)
    batch: int = option(6, "Clips a step and process.")
    size: int = option(224, "Side of the training windows in pixels, a multiple of 32.")
    frames: int = option(4, "Frames a clip.")
    real_share: float = option(0.5, "Share of clips drawn from real sequences.")
    max_gap: int = option(8, "Largest gap between frames of a real clip.")
    longest_jump: int = option(70, "Largest gap where the first step of a real clip is a long jump.")
    twin_share: float = option(0.2, "Share of clips in which copies of the object move beside it.")
    tiny_share: float = option(0.12, "Share of synthesised clips whose object is a few pixels across.")
    thin_share: float = option(0.08, "Share of synthesised clips whose object has thin parts.")
    cut_share: float = option(0.05, "Share of clips with a hard cut.")
    coarse_share: float = option(0.25, "Share of clips seen as enlarged from fewer pixels.")
    remembered_share: float = option(0.6, "Share of the frames after the first that later ones match globally.")
    lost_share: float = option(
        0.2, "Share of frames in which the object is looked for without its previous mask, as where it was lost."
    )
    trunk_factor: float = option(0.15, "Share of the learning rate for a trunk that starts from trained weights.")
    gap_growth: float = option(
        0.5, "Share of the run over which the largest gap grows from 1 to max-gap; 0 for at once."
    )
    noisy_share: float = option(
        0.0, "Share of clips whose reference is a noisy mask such as a detector gives, instead of the true one."
    )
    dev_every: int = option(1000, "Steps between scores on the dev split; 0 for never.")
    trunk: Path | None = option(
        None, "ImageNet weights of MobileNetV2 to start the trunk from, as tools/start_weights.py writes them."
    )


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[list[Tensor]]:
    """The network, and the clips it follows."""
    network = _start_network(config).to(device).to(memory_format=torch.channels_last)

    def inputs(step: int, clips: list[Tensor]) -> Sequence[Any]:
        hard_share = linear(step / config.steps, 1.0, 0.15, until=0.5)
        return *(part.to(device, non_blocking=True) for part in clips), hard_share

    return Recipe(
        network=network,
        losses=UnrolledTracker(network, config.remembered_share, config.lost_share),
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=(WeightsFile("pixel"),),
        modules={"network": network},
        parts=(network,),
        slow=network.trunk.features if isinstance(network, MobileTracker) else None,
        slow_factor=config.trunk_factor,
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[list[Tensor]]:
    stills, sequences = read_training_folder(config.data, config.split)
    sequences = [*sequences, *read_multi_objects(config.data, config.split)]
    length = config.steps * config.batch * group.world_size
    plan = SamplingPlan(
        config.frames,
        config.size,
        config.real_share,
        config.max_gap,
        gap_growth=int(length * config.gap_growth),
        noisy_share=config.noisy_share,
        twin_share=config.twin_share,
        tiny_share=config.tiny_share,
        thin_share=config.thin_share,
        cut_share=config.cut_share,
        coarse_share=config.coarse_share,
        longest_jump=config.longest_jump,
    )
    clips = TrainingClips(stills, sequences, plan, config.seed, length)
    indices = StepBatches(first_step, config.steps, config.batch, group)
    return step_loader(clips, indices, config.workers, stack_clips)


def _start_network(config: TrainConfig) -> PixelNetwork:
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of the pixel tracker ({', '.join(SIZES)}), found {config.preset!r}")
    network = build_pixel_tracker(config.preset, config.fetches)
    if config.trunk is not None:
        _load_trunk(network, config.trunk)
    if config.start is not None:
        network.load_state_dict(load_state(config.start, "pixel", config.preset))
    return network


def _load_trunk(network: PixelNetwork, path: Path) -> None:
    """Start the trunk from a file of MobileNetV2's parameters alone. InputError if they do not fit."""
    if not isinstance(network, MobileTracker):
        raise InputError("expected --trunk for a preset on MobileNetV2 (compact), found another preset; leave it out")
    try:
        network.trunk.features.load_state_dict(load_state(path, "mobilenetv2"))
    except RuntimeError as error:
        raise InputError(
            f"expected parameters of MobileNetV2 in {path}, found some that do not fit; make it with "
            "tools/start_weights.py"
        ) from error


def stack_clips(clips: list[TrainingClip]) -> list[Tensor]:
    """B clips -> images (B, T, 3, S, S), masks (B, T, S, S), others (B, T, S, S), windows (B, T, 4)."""
    return [
        torch.stack([clip.images for clip in clips]),
        torch.stack([clip.masks for clip in clips]),
        torch.stack([clip.others for clip in clips]),
        torch.stack([clip.windows for clip in clips]),
    ]
