"""Training of the pixel tracker, from nothing or from shipped weights."""

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
from shibori.nn.pixel_tracker.compact import SIZES, build_pixel_tracker
from shibori.nn.pixel_tracker.network import PixelNetwork
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_state, save_state
from shibori.systems.pixel.losses import UnrolledLoss, UnrolledTracker
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.schedule import linear, warm_stable_decay


@dataclass(frozen=True)
class TrainConfig:
    """One training run of the pixel tracker. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/pixel"), "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the network.")
    steps: int = option(6000, "Optimiser steps in all.")
    batch: int = option(8, "Clips a step and process.")
    size: int = option(208, "Side of the training windows in pixels, a multiple of 16.")
    frames: int = option(3, "Frames a clip.")
    rate: float = option(1e-3, "Peak learning rate of AdamW.")
    warmup: int = option(200, "Steps over which the learning rate rises.")
    decay_share: float = option(0.35, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.998, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.4, "Share of clips drawn from real sequences.")
    max_gap: int = option(8, "Largest gap between frames of a real clip.")
    gap_growth: float = option(
        0.5, "Share of the run over which the largest gap grows from 1 to max-gap; 0 for at once."
    )
    noisy_share: float = option(
        0.0, "Share of clips whose reference is a noisy mask such as a detector gives, instead of the true one."
    )
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters and of the clips.")
    workers: int = option(1, "Processes that make clips.")
    threads: int = option(2, "CPU threads of the network.")
    device: str = option("cpu", "Device of the network: cpu or cuda.")
    save_every: int = option(200, "Steps between checkpoints.")
    dev_every: int = option(1000, "Steps between scores on the dev split; 0 for never.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(
        True, "Start the backbone of preset paper from public ImageNet weights, which are fetched."
    )
    resume: bool = option(False, "Go on from the checkpoint in the out folder.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: given a state dict, the J&F on the held-out sequences; called every ``dev_every`` steps.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        return _train(config, dev_score, group)


def _train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None, group: ProcessGroup) -> Path:
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    device = choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)
    network = _start_network(config).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.rate)
    average = ParameterAverage(network, config.average)
    first_step = _resume(config, network, optimiser, average) if config.resume else 0
    batches = _batches(config, first_step, group)
    tracker: nn.Module = UnrolledTracker(network)
    if group.world_size > 1:
        tracker = DistributedDataParallel(tracker, device_ids=[device.index] if device.type == "cuda" else None)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, clips in enumerate(batches, first_step):
        loss = _update(config, step, tracker, optimiser, [part.to(device, non_blocking=True) for part in clips])
        average.update(network, step)
        log.add(step, loss, optimiser.param_groups[0]["lr"])
        stopping = bool(config.minutes) and group.any(time.monotonic() > deadline)
        if group.is_first and ((step + 1) % config.save_every == 0 or step + 1 == config.steps or stopping):
            _save(config, step + 1, network, optimiser, average)
        if group.is_first and dev_score is not None and config.dev_every and (step + 1) % config.dev_every == 0:
            log.add_dev(step, dev_score(average.state))
        if stopping:
            break
    return config.out / "weights.safetensors"


def _start_network(config: TrainConfig) -> PixelNetwork:
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of the pixel tracker ({', '.join(SIZES)}), found {config.preset!r}")
    from_nothing = config.start is None and not config.resume
    network = build_pixel_tracker(config.preset, config.pretrained and from_nothing)
    if config.start is not None:
        network.load_state_dict(load_state(config.start, "pixel", config.preset))
    return network


def _update(
    config: TrainConfig, step: int, tracker: nn.Module, optimiser: torch.optim.Optimizer, clips: list[Tensor]
) -> UnrolledLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    hard_share = linear(step / config.steps, 1.0, 0.15, until=0.5)
    with torch.autocast(clips[0].device.type, dtype=torch.bfloat16):
        loss: UnrolledLoss = tracker(*clips, hard_share)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    nn.utils.clip_grad_norm_(tracker.parameters(), 1.0)
    optimiser.step()
    return loss


def _batches(config: TrainConfig, first_step: int, group: ProcessGroup) -> Iterable[list[Tensor]]:
    cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
    stills = read_stills(config.data / "stills") if (config.data / "stills").is_dir() else []
    davis = config.data / "davis2016"
    sequences = read_real_sequences(davis, config.split) if davis.is_dir() else []
    if not stills:
        raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
    length = config.steps * config.batch * group.world_size
    plan = SamplingPlan(
        config.frames,
        config.size,
        config.real_share,
        config.max_gap,
        gap_growth=int(length * config.gap_growth),
        noisy_share=config.noisy_share,
    )
    clips = TrainingClips(stills, sequences, plan, config.seed, length)
    return step_loader(clips, StepBatches(first_step, config.steps, config.batch, group), config.workers, stack_clips)


def stack_clips(clips: list[TrainingClip]) -> list[Tensor]:
    """B clips -> images (B, T, 3, S, S), masks (B, T, S, S), others (B, T, S, S), windows (B, T, 4)."""
    return [
        torch.stack([clip.images for clip in clips]),
        torch.stack([clip.masks for clip in clips]),
        torch.stack([clip.others for clip in clips]),
        torch.stack([clip.windows for clip in clips]),
    ]


def _save(
    config: TrainConfig, step: int, network: nn.Module, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state,
    }
    save_checkpoint(config.out / "checkpoint.pt", state)
    save_state(config.out / "weights.safetensors", average.state, "pixel", config.preset)


def _resume(
    config: TrainConfig, network: nn.Module, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    try:
        network.load_state_dict(state["network"])
    except RuntimeError as error:
        raise InputError(
            f"expected a checkpoint of the preset {config.preset} in {config.out}, found one of another network; "
            "resume with the preset the run was started with"
        ) from error
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
