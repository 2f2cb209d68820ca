"""Joint training of DyeNet's networks on clips of one object and scenes of several."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from shibori.datasets.flow_clips import FlowClips
from shibori.datasets.sampling import SamplingPlan, TrainingClip, TrainingClips
from shibori.datasets.scene.instance_scenes import InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.dyenet.losses import Clips, JointTraining, Scenes
from shibori.systems.dyenet.matcher import load_matcher
from shibori.systems.dyenet.model import MATCHER_PREFIX, DyeNet, build_dyenet
from shibori.systems.dyenet.size import SIZES
from shibori.training.batches import StepBatches, step_loader
from shibori.training.config import RunConfig, run_option
from shibori.training.option import option
from shibori.training.processes import ProcessGroup, process_group
from shibori.training.run import Run, Training, begin
from shibori.training.schedule import linear


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
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
    start: Path | None = option(None, "Weights to start from instead of random ones.")
    pretrained: bool = option(True, "Start preset paper from public ImageNet weights, which are fetched.")


def train(config: TrainConfig, dev_score: Callable[[dict[str, Tensor]], float] | None = None) -> Path:
    """Run ``config`` and return the path of the weights it wrote.

    Args:
        config: what to do.
        dev_score: given a state dict, the J&F on the held-out sequences; called every ``dev_every`` steps.

    Raises:
        InputError: on data, a preset, a device, weights or a checkpoint that are not there.
    """
    with process_group() as group:
        Run(config, DyeNetTraining(config, group), group).go(dev_score, config.dev_every)
    return config.out / "weights.safetensors"


class DyeNetTraining(Training[tuple[Clips | None, Scenes]]):
    """All networks, with a classifier of the identities that only the training has."""

    system = "dyenet"
    parts_idle = True

    def __init__(self, config: TrainConfig, group: ProcessGroup) -> None:
        self.config, self.group, self.device = config, group, begin(config, group)
        _check_sides(config)
        self.data = TrainingData.read(config, group.world_size)
        joint = JointTraining(_start_network(config), self.data.num_identities)
        self.joint = joint.to(self.device).to(memory_format=torch.channels_last)
        super().__init__(self.joint.network, self.joint)

    @property
    def parts(self) -> Sequence[nn.Module]:
        """One for each loss: they differ in size, and no parameter serves two."""
        return self.joint.network.trained_parts

    def batches(self, first_step: int) -> Iterable[tuple[Clips | None, Scenes]]:
        """Clips, unless there are none, and scenes."""
        return self.data.batches(self.config, first_step, self.group)

    def inputs(self, step: int, item: tuple[Clips | None, Scenes]) -> Sequence[Any]:
        """Both, and the share of the pixels that count."""
        clips, scenes = item
        hard_share = linear(step / self.config.steps, 1.0, 0.15, until=0.5)
        return None if clips is None else clips.on(self.device), scenes.on(self.device), hard_share

    def own(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but the pixel tracker's."""
        return {name: value for name, value in state.items() if not name.startswith(MATCHER_PREFIX)}

    def state(self) -> dict[str, Any]:
        """With the classifier, which is not among the weights."""
        return super().state() | {"identities": self.joint.identities.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """The opposite of ``state``."""
        self.joint.network.load_own_state(state["network"])
        self.joint.identities.load_state_dict(state["identities"])

    def load_frozen(self) -> None:
        """The pixel tracker."""
        load_matcher(self.joint.network)


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


@dataclass(frozen=True)
class TrainingData:
    """The two endless supplies of a run."""

    clips: FlowClips
    scenes: InstanceScenes
    num_identities: int

    @classmethod
    def read(cls, config: TrainConfig, world_size: int) -> TrainingData:
        """Read the folder of the configuration. InputError if it holds no photographs."""
        stills, sequences = read_training_folder(config.data, config.split)
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
