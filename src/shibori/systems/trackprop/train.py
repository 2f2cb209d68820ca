"""Training of trackprop's three networks together, on stills, real clips and what is made of them (Sec. 4)."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from shibori.datasets.sampling import SamplingPlan, TrainingClip, TrainingClips
from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.trackprop.losses import Batch, RoundsTraining
from shibori.systems.trackprop.matcher import load_matcher
from shibori.systems.trackprop.model import MATCHER_PREFIX, RegionNetwork, build_trackprop
from shibori.systems.trackprop.size import SIZES
from shibori.systems.trackprop.views import render_for_rounds
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.run import Run, Training, begin
from shibori.training.schedule import linear


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
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
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(True, "Start preset paper from public ImageNet weights, which are fetched.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: not called: the interactive protocol takes longer than a few hundred steps.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        Run(config, TrackpropTraining(config, group), group).go()
    return config.out / "weights.safetensors"


class TrackpropTraining(Training[Batch]):
    """The three networks, and the clips of which they make rounds."""

    system = "trackprop"

    def __init__(self, config: TrainConfig, group: ProcessGroup) -> None:
        self.config, self.group, self.device = config, group, begin(config, group)
        _check(config)
        self.regions = start_network(config).to(self.device).to(memory_format=torch.channels_last)
        super().__init__(self.regions, RoundsTraining(self.regions))

    def batches(self, first_step: int) -> Iterable[Batch]:
        """As ``stack_clips`` returns them."""
        config = self.config
        cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
        stills, sequences = read_training_folder(config.data, config.split)
        plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
        length = config.steps * config.batch * self.group.world_size
        clips = TrainingClips(stills, sequences, plan, config.seed, length, render_for_rounds)
        indices = StepBatches(first_step, config.steps, config.batch, self.group)
        return step_loader(clips, indices, config.workers, stack_clips)

    def inputs(self, step: int, item: Batch) -> Sequence[Any]:
        """The clips, the share of the pixels that count, and a seed of the rounds."""
        hard_share = linear(step / self.config.steps, 1.0, 0.25, until=0.5)
        return item.on(self.device), hard_share, self.config.seed * 1_000_003 + step

    def own(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but the pixel tracker's."""
        return {name: value for name, value in state.items() if not name.startswith(MATCHER_PREFIX)}

    def load(self, state: dict[str, Any]) -> None:
        """The opposite of ``state``."""
        self.regions.load_own_state(state["network"])

    def load_frozen(self) -> None:
        """The pixel tracker."""
        load_matcher(self.regions)


def _check(config: TrainConfig) -> None:
    if config.size < 32 or config.size % 16:
        raise InputError(f"expected a size that is a multiple of 16, found {config.size}; give one such as 192")
    if config.frames < 2:
        raise InputError(f"expected at least 2 frames a clip, found {config.frames}; give 3")
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of trackprop ({', '.join(SIZES)}), found {config.preset!r}")


def start_network(config: TrainConfig) -> RegionNetwork:
    """The networks a run starts from. InputError for weights that are not there or do not fit."""
    network = build_trackprop(config.preset, config.pretrained and config.start is None and not config.resume)
    if config.start is not None:
        network.load_own_state(load_state(config.start, "trackprop", config.preset))
        network.matcher_digest.zero_()  # whichever tracker they come from, they are trained on with this version's
    load_matcher(network)
    return network


def stack_clips(clips: list[TrainingClip]) -> Batch:
    """B clips as a batch."""
    names = ("images", "masks", "others", "windows")
    return Batch(*(torch.stack([getattr(clip, name) for clip in clips]) for name in names))
