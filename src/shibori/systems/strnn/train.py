"""Training of strnn in two steps (Sec. 2.4.1): extractor and spatial part, then the RNN with its temporal link."""

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

from shibori.datasets.sampling import SamplingPlan, TrainingClip, TrainingClips, render_widely
from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.strnn.losses import ClipLoss
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.size import SIZES, rule_of
from shibori.systems.strnn.tracker import load_tracker, start_from_tracker
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.run import Run, Training, begin


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
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
    dev_every: int = option(0, "Steps between scores on the dev split; 0 for never.")
    start: Path | None = option(None, "Weights of strnn to start from.")
    pretrained: bool = option(
        True, "Start the backbone of preset paper from public ImageNet weights, which are fetched."
    )


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: given a state dict, the J&F on the held-out sequences; called every ``dev_every`` steps.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        Run(config, StrnnTraining(config, group), group).go(dev_score, config.dev_every)
    return config.out / "weights.safetensors"


class StrnnTraining(Training[list[Tensor]]):
    """The network in the first or the second step of Sec. 2.4.1, and the clips it learns from."""

    system = "strnn"
    parts_idle = True  # in the second step the extractor has no gradient

    def __init__(self, config: TrainConfig, group: ProcessGroup) -> None:
        self.config, self.group, self.device = config, group, begin(config, group)
        self.strnn = start_network(config).to(self.device).to(memory_format=torch.channels_last)
        rule = rule_of(config.preset)
        super().__init__(self.strnn, ClipLoss(self.strnn, rule, adaption_weight=config.adaption_weight))

    def batches(self, first_step: int) -> Iterable[list[Tensor]]:
        """As ``stack_clips`` returns them."""
        config = self.config
        cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
        stills, sequences = read_training_folder(config.data, config.split)
        length = config.steps * config.batch * self.group.world_size
        plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
        clips = TrainingClips(stills, sequences, plan, config.seed, length, render_widely)
        indices = StepBatches(first_step, config.steps, config.batch, self.group)
        return step_loader(clips, indices, config.workers, stack_clips)

    def inputs(self, step: int, item: list[Tensor]) -> Sequence[Any]:
        """The clips, whether with the temporal link, and a seed; the network is made ready for it."""
        with_time = step >= self.config.first_share * self.config.steps
        set_step(self.strnn, with_time)
        images, masks = (part.to(self.device, non_blocking=True) for part in item)
        return images, masks, with_time, self.config.seed + step

    def own(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but a frozen pixel tracker's."""
        return self.strnn.own_part(state)

    def load(self, state: dict[str, Any]) -> None:
        """The opposite of ``state``."""
        self.strnn.load_own_state(state["network"])

    def load_frozen(self) -> None:
        """The pixel tracker, if the network stands on it."""
        load_tracker(self.strnn)


def start_network(config: TrainConfig) -> StrnnNetwork:
    """The network a run starts from. InputError for a preset or weights that are not there."""
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of strnn ({', '.join(SIZES)}), found {config.preset!r}")
    from_nothing = config.start is None and not config.resume
    network = build_strnn(config.preset, config.pretrained and from_nothing)
    start_from_tracker(network)
    if config.start is not None:
        network.load_own_state(load_state(config.start, "strnn", config.preset))
        network.tracker_digest.zero_()  # whichever tracker they come from, they are trained on with this version's
    load_tracker(network)
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
