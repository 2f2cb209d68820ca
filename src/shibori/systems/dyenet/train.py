"""Joint training of DyeNet's networks on clips of one object and scenes of several."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from shibori.datasets.flow_clips import FlowClips
from shibori.datasets.instance_scenes import InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.sampling import SamplingPlan, TrainingClip, TrainingClips, read_real_sequences
from shibori.datasets.stills import read_stills
from shibori.errors import InputError
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_state, save_state
from shibori.systems.dyenet.losses import Clips, JointLoss, JointTraining, Scenes
from shibori.systems.dyenet.matcher import load_matcher
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.size import SIZES
from shibori.training.batches import StepBatches, step_loader
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.log import RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.schedule import linear, warm_stable_decay


@dataclass(frozen=True)
class TrainConfig:
    """One training run of DyeNet. Saved as JSON beside its weights."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(Path("runs/dyenet"), "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the network.")
    steps: int = option(4000, "Optimiser steps in all.")
    batch: int = option(8, "Clips a step and process, in which the rows of Table 1 take turns; 0: scenes alone.")
    scenes: int = option(3, "Scenes a step and process, each seen twice.")
    size: int = option(208, "Side of the clips' windows in pixels, a multiple of 16.")
    scene_size: int = option(256, "Side of the scenes' pictures in pixels, a multiple of 16.")
    frames: int = option(4, "Frames a clip.")
    rate: float = option(1e-3, "Peak learning rate of AdamW.")
    warmup: int = option(100, "Steps over which the learning rate rises.")
    decay_share: float = option(0.5, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.998, "Decay of the moving average of the parameters, which is what is kept.")
    real_share: float = option(0.45, "Share of clips and scenes drawn from real sequences.")
    max_gap: int = option(8, "Largest gap between frames of a real clip.")
    pool: int = option(1000, "Cut-out objects with an identity of their own.")
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters, the clips and the scenes.")
    workers: int = option(1, "Processes that make clips, and as many that make scenes.")
    threads: int = option(2, "CPU threads of the network.")
    device: str = option("cpu", "Device of the network: cpu or cuda.")
    save_every: int = option(200, "Steps between checkpoints.")
    dev_every: int = option(0, "Steps between scores on the dev split; 0 for never.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(True, "Start preset paper from public ImageNet weights, which are fetched.")
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
    _check_sides(config)
    device = choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)
    data = TrainingData.read(config, group.world_size)
    run = JointTraining(_start_network(config), data.num_identities).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(parameter_groups(run, config.weight_decay), lr=config.rate)
    average = ParameterAverage(run.network, config.average)
    first_step = _resume(config, run, optimiser, average) if config.resume else 0
    wrapped: nn.Module = run
    if group.world_size > 1:
        ids = [device.index] if device.type == "cuda" else None
        wrapped = DistributedDataParallel(run, device_ids=ids, find_unused_parameters=True)
    log = RunLog(config, config.steps, first_step, group)
    deadline = time.monotonic() + config.minutes * 60
    for step, (clips, scenes) in enumerate(data.batches(config, first_step, group), first_step):
        torch.manual_seed(config.seed * 1_000_003 + step)  # what is drawn in the loss depends on the step alone
        moved = None if clips is None else clips.on(device)
        loss = _update(config, step, wrapped, run.network, optimiser, moved, scenes.on(device))
        average.update(run.network, step)
        log.add(step, loss, optimiser.param_groups[0]["lr"])
        stopping = bool(config.minutes) and group.any(time.monotonic() > deadline)
        if group.is_first and ((step + 1) % config.save_every == 0 or step + 1 == config.steps or stopping):
            _save(config, step + 1, run, optimiser, average)
        if group.is_first and dev_score is not None and config.dev_every and (step + 1) % config.dev_every == 0:
            log.add_dev(step, dev_score(_own(average.state)))
        if stopping:
            break
    return config.out / "weights.safetensors"


def _check_sides(config: TrainConfig) -> None:
    for name, side in (("size", config.size), ("scene_size", config.scene_size)):
        if side < 16 or side % 16:
            raise InputError(f"expected a {name} that is a multiple of 16, found {side}; give one such as 208")


def _start_network(config: TrainConfig) -> DyeNet:
    if config.preset not in SIZES:
        raise InputError(f"expected a preset of dyenet ({', '.join(SIZES)}), found {config.preset!r}")
    from_nothing = config.start is None and not config.resume
    network = build_dyenet(config.preset, config.pretrained and from_nothing)
    if config.start is not None:
        network.load_own_state(load_state(config.start, "dyenet", config.preset))
        network.matcher_digest.zero_()  # whichever tracker they come from, they are trained on with this version's
    load_matcher(network)
    return network


def _update(
    config: TrainConfig,
    step: int,
    run: nn.Module,
    network: DyeNet,
    optimiser: torch.optim.Optimizer,
    clips: Clips | None,
    scenes: Scenes,
) -> JointLoss:
    set_rate(optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
    hard_share = linear(step / config.steps, 1.0, 0.15, until=0.5)
    with torch.autocast(scenes.images.device.type, dtype=torch.bfloat16):
        loss: JointLoss = run(clips, scenes, hard_share)
    optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    for part in network.trained_parts:  # each on its own: the losses differ in size, and no parameter serves two
        nn.utils.clip_grad_norm_(part.parameters(), 1.0)
    optimiser.step()
    return loss


def _own(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith("matcher.")}


@dataclass(frozen=True)
class TrainingData:
    """The two endless supplies of a run."""

    clips: FlowClips
    scenes: InstanceScenes
    num_identities: int

    @classmethod
    def read(cls, config: TrainConfig, world_size: int) -> TrainingData:
        """Read the folder of the configuration. InputError if it holds no photographs."""
        if not (config.data / "stills").is_dir():
            raise InputError(f"expected a folder stills/ with photographs and masks under {config.data}, found none")
        stills = read_stills(config.data / "stills")
        davis = config.data / "davis2016"
        sequences = read_real_sequences(davis, config.split) if davis.is_dir() else []
        plan = SamplingPlan(config.frames, config.size, config.real_share, config.max_gap)
        length = config.steps * config.batch * world_size
        clips = FlowClips(TrainingClips(stills, sequences, plan, config.seed, length), config.size // 4)
        instance_plan = InstancePlan(config.scene_size, config.real_share, config.pool)
        scenes = InstanceScenes(stills, sequences, instance_plan, config.seed, config.steps * config.scenes)
        return cls(clips, scenes, scenes.num_identities)

    def batches(
        self, config: TrainConfig, first_step: int, group: ProcessGroup
    ) -> Iterator[tuple[Clips | None, Scenes]]:
        """A batch of each for every step left."""
        cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
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


def stack_clips(items: list[tuple[TrainingClip, Tensor]]) -> Clips:
    """B clips with their flows as a batch."""
    clips = [clip for clip, _ in items]
    images, masks, others, windows = (
        torch.stack([getattr(clip, name) for clip in clips]) for name in ("images", "masks", "others", "windows")
    )
    return Clips(images, masks, others, windows, torch.stack([flow for _, flow in items]))


def stack_scenes(items: list[tuple[InstanceView, InstanceView]]) -> Scenes:
    """Both views of all scenes as one batch of pictures."""
    views = [view for pair in items for view in pair]
    picture = torch.cat([torch.full((len(view.boxes),), n, dtype=torch.int64) for n, view in enumerate(views)])
    masks, boxes, identities = (
        torch.cat([getattr(view, name) for view in views]) for name in ("masks", "boxes", "identities")
    )
    return Scenes(torch.stack([view.image for view in views]), masks, boxes, identities, picture)


def _save(
    config: TrainConfig, step: int, run: JointTraining, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "network": run.network.own_state(),
        "identities": run.identities.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": _own(average.state),
    }
    save_checkpoint(config.out / "checkpoint.pt", state)
    save_state(config.out / "weights.safetensors", _own(average.state), "dyenet", config.preset)


def _resume(
    config: TrainConfig, run: JointTraining, optimiser: torch.optim.Optimizer, average: ParameterAverage
) -> int:
    state = load_checkpoint(config.out / "checkpoint.pt")
    run.network.load_own_state(state["network"])
    load_matcher(run.network)
    run.identities.load_state_dict(state["identities"])
    optimiser.load_state_dict(state["optimiser"])
    average.restore(state["average"])
    return int(state["step"])
