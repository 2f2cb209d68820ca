"""Training of the trackers' networks (``shibori train trackers``): ATOM's IoU prediction and the Siamese network.

Both stand on one frozen trunk.
"""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from shibori.boxtracking.losses import TrackerTraining
from shibori.boxtracking.pairs import Pairs, pairs_of
from shibori.boxtracking.presets import DIGEST, SIZES, build_iou_network, build_siamese, build_trunk
from shibori.boxtracking.trunks import trunk_digest
from shibori.boxtracking.views import ViewTrunk
from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.sampling import RealSequence
from shibori.datasets.scene.instance_scenes import InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.stills import read_stills
from shibori.errors import InputError
from shibori.nn.prepare import choose_dtype, prepare_network
from shibori.nn.weights import save_state
from shibori.ops.normalise import normalise_images
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.run import Run, Training, begin

Scenes = list[tuple[InstanceView, InstanceView]]
"""Of one step, each seen twice."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """One training run of the trackers. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/trackers"))
    preset: str = option("compact", "Size of the networks.")
    steps: int = run_option("steps", 3000)
    average: float = run_option("average", 0.995)
    seed: int = option(0, "Seed of the parameters and the scenes.")
    workers: int = option(1, "Processes that make scenes; 0: this one does.")
    threads: int = option(1, "CPU threads of the networks.")
    device: str = option("cpu", "Device of the networks: cpu or cuda.")
    scenes: int = option(4, "Scenes a step, each seen twice.")
    pairs: int = option(16, "Most pairs a step.")
    absent_share: float = option(0.25, "Of the pairs whose object is not where it is looked for.")
    scene_size: int = option(256, "Side of the scenes' pictures in pixels, a multiple of 16.")
    real_share: float = option(0.5, "Share of scenes drawn from real sequences.")
    sets: str = option("", "Names of the sets of stills to read, with commas; all of them by default.")
    real_height: int = option(240, "Real frames are kept in memory at this height, in pixels.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the folder in which are ``atom.safetensors`` and ``siamese.safetensors``.

    Args:
        config: what to do.
        dev_score: not called: a tracker of boxes gives no masks.

    Raises:
        InputError: on data, a preset, a device or a checkpoint that are not there.
    """
    group = ProcessGroup(0, 1, 0)
    Run(config, PairTraining(config, group), group).go()
    return config.out


class PairTraining(Training[Scenes]):
    """Both networks, and the pairs of views they learn from."""

    key = "run"

    def __init__(self, config: TrainConfig, group: ProcessGroup) -> None:
        if config.preset not in SIZES:
            raise InputError(f"expected a preset of the trackers ({', '.join(SIZES)}), found {config.preset!r}")
        self.config, self.group, self.device = config, group, begin(config, group)
        self.run = TrackerTraining(build_iou_network(config.preset), build_siamese(config.preset)).to(self.device)
        trunk = build_trunk(config.preset)
        self.digest = trunk_digest(trunk)
        prepared = prepare_network(trunk, self.device, choose_dtype(self.device))
        assert isinstance(prepared, ViewTrunk)
        self.trunk = prepared
        super().__init__(self.run, self.run)

    @property
    def parts(self) -> Sequence[nn.Module]:
        """One for each tracker: no parameter serves both."""
        return self.run.iou, self.run.siamese

    def batches(self, first_step: int) -> Iterable[Scenes]:
        """Scenes for every step left."""
        config = self.config
        cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
        indices = StepBatches(first_step, config.steps, config.scenes, self.group)
        return step_loader(_scenes(config), indices, config.workers, list)

    def inputs(self, step: int, item: Scenes) -> Sequence[Any]:
        """What the trunk sees in all views, and which of their objects make pairs."""
        pairs = pairs_of(item, self.config.pairs, self.config.absent_share)
        images = torch.stack([view.image for pair in item for view in pair])
        features = self.trunk.see(normalise_images(images.to(self.device)))
        return features, Pairs(*(part.to(self.device) for part in pairs))

    def save_weights(self, config: RunConfig, average: dict[str, Tensor]) -> None:
        """A file for each tracker, with the trunk that it stands on."""
        for system, prefix in (("atom", "iou."), ("siamese", "siamese.")):
            own = {name.removeprefix(prefix): value for name, value in average.items() if name.startswith(prefix)}
            save_state(config.out / f"{system}.safetensors", own | {DIGEST: self.digest}, system, config.preset)


def _scenes(config: TrainConfig) -> InstanceScenes:
    if config.scene_size < 16 or config.scene_size % 16:
        raise InputError(f"expected a scene_size that is a multiple of 16, found {config.scene_size}; give one as 256")
    if not (config.data / "stills").is_dir():
        raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
    davis = config.data / "davis2016"
    sequences = read_small_sequences(davis, config.split, config.real_height) if davis.is_dir() else []
    plan = InstancePlan(config.scene_size, config.real_share, pool=100_000)
    stills = read_stills(config.data / "stills", config.sets.split(",") if config.sets else None)
    return InstanceScenes(stills, sequences, plan, config.seed, config.steps * config.scenes)


def read_small_sequences(root: Path, split: str, height: int) -> list[RealSequence]:
    """The sequences of a split of a DAVIS 2016 folder, their frames shrunk to ``height`` pixels.

    Trackers see whole frames at about that size, and all frames of a large set would not fit into memory.
    """
    return [_read_small(sequence, height) for sequence in read_davis(root, 2016, split)]


def _read_small(sequence: DavisSequence, height: int) -> RealSequence:
    images, masks = [], []
    for index in range(sequence.num_frames):
        image, mask = sequence.read_image(index), sequence.read_ids(index)
        width = round(height * image.shape[1] / image.shape[0])
        images.append(np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
        masks.append(np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8))
    return RealSequence(sequence.name, tuple(images), tuple(masks))
