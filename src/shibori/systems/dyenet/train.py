"""Joint training of DyeNet's networks on clips of one object and scenes of several."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from shibori.datasets.flow_clips import FlowClips
from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.scene.instance_scenes import InstancePlan, InstanceScenes
from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError
from shibori.systems.dyenet.batch import Clips, Scenes, flow_clips, stack_clips, stack_scenes, with_flows
from shibori.systems.dyenet.losses import JointTraining
from shibori.systems.dyenet.model import build_dyenet
from shibori.systems.dyenet.size import SIZES
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
    """One training run of DyeNet. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/dyenet"))
    steps: int = run_option("steps", 4000)
    warmup: int = run_option("warmup", 100)
    save_every: int = run_option("save_every", 200)
    seed: int = option(0, "Seed of the parameters, the clips and the scenes.")
    workers: int = option(1, "Processes that make clips, and as many that make scenes.")
    batch: int = option(8, "Clips a step and process, in which the rows of Table 1 take turns; 0: scenes alone.")
    scenes: int = option(3, "Scenes a step and process, each seen twice.")
    size: int = option(208, "Side of the clips' windows in pixels, a multiple of 16.")
    scene_size: int = option(256, "Side of the scenes' pictures in pixels, a multiple of 16.")
    frames: int = option(4, "Frames a clip.")
    real_share: float = option(0.45, "Share of clips and scenes drawn from real sequences.")
    max_gap: int = option(8, "Largest gap between frames of a real clip.")
    pool: int = option(1000, "Cut-out objects with an identity of their own.")
    dev_every: int = option(0, "Steps between scores on the dev split; 0 for never.")


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[tuple[Clips | None, Scenes]]:
    """All networks, with a classifier of the identities that only the training has."""
    _check_sides(config)
    network = starting_network(config, "dyenet", SIZES, build_dyenet, load_shipped)
    data = TrainingData.read(config, group.world_size, network.raft)
    joint = JointTraining(network, data.num_identities).to(device).to(memory_format=torch.channels_last)

    def inputs(step: int, item: tuple[Clips | None, Scenes]) -> Sequence[Any]:
        clips, scenes = item
        hard_share = linear(step / config.steps, 1.0, 0.15, until=0.5)
        seen = None if clips is None else with_flows(clips.on(device), network.raft)
        return seen, scenes.on(device), hard_share

    return Recipe(
        network=network,
        losses=joint,
        batches=lambda first_step: data.batches(config, first_step, group),
        inputs=inputs,
        weights=(WeightsFile("dyenet"),),
        modules={"network": network, "identities": joint.identities},
        parts=network.trained_parts,  # one for each loss: they differ in size, and no parameter serves two
        parts_idle=True,
        frozen=network.frozen_prefixes,
        load_frozen=lambda: load_shipped(network),
    )


def _check_sides(config: TrainConfig) -> None:
    for name, side in (("size", config.size), ("scene_size", config.scene_size)):
        if side < 16 or side % 16:
            raise InputError(f"expected a {name} that is a multiple of 16, found {side}; give one such as 208")


@dataclass(frozen=True)
class TrainingData:
    """The two endless supplies of a run."""

    clips: FlowClips
    scenes: InstanceScenes
    num_identities: int

    @classmethod
    def read(cls, config: TrainConfig, world_size: int, raft: nn.Module | None) -> TrainingData:
        """Read the folder of the configuration, where ``raft``, if any, will estimate the flow.

        Raises:
            InputError: if it holds no photographs.
        """
        stills, sequences = read_training_folder(config.data, config.split)
        plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
        length = config.steps * config.batch * world_size
        clips = flow_clips(TrainingClips(stills, sequences, plan, config.seed, length), config.size, raft)
        instance_plan = InstancePlan(config.scene_size, config.real_share, config.pool)
        scenes = InstanceScenes(
            stills, sequences, instance_plan, config.seed, config.steps * config.scenes * world_size
        )
        return cls(clips, scenes, scenes.num_identities)

    def batches(
        self, config: TrainConfig, first_step: int, group: ProcessGroup
    ) -> Iterator[tuple[Clips | None, Scenes]]:
        """A batch of each for every step left."""
        scenes = _loader(self.scenes, config, first_step, config.scenes, group, stack_scenes)
        if config.batch == 0:
            return zip(repeat(None), scenes, strict=False)
        return zip(_loader(self.clips, config, first_step, config.batch, group, stack_clips), scenes, strict=True)


def _loader(
    data: Dataset[Any],
    config: TrainConfig,
    first_step: int,
    batch: int,
    group: ProcessGroup,
    collate: Callable[[list[Any]], Any],
) -> DataLoader[Any]:
    return step_loader(data, StepBatches(first_step, config.steps, batch, group), config.workers, collate)
