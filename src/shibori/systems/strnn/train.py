"""Training of strnn in two steps (Sec. 2.4.1): extractor and spatial part, then the RNN with its temporal link."""

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

from shibori.datasets.sampling import (
    SamplingPlan,
    TrainingClip,
    TrainingClips,
    read_real_sequences,
    render_widely,
)
from shibori.datasets.stills import read_stills
from shibori.errors import InputError
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_state, save_state
from shibori.systems.strnn.losses import ClipLoss, StrnnLoss
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.size import SIZES, rule_of
from shibori.systems.strnn.tracker import load_tracker, start_from_tracker
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.schedule import warm_stable_decay


@dataclass(frozen=True)
class TrainConfig:
    """One training run of strnn. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/strnn"), "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the network.")
    steps: int = option(1500, "Optimiser steps in all.")
    first_share: float = option(0.6, "Part of them for the first step: extractor and spatial part, frames unlinked.")
    batch: int = option(4, "Clips a step and process.")
    size: int = option(256, "Side of the training frames in pixels, a multiple of 16.")
    frames: int = option(3, "Frames a clip.")
    adaption_weight: float = option(1.0, "Weight of the adaption's own loss beside Eq. 4; 0 for Eq. 4 alone.")
    rate: float = option(3e-4, "Peak learning rate of AdamW.")
    warmup: int = option(50, "Steps over which the learning rate rises.")
    decay_share: float = option(0.35, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.99, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.5, "Share of clips drawn from real sequences.")
    max_gap: int = option(4, "Largest gap between frames of a real clip.")
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters and of the clips.")
    workers: int = option(1, "Processes that make clips.")
    threads: int = option(2, "CPU threads of the network.")
    device: str = option("cpu", "Device of the network: cpu or cuda.")
    save_every: int = option(100, "Steps between checkpoints.")
    dev_every: int = option(0, "Steps between scores on the dev split; 0 for never.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    start: Path | None = option(None, "Weights of strnn to start from.")
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
    network = start_network(config).to(device).to(memory_format=torch.channels_last)
    loss_of: nn.Module = ClipLoss(network, rule_of(config.preset), adaption_weight=config.adaption_weight)
    optimiser = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.rate)
    average = ParameterAverage(network, config.average)
    first_step = _resume(config, network, optimiser, average) if config.resume else 0
    if group.world_size > 1:
        # In the second step the extractor has no gradient.
        devices = [device.index] if device.type == "cuda" else None
        loss_of = DistributedDataParallel(loss_of, device_ids=devices, find_unused_parameters=True)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, clips in enumerate(_batches(config, first_step, group), first_step):
        set_step(network, with_time=_with_time(config, step))
        loss = _update(config, step, loss_of, optimiser, [part.to(device, non_blocking=True) for part in clips])
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


def _with_time(config: TrainConfig, step: int) -> bool:
    return step >= config.first_share * config.steps


def set_step(network: StrnnNetwork, with_time: bool) -> None:
    """Make the network ready for the first or the second step of Sec. 2.4.1: in the second the extractor is fixed.

    A pixel tracker is fixed in both. Batch statistics stay what they were in both, since batches are small.
    """
    network.train()
    network.extractor.eval().requires_grad_(not with_time and network.tracker is None)


def _update(
    config: TrainConfig, step: int, loss_of: nn.Module, optimiser: torch.optim.Optimizer, clips: list[Tensor]
) -> StrnnLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    with torch.autocast(clips[0].device.type, dtype=torch.bfloat16):
        loss: StrnnLoss = loss_of(clips[0], clips[1], _with_time(config, step), config.seed + step)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    nn.utils.clip_grad_norm_(loss_of.parameters(), 1.0)
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
    plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
    clips = TrainingClips(stills, sequences, plan, config.seed, length, render_widely)
    return step_loader(clips, StepBatches(first_step, config.steps, config.batch, group), config.workers, stack_clips)


def stack_clips(clips: list[TrainingClip]) -> list[Tensor]:
    """B clips -> images (B, T, 3, S, S), masks (B, T, S, S)."""
    return [torch.stack([clip.images for clip in clips]), torch.stack([clip.masks for clip in clips])]


def _save(
    config: TrainConfig, step: int, network: StrnnNetwork, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> None:
    state = {
        "step": step,
        "network": network.own_state(),
        "optimiser": optimiser.state_dict(),
        "average": network.own_part(average.state),
    }
    save_checkpoint(config.out / "checkpoint.pt", state)
    save_state(config.out / "weights.safetensors", network.own_part(average.state), "strnn", config.preset)


def _resume(
    config: TrainConfig, network: StrnnNetwork, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    try:
        network.load_own_state(state["network"])
    except InputError as error:
        raise InputError(
            f"expected a checkpoint of the preset {config.preset} in {config.out}, found one of another network; "
            "resume with the preset the run was started with"
        ) from error
    load_tracker(network)
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
