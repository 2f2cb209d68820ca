"""Training of the trackers' networks (``shibori train trackers``): ATOM's IoU prediction and the Siamese network.

Both stand on one frozen trunk.
"""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.instance_scenes import InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.sampling import RealSequence
from shibori.datasets.stills import read_stills
from shibori.errors import InputError
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.view_trunks import trunk_digest
from shibori.nn.views import Features, ViewTrunk
from shibori.nn.weights import save_state
from shibori.ops.normalise import normalise_images
from shibori.systems.trackprop.tracker_losses import TrackerLoss, TrackerTraining
from shibori.systems.trackprop.tracker_model import DIGEST, SIZES, build_iou_network, build_siamese, build_trunk
from shibori.systems.trackprop.tracker_pairs import Pairs, pairs_of
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup
from shibori.training.schedule import warm_stable_decay

Scenes = list[tuple[InstanceView, InstanceView]]
"""Of one step, each seen twice."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run of the trackers. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/trackers"), "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the networks.")
    steps: int = option(3000, "Optimiser steps in all.")
    scenes: int = option(4, "Scenes a step, each seen twice.")
    pairs: int = option(16, "Most pairs a step.")
    absent_share: float = option(0.25, "Of the pairs whose object is not where it is looked for.")
    scene_size: int = option(256, "Side of the scenes' pictures in pixels, a multiple of 16.")
    rate: float = option(1e-3, "Peak learning rate of AdamW.")
    warmup: int = option(50, "Steps over which the learning rate rises.")
    decay_share: float = option(0.5, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.995, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.5, "Share of scenes drawn from real sequences.")
    split: str = option("train", "DAVIS split that is trained on.")
    sets: str = option("", "Names of the sets of stills to read, with commas; all of them by default.")
    real_height: int = option(240, "Real frames are kept in memory at this height, in pixels.")
    seed: int = option(0, "Seed of the parameters and the scenes.")
    workers: int = option(1, "Processes that make scenes; 0: this one does.")
    threads: int = option(1, "CPU threads of the networks.")
    device: str = option("cpu", "Device of the networks: cpu or cuda.")
    save_every: int = option(100, "Steps between checkpoints.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    resume: bool = option(False, "Go on from the checkpoint in the out folder.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the folder in which are ``atom.safetensors`` and ``siamese.safetensors``.

    Args:
        config: what to do.
        dev_score: not called: a tracker of boxes gives no masks.

    Raises:
        InputError: on data, a preset, a device or a checkpoint that are not there.
    """
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of the trackers ({', '.join(SIZES)}), found {config.preset!r}")
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    device = choose_device(config.device)
    run = TrackerTraining(build_iou_network(config.preset), build_siamese(config.preset)).to(device)
    trunk = build_trunk(config.preset)
    digest = trunk_digest(trunk)
    prepared = prepare_network(trunk, device, choose_dtype(device))
    assert isinstance(prepared, ViewTrunk)
    optimiser = torch.optim.AdamW(parameter_groups(run, config.weight_decay), lr=config.rate)
    average = ParameterAverage(run, config.average)
    first_step = _resume(config, run, optimiser, average) if config.resume else 0
    group = ProcessGroup(0, 1, 0)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, views in enumerate(_batches(config, first_step, group), first_step):
        torch.manual_seed(config.seed * 1_000_003 + step)  # what is drawn from here on depends on the step alone
        pairs = pairs_of(views, config.pairs, config.absent_share)
        images = torch.stack([view.image for pair in views for view in pair])
        features = prepared.see(normalise_images(images.to(device)))
        loss = _update(config, step, run, optimiser, features, Pairs(*(part.to(device) for part in pairs)))
        average.update(run, step)
        log.add(step, loss, optimiser.param_groups[0]["lr"])
        stopping = bool(config.minutes) and time.monotonic() > deadline
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps or stopping:
            _save(config, step + 1, run, optimiser, average, digest)
        if stopping:
            break
    return config.out


def _update(
    config: TrainConfig,
    step: int,
    run: TrackerTraining,
    optimiser: torch.optim.Optimizer,
    features: Features,
    pairs: Pairs,
) -> TrackerLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    with torch.autocast(features.fine.device.type, dtype=torch.bfloat16):
        loss: TrackerLoss = run(features, pairs)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    for part in (run.iou, run.siamese):  # each on its own: no parameter serves both
        nn.utils.clip_grad_norm_(part.parameters(), 1.0)
    optimiser.step()
    return loss


def _batches(config: TrainConfig, first_step: int, group: ProcessGroup) -> Iterable[Scenes]:
    """Scenes for every step left."""
    if config.scene_size < 16 or config.scene_size % 16:
        raise InputError(f"expected a scene_size that is a multiple of 16, found {config.scene_size}; give one as 256")
    if not (config.data / "stills").is_dir():
        raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
    cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
    davis = config.data / "davis2016"
    sequences = read_small_sequences(davis, config.split, config.real_height) if davis.is_dir() else []
    plan = InstancePlan(config.scene_size, config.real_share, pool=100_000)
    stills = read_stills(config.data / "stills", config.sets.split(",") if config.sets else None)
    scenes = InstanceScenes(stills, sequences, plan, config.seed, config.steps * config.scenes)
    return step_loader(scenes, StepBatches(first_step, config.steps, config.scenes, group), config.workers, list)


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


def _save(
    config: TrainConfig,
    step: int,
    run: TrackerTraining,
    optimiser: torch.optim.Optimizer,
    average: ParameterAverage,
    digest: Tensor,
) -> None:
    state = {"step": step, "run": run.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state}
    save_checkpoint(config.out / "checkpoint.pt", state)
    for system, prefix in (("atom", "iou."), ("siamese", "siamese.")):
        own = {name.removeprefix(prefix): value for name, value in average.state.items() if name.startswith(prefix)}
        save_state(config.out / f"{system}.safetensors", own | {DIGEST: digest}, system, config.preset)


def _resume(
    config: TrainConfig, run: TrackerTraining, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    try:
        run.load_state_dict(state["run"])
    except RuntimeError as error:
        raise InputError(
            f"expected a checkpoint of the preset {config.preset} in {config.out}, found one of other networks; "
            "resume with the preset the run was started with"
        ) from error
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
