"""Training of IPDT's detector on photographs, frames of real clips, and cut-out objects pasted over both."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from shibori.datasets.classed_stills import read_classed_stills
from shibori.datasets.davis import read_davis
from shibori.datasets.detection_scenes import DetectionPlan, DetectionScene, DetectionScenes
from shibori.errors import InputError
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_state, save_state
from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.losses import DetectorLoss, DetectorTraining, Truth
from shibori.systems.ipdt.model import build_detector, load_trunk
from shibori.systems.ipdt.network import Detector
from shibori.systems.ipdt.size import SIZES, STRIDE
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.schedule import warm_stable_decay


@dataclass(frozen=True)
class TrainConfig:
    """One training run of IPDT's detector. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/ipdt"), "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the detector.")
    steps: int = option(6000, "Optimiser steps in all.")
    batch: int = option(8, "Pictures a step and process.")
    height: int = option(256, "Height of the training pictures in pixels, a multiple of 32.")
    width: int = option(320, "Width of the training pictures in pixels, a multiple of 32.")
    rate: float = option(1e-3, "Peak learning rate of AdamW.")
    warmup: int = option(150, "Steps over which the learning rate rises.")
    decay_share: float = option(0.4, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.998, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.3, "Share of pictures whose ground is a frame of a real clip.")
    paste_share: float = option(0.65, "Share of pictures with pasted objects.")
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters and of the pictures.")
    workers: int = option(1, "Processes that make pictures.")
    threads: int = option(2, "CPU threads of the network.")
    device: str = option("cpu", "Device of the network: cpu or cuda.")
    save_every: int = option(200, "Steps between checkpoints.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(True, "Start preset paper from public ImageNet weights, which are fetched.")
    resume: bool = option(False, "Go on from the checkpoint in the out folder.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: not asked: a detector is not scored on the sequences of one object each.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        return _train(config, group)


def _train(config: TrainConfig, group: ProcessGroup) -> Path:
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    _check_sides(config)
    device = choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)
    detector = _start_detector(config).to(device).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(parameter_groups(detector, config.weight_decay), lr=config.rate)
    average = ParameterAverage(detector, config.average)
    first_step = _resume(config, detector, optimiser, average) if config.resume else 0
    batches = _batches(config, first_step, group)
    run: nn.Module = DetectorTraining(detector)
    if group.world_size > 1:
        ids = [device.index] if device.type == "cuda" else None
        run = DistributedDataParallel(run, device_ids=ids, find_unused_parameters=True)  # no object, no mask
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, (images, truths) in enumerate(batches, first_step):
        torch.manual_seed(config.seed * 1_000_003 + step)  # which boxes are sampled depends on the step alone
        moved = [Truth(*(part.to(device) for part in truth)) for truth in truths]
        loss = _update(config, step, run, optimiser, images.to(device), moved)
        average.update(detector, step)
        log.add(step, loss, optimiser.param_groups[0]["lr"])
        stopping = bool(config.minutes) and group.any(time.monotonic() > deadline)
        if group.is_first and ((step + 1) % config.save_every == 0 or step + 1 == config.steps or stopping):
            _save(config, step + 1, detector, optimiser, average)
        if stopping:
            break
    return config.out / "weights.safetensors"


def _check_sides(config: TrainConfig) -> None:
    for name, side in (("height", config.height), ("width", config.width)):
        if side < STRIDE or side % STRIDE:
            raise InputError(f"expected a {name} that is a multiple of {STRIDE}, found {side}; give one such as 256")


def _start_detector(config: TrainConfig) -> Detector:
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of ipdt that can be trained ({', '.join(SIZES)}), found {config.preset!r}")
    from_nothing = config.start is None and not config.resume
    detector = build_detector(config.preset, config.pretrained and from_nothing)
    if config.start is not None:
        detector.load_own_state(load_state(config.start, "ipdt", config.preset))
        detector.trunk_digest.zero_()  # whichever trunk they come from, they are trained on with this version's
    load_trunk(detector)
    return detector


def _update(
    config: TrainConfig,
    step: int,
    run: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    truths: list[Truth],
) -> DetectorLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    normal = normalise_images(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16):
        loss: DetectorLoss = run(normal, truths)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    nn.utils.clip_grad_norm_([p for p in run.parameters() if p.requires_grad], 5.0)
    optimiser.step()
    return loss


def _batches(config: TrainConfig, first_step: int, group: ProcessGroup) -> DataLoader[tuple[Tensor, list[Truth]]]:
    cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
    if not (config.data / "stills").is_dir():
        raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
    stills = [still for still in read_classed_stills(config.data / "stills") if not still.is_held_out]
    davis = config.data / "davis2016"
    sequences = sorted(read_davis(davis, 2016, config.split), key=lambda each: each.name) if davis.is_dir() else []
    plan = DetectionPlan((config.height, config.width), config.real_share, config.paste_share)
    length = config.steps * config.batch * group.world_size
    scenes: Any = DetectionScenes(stills, sequences, plan, config.seed, length)
    return step_loader(scenes, StepBatches(first_step, config.steps, config.batch, group), config.workers, stack_scenes)


def stack_scenes(scenes: list[DetectionScene]) -> tuple[Tensor, list[Truth]]:
    """B scenes -> (B, 3, H, W) uint8 pictures, and the objects of each."""
    truths = [Truth(scene.boxes, scene.labels, scene.masks) for scene in scenes]
    return torch.stack([scene.image for scene in scenes]), truths


def _own(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith("trunk.")}


def _save(
    config: TrainConfig, step: int, detector: Detector, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "detector": detector.own_state(),
        "optimiser": optimiser.state_dict(),
        "average": _own(average.state),
    }
    save_checkpoint(config.out / "checkpoint.pt", state)
    save_state(config.out / "weights.safetensors", _own(average.state), "ipdt", config.preset)


def _resume(
    config: TrainConfig, detector: Detector, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    try:
        detector.load_own_state(state["detector"])
    except RuntimeError as error:
        raise InputError(
            f"expected a checkpoint of the preset {config.preset} in {config.out}, found one of another network; "
            "resume with the preset the run was started with"
        ) from error
    load_trunk(detector)
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
