"""Training of IPDT's detector on photographs, frames of real clips, and cut-out objects pasted over both."""

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

from shibori.datasets.classed_stills import read_classed_stills
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.detection_scenes import DetectionPlan, DetectionScene, DetectionScenes
from shibori.datasets.training_folder import stills_folder
from shibori.errors import InputError
from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.losses import DetectorTraining, Truth
from shibori.systems.ipdt.model import build_detector, load_trunk
from shibori.systems.ipdt.size import SIZES, STRIDE
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile
from shibori.training.start import StartConfig, starting_network


@dataclass(frozen=True, kw_only=True)
class TrainConfig(StartConfig):
    """One training run of IPDT's detector. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/ipdt"))
    preset: str = option("compact", "Size of the detector.")
    steps: int = run_option("steps", 6000)
    warmup: int = run_option("warmup", 150)
    decay_share: float = run_option("decay_share", 0.4)
    seed: int = option(0, "Seed of the parameters and of the pictures.")
    workers: int = option(1, "Processes that make pictures.")
    save_every: int = run_option("save_every", 200)
    batch: int = option(8, "Pictures a step and process.")
    height: int = option(256, "Height of the training pictures in pixels, a multiple of 32.")
    width: int = option(320, "Width of the training pictures in pixels, a multiple of 32.")
    real_share: float = option(0.3, "Share of pictures whose ground is a frame of a real clip.")
    paste_share: float = option(0.65, "Share of pictures with pasted objects.")


Pictures = tuple[Tensor, list[Truth]]
"""(B, 3, H, W) uint8, and the objects of each."""


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[Pictures]:
    """The detector, and the pictures it learns from."""
    _check_sides(config)
    detector = starting_network(config, "ipdt that can be trained", SIZES, build_detector, load_trunk)
    detector = detector.to(device).to(memory_format=torch.channels_last).train()

    def inputs(_step: int, pictures: Pictures) -> Sequence[Any]:
        images, truths = pictures
        normal = normalise_images(images.to(device)).contiguous(memory_format=torch.channels_last)
        return normal, [Truth(*(part.to(device) for part in truth)) for truth in truths]

    return Recipe(
        network=detector,
        losses=DetectorTraining(detector),
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=(WeightsFile("ipdt"),),
        modules={"detector": detector},
        parts=(detector,),
        largest_norm=5.0,
        parts_idle=True,  # no object, no mask
        frozen=detector.frozen_prefixes,
        load_frozen=lambda: load_trunk(detector),
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[Pictures]:
    scenes = _scenes(config, config.steps * config.batch * group.world_size)
    indices = StepBatches(first_step, config.steps, config.batch, group)
    return step_loader(scenes, indices, config.workers, stack_scenes)


def _check_sides(config: TrainConfig) -> None:
    for name, side in (("height", config.height), ("width", config.width)):
        if side < STRIDE or side % STRIDE:
            raise InputError(f"expected a {name} that is a multiple of {STRIDE}, found {side}; give one such as 256")


def _scenes(config: TrainConfig, length: int) -> DetectionScenes:
    stills = [still for still in read_classed_stills(stills_folder(config.data)) if not still.is_held_out]
    davis = config.data / "davis2016"
    sequences = sorted(read_davis(davis, 2016, config.split), key=lambda each: each.name) if davis.is_dir() else []
    plan = DetectionPlan((config.height, config.width), config.real_share, config.paste_share)
    return DetectionScenes(stills, sequences, plan, config.seed, length)


def stack_scenes(scenes: list[DetectionScene]) -> Pictures:
    """B scenes -> (B, 3, H, W) uint8 pictures, and the objects of each."""
    truths = [Truth(scene.boxes, scene.labels, scene.masks) for scene in scenes]
    return torch.stack([scene.image for scene in scenes]), truths
