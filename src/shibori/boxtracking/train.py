"""Training of the trackers' networks (``shibori train trackers``): ATOM's IoU prediction and the Siamese network.

Both stand on one frozen trunk.
"""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from shibori.boxtracking.losses import TrackerTraining
from shibori.boxtracking.pairs import Pairs, pairs_of
from shibori.boxtracking.presets import SIZES, build_iou_network, build_siamese, build_trunk
from shibori.boxtracking.views import ViewTrunk
from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.real_frames import RealSequence
from shibori.datasets.scene.instance_scenes import InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.stills import read_stills
from shibori.datasets.training_folder import stills_folder
from shibori.errors import InputError
from shibori.nn.frozen import TRUNK_DIGEST, state_digest
from shibori.nn.prepare import choose_dtype, prepare_network
from shibori.ops.normalise import normalise_images
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile

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
    scenes: int = option(4, "Scenes a step and process, each seen twice.")
    pairs: int = option(16, "Most pairs a step and process.")
    absent_share: float = option(0.25, "Of the pairs whose object is not where it is looked for.")
    scene_size: int = option(256, "Side of the scenes' pictures in pixels, a multiple of 16.")
    real_share: float = option(0.5, "Share of scenes drawn from real sequences.")
    sets: str = option("", "Names of the sets of stills to read, with commas; all of them by default.")
    real_height: int = option(240, "Real frames are kept in memory at this height, in pixels.")


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[Scenes]:
    """Both networks, and the pairs of views they learn from."""
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of the trackers ({', '.join(SIZES)}), found {config.preset!r}")
    run = TrackerTraining(build_iou_network(config.preset), build_siamese(config.preset)).to(device)
    trunk = build_trunk(config.preset)
    beside = {TRUNK_DIGEST: state_digest(trunk.state_dict())}
    prepared = prepare_network(trunk, device, choose_dtype(device))
    assert isinstance(prepared, ViewTrunk)

    def inputs(_step: int, scenes: Scenes) -> Sequence[Any]:
        pairs = pairs_of(scenes, config.pairs, config.absent_share)
        images = torch.stack([view.image for pair in scenes for view in pair])
        features = prepared.see(normalise_images(images.to(device)))
        return features, Pairs(*(part.to(device) for part in pairs))

    return Recipe(
        network=run,
        losses=run,
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=tuple(
            WeightsFile(system, f"{system}.safetensors", prefix, beside)
            for system, prefix in (("atom", "iou."), ("siamese", "siamese."))
        ),
        modules={"run": run},
        parts=(run.iou, run.siamese),  # one for each tracker: no parameter serves both
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[Scenes]:
    indices = StepBatches(first_step, config.steps, config.scenes, group)
    return step_loader(_scenes(config, group), indices, config.workers, list)


def _scenes(config: TrainConfig, group: ProcessGroup) -> InstanceScenes:
    if config.scene_size < 16 or config.scene_size % 16:
        raise InputError(f"expected a scene_size that is a multiple of 16, found {config.scene_size}; give one as 256")
    folder = stills_folder(config.data)
    davis = config.data / "davis2016"
    sequences = read_small_sequences(davis, config.split, config.real_height) if davis.is_dir() else []
    plan = InstancePlan(config.scene_size, config.real_share, pool=100_000)
    stills = read_stills(folder, config.sets.split(",") if config.sets else None)
    return InstanceScenes(stills, sequences, plan, config.seed, config.steps * config.scenes * group.world_size)


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
