"""The training loop: from the start or a checkpoint to the end or a time limit, whatever is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from shibori.errors import InputError
from shibori.nn.prepare import choose_device, mixed_precision
from shibori.nn.weights import save_state
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.config import RunConfig
from shibori.training.log import RunLog
from shibori.training.optimiser import load_optimiser, parameter_groups, set_rate
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.recipe import DevScore, Recipe
from shibori.training.schedule import warm_stable_decay

Config = TypeVar("Config", bound=RunConfig)
CHECKPOINT = "checkpoint.pt"


def train(
    config: Config, recipe: Callable[[Config, ProcessGroup, torch.device], Recipe[Any]], dev: DevScore | None = None
) -> tuple[Path, ...]:
    """Do what a system's ``TrainConfig`` says, alone or as one of torchrun's processes.

    Args:
        config: of the run.
        recipe: of the same system, for a configuration, the processes that share the work, and this one's device.
        dev: how the network is judged meanwhile.

    Returns:
        The files of weights that were written.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        device = choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)
        chosen = recipe(config, group, device)
        fit(config, chosen, group, dev)
    return tuple(config.out / file.name for file in chosen.weights)


def fit(config: RunConfig, recipe: Recipe[Any], group: ProcessGroup, dev: DevScore | None = None) -> None:
    """Make the steps that are left, or those that the time allows; the first process writes the files."""
    device = next(recipe.losses.parameters()).device
    groups = parameter_groups(recipe.losses, config.weight_decay, recipe.slow, recipe.slow_factor)
    optimiser = torch.optim.AdamW(groups, lr=config.rate)
    average = ParameterAverage(recipe.network, config.average)
    first_step = _resume(config, recipe, optimiser, average) if config.resume else 0
    batches = recipe.batches(first_step)
    losses = _data_parallel(recipe, group, device)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60

    for step, item in enumerate(batches, first_step):
        torch.manual_seed(config.seed * 1_000_003 + step)  # what is drawn from here on depends on the step alone
        rate = config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share)
        set_rate(optimiser, rate)
        inputs = recipe.inputs(step, item)
        with mixed_precision(device):
            loss = losses(*inputs)
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        for part in recipe.parts:
            clip_grad_norm_(part.parameters(), recipe.largest_norm)
        optimiser.step()
        average.update(recipe.network, step)

        log.add(step, loss, rate)
        done = step + 1
        is_over = bool(config.minutes) and group.any(time.monotonic() > deadline)
        if group.is_first and (is_over or done == config.steps or done % config.save_every == 0):
            _save(config, recipe, done, optimiser, average)
        if group.is_first and dev is not None and done % dev.every == 0:
            log.add_dev(step, dev.score(recipe.own(average.state)))
        if is_over:
            break


def _data_parallel(recipe: Recipe[Any], group: ProcessGroup, device: torch.device) -> nn.Module:
    """The losses, so that all processes go by the mean of their gradients."""
    if group.world_size == 1:
        return recipe.losses
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(recipe.losses, device_ids=ids, find_unused_parameters=recipe.parts_idle)


def _save(
    config: RunConfig, recipe: Recipe[Any], done: int, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> None:
    modules = {name: recipe.own(module.state_dict()) for name, module in recipe.modules.items()}
    kept = recipe.own(average.state)
    state = {"step": done, "optimiser": optimiser.state_dict(), "average": kept, **modules}
    save_checkpoint(config.out / CHECKPOINT, state)
    for file in recipe.weights:
        part = {name.removeprefix(file.prefix): v for name, v in kept.items() if name.startswith(file.prefix)}
        save_state(config.out / file.name, {**part, **file.beside}, file.system, config.preset)


def _resume(config: RunConfig, recipe: Recipe[Any], optimiser: torch.optim.Optimizer, average: ParameterAverage) -> int:
    """Take up what ``_save`` wrote; the number of steps that were made."""
    state = load_checkpoint(config.out / CHECKPOINT)
    try:
        for name, module in recipe.modules.items():
            frozen = {key: value for key, value in module.state_dict().items() if key.startswith(recipe.frozen)}
            module.load_state_dict(state[name] | frozen)
    except (RuntimeError, KeyError) as error:
        raise InputError(
            f"expected a checkpoint of the preset {config.preset} in {config.out}, found one of another network; "
            "resume with the preset the run was started with"
        ) from error
    if recipe.load_frozen is not None:
        recipe.load_frozen()
    load_optimiser(optimiser, state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
