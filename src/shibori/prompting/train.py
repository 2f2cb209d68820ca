"""Training of the promptable network on whole objects, from weights that know parts, objects and groups."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from shibori.datasets.training_folder import read_multi_objects, read_training_folder
from shibori.errors import InputError
from shibori.nn.weights import load_fitting, load_state
from shibori.prompting.losses import ROUND_WEIGHTS, RoundsOfMarks
from shibori.prompting.network import PromptNetwork
from shibori.prompting.pictures import PicturePlan, PromptPicture, PromptPictures
from shibori.prompting.presets import SIZES, build_prompt_network
from shibori.prompting.view import GRID
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import Recipe, WeightsFile
from shibori.training.schedule import linear

Pictures = list[PromptPicture]


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """One training run of the promptable network. Saved as JSON beside its weights."""

    out: Path = run_option("out", Path("runs/prompt"))
    steps: int = run_option("steps", 3000)
    rate: float = run_option("rate", 1.5e-4)
    warmup: int = run_option("warmup", 100)
    average: float = run_option("average", 0.997)
    start: Path | None = option(
        None, "Weights to start from, as tools/prompt_start_weights.py or a run writes them, instead of random ones."
    )
    batch: int = option(2, "Pictures a step and process.")
    size: int = option(512, "Longer side of the largest pictures in pixels, a multiple of 32.")
    smallest_size: int = option(256, "Longer side of the smallest, a multiple of 32.")
    objects: int = option(4, "Objects of a picture that are asked for, at most.")
    rounds: int = option(8, "Rounds of marks on a picture, at most 8.")
    real_share: float = option(0.5, "Share of pictures that are frames of real clips.")
    whole_share: float = option(0.3, "Share of pictures that show a whole frame instead of a window around an object.")
    pasted_share: float = option(0.35, "Share of pictures that another object is laid over.")
    encoder_factor: float = option(0.2, "Share of the learning rate for the image encoder.")
    early_layers: bool = option(False, "Train the encoder's layers up to stride 8 as well; a step takes longer.")


def recipe(config: TrainConfig, group: ProcessGroup, device: torch.device) -> Recipe[Pictures]:
    """The network, and the pictures on which it is marked."""
    _check(config)
    network = _start_network(config).to(device).to(memory_format=torch.channels_last)
    if not config.early_layers:
        for layers in network.encoder.early:
            layers.requires_grad_(False)

    def inputs(step: int, pictures: Pictures) -> Sequence[Any]:
        hard_share = linear(step / config.steps, 0.5, 0.2, until=0.5)
        there = [PromptPicture(*(part.to(device, non_blocking=True) for part in picture)) for picture in pictures]
        return there, hard_share, config.seed * 1_000_003 + step

    return Recipe(
        network=network,
        losses=RoundsOfMarks(network, config.rounds),
        batches=partial(_batches, config, group),
        inputs=inputs,
        weights=(WeightsFile("prompt"),),
        modules={"network": network},
        parts=(network,),
        slow=network.encoder,
        slow_factor=config.encoder_factor,
        parts_idle=True,
    )


def _batches(config: TrainConfig, group: ProcessGroup, first_step: int) -> Iterable[Pictures]:
    stills, sequences = read_training_folder(config.data, config.split)
    sequences = [*sequences, *read_multi_objects(config.data, config.split)]
    plan = PicturePlan(
        config.size,
        config.smallest_size,
        config.real_share,
        config.whole_share,
        config.pasted_share,
        most_objects=config.objects,
    )
    length = config.steps * config.batch * group.world_size
    pictures = PromptPictures(stills, sequences, plan, config.seed, length)
    indices = StepBatches(first_step, config.steps, config.batch, group)
    return step_loader(pictures, indices, config.workers, list)


def _start_network(config: TrainConfig) -> PromptNetwork:
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of the promptable network ({', '.join(SIZES)}), found {config.preset!r}")
    network = build_prompt_network(config.preset)
    if config.start is not None:
        state = load_state(config.start, "prompt", config.preset)
        load_fitting(network, state, f"weights of the preset {config.preset}")
    return network


def _check(config: TrainConfig) -> None:
    for name, side in (("size", config.size), ("smallest size", config.smallest_size)):
        if side < GRID or side % GRID:
            raise InputError(f"expected a {name} that is a multiple of {GRID}, found {side}; give one such as 384")
    if config.smallest_size > config.size:
        raise InputError(f"expected a smallest size of at most {config.size}, found {config.smallest_size}")
    if not 1 <= config.rounds <= len(ROUND_WEIGHTS):
        raise InputError(f"expected 1 to {len(ROUND_WEIGHTS)} rounds, found {config.rounds}; give 8")
