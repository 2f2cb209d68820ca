"""Training of trackprop's three networks together, on stills, real clips and what is made of them (Sec. 4)."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from shibori.datasets.sampling import SamplingPlan, TrainingClip, TrainingClips, read_real_sequences
from shibori.datasets.stills import read_stills
from shibori.errors import InputError
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_state, save_state
from shibori.systems.trackprop.losses import Batch, RoundsLoss, RoundsTraining
from shibori.systems.trackprop.matcher import load_matcher
from shibori.systems.trackprop.model import MATCHER_PREFIX, RegionNetwork, build_trackprop
from shibori.systems.trackprop.size import SIZES
from shibori.systems.trackprop.views import render_for_rounds
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.schedule import linear, warm_stable_decay


@dataclass(frozen=True)
class TrainConfig:
    """One training run of trackprop. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/trackprop"), "Folder for the checkpoint, the log, the configuration, the weights.")
    preset: str = option("compact", "Size of the networks.")
    steps: int = option(3000, "Optimiser steps in all.")
    batch: int = option(6, "Clips a step and process.")
    size: int = option(192, "Side of the training regions in pixels, a multiple of 16.")
    frames: int = option(3, "Frames a clip, 2 or more.")
    rate: float = option(1.5e-3, "Peak learning rate of AdamW.")
    warmup: int = option(50, "Steps over which the learning rate rises.")
    decay_share: float = option(0.5, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.995, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.4, "Share of clips drawn from real sequences.")
    max_gap: int = option(5, "Largest gap between frames of a real clip.")
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters, the clips, the marks and the noise.")
    workers: int = option(1, "Processes that make clips.")
    threads: int = option(2, "CPU threads of the networks.")
    device: str = option("cpu", "Device of the networks: cpu or cuda.")
    save_every: int = option(100, "Steps between checkpoints.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(True, "Start preset paper from public ImageNet weights, which are fetched.")
    resume: bool = option(False, "Go on from the checkpoint in the out folder.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: not called: the interactive protocol takes longer than a few hundred steps.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        return _train(config, group)


def _train(config: TrainConfig, group: ProcessGroup) -> Path:
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    _check(config)
    device = choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)
    network = start_network(config).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.rate)
    average = ParameterAverage(network, config.average)
    first_step = _resume(config, network, optimiser, average) if config.resume else 0
    rounds: nn.Module = RoundsTraining(network)
    if group.world_size > 1:
        rounds = DistributedDataParallel(rounds, device_ids=[device.index] if device.type == "cuda" else None)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, batch in enumerate(_batches(config, first_step, group), first_step):
        loss = _update(config, step, rounds, optimiser, batch.on(device))
        average.update(network, step)
        log.add(step, loss, optimiser.param_groups[0]["lr"])
        stopping = bool(config.minutes) and group.any(time.monotonic() > deadline)
        if group.is_first and ((step + 1) % config.save_every == 0 or step + 1 == config.steps or stopping):
            _save(config, step + 1, network, optimiser, average)
        if stopping:
            break
    return config.out / "weights.safetensors"


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


def _update(
    config: TrainConfig, step: int, rounds: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch
) -> RoundsLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    hard_share = linear(step / config.steps, 1.0, 0.25, until=0.5)
    with torch.autocast(batch.images.device.type, dtype=torch.bfloat16):
        loss: RoundsLoss = rounds(batch, hard_share, config.seed * 1_000_003 + step)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    nn.utils.clip_grad_norm_(rounds.parameters(), 1.0)
    optimiser.step()
    return loss


def _batches(config: TrainConfig, first_step: int, group: ProcessGroup) -> Iterable[Batch]:
    cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
    stills = read_stills(config.data / "stills") if (config.data / "stills").is_dir() else []
    davis = config.data / "davis2016"
    sequences = read_real_sequences(davis, config.split) if davis.is_dir() else []
    if not stills:
        raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
    plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
    length = config.steps * config.batch * group.world_size
    clips = TrainingClips(stills, sequences, plan, config.seed, length, render_for_rounds)
    return step_loader(clips, StepBatches(first_step, config.steps, config.batch, group), config.workers, stack_clips)


def stack_clips(clips: list[TrainingClip]) -> Batch:
    """B clips as a batch."""
    names = ("images", "masks", "others", "windows")
    return Batch(*(torch.stack([getattr(clip, name) for clip in clips]) for name in names))


def _own(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(MATCHER_PREFIX)}


def _save(
    config: TrainConfig,
    step: int,
    network: RegionNetwork,
    optimiser: torch.optim.Optimizer,
    average: ParameterAverage,
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "network": network.own_state(),
        "optimiser": optimiser.state_dict(),
        "average": _own(average.state),
    }
    save_checkpoint(config.out / "checkpoint.pt", state)
    save_state(config.out / "weights.safetensors", _own(average.state), "trackprop", config.preset)


def _resume(
    config: TrainConfig, network: RegionNetwork, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    network.load_own_state(state["network"])
    load_matcher(network)
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
